"""Initial parameters that are the same on every device."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def check_generator(generator: object) -> None:
    """Raises a ``TypeError`` where a source of randomness is none of PyTorch's."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator, got a {type(generator).__name__}: of a seed, "
            "take torch.Generator().manual_seed(seed)"
        )


def undrawn(
    kind: Callable[..., Module],
    *sizes: int,
    device: torch.device | str | None = None,
    **options: Any,  # noqa: ANN401
) -> Module:
    """Makes a module of PyTorch whose parameters are still to be drawn.

    PyTorch draws them with its own generator, from which nothing must be taken where another one is
    given.

    Args:
        kind: Makes the module.
        sizes: What it takes.
        device: Where its parameters live.
        options: Further ones.

    Example:
        >>> before = torch.get_rng_state()
        >>> layer = undrawn(nn.Linear, 2, 3)
        >>> bool((torch.get_rng_state() == before).all())
        True
    """
    made = kind(*sizes, device="meta", **options)
    return made.to_empty(device=device or torch.get_default_device())


def draw_normal(
    shape: tuple[int, ...],
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draws standard normal numbers.

    Args:
        shape: Their shape.
        generator: Source of randomness, a CPU generator.
        device: Where they are to live in the end. For ``"meta"``, which holds no numbers, none are
            drawn.

    Returns:
        Float64, on the CPU or the device ``"meta"``.

    Example:
        >>> draw_normal((2, 3), device="meta").shape
        torch.Size([2, 3])
    """
    check_generator(generator)
    if torch.device(device).type == "meta":
        return torch.empty(shape, dtype=torch.float64, device="meta")
    # Whatever the default device: a generator draws on its own one alone.
    return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")


@torch.no_grad()
def draw_uniform(parameter: Tensor, bound: float, generator: torch.Generator | None = None) -> None:
    """Fills a parameter on any device with numbers between ``-bound`` and ``bound``.

    On the device ``"meta"``, which holds no numbers, none are drawn.

    Args:
        parameter: Of any shape and type.
        bound: The greatest size.
        generator: Source of randomness, a CPU generator.

    Example:
        >>> parameter = torch.nn.Parameter(torch.empty(3))
        >>> draw_uniform(parameter, 0.5, torch.Generator().manual_seed(0))
        >>> bool(parameter.abs().max() <= 0.5)
        True
    """
    check_generator(generator)
    if parameter.is_meta:
        return
    numbers = torch.rand(parameter.shape, generator=generator, dtype=torch.float64, device="cpu")
    parameter.copy_(bound * (2 * numbers - 1))
