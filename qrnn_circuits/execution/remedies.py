"""Settings with which a network asks less of a chip."""

from collections.abc import Sequence

import numpy as np

from qrnn_circuits.circuits.realisations import Realisation
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import Task


def keeping_shots(task: Task, model: RecurrentNetwork, realisation: Realisation) -> list[str]:
    """Settings of ``qrnn train`` that lead to networks which keep more shots."""
    options = [*_reading(task), "--acceptance-weight"]
    if realisation.postselects and model.cell.order:
        options.insert(0, "--semantics unitary")
    return options


def fewer_gates(task: Task, model: RecurrentNetwork) -> list[str]:
    """Settings of ``qrnn train`` that lead to shorter circuits."""
    cell = model.cell
    smaller = {
        "--order 0": cell.order > 0,
        "a lower --degree": getattr(cell, "degree", 1) > 1,
        "fewer --stages": getattr(cell, "stages", 0) > 0,
        "a smaller --workspace": cell.workspace > 1,
        "a shorter --length": getattr(task, "length", None) is not None,
    }
    return [*_reading(task), *(option for option, applies in smaller.items() if applies)]


def dropping(realisation: Realisation, tolerance: float) -> list[str]:
    """How the circuit of the same network may take fewer gates, where nothing is dropped yet.

    Args:
        realisation: How neurons are built.
        tolerance: Up to which angle they drop rotations, in radians.
    """
    drops = realisation.spectrum(np.zeros(2), 1, order=1, degree=1) is not None
    return ["a --tolerance that drops small rotations"] if drops and not tolerance else []


def leaving_out_pruned(pruned: bool, tolerance: float) -> list[str]:
    """A sentence where training has pruned rotations that the circuit still has.

    Args:
        pruned: Whether it has pruned any.
        tolerance: Up to which angle the circuit drops rotations, in radians.
    """
    text = "rotations were pruned in training: --tolerance 0.05 leaves them out of the circuit"
    return [text] if pruned and not tolerance else []


def alternatives(options: Sequence[str]) -> str:
    """The options in words: ``"a, b or c"``."""
    return " or ".join(filter(None, [", ".join(options[:-1]), *options[-1:]]))


def _reading(task: Task) -> list[str]:
    return ["--reading scored"] if getattr(task, "reading", "scored") != "scored" else []
