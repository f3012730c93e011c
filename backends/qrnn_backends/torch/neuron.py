"""Applies a quantum neuron to a state in torch by its blocks, without its circuit."""

from typing import cast

import torch
from torch import Tensor

from qrnn_circuits.circuits.angles import angle_table
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.neuron import block_amplitudes


def is_native(neuron: NeuronOperation) -> bool:
    """Whether the effect of the realisation is exactly the block of its semantics.

    The others approximate, and how they do is what one runs them for; so does a neuron that drops
    parities of its controls.
    """
    return neuron.realisation.exact and neuron.hyperparameters["parities"] is None


def apply_neuron(state: Tensor, neuron: NeuronOperation) -> Tensor:
    """Applies the block ``[[c, -s], [s, c]]`` of each control pattern to the target.

    The ancillas, which are 0 before and after a neuron, are not touched: of a postselected neuron
    the squared norm of the result is the probability that all of them read 0.

    Args:
        state: Shape ``(branches, batch, 2, ..., 2)``.
        neuron: Of an exact realisation, on wires numbered by the state's axes.

    Returns:
        The new state, which takes over a batch of coefficients.
    """
    options = neuron.hyperparameters
    controls, target = neuron.control_wires.tolist(), neuron.target_wire.tolist()
    coefficients = torch.as_tensor(neuron.data[0]).to(state.device, state.real.dtype)
    angles = angle_table(coefficients, len(controls), options["degree"])
    cos, sin = block_amplitudes(
        cast(Tensor, angles), options["order"], neuron.realisation.semantics
    )
    if options["inverse"]:
        sin = -sin
    # Axes: branches, batch, all other wires, control patterns, target.
    axes = [2 + wire for wire in controls + target]
    last = tuple(range(-len(axes), 0))
    moved = state.movedim(axes, last)
    zero, one = moved.reshape(*moved.shape[:2], -1, 2 ** len(controls), 2).unbind(-1)
    cos, sin = (table.reshape(-1, 1, table.shape[-1]) for table in (cos, sin))
    turned = torch.stack((cos * zero - sin * one, sin * zero + cos * one), -1)
    return turned.reshape(*turned.shape[:2], *moved.shape[2:]).movedim(last, axes)
