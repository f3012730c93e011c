"""The processes that train one run together, each on its share of every batch."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed

from qrnn_circuits.tasks import BaseBatch

B = TypeVar("B", bound=BaseBatch)
T = TypeVar("T")

_SET_BY_TORCHRUN = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


class RankError(Exception):
    """Another process of the run has ended, or cannot be reached.

    Example:
        >>> issubclass(RankError, Exception)
        True
    """


class Ranks:
    """The processes of a data-parallel run, seen from one of them; by default this one alone.

    Every method that exchanges something must be called by all of them, in the same order.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
        local_rank: Number of this process among those on this machine.

    Example:
        >>> ranks = Ranks()
        >>> ranks.size, ranks.is_first
        (1, True)
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and talks to the user."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Where this process computes.

        Args:
            name: ``"cpu"``, or ``"cuda"`` for the GPU with the number of the local rank.

        Raises:
            ValueError: There is no such GPU.
        """
        if name == "cpu":
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise ValueError(
                f"device {name!r} needs a GPU and a build of torch for it, but torch "
                f"{torch.__version__} finds none here; device 'cpu' works everywhere"
            )
        if self.local_rank >= torch.cuda.device_count():
            raise ValueError(
                f"device {name!r} needs a GPU for each process, but this machine has "
                f"{torch.cuda.device_count()}, and this is its process number {self.local_rank + 1}"
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device(name, self.local_rank)

    def shard(self, batch: B) -> B:
        """The rows of this process: as many as the others have, or one more or less."""
        return batch.rows(torch.arange(len(batch)).tensor_split(self.size)[self.rank])

    def add_up(self, tensor: Tensor) -> None:
        """Replaces a tensor by its sum over the processes, the same in each to the last bit.

        Raises:
            RankError: Another process has ended.
        """
        if self.size > 1:
            with reaching_the_others():
                distributed.all_reduce(tensor)

    def from_all(self, function: Callable[[], T]) -> list[T]:
        """Calls a function in every process and gives the results to all, in order of rank.

        Raises:
            Exception: Whatever the function raised in any process is raised in all of them.
            RankError: Another process has ended.
        """
        if self.size == 1:
            return [function()]
        result: T | None = None
        failure: Exception | None = None
        try:
            result = function()
        except Exception as error:
            failure = error
        gathered: list[Any] = [None] * self.size
        with reaching_the_others():
            distributed.all_gather_object(gathered, (result, failure))
        if failure is not None:
            raise failure
        for _, other_failure in gathered:
            if other_failure is not None:
                raise other_failure
        return [result for result, _ in gathered]

    def from_first(self, function: Callable[[], T]) -> T:
        """Calls a function in the first process only and gives its result to all.

        Raises:
            Exception: Whatever the function raised is raised in all processes.
            RankError: Another process has ended.
        """
        return cast(T, self.from_all(lambda: function() if self.is_first else None)[0])

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """While entered, nothing may be exchanged; at the end an error in one is raised in all.

        Raises:
            Exception: Whatever was raised in any process.
            RankError: Another process has ended.
        """
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error

        def end() -> None:
            if failure is not None:
                raise failure

        self.from_all(end)


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Joins the processes that ``torchrun`` started, while entered; else gives this one alone.

    Tensors on the CPU travel by gloo, tensors on a GPU by NCCL where torch has it.

    Raises:
        RankError: Another process cannot be reached.
        ValueError: The environment names several processes, but not all that ``torchrun`` sets, or
            what it names is no number.

    Example:
        >>> with joined_ranks() as ranks:  # under torchrun, one of several
        ...     ranks.size
        1
    """
    size = _number("WORLD_SIZE", 1) if "WORLD_SIZE" in os.environ else 1
    if size == 1:
        yield Ranks()
        return
    if missing := [name for name in _SET_BY_TORCHRUN if name not in os.environ]:
        raise ValueError(
            f"the environment has WORLD_SIZE={size}, but not {', '.join(missing)}: start the "
            "command by torchrun, which sets them all, or unset WORLD_SIZE"
        )
    _number("RANK", 0)
    local_rank = _number("LOCAL_RANK", 0)
    has_nccl = torch.cuda.is_available() and distributed.is_nccl_available()
    with reaching_the_others():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if has_nccl else "gloo")
    try:
        rank = distributed.get_rank()
        yield Ranks(rank, size, local_rank)
    finally:
        distributed.destroy_process_group()


def _number(name: str, least: int) -> int:
    """The number that a variable of the environment holds."""
    text = os.environ[name]
    if not text.isdecimal() or int(text) < least:
        raise ValueError(
            f"the environment has {name}={text}, which must be an integer of at least {least}: "
            "start the command by torchrun, which sets it, or unset WORLD_SIZE"
        )
    return int(text)


@contextmanager
def reaching_the_others() -> Iterator[None]:
    """Turns what torch raises where processes cannot exchange tensors into a :class:`RankError`."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RankError(
            f"another process of this run has ended or is out of reach ({str(error).strip()})"
        ) from error
