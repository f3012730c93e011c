"""Whether amplitudes have stayed where the numbers of their type are exact to its precision."""

import torch
from torch import Tensor

# Amplitudes that are smaller by the square of the type's precision are still normal numbers, and so
# is the square of the least one.
LEAST_AMPLITUDE = {torch.float32: 2.0**-60, torch.float64: 2.0**-480}


def is_reliable(least: Tensor, kept: Tensor, scale: Tensor | None = None) -> bool:
    """Whether nothing underflowed on the way to some predictions.

    Args:
        least: The smallest largest amplitude that any state had before it was scaled, shape ``()``.
        kept: The weights of the outcomes that steps are conditioned on, of states that are scaled
            to a largest amplitude of 1.
        scale: The smallest number that operators were divided by, shape ``()``, if they were.
    """
    limit = LEAST_AMPLITUDE[kept.dtype]
    found = (kept.detach().min(), least) if scale is None else (kept.detach().min(), least, scale)
    # One transfer from the device for all of them.
    least_weight, least_amplitude, *divided_by = torch.stack(found).tolist()
    # Before its operator was scaled a state was as small as both together. No square is taken of
    # that, so that its root counts as an amplitude.
    together = [least_amplitude * each >= limit * limit for each in divided_by]
    return least_weight >= limit * limit and least_amplitude >= limit and all(together)
