import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from qrnn_circuits.reproduction.experiment import Experiment, in_order
from qrnn_circuits.reproduction.experiment_files import (
    experiment_names,
    read_experiment,
    read_experiment_file,
)
from qrnn_circuits.reproduction.report import make_page, write_report
from qrnn_circuits.reproduction.results import RunResult, append_results
from qrnn_circuits.reproduction.runner import stored_runs

PAGE = Path(__file__).parents[2] / "docs" / "project" / "reproduction.md"


@pytest.fixture
def experiment(experiment_file: Callable[..., Path]) -> Experiment:
    return read_experiment_file(
        experiment_file(("seeds = 2", 'seeds = 2\nremarks = "It is\\n tiny."'))
    )


@pytest.fixture
def out(experiment: Experiment, tmp_path: Path) -> Path:
    """The results of three of four runs."""
    folder = tmp_path / "out"
    for case, seed, error in ((0, 0, 0.5), (0, 1, 1 / 3), (1, 0, 0.125)):
        own = experiment.cases[case]
        figures = {"test_error": error, "reason": "all 4 steps are done", "validation_error": 0.1}
        result = RunResult("tiny", own.name, seed, own.settings, figures, False, 2.0, {}, "run")
        append_results(folder / "tiny.jsonl", [result])
    return folder


def test_the_page_has_what_was_measured_beside_what_is_published(
    experiment: Experiment, out: Path, tmp_path: Path
) -> None:
    file = tmp_path / "docs" / "page.md"
    write_report([experiment], out, file)
    lines = file.read_text().splitlines()
    assert "## Tiny" in lines
    assert "It is tiny." in lines
    (row,) = (line for line in lines if line.startswith("| learning_rate=0.1 |"))
    assert row == (
        "| learning_rate=0.1 | test error | 25.00 % | 12.50 % |  | 12.50 % | 1 of 2 | 2 |"
    )
    assert "3 of 4 runs are finished" in lines[-1]
    assert "`qrnn reproduce tiny`" in lines[-1]
    assert "[tiny.jsonl](page/tiny.jsonl)" in lines[-1]
    assert (tmp_path / "docs" / "page" / "tiny-1.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_of_the_stripped_results_is_the_same(
    experiment: Experiment, out: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "a" / "page.md", tmp_path / "b" / "page.md"
    write_report([experiment], out, first)
    write_report([experiment], first.with_suffix(""), second)
    assert first.read_bytes() == second.read_bytes()
    raw = [json.loads(line) for line in (tmp_path / "a/page/tiny.jsonl").read_text().splitlines()]
    assert [set(each["figures"]) for each in raw] == [{"test_error", "validation_error"}] * 3
    # Onto itself, too.
    write_report([experiment], first.with_suffix(""), first)
    assert first.read_bytes() == second.read_bytes()


def test_pictures_that_a_measurement_has_left_come_with_the_page(
    experiment_file: Callable[..., Path], out: Path, tmp_path: Path
) -> None:
    file = experiment_file(("seeds = 2", 'seeds = 2\npictures = ["sheet.png"]'))
    experiment = read_experiment_file(file)
    folder = out / "tiny" / "learning_rate=0.1" / "seed-1"
    folder.mkdir(parents=True)
    (folder / "sheet.png").write_bytes(b"digits")
    page = tmp_path / "page.md"
    name = "tiny-learning_rate=0.1-sheet.png"
    for _ in range(2):
        missing = write_report([experiment], out, page)
        assert missing == ["tiny-learning_rate=0.01-sheet.png"]
        assert f"![learning_rate=0.1](page/{name})" in page.read_text()
        assert (tmp_path / "page" / name).read_bytes() == b"digits"
        out = tmp_path / "page"


def test_an_experiment_without_results_is_left_out(experiment: Experiment) -> None:
    page = make_page([experiment], {"tiny": {}}, Path("out"), "page")
    assert "Tiny" not in page.text
    assert page.results == {}


def test_a_page_that_is_no_markdown_is_refused(experiment: Experiment, out: Path) -> None:
    with pytest.raises(ValueError, match=r"must be a file that ends in \.md, got page\.html"):
        write_report([experiment], out, Path("page.html"))


def test_a_page_is_left_as_it_is_where_there_are_no_results(
    experiment: Experiment, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text("of results elsewhere")
    with pytest.raises(ValueError, match=r"must be a folder with results of tiny, but .* has none"):
        write_report([experiment], tmp_path / "nowhere", page)
    assert page.read_text() == "of results elsewhere"
    assert not page.with_suffix("").exists()


def test_rounded_results_take_the_place_of_no_others(experiment: Experiment, out: Path) -> None:
    kept = (out / "tiny.jsonl").read_bytes()
    with pytest.raises(ValueError, match="markdown must have another name than the folder"):
        write_report([experiment], out, out.with_suffix(".md"))
    assert (out / "tiny.jsonl").read_bytes() == kept


def test_a_full_disk_leaves_the_raw_results_beside_a_page(
    experiment: Experiment,
    out: Path,
    tmp_path: Path,
    small_disk: Callable[[int], AbstractContextManager[None]],
) -> None:
    page = tmp_path / "page.md"
    write_report([experiment], out, page)
    raw = tmp_path / "page" / "tiny.jsonl"
    kept = raw.read_bytes()
    for size in (0, len(kept) - 1, page.stat().st_size + 1):
        with small_disk(size), pytest.raises(OSError, match=r"too large: '.*page"):
            write_report([experiment], out, page)
        assert raw.read_bytes() == kept


def test_the_page_in_the_documentation_is_what_its_raw_results_make() -> None:
    experiments = in_order(read_experiment(name) for name in experiment_names())
    folder = PAGE.with_suffix("")
    done = {each.name: stored_runs(each, folder) for each in experiments}
    page = make_page(experiments, done, folder, folder.name)
    assert page.text == PAGE.read_text()
    assert page.pictures.keys() | page.copies.keys() == {path.name for path in folder.glob("*.png")}
    assert page.results.keys() == {path.stem for path in folder.glob("*.jsonl")}
    for name, runs in page.results.items():
        assert list(stored_runs(read_experiment(name), folder).values()) == runs
