import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result

Qrnn = Callable[..., Result]

TRAIN = ("train", "forecast", "--series", "sines", "--points", "80", "--cell", "rnn")


@pytest.fixture
def run(qrnn: Qrnn, tmp_path: Path) -> Path:
    result = qrnn(*TRAIN, "--steps", "3", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert "forecast: 193 parameters (cell rnn, hidden_size 12, num_layers 1)" in result.stdout
    assert "mean squared error" in result.stdout
    return tmp_path / "run"


def test_a_forecast_is_tested_in_scaled_and_own_units(qrnn: Qrnn, run: Path) -> None:
    figures = json.loads(qrnn("evaluate", run, "--json").stdout)
    assert figures["windows"] == 15
    text = qrnn("evaluate", run).stdout
    assert f"mean squared error  {figures['mean_squared_error']:.3g}" in text
    assert f"{figures['persistence']:.3g} by the last value" in text
    assert f"{figures['root_mean_squared_errors']['x']:.3g} of x, in its own units" in text


def test_a_chart_shows_forecasts_beside_the_truth(qrnn: Qrnn, run: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.png"
    assert f"drawn in {chart}" in qrnn("evaluate", run, "--chart", chart).stdout
    with Image.open(chart) as image:
        colours = image.convert("RGB").getcolors(2**24)
    assert colours is not None
    assert {(0, 0, 0), (217, 95, 2)} <= {colour for _, colour in colours}


@pytest.mark.parametrize("command", ["sample", "inspect", "run"])
def test_commands_of_symbols_say_what_to_do_with_a_forecast(
    qrnn: Qrnn, run: Path, command: str
) -> None:
    result = qrnn(command, run, *(("--device", "qrnn.torch") if command == "run" else ()))
    assert result.exit_code == 2
    assert "test it with qrnn evaluate" in result.stderr


def test_a_forecast_resumes(qrnn: Qrnn, run: Path) -> None:
    result = qrnn("train", "forecast", "--out", run, "--resume", "--steps", "5")
    assert result.exit_code == 0, result.stderr
    assert "Finished after step 5" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "series or data must say what to forecast, got neither"),
        (("--series", "tides"), "series must be one of henon, "),
        (("--data", "missing.csv"), "there is no file"),
        (("--series", "sines", "--window", "2000"), "window and horizon must fit into the series"),
        (("--series", "sines", "--lane", "2"), "lane is for tasks of symbols"),
        (("--series", "sines", "--cell", "perceptron"), "cell must be one of qrnn, "),
    ],
)
def test_a_wrong_argument_is_one_line_and_leaves_nothing_behind(
    qrnn: Qrnn, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = qrnn("train", "forecast", *arguments, "--out", tmp_path / "new")
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_cells_are_swept_with_their_options(qrnn: Qrnn, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(
        'optimizer = "adam"\nlearning_rate = 0.01\nsteps = 2\nbatch_size = 16\n'
        'cell = ["rnn", "lstm"]\n[task_options]\nseries = "sines"\npoints = 60\n'
    )
    result = qrnn("sweep", "forecast", "--config", path, "--out", tmp_path / "sweep")
    assert result.exit_code == 0, result.stderr
    assert "lstm" in result.stdout
