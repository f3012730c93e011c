import os
import re
import shlex
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qrnn_circuits.command_line import app
from qrnn_circuits.execution.run_report_page import TEMPLATES
from tests.running import TRAIN

Qrnn = Callable[..., Result]

HOSTILE = "<script>alert(1)</script>"
_VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """The elements of a page, each of which must be closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.identifiers: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in _VOID:
            self.open.append(tag)
        values = dict(attrs)
        self.identifiers.add(values.get("id") or "")
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def write(qrnn: Qrnn) -> Callable[..., str]:
    def write(folder: Path, *arguments: str | Path) -> str:
        result = qrnn("report", folder, *arguments)
        assert result.exit_code == 0, result.stderr
        name = re.fullmatch(r"The report is in (.*)\.\n", result.stdout)
        assert name is not None
        return Path(name[1]).read_text()

    return write


Write = Callable[..., str]


def test_the_answers_of_a_device_stand_beside_the_exact_ones(
    write: Callable[..., str], qrnn: Qrnn, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    options = ("--device", "qrnn.torch", "--shots", 200, "--sequences", 1, "--seed", 0)
    text = write(Path("pretrained:xor-chip"), "--out", file, *options)
    page = Page(text)
    assert "device" in page.identifiers
    assert "On a device" in text
    assert "qrnn.torch" in text
    assert " ± " in text.partition("On a device")[2]
    assert "device" not in Page(write(Path("pretrained:xor-chip"), "--out", file)).identifiers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--noise", "fake_fez"), "noise is for a device, got fake_fez: name one, as --device"),
        (("--sequences", 2), "sequences is for a device, got 2"),
        (("--seed", 0), "seed is for a device, got 0"),
        (("--tolerance", -1), "tolerance in radians must be finite and at least 0, got -1"),
        (("--device", "qrnn.torch", "--sequences", 10**6), "sequences must be from 1 to 1024"),
    ],
)
def test_an_option_that_would_do_nothing_or_cannot_is_refused(
    qrnn: Qrnn, tmp_path: Path, options: tuple[str | int, ...], message: str
) -> None:
    words = map(str, options)
    refused = qrnn("report", "pretrained:xor-chip", "--out", tmp_path / "page.html", *words)
    assert refused.exit_code == 2, refused.exception
    assert message in " ".join(refused.stderr.replace("│", " ").split())
    assert not any(tmp_path.iterdir())


def test_a_device_runs_the_circuits_that_qrnn_run_runs(
    write: Callable[..., str], qrnn: Qrnn, tmp_path: Path
) -> None:
    circuits = ("--encoding", "angles", "--tolerance", 0.05, "--steps", 6)
    device = ("--device", "qrnn.torch", "--sequences", 1)
    shown = qrnn("run", "pretrained:xor-chip", *device, *circuits).stdout
    text = write(Path("pretrained:xor-chip"), "--out", tmp_path / "page.html", *device, *circuits)
    accuracy = re.search(r"accuracy +(.*)", shown)
    assert accuracy is not None
    assert accuracy[1] in text
    # The gates of a step are those of the same circuits.
    assert "rotations up to 0.05 rad are dropped" in text


def test_options_in_sentences_are_not_wrapped_at_their_hyphens() -> None:
    shown = str(TEMPLATES.filters["unbroken"]("Give --learning-rate <b> anew"))
    assert '<span class="option">--learning-rate</span>' in shown
    assert "&lt;b&gt;" in shown


@pytest.fixture(scope="module")
def text(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run of symbols."""
    path = tmp_path_factory.mktemp("report") / "page.html"
    result = CliRunner().invoke(app, ["report", str(trained), "--out", str(path)])
    assert result.exit_code == 0, result.stderr
    return path.read_text()


def test_a_page_has_all_sections_of_a_run_of_symbols(text: str) -> None:
    page = Page(text)
    sections = {"figures", "next", "curves", "examples", "circuit", "settings"}
    assert sections <= page.identifiers
    assert page.tags.count("img") == 2
    assert "multiplexed" in text
    assert "two-qubit gates" in text
    assert "width=device-width" in text
    assert "prefers-color-scheme: dark" in text


def test_a_page_has_the_figures_that_the_commands_print(
    qrnn: Qrnn, trained: Path, text: str
) -> None:
    figures = unescape(text)
    (error,) = re.findall(r"test error +(\S+) \+-", qrnn("evaluate", trained).stdout)
    assert f"{error} ± " in figures
    table = qrnn("inspect", trained, "--realisation", "all").stdout
    counts = re.findall(r"^two-qubit gates +(.*)$", table, re.MULTILINE)[0].split()
    rows = re.findall(r"two-qubit gates</th>(.*)</tr>", figures)
    assert re.findall(r">(\S+)</td>", rows[0]) == counts


def test_a_page_loads_nothing_and_runs_nothing(text: str) -> None:
    page = Page(text)
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)


def test_links_within_a_page_have_a_goal(text: str) -> None:
    page = Page(text)
    goals = {address[1:] for address in page.addresses if address.startswith("#")}
    assert goals <= page.identifiers


def test_the_text_of_data_is_no_markup(qrnn: Qrnn, write: Write, tmp_path: Path) -> None:
    rows = "".join(f"0,1,{HOSTILE}\n1,0,no\n" for _ in range(8))
    (tmp_path / "words.csv").write_text(rows)
    options = "--target label --workspace 2 --order 1 --degree 1 --steps 2 --batch-size 2"
    folder = tmp_path / "<script>run"
    result = qrnn(
        *("train", "sequences", "--data", tmp_path / "words.csv", "--out", folder),
        *options.split(),
    )
    assert result.exit_code == 0, result.stderr
    text = write(folder)
    assert "script" not in Page(text).tags
    assert "&lt;script&gt;run" in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 1


def test_the_names_of_columns_are_no_markup(qrnn: Qrnn, write: Write, tmp_path: Path) -> None:
    name = f"$\\frac${HOSTILE}"
    lines = "".join(f"{(7 * point) % 5}\n" for point in range(60))
    (tmp_path / "series.csv").write_text(f"{name}\n{lines}")
    result = qrnn(
        *("train", "forecast", "--data", tmp_path / "series.csv", "--cell", "rnn"),
        *("--steps", "2", "--out", tmp_path / "run"),
    )
    assert result.exit_code == 0, result.stderr
    text = write(tmp_path / "run")
    assert "script" not in Page(text).tags
    assert f"root mean squared error of {name}" in unescape(text)


def test_a_forecast_has_its_chart_and_no_circuit(qrnn: Qrnn, write: Write, tmp_path: Path) -> None:
    arguments = "train forecast --series sines --points 80 --cell rnn --steps 3 --out"
    assert qrnn(*arguments.split(), tmp_path / "run").exit_code == 0
    text = write(tmp_path / "run")
    page = Page(text)
    assert {"figures", "next", "curves", "forecasts", "settings"} <= page.identifiers
    assert not {"examples", "circuit"} & page.identifiers
    assert page.tags.count("img") == 2
    assert "normalised error" in text


def test_a_run_without_a_best_checkpoint_is_told_by_its_last_one(
    write: Write, qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    assert qrnn(*TRAIN, *tiny, "--out", tmp_path / "run").exit_code == 0
    assert "with the best checkpoint" in write(tmp_path / "run")
    (tmp_path / "run" / "best.safetensors").unlink()
    assert "with the last checkpoint" in write(tmp_path / "run")


def test_a_network_of_the_package_has_no_curves(write: Write, tmp_path: Path) -> None:
    text = write(Path("pretrained:xor-chip"), "--out", tmp_path / "page.html")
    assert "There are no curves" in text
    assert "qrnn inspect pretrained:xor-chip --sequence 0 --backend fake_fez" in text


def test_a_run_that_was_still_learning_is_told_how_to_go_on(
    qrnn: Qrnn, write: Write, tmp_path: Path
) -> None:
    options = "--recipe paper --length 4 --workspace 2 --degree 1 --steps 8 --validate-every 2"
    folder = tmp_path / "a run"
    result = qrnn("train", "memorise", *options.split(), "--out", folder)
    assert result.exit_code == 0, result.stderr
    text = unescape(write(folder))
    (command,) = re.findall(r"qrnn (train memorise .*--resume --steps 16)<", text)
    assert qrnn(*shlex.split(command)).exit_code == 0
    assert "of step 16" in qrnn("evaluate", folder, "--checkpoint", "last").stdout


def test_a_page_calls_right_answers_of_a_device_by_their_classes(
    qrnn: Qrnn, write: Write, tmp_path: Path
) -> None:
    table = tmp_path / "parts.csv"
    table.write_text("0,1,low\n1,1,high\n" * 10)
    options = ("--target", "label", "--workspace", "2", "--steps", "1", "--out", tmp_path / "run")
    assert qrnn("train", "sequences", "--data", table, *options).exit_code == 0
    _, _, shown = write(tmp_path / "run", "--device", "qrnn.torch").partition('id="device"')
    rows = re.findall(r"<tr>(<td.*</td>)</tr>", shown.partition("</table>")[0])
    assert {re.findall(r">([^<]+)</td>", row)[2] for row in rows} == {"low", "high"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "page.pdf"), "out must end in .html, got page.pdf"),
        (("--out", "absent/page.html"), "there is no folder absent for page.html"),
        (("--data", "/data"), "'xor' has no option 'data'"),
        (("--steps", "6"), "steps is for a device"),
    ],
)
def test_a_wrong_argument_is_one_line(
    qrnn: Qrnn, trained: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = qrnn("report", trained, *arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--out", "page.html"),
        ("inspect", "--draw", "step.png"),
        ("run", "--chart", "chart.png"),
    ],
)
def test_a_folder_that_takes_no_file_is_refused_before_anything_that_takes_long(
    qrnn: Qrnn, trained: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    monkeypatch.setattr(os, "access", lambda at, mode: str(at) != "." and access(at, mode))
    command, *options = arguments
    result = qrnn(command, trained, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert "Permission denied: '.'" in line


def test_a_folder_without_a_run_is_one_line(qrnn: Qrnn, tmp_path: Path) -> None:
    result = qrnn("report", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"Error: there is no run in {tmp_path}: it has no config.json\n"
    assert not list(tmp_path.iterdir())


def test_no_command_prints_a_path_that_controls_the_terminal(
    qrnn: Qrnn, trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run\x9b1m\u202e"
    folder.symlink_to(trained, target_is_directory=True)
    for command in (("report", folder), ("inspect", folder, "--draw", folder / "step.svg")):
        result = qrnn(*command)
        assert result.exit_code == 0, result.stderr
        assert "run\\x9b1m\\u202e" in result.output
        assert not {"\x9b", "\u202e"} & set(result.output)
