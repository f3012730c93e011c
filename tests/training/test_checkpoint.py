import dataclasses
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.training import Checkpoint, CheckpointError, RunConfig
from qrnn_circuits.training.checkpoint import _digest, read_checkpoint, write_checkpoint

SmallDisk = Callable[[int], AbstractContextManager[None]]
Tiny = Callable[..., RunConfig]


@pytest.fixture(scope="session")
def stored_bytes(stored_checkpoint: Checkpoint) -> bytes:
    return stored_checkpoint.to_bytes()


def test_a_checkpoint_comes_back_as_it_was(stored_checkpoint: Checkpoint) -> None:
    data = stored_checkpoint.to_bytes()
    again = Checkpoint.from_bytes(data)
    assert again.to_bytes() == data
    assert again.config == stored_checkpoint.config
    assert again.step == 5
    assert again.standing == stored_checkpoint.standing
    assert again.standing.best is not None
    history = again.optimizer["state"][0]["old_dirs"]
    assert len(history) > 1
    assert all(isinstance(tensor, torch.Tensor) for tensor in history)


def test_other_programs_find_the_tensors_under_readable_names(stored_bytes: bytes) -> None:
    names = safetensors.torch.load(stored_bytes).keys()
    assert {"parameters.cell.coefficients", "parameters.cell.theta", "generator"} <= names


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_checkpoint_cut_anywhere_is_refused(stored_bytes: bytes, share: float) -> None:
    with pytest.raises(CheckpointError, match="truncated"):
        Checkpoint.from_bytes(stored_bytes[: int(share * len(stored_bytes))])


@given(data=st.data())
def test_a_changed_byte_is_noticed(stored_bytes: bytes, data: st.DataObject) -> None:
    # The header, where a change can do the most, is a small part of the file.
    place = data.draw(st.integers(0, 3000) | st.integers(0, len(stored_bytes) - 1))
    changed = bytearray(stored_bytes)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        checkpoint = Checkpoint.from_bytes(bytes(changed))
    except CheckpointError:
        return
    assert checkpoint.to_bytes() == stored_bytes


@given(data=st.binary(max_size=200))
def test_bytes_of_another_origin_are_refused(data: bytes) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.from_bytes(data)


def test_a_safetensors_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match=r"other\.safetensors .*not a checkpoint of a run"):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*last\.safetensors"):
        read_checkpoint(tmp_path / "last.safetensors")


def test_a_folder_in_the_place_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="must be a regular file, but is a folder"):
        read_checkpoint(tmp_path)


def test_a_full_disk_leaves_the_previous_checkpoint(
    tmp_path: Path, stored_checkpoint: Checkpoint, small_disk: SmallDisk
) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, stored_checkpoint)
    later = dataclasses.replace(stored_checkpoint, step=9)
    message = (
        r"step 9 could not be written.*previous checkpoint at .*last\.safetensors is untouched"
    )
    with small_disk(1000), pytest.raises(CheckpointError, match=message):
        write_checkpoint(path, later)
    assert read_checkpoint(path).step == 5
    assert list(tmp_path.iterdir()) == [path]


def test_a_network_of_another_shape_is_refused_with_every_difference(
    stored_checkpoint: Checkpoint, tiny: Tiny
) -> None:
    model = tiny(workspace=3).build_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        stored_checkpoint.load_parameters(model)
    assert "cell.coefficients is (4, 7) torch.float32 in the checkpoint" in str(caught.value)
    assert "(6, 11) torch.float32 in the network" in str(caught.value)
    assert "cell.theta is (1, 2) torch.float32 in the checkpoint" in str(caught.value)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_a_network_of_another_type_is_refused(stored_checkpoint: Checkpoint, tiny: Tiny) -> None:
    with pytest.raises(CheckpointError, match=r"torch\.float32 in the checkpoint and .*float64"):
        stored_checkpoint.load_parameters(tiny(dtype="float64").build_model())


def test_a_header_of_gigabytes_is_refused_unread(stored_bytes: bytes) -> None:
    with pytest.raises(CheckpointError, match="header must have at most 16,777,216 bytes"):
        Checkpoint.from_bytes((2**40).to_bytes(8, "little") + stored_bytes[8:])


@pytest.mark.parametrize("kind", ["a pipe", "a sparse file"])
def test_what_is_no_checkpoint_is_refused_without_reading_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "last.safetensors"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, 10**10)
    message = r"last\.safetensors cannot be used: .*must (be a regular file|have at most)"
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", -1),
        ("step", "5"),
        ("step", 2**70),
        ("parameters", [1]),
        ("parameters", {"dict": [["a", 1]]}),
        ("optimizer", None),
        ("generator", 5),
        ("standing", []),
        ("standing", {"best": None, "last": None, "without_improvement": 0, "retreats": 0.5}),
        ("standing", {"best": {"step": 1}, "last": None, "without_improvement": 0, "retreats": 0}),
        ("config", {"task": "xor", "steps": 2**70}),
        ("config", 5),
    ],
)
def test_wrong_values_under_a_right_checksum_are_refused(
    stored_bytes: bytes, name: str, value: object
) -> None:
    length = int.from_bytes(stored_bytes[:8], "little")
    metadata = json.loads(stored_bytes[8 : 8 + length])["__metadata__"]
    header = json.loads(metadata["qrnn-circuits"])
    tensors = safetensors.torch.load(stored_bytes)
    text = json.dumps(json.loads(header["content"]) | {name: value})
    header |= {"content": text, "sha256": _digest(text, tensors)}
    forged = safetensors.torch.save(tensors, {"qrnn-circuits": json.dumps(header)})
    with pytest.raises(CheckpointError, match="its content is not understood"):
        Checkpoint.from_bytes(forged)


def test_parameters_that_are_not_finite_are_refused(
    stored_checkpoint: Checkpoint,
) -> None:
    parameters = {name: t * float("nan") for name, t in stored_checkpoint.parameters.items()}
    forged = dataclasses.replace(stored_checkpoint, parameters=parameters)
    model = stored_checkpoint.config.build_model()
    with pytest.raises(CheckpointError, match=r"cell\.theta holds numbers .* not finite"):
        forged.load_parameters(model)
