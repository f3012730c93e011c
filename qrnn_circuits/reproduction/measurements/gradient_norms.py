"""How the gradient of the last step's loss fades with the distance in time, untrained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from qrnn_circuits.cells import QRNNCell
from qrnn_circuits.checks import check_choice, check_integer, check_number
from qrnn_circuits.neuron import Initialisation, Semantics
from qrnn_circuits.reproduction.measurements.classical_network import (
    ClassicalNetwork,
    largest_hidden,
)
from qrnn_circuits.reproduction.measurements.settings import read_settings
from qrnn_circuits.simulation.quantum_neurons import TransferSimulation
from qrnn_circuits.tasks.task import Reading, check_reading

Network = Literal["qrnn", "rnn", "lstm"]

MOST_POINTS = 60
"""Distances at most."""

_SHARPENED_WEIGHT_SPREAD = 0.01
# Rounding alone leaves up to so much where a loss does not depend on the state.
_LEAST_NORM = 1e-14


@dataclass(frozen=True)
class GradientSettings:
    """The settings of :func:`measure`.

    Attributes:
        network: ``"qrnn"``, ``"rnn"`` or ``"lstm"``.
        length: Number T of steps, at least 2.
        batch: Number of random sequences.
        lane: Number I of lane wires: there are ``2**I`` symbols, of a classical network too.
        parameters: How many a classical network may have; by default as many as the quantum
            network of the default sizes.
        workspace: Workspace wires of the quantum network.
        stages: Its work stages.
        order: Order of its neurons.
        degree: Degree of their polynomials.
        semantics: ``"postselected"`` or ``"unitary"``.
        reading: ``"every"``: each step is conditioned on a random symbol; ``"scored"``: the quantum
            network is only read at the last step.
        bias_spread: Of its initial biases; by default as :class:`~qrnn_circuits.Initialisation`.
        weight_spread: Of its other initial coefficients; by default 0.01, and of order 0 as
            :class:`~qrnn_circuits.Initialisation`. Without any, what is read of neurons of higher
            orders does not depend on the state, which then has no gradient.
    """

    network: Network = "qrnn"
    length: int = 500
    batch: int = 32
    lane: int = 3
    parameters: int = 837
    workspace: int = 5
    stages: int = 1
    order: int = 2
    degree: int = 3
    semantics: Semantics = "postselected"
    reading: Reading = "every"
    bias_spread: float | None = None
    weight_spread: float | None = None

    def __post_init__(self) -> None:
        """Checks the values; those of the quantum network are checked by its cell.

        Raises:
            TypeError: If one has the wrong type.
            ValueError: If one is not acceptable.
        """
        check_choice("network", self.network, get_args(Network))
        check_integer("length", self.length, 2)
        for name in ("batch", "lane", "parameters", "workspace", "degree"):
            check_integer(name, getattr(self, name), 1)
        for name in ("stages", "order"):
            check_integer(name, getattr(self, name), 0)
        check_choice("semantics", self.semantics, get_args(Semantics))
        check_reading(self.reading)
        for name in ("bias_spread", "weight_spread"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))


def measure(
    settings: Mapping[str, Any],
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Measures the gradient with respect to the state of each step of an untrained network.

    The state is all that one step hands to the next: the normalised amplitudes of the workspace,
    the hidden state of an RNN, or the hidden and the cell state of an LSTM side by side. Of a
    sequence of T steps, g(d) is the Euclidean norm of the gradient of the last step's negative
    log-likelihood with respect to the state that is handed to step ``T - 1 - d``, counted from 0,
    as an independent variable: at distance 0 that is the state just before the last step. What
    follows a state of amplitudes does not depend on its norm, so that its gradient is orthogonal to
    it and lies along the sphere of the normalised states. What is measured is the median of
    ``g(d) / g(0)`` over the sequences.

    Inputs are random symbols, and the outcome of each step, which a quantum network is conditioned
    on, is the next input. All is computed in float64.

    Args:
        settings: Fields of :class:`GradientSettings`.
        seed: Of the initial parameters and the sequences.
        folder: Not used.
        progress: Is told what is being done.

    Returns:
        ``"distances"``: from 0 to T - 1, from 1 on logarithmically spaced; ``"norms"``: the median
        of each; ``"parameters"``: how many the network has.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If a setting is unknown or not acceptable, or the loss does not depend on the
            state.

    Example:
        A network that is read once is an orthogonal matrix at every step before: nothing fades.

        >>> settings = {"length": 6, "batch": 2, "workspace": 2, "order": 0, "degree": 1}
        >>> found = measure(settings | {"reading": "scored"}, 0, Path(), lambda doing: None)
        >>> found["distances"], [round(norm, 6) for norm in found["norms"]]
        ([0, 1, 2, 3, 4, 5], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """
    asked = read_settings(GradientSettings, settings)
    first, second = (int(each) for each in np.random.SeedSequence(seed).generate_state(2))
    generator = torch.Generator().manual_seed(second)
    shape = asked.batch, asked.length + 1
    symbols = torch.randint(2**asked.lane, shape, generator=generator)
    progress(f"{asked.length} steps of {asked.network}")
    if asked.network == "qrnn":
        cell = quantum_cell(asked, first)
        parameters = sum(each.numel() for each in cell.parameters())
        loss, states = quantum_losses(cell, symbols, asked.reading)
    else:
        hidden = largest_hidden(asked.network, 2**asked.lane, asked.parameters)
        sizes: dict[str, Any] = {"symbols": 2**asked.lane, "hidden": hidden, "seed": first}
        network = ClassicalNetwork(asked.network, dtype=torch.float64, **sizes)
        parameters = sum(each.numel() for each in network.parameters())
        loss, states = classical_losses(network, symbols)
    progress("gradient")
    norms = state_gradients(loss, states).norm(dim=-1).flip(0)
    if not (norms[0] > _LEAST_NORM).all():
        raise ValueError(
            "the loss of the last step does not depend on the state before it: choose a "
            f"weight_spread greater than 0, got {asked.weight_spread}"
        )
    fading = (norms / norms[0]).median(dim=1).values
    distances = log_spaced(asked.length)
    return {
        "distances": distances,
        "norms": fading[distances].tolist(),
        "parameters": parameters,
    }


def quantum_cell(asked: GradientSettings, seed: int) -> QRNNCell:
    """The untrained cell of some settings, in float64.

    Args:
        asked: The settings.
        seed: Of the initial parameters.
    """
    weights = asked.weight_spread
    if weights is None and asked.order:
        weights = _SHARPENED_WEIGHT_SPREAD
    return QRNNCell(
        lane=asked.lane,
        workspace=asked.workspace,
        stages=asked.stages,
        order=asked.order,
        degree=asked.degree,
        semantics=asked.semantics,
        initialisation=Initialisation(asked.bias_spread, weights),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )


def quantum_losses(
    cell: QRNNCell, symbols: Tensor, reading: Reading = "every", state: Tensor | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Runs a quantum network along sequences.

    Args:
        cell: Its cell.
        symbols: Int64, shape ``(B, T + 1)``: the input of each step is followed by its outcome.
        reading: Whether every step is conditioned, or only the last one is read.
        state: Normalised amplitudes to start from, shape ``(B, 2**W)``; by default the cell's.

    Returns:
        Negative log-likelihood of the last outcome, shape ``(B,)``, and the state before each step.
    """
    last = symbols.shape[1] - 2
    run = TransferSimulation(cell)
    state = cell.initial_state(len(symbols)) if state is None else state
    states = [state.requires_grad_()]
    for t in range(last):
        if reading == "every":
            state = run.step(symbols[:, t], state).condition(symbols[:, t + 1])
        else:
            state = run.evolve(symbols[:, t], state)[0]
        states.append(state)
    weights = run.step(symbols[:, last], state).weights
    return -_log_likelihood(weights.log(), symbols[:, -1]), states


def classical_losses(
    network: ClassicalNetwork, symbols: Tensor, state: Tensor | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Runs a classical network along sequences.

    Args:
        network: The network.
        symbols: Int64, shape ``(B, T + 1)``: the last ones are what is predicted.
        state: What to start from; by default the network's.

    Returns:
        Negative log-likelihood of the last symbol, shape ``(B,)``, and the state before each step.
    """
    state = network.initial_state(len(symbols)) if state is None else state
    states = [state.requires_grad_()]
    for t in range(symbols.shape[1] - 2):
        state = network.step(symbols[:, t], state)[1]
        states.append(state)
    logits, _ = network.step(symbols[:, -2], state)
    return -_log_likelihood(logits, symbols[:, -1]), states


def state_gradients(loss: Tensor, states: list[Tensor]) -> Tensor:
    """The gradient of each sequence's loss with respect to each of its states.

    Args:
        loss: Shape ``(B,)``.
        states: T of them, shape ``(B, S)`` each.

    Returns:
        Shape ``(T, B, S)``.
    """
    # The loss of a sequence depends on no state of another one.
    return torch.stack(torch.autograd.grad(loss.sum(), states))


def log_spaced(length: int) -> list[int]:
    """0, and whole distances from 1 to ``length - 1`` that are spaced logarithmically.

    Args:
        length: Number of steps, at least 2.

    Returns:
        At most :data:`MOST_POINTS` distances, ascending.
    """
    spaced = np.geomspace(1, length - 1, MOST_POINTS - 1).round().astype(int)
    return [0, *np.unique(spaced).tolist()]


def _log_likelihood(logits: Tensor, right: Tensor) -> Tensor:
    """Log of the probability of the right symbols, shape ``(B,)``."""
    return logits.log_softmax(-1).gather(1, right[:, None])[:, 0]
