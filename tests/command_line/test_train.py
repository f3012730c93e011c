import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from qrnn_circuits.training import RunConfig, RunFolder
from qrnn_circuits.training.checkpoint import read_checkpoint
from tests.running import TRAIN, message, wait_for_step
from tests.training.crashes import files

Qrnn = Callable[..., Result]
SmallDisk = Callable[[int], AbstractContextManager[None]]
QrnnProcess = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize(
    ("options", "steps"), [(("--optimizer", "adam"), 100), (("--optimizer", "lbfgs"), 12)]
)
def test_a_run_killed_at_random_moments_ends_where_the_unbroken_run_does(
    qrnn: Qrnn,
    qrnn_process: QrnnProcess,
    tiny: tuple[str, ...],
    tmp_path: Path,
    options: tuple[str, ...],
    steps: int,
) -> None:
    arguments = (*tiny, *options, "--steps", steps, "--checkpoint-every", 1)
    assert qrnn(*TRAIN, *arguments, "--out", tmp_path / "unbroken").exit_code == 0
    folder = tmp_path / "killed"
    for share, command in ((0.2, TRAIN), (0.6, ("train", "xor", "--resume"))):
        process = qrnn_process(*command, *arguments, "--out", folder)
        wait_for_step(process, folder, round(share * steps))
        time.sleep(random.uniform(0, 0.02))
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert (
        f"Finished after step {steps}" in qrnn("train", "xor", "--out", folder, "--resume").stdout
    )
    assert files(folder) == files(tmp_path / "unbroken")


def test_ctrl_c_saves_and_says_how_to_go_on(
    qrnn: Qrnn, qrnn_process: QrnnProcess, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = (*TRAIN, *tiny, "--steps", "150")
    assert qrnn(*arguments, "--out", tmp_path / "unbroken").exit_code == 0
    folder = tmp_path / "a run"
    process = qrnn_process(*arguments, "--checkpoint-every", "1", "--out", folder)
    wait_for_step(process, folder, 3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert process.returncode == 130, errors
    assert errors == ""
    step = read_checkpoint(RunFolder(folder).checkpoint_path("last")).step
    assert 3 <= step < 150
    assert output.splitlines()[-1] == (
        f"Interrupted (SIGINT) and saved after step {step}. Go on with: "
        f"qrnn train xor --out '{folder}' --resume"
    )
    assert qrnn("train", "xor", "--out", folder, "--resume").exit_code == 0
    ends = [
        read_checkpoint(RunFolder(path).checkpoint_path("last")).parameters
        for path in (folder, tmp_path / "unbroken")
    ]
    assert all(bool((ends[0][name] == ends[1][name]).all()) for name in ends[1])


def test_a_full_disk_is_one_message_and_the_last_checkpoint_still_evaluates(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path, small_disk: SmallDisk
) -> None:
    assert qrnn(*TRAIN, *tiny, "--out", tmp_path / "run").exit_code == 0
    before = files(tmp_path / "run")
    with small_disk(3000):
        result = qrnn("train", "xor", "--out", tmp_path / "run", "--resume", "--steps", 9)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: the checkpoint of step ")
    assert f"The previous checkpoint at {tmp_path}" in line
    assert line.endswith(f"go on with: qrnn train xor --out {tmp_path / 'run'} --resume")
    assert files(tmp_path / "run") == before
    assert qrnn("evaluate", tmp_path / "run", "--checkpoint", "last").exit_code == 0


def test_options_count_before_the_file_and_the_file_before_what_the_task_recommends(
    qrnn: Qrnn, tmp_path: Path
) -> None:
    toml = tmp_path / "run.toml"
    toml.write_text(
        "steps = 1\nworkspace = 2\ndegree = 1\nseed = 5\nbatch_size = 2\n"
        "[task_options]\nlength = 9\n"
    )
    folder = tmp_path / "run"
    arguments = ("--recipe", "paper", "--out", folder, "--config", toml, "--seed", 7)
    result = qrnn("train", "xor", *arguments)
    assert result.exit_code == 0
    expected = {
        "steps": 1,
        "workspace": 2,
        "degree": 1,
        "seed": 7,
        "batch_size": 2,
        "task_options": {"length": 9},
    }
    assert RunFolder(folder).read_config() == RunConfig.resolve("xor", expected, recipe="paper")


@pytest.mark.parametrize(
    "optimisation",
    [
        {"optimizer": "lbfgs", "history": 5},
        {"optimizer": "sgd", "clip_norm": 2.5, "readout_learning_rate": 0.3},
    ],
)
def test_every_option_reaches_the_configuration(
    qrnn: Qrnn, tmp_path: Path, optimisation: dict[str, object]
) -> None:
    settings = {
        "workspace": 2,
        "lane": 3,
        "stages": 2,
        "order": 0,
        "degree": 1,
        "semantics": "unitary",
        "basis": "parities",
        "strategy": "state",
        "dtype": "float64",
        "bias_spread": 0.2,
        "weight_spread": 0.3,
        "theta_spread": 0.4,
        "learning_rate": 0.7,
        "decay": "cosine",
        "loss": "paper",
        "batch_size": 2,
        "seed": 3,
        "steps": 1,
        "validate_every": 8,
        "checkpoint_every": 9,
        "retreat": 11,
        "acceptance_weight": 0.1,
        "acceptance_warmup": 12,
        "sparsity_weight": 0.2,
        "prune_tolerance": 0.3,
        "curriculum": "2,3",
        "patience": 10,
        "stop_loss": 0.01,
        "stop_error": 0.02,
        **optimisation,
    }
    config = RunConfig(task="xor", task_options={"length": 4}, **settings)  # type: ignore[arg-type]
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    folder = tmp_path / "run"
    assert qrnn(*TRAIN, "--out", folder, "--length", 4, *arguments).exit_code == 0
    assert RunFolder(folder).read_config() == config
    defaults = RunConfig(task="xor")
    assert all(getattr(config, name) != getattr(defaults, name) for name in settings)
    # Not every machine has another device: see the test of the one that is missing.
    untouched = {"history", "clip_norm", "readout_learning_rate", "device"} - optimisation.keys()
    # Trials need more steps than one.
    untouched |= {"restarts", "restart_after"}
    # What forecasts are made by: see the test of those.
    untouched |= {"hidden_size", "num_layers"}
    named = {"task", "task_options", "cell", "cell_options"}
    assert settings.keys() | untouched | named == defaults.to_json().keys()


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_a_network_of_order_0_is_trained_inspected_and_run(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path, semantics: str
) -> None:
    folder = tmp_path / "run"
    options = (*tiny, "--order", 0, "--semantics", semantics)
    assert qrnn(*TRAIN, *options, "--out", folder).exit_code == 0
    assert RunFolder(folder).read_config().order == 0
    inspected = qrnn("inspect", folder, "--json", "--realisation", "all")
    assert inspected.exit_code == 0, inspected.stderr
    (entry,) = json.loads(inspected.stdout)["realisations"]
    # Nothing but the two lane wires is measured.
    assert (entry["resources"]["qubits"], entry["resources"]["measurements"]) == (4, 2)
    assert qrnn("inspect", folder, "--draw", tmp_path / "step.png").exit_code == 0
    for device in ("qrnn.torch", "qrnn.aer", "default.qubit"):
        result = qrnn("run", folder, "--device", device, "--sequences", 2, "--json")
        assert result.exit_code == 0, result.stderr
        figures = json.loads(result.stdout)
        assert figures["distance"] < 1e-9
        assert figures["wires"] == 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("xr",), "task must be one of memorise, .* got 'xr'"),
        (("xor", "--workspace", "0"), "workspace must be at least 1, got 0"),
        (("xor", "--degree", "9"), "degree must be .*, got 9"),
        (("xor", "--order", "-1"), "order must be at least 0, got -1"),
        (("xor", "--optimizer", "adamw"), "optimizer must be one of adam, .* got 'adamw'"),
        (("xor", "--history", "9"), "history is for the optimizer 'lbfgs'"),
        (("xor", "--digits", "0,1"), "'xor' has no option 'digits'; it is an option of digits"),
        (("xor", "--data", "/data"), "'xor' has no option 'data'; it is an option of digits"),
        (("quotes", "--length", "9"), "it is an option of memorise, xor, letters, dna"),
        (("letters", "--no-advice"), "it is an option of quotes"),
        (("dna", "--generate"), "it is an option of digits"),
        (("digits", "--dims", "2"), "dims needs reduce"),
        (("digits", "--data", "/no/such/folder"), "there is no folder /no/such/folder"),
        (("xor", "--config", "/no/such.toml"), "there is no configuration file /no/such.toml"),
        (("xor", "--resume"), "there is no run to resume in .*run"),
    ],
)
def test_a_mistake_is_one_message_with_exit_code_2_and_leaves_no_folder(
    qrnn: Qrnn, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    folder = tmp_path / "run"
    line = message(qrnn("train", *arguments, "--out", folder))
    assert re.search(expected, line)
    assert not folder.exists()


@pytest.mark.parametrize(
    "arguments", [("xor",), ("xor", "--out"), ("xor", "--workspaces", "3"), ("xor", "--steps", "x")]
)
def test_what_cannot_be_parsed_is_a_usage_error(qrnn: Qrnn, arguments: tuple[str, ...]) -> None:
    result = qrnn("train", *arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_a_folder_with_a_run_needs_resume_and_resume_needs_the_same_settings(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert qrnn(*TRAIN, *tiny, "--out", folder).exit_code == 0
    before = files(folder)
    assert "is not empty" in message(qrnn(*TRAIN, *tiny, "--out", folder))
    resume = ("train", "xor", "--out", folder, "--resume")
    assert "degree is 2, got 1" in message(qrnn(*resume, "--degree", 1))
    assert "a run of the task 'xor', not 'dna'" in message(
        qrnn("train", "dna", "--out", folder, "--resume")
    )
    assert files(folder) == before


def test_a_finished_run_says_so_and_a_larger_number_of_steps_extends_it(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert qrnn(*TRAIN, *tiny, "--out", folder).exit_code == 0
    before = files(folder)
    resume = ("train", "xor", "--out", folder, "--resume")
    result = qrnn(*resume, *tiny)
    assert result.exit_code == 0
    assert "Nothing to do, this run is finished: all 6 steps are done" in result.stdout
    assert files(folder) == before
    result = qrnn(*resume, "--steps", 8)
    assert "Finished after step 8: all 8 steps are done" in result.stdout


@pytest.mark.parametrize(
    "option",
    [
        ("--decay", "cosine"),
        ("--prune-tolerance", "0.01", "--order", "0"),
        ("--curriculum", "3,6"),
    ],
)
def test_no_more_steps_are_offered_where_something_is_laid_out_over_all_of_them(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path, option: tuple[str, ...]
) -> None:
    folder, name = tmp_path / "run", option[0].removeprefix("--").replace("-", "_")
    assert qrnn(*TRAIN, *tiny, *option, "--out", folder).exit_code == 0
    resume = ("train", "xor", "--out", folder, "--resume")
    assert f"For more, start another run: {name} of this one" in qrnn(*resume).stdout
    refused = message(qrnn(*resume, "--steps", 8))
    assert f"steps is 6, got 8 ({name} of this run is laid out over all steps)" in refused


def test_a_run_killed_before_it_wrote_anything_starts(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / ".config.json.123.tmp").write_text("{")
    result = qrnn("train", "xor", *tiny, "--out", tmp_path, "--resume")
    assert result.exit_code == 0
    assert "Finished after step 6" in result.stdout


def test_the_data_folder_comes_from_the_option_or_the_environment_and_only_for_digits(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QRNN_DATA_DIR", "/from/environment")
    small = ("--steps", 1, "--workspace", 1, "--degree", 1)
    digits = ("train", "digits", "--out", tmp_path / "digits", *small)
    assert "no folder /from/environment" in message(qrnn(*digits))
    assert "no folder /from/option" in message(qrnn(*digits, "--data", "/from/option"))
    assert qrnn(*TRAIN, *tiny, "--out", tmp_path / "xor").exit_code == 0
    embedded = (*digits, "--data", "embedded", "--stages", 1, "--batch-size", 2)
    assert qrnn(*embedded).exit_code == 0
    resume = ("train", "digits", "--out", tmp_path / "digits", "--resume")
    assert "finished" in qrnn(*resume).stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_message(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert "device 'cuda' needs a GPU" in message(
        qrnn(*TRAIN, *tiny, "--device", "cuda", "--out", folder)
    )
    assert not folder.exists()


def test_a_relative_data_folder_is_stored_in_full(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = message(qrnn("train", "digits", "--out", "run", "--data", "mnist"))
    assert f"no folder {tmp_path / 'mnist'}" in line
