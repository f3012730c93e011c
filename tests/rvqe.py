"""Checkpoints with the names and the layout of the code that was published with the paper."""

import math
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SaveRvqe = Callable[..., Path]
"""Writes a checkpoint, as an archive by default, and tells where it is."""

BIAS = 1.570796
SIZES = {"workspace": 3, "stages": 2, "order": 2, "degree": 2}


def command_train() -> None:
    """What a checkpoint names as a function of its command."""
    raise AssertionError("a checkpoint was run")


def weights(lane: int, sizes: dict[str, int]) -> "OrderedDict[str, torch.Tensor]":
    """Random parameters under the names of the published code."""
    generator = torch.Generator().manual_seed(0)
    controls = lane + sizes["workspace"] - 1
    count = sum(math.comb(controls, size) for size in range(1, sizes["degree"] + 1))
    state: OrderedDict[str, torch.Tensor] = OrderedDict()

    def neuron(name: str) -> None:
        state[f"module.cell.{name}.φ"] = torch.randn(count, generator=generator)
        state[f"module.cell.{name}.θ"] = torch.randn((), generator=generator) / 3

    for wire in range(sizes["workspace"]):
        neuron(f"input_layer.{wire}")
    for stage in range(sizes["stages"]):
        angles = torch.randn(sizes["workspace"], generator=generator)
        state[f"module.cell.kernel_layer.{stage}.0.θs"] = angles
        for wire in range(sizes["workspace"]):
            neuron(f"kernel_layer.{stage}.{1 + wire}")
    for wire in range(lane):
        neuron(f"output_layer.{wire}")
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return state


def checkpoint(lane: int = 2, dataset: str = "elman-xor", **changes: object) -> dict[str, Any]:
    """What the published code saves."""
    options: dict[str, Any] = {
        "dataset": dataset,
        "sentence_length": 13,
        "initial_bias": BIAS,
        "optimizer": "adam",
        "timeout": None,
        "func": command_train,
        **SIZES,
        **changes,
    }
    parameters = weights(lane, {name: options[name] for name in SIZES})
    first = next(iter(parameters.values()))
    return {
        "epoch": 40,
        "best_validation_loss": torch.tensor(0.1),
        "model_state_dict": parameters,
        "optimizer_state_dict": {"state": {0: {"step": 3, "exp_avg": torch.zeros_like(first)}}},
        "_original_args": Namespace(**options),
        "_checkpoint_prefix": "-test-elman-xor--000000",
        "_torch_rng_state": torch.get_rng_state(),
    }
