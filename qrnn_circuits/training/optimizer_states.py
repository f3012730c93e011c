"""Whether an optimiser can go on from a stored state."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from math import isfinite
from typing import Any

import torch
from torch import Tensor, optim

from qrnn_circuits.bounded_readers.files import brief


def state_differences(stored: Mapping[str, Any], optimizer: optim.Optimizer) -> list[str]:
    """How a stored state differs from those that an optimiser can have, in words.

    Args:
        stored: A ``state_dict()`` of an optimiser.
        optimizer: The one that is to go on from it, of the same settings.
    """
    own = optimizer.state_dict()
    groups: Any = stored.get("param_groups")
    state: Any = stored.get("state")
    are_groups = isinstance(groups, list) and all(isinstance(group, dict) for group in groups)
    if not are_groups or not isinstance(state, dict):
        return ["the optimiser's state is none"]
    if len(groups) != len(own["param_groups"]):
        return [f"the optimiser has {len(groups)} groups of parameters in the checkpoint"]
    differences = [
        f"{name} of the optimiser is {brief(theirs.get(name))} in the checkpoint"
        for theirs, ours in zip(groups, own["param_groups"], strict=True)
        for name in ours
        if not _is_right(name, theirs, ours)
    ]
    if differences or not state:
        return differences
    return list(_state_differences(state, optimizer))


def load_state(optimizer: optim.Optimizer, stored: Mapping[str, Any]) -> None:
    """Has an optimiser go on from a stored state, in which settings that it has may be missing.

    Args:
        optimizer: The optimiser.
        stored: A state from which it does not differ, see :func:`state_differences`.
    """
    own = optimizer.state_dict()["param_groups"]
    groups = [{**ours, **theirs} for ours, theirs in zip(own, stored["param_groups"], strict=True)]
    optimizer.load_state_dict({**stored, "param_groups": groups})


def _is_right(name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether a group's setting is its own; what a later PyTorch has added may be missing."""
    if name == "lr":
        rate = theirs.get(name)
        return type(rate) is float and isfinite(rate) and rate >= 0
    if name in ("params", "initial_lr"):
        return bool(theirs.get(name) == ours[name])
    return name not in theirs or bool(theirs[name] == ours[name])


def _state_differences(
    state: Mapping[Any, Mapping[str, Any]], optimizer: optim.Optimizer
) -> Iterator[str]:
    if isinstance(optimizer, optim.LBFGS):
        expected = {0: _lbfgs_state(optimizer)}
    else:
        expected = _after_a_step(optimizer)
    for number, values in state.items():
        ours = expected.get(number)
        if values == {"func_evals": 1, "n_iter": 0}:
            continue  # L-BFGS that has begun where the gradient is zero.
        if ours is None or not isinstance(values, dict) or values.keys() != ours.keys():
            yield f"the optimiser's state of parameter {number!r} is of another optimiser"
            continue
        if "al" in ours and not _is_history(values, len(ours["al"])):
            yield f"the optimiser's history of parameter {number} is none"
        for name, value in values.items():
            if not _matches(value, ours[name]):
                yield f"{name} of the optimiser's parameter {number} has another shape or type"


def _after_a_step(optimizer: optim.Optimizer) -> dict[int, dict[str, Any]]:
    """The state that a copy of the optimiser has after a step."""
    probe = deepcopy(optimizer)
    for group in probe.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    probe.step()
    states: dict[int, dict[str, Any]] = probe.state_dict()["state"]
    return states


def _lbfgs_state(optimizer: optim.LBFGS) -> dict[str, Any]:
    """An example of what L-BFGS remembers after a step."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
    size = optimizer.param_groups[0]["history_size"]
    vectors, numbers = [flat] * size, [flat.sum()] * size
    # The fields of torch.optim.LBFGS; "al" is of a fixed length, the others grow to it.
    return {
        "func_evals": 0,
        "n_iter": 0,
        "d": flat,
        "t": 0.0,
        "old_dirs": vectors,
        "old_stps": vectors,
        "ro": numbers,
        "H_diag": flat.sum(),
        "prev_flat_grad": flat,
        "prev_loss": 0.0,
        "al": numbers,
    }


def _is_history(values: Mapping[str, Any], size: int) -> bool:
    """Whether the lists of L-BFGS belong together."""
    lists = [values[name] for name in ("old_dirs", "old_stps", "ro")]
    return (
        all(isinstance(each, list) and not any(item is None for item in each) for each in lists)
        and len({len(each) for each in lists}) == 1
        and isinstance(values["al"], list)
        and len(values["al"]) == size
    )


def _matches(value: object, example: object) -> bool:
    """Whether a value has the form of an example; the lists of L-BFGS grow to their length."""
    if isinstance(example, Tensor):
        return (
            isinstance(value, Tensor)
            and value.shape == example.shape
            and value.dtype == example.dtype
        )
    if isinstance(example, list):
        return (
            isinstance(value, list)
            and len(value) <= len(example)
            and all(each is None or _matches(each, example[0]) for each in value)
        )
    if isinstance(example, float):
        numeric = isinstance(value, int | float) or (isinstance(value, Tensor) and not value.ndim)
        return numeric and not isinstance(value, bool)
    return type(value) is type(example)
