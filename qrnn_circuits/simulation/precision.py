"""Whether amplitudes have stayed where the numbers of their type are exact to its precision."""

import torch
from torch import Tensor

# Amplitudes that are smaller by the square of the type's precision are still normal numbers, and so
# is the square of the least one.
LEAST_AMPLITUDE = {torch.float32: 2.0**-60, torch.float64: 2.0**-480}


def is_reliable(least: Tensor, kept: Tensor) -> bool:
    """Whether nothing underflowed on the way to some predictions.

    Args:
        least: The smallest largest amplitude that any state had before it was scaled, shape ``()``.
        kept: The weights of the outcomes that steps are conditioned on, of states that are scaled
            to a largest amplitude of 1.
    """
    limit = LEAST_AMPLITUDE[kept.dtype]
    least_weight, least_amplitude = torch.stack((kept.detach().min(), least)).tolist()
    return bool(least_weight >= limit * limit and least_amplitude >= limit)
