"""How fast an RNN and an LSTM of the quantum network's size learn a task of symbols."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from qrnn_circuits.checks import check_choice, check_integer, check_positive
from qrnn_circuits.reproduction.measurements.classical_network import (
    ClassicalCell,
    ClassicalNetwork,
    largest_hidden,
    parameter_count,
)
from qrnn_circuits.reproduction.measurements.curves import thinned
from qrnn_circuits.reproduction.measurements.settings import check_options, read_settings
from qrnn_circuits.tasks import Batch, Task
from qrnn_circuits.training.task_options import build_task, check_task_options

MOST_POINTS = 50
"""Of a loss curve."""


@dataclass(frozen=True)
class BaselineSettings:
    """The settings of :func:`measure`.

    Attributes:
        task: Name of a task of symbols.
        task_options: Its options.
        cell: ``"rnn"`` or ``"lstm"``.
        parameters: How many the network may have; the hidden size is the largest that fits. By
            default as many as the paper's quantum network has for this task.
        learning_rate: Of Adam.
        batch: Sequences in a step.
        steps: Optimiser steps at most.
        stop_loss: Training ends once the validation loss, in nats, is not above this.
        validate_every: Optimiser steps between two validations: the precision of the number of
            steps that training takes.
    """

    task: str = "dna"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    cell: ClassicalCell = "rnn"
    parameters: int = 837
    learning_rate: float = 0.01
    batch: int = 128
    steps: int = 16000
    stop_loss: float = 1e-3
    validate_every: int = 10

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            TypeError: If one has the wrong type.
            ValueError: If one is not acceptable.
        """
        check_options("task_options", self.task_options)
        check_task_options(self.task, self.task_options)
        check_choice("cell", self.cell, get_args(ClassicalCell))
        for name in ("parameters", "batch", "steps", "validate_every"):
            check_integer(name, getattr(self, name), 1)
        for name in ("learning_rate", "stop_loss"):
            check_positive(name, getattr(self, name))


def measure(
    settings: Mapping[str, Any],
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Trains a classical network by Adam on the cross-entropy of a task's scored steps.

    The network reads the inputs and predicts as the quantum one does, but is not conditioned on
    the outcomes of earlier steps.

    Args:
        settings: Fields of :class:`BaselineSettings`.
        seed: Of the initial parameters and the batches.
        folder: Not used.
        progress: Is told each validation.

    Returns:
        ``"steps_to_stop"``: optimiser steps until the first validation that was not above
        ``stop_loss``, and ``"steps_to_no_error"``: until the first one whose most probable symbols
        were all right, each None where there was none; ``"final_loss"``: of the last validation, in
        nats, and ``"test_error"``: share of the scored test steps whose most probable symbol is
        wrong, both None where the loss has become no number; ``"parameters"``; ``"hidden_size"``;
        ``"seconds"``: of training with validations; ``"curve"``: step, validation loss and error.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If a setting is unknown or not acceptable.

    Example:
        >>> settings = {"task_options": {"length": 4}, "steps": 20, "cell": "lstm"}
        >>> found = measure(settings, 0, Path(), lambda doing: None)
        >>> found["steps_to_stop"], found["parameters"], [step for step, *_ in found["curve"]]
        (None, 764, [0, 10, 20])
    """
    asked = read_settings(BaselineSettings, settings)
    task = build_task(asked.task, asked.task_options)
    if not isinstance(task, Task):
        raise ValueError(f"task must be one of symbols, got {asked.task!r}")
    symbols = 2**task.lane
    hidden = largest_hidden(asked.cell, symbols, asked.parameters)
    first, second = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    network = ClassicalNetwork(asked.cell, symbols=symbols, hidden=hidden, seed=int(first))
    generator = torch.Generator().manual_seed(int(second))
    started = time.perf_counter()
    curve = _train(network, task, asked, generator, progress)
    seconds = time.perf_counter() - started
    step, loss, _ = curve[-1]
    finite = math.isfinite(loss)
    points = [list(point) for point in thinned(curve, MOST_POINTS) if math.isfinite(point[1])]
    return {
        "steps_to_stop": step if loss <= asked.stop_loss else None,
        "steps_to_no_error": next((at for at, _, error in curve if error == 0), None),
        "final_loss": loss if finite else None,
        "test_error": _loss_and_error(network, task.test())[1] if finite else None,
        "parameters": parameter_count(asked.cell, symbols, hidden),
        "hidden_size": hidden,
        "seconds": seconds,
        "curve": points,
    }


def _train(
    network: ClassicalNetwork,
    task: Task,
    asked: BaselineSettings,
    generator: torch.Generator,
    progress: Callable[[str], None],
) -> list[tuple[int, float, float]]:
    """Trains until the loss is low, the steps are over or the loss is no number: its curve."""
    optimizer = torch.optim.Adam(network.parameters(), lr=asked.learning_rate)
    validation = task.validation()
    curve: list[tuple[int, float, float]] = []
    for step in range(asked.steps + 1):
        if step % asked.validate_every == 0 or step == asked.steps:
            loss, error = _loss_and_error(network, validation)
            curve.append((step, loss, error))
            progress(f"step {step} of {asked.steps}: validation loss {loss:.3g}")
            if loss <= asked.stop_loss or not math.isfinite(loss):
                break
        if step < asked.steps:
            batch = task.batch(asked.batch, generator)
            optimizer.zero_grad()
            cross_entropy(*_scored(network, batch)).backward()
            optimizer.step()
    return curve


def _scored(network: ClassicalNetwork, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits ``(N, S)`` and right symbols ``(N,)`` of the scored steps."""
    return network(batch.inputs)[batch.scored], batch.outcomes[batch.scored]


@torch.no_grad()
def _loss_and_error(network: ClassicalNetwork, batch: Batch) -> tuple[float, float]:
    """Mean cross-entropy of the scored steps, and the share whose most probable symbol is wrong."""
    logits, right = _scored(network, batch)
    error = (logits.argmax(-1) != right).double().mean()
    return float(cross_entropy(logits, right)), float(error)
