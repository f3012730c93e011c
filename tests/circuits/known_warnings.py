"""Warnings of the libraries that tests let pass."""

import pytest

TREE_TRAVERSAL = pytest.mark.filterwarnings(
    # Raised inside PennyLane's tree traversal for differentiable torch parameters.
    "ignore:Converting a tensor with requires_grad=True to a scalar:UserWarning"
)
