from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qrnn_circuits.training import Ranks, RunConfig, Trainer, joined_ranks

Tiny = Callable[..., RunConfig]


def test_every_row_is_in_one_shard(tiny: Tiny) -> None:
    batch = tiny().build_task().batch(7, torch.Generator().manual_seed(0))
    shards = [Ranks(rank, 3).shard(batch) for rank in range(3)]
    assert [len(shard) for shard in shards] == [3, 2, 2]
    for name in ("inputs", "outcomes", "scored"):
        parts = [getattr(shard, name) for shard in shards]
        assert torch.equal(torch.cat(parts), getattr(batch, name))


def test_a_gpu_that_is_not_there_is_refused(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"device 'cuda' needs a GPU .* torch .* finds none here"):
        Trainer.start(tiny(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="this machine has 1, and this is its process number 2"):
        Ranks(1, 2, 1).device("cuda")


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("WORLD_SIZE", "two", 1), ("WORLD_SIZE", "0", 1), ("RANK", "-1", 0), ("LOCAL_RANK", "", 0)],
)
def test_a_variable_of_torchrun_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, least: int
) -> None:
    values = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", name: value}
    for variable, text in (values | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}).items():
        monkeypatch.setenv(variable, text)
    message = f"has {name}={value}, which must be an integer of at least {least}: start the command"
    with pytest.raises(ValueError, match=message), joined_ranks():
        pass


def test_a_process_that_torchrun_did_not_start_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("MASTER_PORT", "1")
    message = "has WORLD_SIZE=4, but not RANK, LOCAL_RANK, MASTER_ADDR: start the command by torch"
    with pytest.raises(ValueError, match=message), joined_ranks():
        pass
