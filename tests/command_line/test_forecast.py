import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import Result

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.job_store import JobStore
from qrnn_circuits.tasks.forecast import SeriesBatch
from qrnn_circuits.training import load_run

Qrnn = Callable[..., Result]

TRAIN = ("train", "forecast", "--series", "sines", "--points", "80", "--cell", "rnn")


@pytest.fixture
def run(qrnn: Qrnn, tmp_path: Path) -> Path:
    result = qrnn(*TRAIN, "--steps", "3", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert "forecast: 97 parameters (cell rnn, hidden_size 8, num_layers 1)" in result.stdout
    assert "mean squared error" in result.stdout
    return tmp_path / "run"


def test_a_forecast_is_tested_in_scaled_and_own_units(qrnn: Qrnn, run: Path) -> None:
    figures = json.loads(qrnn("evaluate", run, "--json").stdout)
    assert figures["windows"] == 15
    text = qrnn("evaluate", run).stdout
    assert f"mean squared error  {figures['mean_squared_error']:.3g}" in text
    assert f"{figures['persistence']:.3g} by the last value" in text
    error = figures["root_mean_squared_errors"]["x"]
    assert f"RMSE                {error:.3g} of x, in its own units" in text


def test_a_chart_shows_forecasts_beside_the_truth(qrnn: Qrnn, run: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.png"
    assert f"drawn in {chart}" in qrnn("evaluate", run, "--chart", chart).stdout
    with Image.open(chart) as image:
        colours = image.convert("RGB").getcolors(2**24)
    assert colours is not None
    assert {(0, 0, 0), (217, 95, 2)} <= {colour for _, colour in colours}


def test_names_are_shown_as_they_are(qrnn: Qrnn, tmp_path: Path) -> None:
    data, folder, chart = tmp_path / "b\udcff.csv", tmp_path / "run", tmp_path / "chart.svg"
    data.write_text(":bug:,[/b]\n" + "".join(f"{n % 5},{n % 7}\n" for n in range(40)))
    options = ("--cell", "qrnn", "--workspace", "2", "--hidden-size", "2", "--steps", "1")
    result = qrnn("train", "forecast", "--data", data, *options, "--out", folder)
    assert result.exit_code == 0, result.stderr
    on_device = qrnn("run", folder, "--device", "qrnn.torch").stdout
    for text in (qrnn("evaluate", folder, "--chart", chart).stdout, on_device):
        assert "of :bug:" in text
        assert "of [/b]" in text
    assert chart.exists()


@pytest.fixture
def of_circuits(qrnn: Qrnn, tmp_path: Path) -> Path:
    options = ("--cell", "qrnn", "--workspace", "2", "--hidden-size", "2", "--window", "2")
    result = qrnn(*TRAIN[:-2], *options, "--steps", "2", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    return tmp_path / "run"


def test_no_symbols_are_drawn_from_a_forecast(qrnn: Qrnn, of_circuits: Path) -> None:
    result = qrnn("sample", of_circuits)
    assert result.exit_code == 2
    assert "run it on a device with qrnn run" in " ".join(result.stderr.split())


def test_an_inspection_of_a_forecast_is_of_a_test_window(qrnn: Qrnn, of_circuits: Path) -> None:
    figures = json.loads(qrnn("inspect", of_circuits, "--json").stdout)
    test = load_run(of_circuits).task.test()
    assert isinstance(test, SeriesBatch)
    assert figures["sequence"] == 0
    torch.testing.assert_close(torch.tensor(figures["inputs"]), test.inputs[0].float())
    assert figures["outcomes"] == [UNREAD, None]
    printed = qrnn("inspect", of_circuits, "--sequence", "1").stdout
    assert "circuit of test window 1" in " ".join(printed.split())


def test_a_postselected_network_of_two_columns_is_inspected(qrnn: Qrnn, tmp_path: Path) -> None:
    table = tmp_path / "two.csv"
    table.write_text("\n".join(f"{time % 7},{time % 5}" for time in range(40)))
    network = ("--recipe", "none", "--workspace", "2", "--semantics", "postselected")
    trained = qrnn(
        "train", "forecast", "--data", table, *network, "--steps", "1", "--out", tmp_path / "two"
    )
    assert trained.exit_code == 0, trained.stderr
    result = qrnn("inspect", tmp_path / "two", "--json")
    assert result.exit_code == 0, result.stderr
    assert 0 < json.loads(result.stdout)["realisations"][0]["acceptance"] <= 1


def test_without_shots_a_device_forecasts_all_windows_as_the_evaluation_does(
    qrnn: Qrnn, of_circuits: Path
) -> None:
    evaluated = json.loads(qrnn("evaluate", of_circuits, "--json").stdout)
    windows = ("--sequences", evaluated["windows"])
    result = qrnn("run", of_circuits, "--device", "default.qubit", *windows, "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    expected = evaluated["mean_squared_error"]
    assert figures["mean_squared_error"] == pytest.approx(expected, abs=1e-6)
    errors = figures["root_mean_squared_errors"]["x"]
    expected = evaluated["root_mean_squared_errors"]["x"]
    assert errors["device"] == pytest.approx(expected, abs=1e-6)
    assert errors["difference"] < 1e-6


def test_a_run_with_shots_shows_and_draws_what_they_add(
    qrnn: Qrnn, of_circuits: Path, tmp_path: Path
) -> None:
    chart = tmp_path / "chart.png"
    options = ("--device", "qrnn.aer", "--shots", "100", "--seed", "1", "--sequences", "12")
    result = qrnn("run", of_circuits, *options, "--chart", chart)
    assert result.exit_code == 0, result.stderr
    assert "12 window(s), 100 shots of each circuit" in result.stdout
    assert "of device from exact" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    with Image.open(chart) as image:
        colours = image.convert("RGB").getcolors(2**24)
    assert colours is not None
    assert {(0, 0, 0), (217, 95, 2)} <= {colour for _, colour in colours}


@pytest.fixture
def chip() -> tuple[str, ...]:
    pytest.importorskip("qiskit_aer")
    pytest.importorskip("qiskit_ibm_runtime")
    return ("--device", "qrnn.ibm", "--backend", "fake_manila", "--shots", "200", "--seed", "1")


def test_results_of_a_submitted_forecast_are_those_of_a_run_that_waits(
    qrnn: Qrnn, of_circuits: Path, store: JobStore, chip: tuple[str, ...], tmp_path: Path
) -> None:
    options = (*chip, "--sequences", "3")
    submitted = qrnn("submit", of_circuits, *options, "--json")
    assert submitted.exit_code == 0, submitted.stderr
    job = json.loads(submitted.stdout)["job"]
    assert store.get(job).circuits == 3
    chart = tmp_path / "chart.png"
    fetched = qrnn("results", job, "--json", "--chart", chart)
    assert fetched.exit_code == 0, fetched.stderr
    assert chart.exists()
    result = json.loads(fetched.stdout)
    assert result.pop("seconds") is None
    waited = qrnn("run", of_circuits, *options, "--json")
    assert waited.exit_code == 0, waited.stderr
    figures = json.loads(waited.stdout)
    assert figures.pop("seconds") > 0
    assert figures == result
    assert len(figures["windows"]) == 3
    # A run is a job like any other, from which its report can be had again.
    assert len(store.records()) == 2
    assert "wall time" not in qrnn("results", job).stdout


def test_results_of_a_users_own_forecast_are_those_of_a_forecast(
    qrnn: Qrnn, store: JobStore, chip: tuple[str, ...], tmp_path: Path
) -> None:
    network = ("--cell", "qrnn", "--workspace", "2", "--hidden-size", "2", "--window", "2")
    unitary = ("--order", "0", "--degree", "1", "--semantics", "unitary", "--steps", "1")
    task = ("tests.custom_task:OwnForecast", *TRAIN[2:-2])
    trained = qrnn("train", *task, *network, *unitary, "--out", tmp_path / "run")
    assert trained.exit_code == 0, trained.stderr
    assert qrnn("submit", tmp_path / "run", *chip, "--sequences", "2").exit_code == 0
    result = qrnn("results", store.records()[0].id, "--json")
    assert result.exit_code == 0, result.stderr
    assert len(json.loads(result.stdout)["windows"]) == 2


def test_a_corrected_forecast_says_by_what(
    qrnn: Qrnn, of_circuits: Path, chip: tuple[str, ...]
) -> None:
    pytest.importorskip("mthree")
    options = (*chip, "--sequences", "1", "--mitigation", "m3")
    assert "200 shots of each circuit, mitigation m3" in qrnn("run", of_circuits, *options).stdout


def test_only_what_is_known_before_any_circuit_has_run_makes_a_job(
    qrnn: Qrnn, store: JobStore, chip: tuple[str, ...], tmp_path: Path
) -> None:
    options = ("--cell", "qlstm,linear=True,qubits=2", "--hidden-size", "2", "--window", "2")
    trained = qrnn(*TRAIN[:-2], *options, "--steps", "1", "--out", tmp_path / "qlstm")
    assert trained.exit_code == 0, trained.stderr
    result = qrnn("submit", tmp_path / "qlstm", *chip)
    assert result.exit_code == 2
    assert "needs the cell 'qrnn', but the run has 'qlstm'" in result.stderr
    assert store.records() == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "--steps", "2"), "steps must be left out for a network that forecasts"),
        (("run", "--tolerance", "0.1"), "tolerance must be left out"),
        (("run", "--encoding", "angles"), "encoding must be left out"),
        (("run", "--sequences", "99"), "sequences must be"),
        (("run", "--shots", "0"), "shots must be"),
        (("run", "--mitigation", "m3"), "mitigation must be None without shots"),
        (("submit", "--shots", "9", "--steps", "2"), "steps must be left out"),
        (("run", "--chart", "chart.odd"), "chart"),
        (("report", "--tolerance", "0.1"), "tolerance must be left out for a network that"),
        (("inspect", "--inputs", "0"), "inputs must be left out for a network that forecasts"),
        (("inspect", "--sequence", "99"), "sequence must be from 0 to"),
    ],
)
def test_what_a_forecast_as_circuits_has_no_use_for_is_refused_in_one_line(
    qrnn: Qrnn, of_circuits: Path, words: tuple[str, ...], message: str
) -> None:
    command, *options = words
    result = qrnn(command, of_circuits, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_classical_cell_has_nothing_to_run_on_a_device(qrnn: Qrnn, run: Path) -> None:
    assert "needs the cell 'qrnn', but the run has 'rnn'" in qrnn("inspect", run).stderr
    assert "qrnn run" not in qrnn("sample", run).stderr
    result = qrnn("run", run)
    assert result.exit_code == 2
    assert "needs a cell of circuits, but the run has 'rnn': test it with" in result.stderr


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
