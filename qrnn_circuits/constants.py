"""Tensors that follow from sizes alone, made once and kept for every later call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import TypeVar, TypeVarTuple

import torch
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

Sizes = TypeVarTuple("Sizes")
Constant = TypeVar("Constant")


def constant(function: Callable[[*Sizes], Constant]) -> Callable[[*Sizes], Constant]:
    """Remembers the tensors that a function makes of its arguments.

    They serve every later call, wherever the first one was made: in inference mode, whose tensors
    serve no gradient, under ``torch.device("meta")``, whose tensors hold no numbers, or within
    transforms of ``torch.func`` or ``torch.jit.trace``.

    Args:
        function: Makes tensors of hashable arguments, on the CPU unless it says where.

    Example:
        >>> @constant
        ... def halves(count: int) -> torch.Tensor:
        ...     return torch.arange(count) / 2
        >>> with torch.device("meta"):
        ...     halves(3)
        tensor([0.0000, 0.5000, 1.0000])
    """

    @lru_cache(maxsize=64)
    def remembered(sizes: tuple[*Sizes]) -> Constant:
        # A tensor made within a transform of torch.func belongs to it, and dies with it.
        with (
            temporarily_clear_interpreter_stack(),
            _unrecorded(),
            torch.inference_mode(False),
            torch.device("cpu"),
        ):
            return function(*sizes)

    @wraps(function)
    def made(*sizes: *Sizes) -> Constant:
        # What a tracer makes stands for numbers only while it traces, and what is made within a
        # mode that sees every operation, as FakeTensorMode, may be anything.
        if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack():
            return function(*sizes)
        return remembered(sizes)

    return made


@contextmanager
def _unrecorded() -> Iterator[None]:
    """Leaves no record in ``torch.jit.trace``, which compares a first run with a second one."""
    recorder = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch._C._set_tracing_state(recorder)  # type: ignore[attr-defined]
