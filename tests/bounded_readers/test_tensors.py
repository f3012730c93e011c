import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrnn_circuits.bounded_readers import tensors
from qrnn_circuits.bounded_readers.tensors import read_torch_file

DTYPES = (torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(0, 3), max_size=3),
    dtype=st.sampled_from(DTYPES),
    transposed=st.booleans(),
    zipped=st.booleans(),
)
def test_tensors_are_those_that_pytorch_wrote(
    tmp_path: Path, shape: list[int], dtype: torch.dtype, transposed: bool, zipped: bool
) -> None:
    whole = torch.arange(2 * torch.Size(shape).numel()).reshape(2, *shape).to(dtype)
    tensor = whole[1].mT if transposed and len(shape) > 1 else whole[1]
    path = tmp_path / "file.pt"
    stored = {"a": torch.nn.Parameter(tensor, requires_grad=False), "b": torch.ones(3)}
    torch.save(stored, path, _use_new_zipfile_serialization=zipped)
    file = read_torch_file(path)
    found = file.tensor(file.content["a"])
    assert found.dtype == dtype
    assert torch.equal(found, tensor)
    assert torch.equal(file.tensor(file.content["b"]), torch.ones(3))


@pytest.mark.parametrize("value", [None, 5, [], {"a": 1}, torch.Size((2,)), torch.float32])
def test_what_is_no_tensor_is_not_taken_for_one(tmp_path: Path, value: Any) -> None:  # noqa: ANN401
    path = tmp_path / "file.pt"
    torch.save(value, path)
    file = read_torch_file(path)
    with pytest.raises(ValueError, match="a tensor is missing"):
        file.tensor(file.content)


def test_few_numbers_that_are_repeated_take_no_more_memory_than_they_have(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save(torch.zeros(1).expand(2**20, 2**20), path)
    file = read_torch_file(path)
    with pytest.raises(ValueError, match="cut off: it has 1 of 1099511627776 numbers"):
        file.tensor(file.content)


def test_a_compressed_record_is_not_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("file/data.pkl", bytes(2**28))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"file\.pt .* records must not be compressed"):
            read_torch_file(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**27


def test_a_shape_of_many_large_integers_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save(torch.ones(4), path)
    file = read_torch_file(path)
    numbers, offset, *_ = file.content.arguments
    # A pickle of 1 MiB refers so often to one integer; their product takes hours.
    many = (2**2000,) * 400_000
    file.content.arguments = (numbers, offset, many, many)
    began = time.monotonic()
    with pytest.raises(ValueError, match="not one of a few small integers"):
        file.tensor(file.content)
    assert time.monotonic() - began < 30


def test_records_that_lie_upon_each_other_are_read_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensors, "_LIMIT", 1000)
    path = tmp_path / "file.pt"
    torch.save([torch.zeros(200), torch.zeros(200)], path)
    monkeypatch.setattr(tensors, "read_bytes", lambda path, _: path.read_bytes())
    file = read_torch_file(path)
    for _ in range(3):
        assert file.tensor(file.content[0]).shape == (200,)
    with pytest.raises(ValueError, match="at most 200 bytes, got 800"):
        file.tensor(file.content[1])


@pytest.mark.parametrize("size", [(2**30, (None,)), (2**40,), (-1,), ("1",), ("1",) * 2, 5, None])
def test_a_shape_that_is_none_takes_no_memory(tmp_path: Path, size: Any) -> None:  # noqa: ANN401
    path = tmp_path / "file.pt"
    torch.save(torch.ones(4), path)
    file = read_torch_file(path)
    numbers, offset, _, stride, *_ = file.content.arguments
    for arguments in ((numbers, offset, size, stride), (numbers, offset, (4,), size)):
        file.content.arguments = arguments
        with pytest.raises(ValueError, match=r"a tensor is (cut off|not stored as such)"):
            file.tensor(file.content)


def test_a_storage_of_another_size_or_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save(torch.ones(4), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for change, expected in ((members["file/data/0"][:8], "2 of 4"), (None, "missing, under")):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                kept = change if name == "file/data/0" else content
                if kept is not None:
                    archive.writestr(name, kept)
        file = read_torch_file(path)
        with pytest.raises(ValueError, match=expected):
            file.tensor(file.content)
