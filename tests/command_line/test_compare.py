from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qrnn_circuits.circuits import inspect_circuit
from qrnn_circuits.command_line import app
from qrnn_circuits.training import evaluate, load_run
from tests.command_line.test_report import HOSTILE, Page

Qrnn = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("eighty_columns")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of XOR, those of two seeds, and a forecast."""
    folder = tmp_path_factory.mktemp("runs")
    options = "--length 6 --steps 4 --validate-every 2 --batch-size 4"
    xor = ["train", "xor", *options.split()]
    for name, *further in (
        ("one",),
        ("other", "--order", "1", "--workspace", "3"),
        ("seeds", "--seeds", "0,5"),
    ):
        result = CliRunner().invoke(app, [*xor, *further, "--out", str(folder / name)])
        assert result.exit_code == 0, result.output
    series = ["train", "forecast", "--series", "bessel", "--points", "60", "--steps", "2"]
    for name, cell in (("series", "rnn"), ("longer", "lstm")):
        arguments = [*series, "--cell", cell, "--out", str(folder / name)]
        assert CliRunner().invoke(app, arguments).exit_code == 0
    return folder


def test_figures_and_differing_settings_stand_side_by_side(qrnn: Qrnn, runs: Path) -> None:
    result = qrnn("compare", runs / "one", runs / "other")
    assert result.exit_code == 0, result.output
    shown = result.stdout
    for name in ("one", "other"):
        found = evaluate(load_run(runs / name))
        assert f"{found.test_error:.2%} ± {found.standard_error:.2%}" in shown
    assert "workspace" in shown
    assert "learning_rate" not in shown
    assert "two-qubit gates" in shown
    assert "Which is better" in shown


def test_gates_are_those_of_an_encoding_and_tolerance(qrnn: Qrnn, runs: Path) -> None:
    whole = qrnn("compare", runs / "one", runs / "other")
    options = ("--encoding", "angles", "--tolerance", "0.3")
    fewer = qrnn("compare", runs / "one", runs / "other", *options)
    assert fewer.exit_code == 0, fewer.output
    (entry,) = inspect_circuit(
        load_run(runs / "one").model,
        realisations=["multiplexed"],
        tolerance=0.3,
        encoding="angles",
    ).realisations
    lines = [line for line in fewer.stdout.splitlines() if "multiplexed: two-qubit gates" in line]
    assert f" {entry.resources.two_qubit_gates} " in lines[0]
    assert lines[0] not in whole.stdout
    assert "multiplexed: moved by dropping, TVD" in fewer.stdout

    refused = qrnn("compare", runs / "series", runs / "longer", "--tolerance", "0.3")
    assert refused.exit_code == 2
    assert "tolerance must be left out for a network that forecasts" in refused.stderr


def test_the_runs_of_seeds_count_as_one_with_their_median_and_spread(
    qrnn: Qrnn, runs: Path
) -> None:
    result = qrnn("compare", runs / "one", runs / "seeds")
    assert result.exit_code == 0, result.output
    errors = [evaluate(load_run(runs / "seeds" / f"seed-{n}")).sampled_error for n in (0, 5)]
    assert f"{sum(errors) / 2:.2%}" in result.stdout
    assert f"({min(errors):.2%} to" in " ".join(result.stdout.split())
    assert "0, 5" in result.stdout


def test_forecasts_are_compared_by_their_normalised_error(qrnn: Qrnn, runs: Path) -> None:
    result = qrnn("compare", runs / "series", runs / "longer")
    assert result.exit_code == 0, result.output
    assert "normalised error" in result.stdout
    assert "Gates" not in result.stdout


def test_the_page_is_closed_loads_nothing_and_trusts_no_text(
    qrnn: Qrnn, runs: Path, tmp_path: Path
) -> None:
    hostile = tmp_path / HOSTILE.replace("/", "")
    hostile.symlink_to(runs / "one")
    file = tmp_path / "page.html"
    result = qrnn("compare", hostile, runs / "seeds", "pretrained:xor-chip", "--out", file)
    assert result.exit_code == 0, result.output
    page = Page(file.read_text())
    assert "script" not in page.tags
    assert all(address.startswith("data:") for address in page.addresses)
    assert {"verdict", "figures", "settings", "curves", "gates"} <= page.identifiers
    assert "C has no curve" in file.read_text()
    assert "A has no curve" not in file.read_text()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("one", "series"), "series is of the task forecast"),
        (("one", "nowhere"), "nowhere"),
        (("one",), "two folders or more"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line_that_names_it(
    qrnn: Qrnn, runs: Path, names: tuple[str, ...], told: str
) -> None:
    result = qrnn("compare", *(runs / name for name in names))
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_broken_folder_is_named(qrnn: Qrnn, runs: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    result = qrnn("compare", runs / "one", broken)
    assert result.exit_code == 2
    assert str(broken) in result.stderr
