import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from qrnn_circuits.training import (
    CheckpointError,
    Progress,
    RunConfig,
    RunFolder,
    RunInUseError,
    Trainer,
    load_run,
)
from qrnn_circuits.training.checkpoint import read_checkpoint, write_checkpoint
from qrnn_circuits.training.run_folder import CheckpointName
from tests.conftest import qrnn_cell

Tiny = Callable[..., RunConfig]


@pytest.fixture
def run(stored_run: Path, tmp_path: Path) -> RunFolder:
    """A copy of a finished run, to be damaged."""
    return RunFolder(Path(shutil.copytree(stored_run, tmp_path / "a run")))


def load(run: RunFolder, name: CheckpointName) -> int:
    config = run.read_config()
    return run.load(name, config, config.build_model()).step


def test_both_checkpoints_of_a_run_load_into_its_network(run: RunFolder) -> None:
    config = run.read_config()
    model = config.build_model()
    before = qrnn_cell(model).coefficients.clone()
    assert run.load("last", config, model).step == 5
    assert not torch.equal(qrnn_cell(model).coefficients, before)
    assert load(run, "best") in (2, 4, 5)


def test_a_truncated_checkpoint_is_named_with_the_command_that_uses_the_other(
    run: RunFolder,
) -> None:
    path = run.checkpoint_path("last")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError) as caught:
        load(run, "last")
    message = str(caught.value)
    assert f"{path} cannot be used: it is truncated" in message
    assert f"{run.checkpoint_path('best')} of step {load(run, 'best')} still loads" in message
    assert f"`qrnn evaluate '{run.path}' --checkpoint best`" in message


def test_the_advised_copy_of_the_best_checkpoint_resumes(run: RunFolder) -> None:
    best = load(run, "best")
    run.checkpoint_path("last").unlink()
    with pytest.raises(CheckpointError, match="there is no checkpoint") as caught:
        Trainer.resume(run.path)
    copy = str(caught.value).split("go on from it with `")[1].split(" && ")[0]
    subprocess.run(copy, shell=True, check=True)
    assert Trainer.resume(run.path).step == best


def test_two_truncated_checkpoints_are_both_named(run: RunFolder) -> None:
    for name in ("best", "last"):
        (run.path / f"{name}.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"best\.saf.* The other .* either: .*last\.saf"):
        load(run, "best")


def test_a_missing_best_checkpoint_names_the_last(run: RunFolder) -> None:
    run.checkpoint_path("best").unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint .*--checkpoint last`$"):
        load(run, "best")


def test_a_checkpoint_of_another_network_is_refused_with_every_difference(
    run: RunFolder, tiny: Tiny, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    Trainer.start(tiny(workspace=3, steps=1), other).run()
    shutil.copy(RunFolder(other).checkpoint_path("last"), run.checkpoint_path("last"))
    with pytest.raises(CheckpointError) as caught:
        load(run, "last")
    message = str(caught.value)
    assert "last.safetensors is of another run: cell.coefficients is (6, 11)" in message
    assert "cell.theta is (1, 3)" in message
    assert f"workspace is 3 in the checkpoint and 2 in {run.config_path}" in message
    assert "still loads" in message


# More bytes than computers have, of few coefficients a neuron.
HUGE: dict[str, Any] = {"workspace": 20, "degree": 6, "stages": 4096}


def test_a_run_of_a_huge_network_is_refused_before_the_network_takes_memory(
    run: RunFolder,
) -> None:
    for name in ("best", "last"):
        path = run.checkpoint_path(name)
        stored = read_checkpoint(path)
        write_checkpoint(path, replace(stored, config=replace(stored.config, **HUGE)))
    run.write_config(read_checkpoint(run.checkpoint_path("last")).config)
    for read in (load_run, Trainer.resume):
        with pytest.raises(CheckpointError, match=r"\(4, 7\).*checkpoint and \(81940, 82160\)"):
            read(run.path)


def test_a_network_that_no_checkpoint_can_hold_is_refused_before_it_takes_memory(
    tiny: Tiny, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"at most 268,435,456 bytes.*has 26,929,746,560"):
        Trainer.start(tiny(**HUGE), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_of_runs_is_refused_by_the_name_of_one(run: RunFolder) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(f"in it, such as {run.path}")):
        RunFolder(run.path.parent).read_config()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no run in"):
        RunFolder(tmp_path / "absent").read_config()
    with pytest.raises(FileNotFoundError, match=r"load_pretrained\('mnist01'\) brings"):
        load_run("pretrained:mnist01")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("3", "must hold a JSON object"),
        ("{}", "names no task"),
        ('{"task": "xor", "speed": 3}', "unknown setting 'speed'"),
        ('{"task": "xor", "steps": "3"}', "steps must be an integer"),
    ],
)
def test_a_wrong_config_file_is_refused_with_its_name(
    run: RunFolder, text: str, message: str
) -> None:
    run.config_path.write_text(text)
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        run.read_config()
    assert str(run.config_path) in str(caught.value)


def test_a_folder_with_a_file_in_it_takes_no_new_run(tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "notes").touch()
    with pytest.raises(FileExistsError, match=r"is not empty.*--resume.*Trainer\.resume"):
        RunFolder(tmp_path).create(tiny())


def test_a_file_takes_no_run(tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "notes").touch()
    with pytest.raises(NotADirectoryError, match="notes must be a folder, but is a file"):
        RunFolder(tmp_path / "notes").create(tiny())


def test_what_a_killed_process_left_behind_is_removed(run: RunFolder) -> None:
    (run.path / ".last.safetensors.123.tmp").write_bytes(b"half a checkpoi")
    Trainer.resume(run.path)
    assert not list(run.path.glob(".*.tmp"))


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    with first.owned(), pytest.raises(RunInUseError, match="another process uses the run"):
        second.owned().__enter__()
    with second.owned():
        pass


def test_a_killed_owner_leaves_its_folder_to_others(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from qrnn_circuits.training.run_folder import RunFolder\n"
        "with RunFolder(pathlib.Path(sys.argv[1])).owned():\n"
        "    print('owned', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        # Suspended as it is, it would go on to write once it wakes.
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(RunInUseError, match="suspended one has to be woken or killed"):
            RunFolder(tmp_path).owned().__enter__()
        process.kill()
    with RunFolder(tmp_path).owned():
        pass


def test_a_run_that_another_process_has_gone_on_with_is_not_taken_back(
    tiny: Tiny, tmp_path: Path
) -> None:
    Trainer.start(tiny(steps=4), tmp_path / "run").run()
    late = Trainer.resume(tmp_path / "run", {"steps": 8})
    Trainer.resume(tmp_path / "run", {"steps": 12}).run()
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(RunInUseError, match="is at step 12, not at step 4 as when it was read"):
        late.run()
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert load_run(tmp_path / "run", "last").step == 12


def test_of_two_processes_that_resume_a_run_the_settings_stay_those_of_the_one_that_goes_on(
    tiny: Tiny, tmp_path: Path
) -> None:
    Trainer.start(tiny(steps=4), tmp_path / "run").run()
    first = Trainer.resume(tmp_path / "run", {"steps": 8})
    second = Trainer.resume(tmp_path / "run", {"steps": 12})
    with first.ready(Progress()), pytest.raises(RunInUseError, match="another process uses"):
        second.run()
    assert RunFolder(tmp_path / "run").read_config().steps == 8


def test_of_two_runs_started_in_one_folder_one_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    first = Trainer.start(tiny(), tmp_path / "run")
    with pytest.raises(FileExistsError, match="is not empty"):
        Trainer.start(tiny(), tmp_path / "run")
    with first.folder.owned(), pytest.raises(RunInUseError, match="another process uses"):
        first.run()


def test_a_run_whose_folder_was_replaced_writes_nothing_into_the_new_one(
    tiny: Tiny, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    old = Trainer.start(tiny(), path)
    with old.ready(Progress()):
        checkpoint = read_checkpoint(old.folder.checkpoint_path("last"))
        shutil.rmtree(path)
        Trainer.start(tiny(steps=4, seed=5), path).run()
        before = {file: file.read_bytes() for file in path.iterdir()}
        with pytest.raises(RunInUseError, match=r"\.lock was removed or replaced while this proc"):
            old.folder.save("last", checkpoint)
        with pytest.raises(RunInUseError):
            old.folder.write_config(old.config)
        assert {file: file.read_bytes() for file in path.iterdir()} == before


@pytest.mark.parametrize("name", [".lock", "config.json", "best.safetensors", "last.safetensors"])
def test_a_link_in_place_of_a_file_of_the_folder_is_never_written_through(
    run: RunFolder, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    file = run.path / name
    victim.write_bytes(file.read_bytes() or b"kept")
    before = victim.read_bytes()
    file.unlink()
    file.symlink_to(victim)
    if name == ".lock":
        with pytest.raises(OSError, match="symbolic links"):
            Trainer.resume(run.path, {"steps": 7})
    else:
        Trainer.resume(run.path, {"steps": 7}).run()
    assert victim.read_bytes() == before
