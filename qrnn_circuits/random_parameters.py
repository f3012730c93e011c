"""Initial parameters that are the same on every device."""

import torch
from torch import Tensor


@torch.no_grad()
def draw_uniform(parameter: Tensor, bound: float, generator: torch.Generator | None = None) -> None:
    """Fills a parameter on any device with numbers between ``-bound`` and ``bound``.

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
    numbers = torch.rand(parameter.shape, generator=generator, dtype=torch.float64, device="cpu")
    parameter.copy_(bound * (2 * numbers - 1))
