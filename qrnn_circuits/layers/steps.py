"""Which steps of sequences are read."""

from typing import Literal, NamedTuple

from torch import Tensor

Reading = Literal["every", "last"]


class Steps(NamedTuple):
    """The steps of sequences of which something is asked for.

    Attributes:
        read: Those whose outputs are, bool, shape ``(T, B)``.
        present: Those up to each sequence's last one, bool, shape ``(T, B)``.
        last_alone: Whether they are the last of all T, and the states before it are not asked for:
            then what is returned may have this step alone.
    """

    read: Tensor
    present: Tensor
    last_alone: bool
