"""Tensors that follow from sizes alone, made once and kept for every later call."""

from collections.abc import Callable
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
    transforms of ``torch.func``.

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
            torch.inference_mode(False),
            torch.device("cpu"),
        ):
            return function(*sizes)

    @wraps(function)
    def made(*sizes: *Sizes) -> Constant:
        # What a tracer makes stands for numbers only while it traces.
        if torch.compiler.is_compiling():
            return function(*sizes)
        return remembered(sizes)

    return made
