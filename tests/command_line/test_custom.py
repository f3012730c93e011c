import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from qrnn_circuits.training import load_run

ROTATION = "tests.cells.rotation_cell:RotationCell"
ECHO = "tests.custom_task:Echo"


def test_the_command_line_takes_a_users_task_its_options_and_a_users_cell(
    qrnn: Callable[..., Result], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    arguments = ("--out", folder, "--bits", 3, "--cell", ROTATION, "--workspace", 1, "--steps", 2)
    result = qrnn("train", ECHO, *arguments)
    assert result.exit_code == 0, result.output
    config = load_run(folder).config
    assert (config.task_options, config.cell) == ({"bits": 3}, ROTATION)
    assert qrnn("evaluate", folder).exit_code == 0
    assert qrnn("train", ECHO, "--out", folder, "--resume", "--steps", 3).exit_code == 0
    refused = qrnn("train", ECHO, "--out", tmp_path / "other", "--length", 3)
    assert refused.exit_code == 2
    assert "no option 'length'" in refused.stderr


def test_a_users_cell_is_inspected_drawn_and_run_on_a_device(
    qrnn: Callable[..., Result], tmp_path: Path
) -> None:
    folder, picture = tmp_path / "run", tmp_path / "step.png"
    arguments = ("--bits", 3, "--cell", ROTATION, "--workspace", 1, "--steps", 2)
    assert qrnn("train", ECHO, "--out", folder, *arguments).exit_code == 0
    inspected = qrnn("inspect", folder, "--backend", "fake_fez", "--draw", picture, "--json")
    assert inspected.exit_code == 0, inspected.output
    (circuit,) = json.loads(inspected.stdout)["realisations"]
    # Three layers of a ring of CNOTs on two wires.
    assert circuit["resources"]["two_qubit_gates"] == 6
    assert circuit["acceptance"] == 1
    assert picture.stat().st_size > 1000
    run = qrnn("run", folder, "--device", "qrnn.torch", "--json")
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["distance"] < 1e-6
