"""Makes the pictures of the documentation: ``python -m tools.site.pictures``."""

from pathlib import Path

import torch

from qrnn_circuits import QRNN, Initialisation, compile_circuit
from qrnn_circuits.circuits import draw_step
from qrnn_circuits.execution.figure_files import figure_bytes
from qrnn_circuits.neuron import Semantics

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


def draw_steps(folder: Path) -> None:
    """Draws a step of one small cell with postselected and with multiplexed neurons.

    Args:
        folder: Where ``step-postselect.svg`` and ``step-multiplexed.svg`` go.
    """
    drawn: tuple[tuple[Semantics, str], ...] = (
        ("postselected", "postselect"),
        ("unitary", "multiplexed"),
    )
    for semantics, name in drawn:
        model = QRNN(
            lane=1,
            workspace=2,
            order=1,
            degree=1,
            semantics=semantics,
            initialisation=Initialisation(bias_spread=0.5, weight_spread=1.0, theta_spread=1.0),
            generator=torch.Generator().manual_seed(0),
        )
        figure = draw_step(compile_circuit(model, inputs=[1]))
        (folder / f"step-{name}.svg").write_bytes(figure_bytes(figure, "svg"))


if __name__ == "__main__":
    draw_steps(FOLDER)
