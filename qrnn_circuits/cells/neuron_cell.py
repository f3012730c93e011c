"""What cells of quantum neurons have in common: parameters, and the stages of circuits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from qrnn_circuits.cells.base import Cell, CircuitStage, NeuronFactory

if TYPE_CHECKING:
    from pennylane.operation import Operator


class NeuronCell(Cell):
    """A cell whose step is an input stage, work stages and, where it is read, an output stage.

    Attributes:
        coefficients: Of the neurons onto workspace wires, one row for each in the order in which
            they act: ``W`` of the input stage and as many of each work stage.
        readout_coefficients: Of the neurons onto lane wires, one row for each.
        theta: Angles in radians by which a work stage rotates each workspace wire before its
            neurons, shape ``(stages, W)``.
    """

    coefficients: nn.Parameter
    readout_coefficients: nn.Parameter
    theta: nn.Parameter

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The neurons onto lane wires, ``"readout"``, and all that acts on the workspace."""
        return {
            "cell": [self.coefficients, self.theta],
            "readout": [self.readout_coefficients],
        }

    def extra_repr(self) -> str:
        """Shows the sizes in ``repr``."""
        return ", ".join(f"{name}={value!r}" for name, value in self.sizes().items())

    def _workspace_stages(
        self,
        rows: Tensor,
        controls: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        degree: int,
    ) -> list[CircuitStage]:
        """The input stage and the work stages.

        Args:
            rows: Coefficients of the neurons onto workspace wires.
            controls: The wires that control each neuron, but for its target.
            workspace: The workspace wires.
            neuron: Makes the operation of a quantum neuron in the chosen realisation.
            degree: Of the neurons' polynomials.
        """
        import pennylane as qml

        # Without work stages theta is empty, and has a gradient as every parameter has.
        first, *work = (rows if len(self.theta) else rows + self.theta.sum()).split(self.workspace)
        stages = [
            CircuitStage("input stage", neurons_onto(first, controls, workspace, neuron, degree))
        ]
        for number, (own, angles) in enumerate(zip(work, self.theta, strict=True), 1):
            with qml.QueuingManager.stop_recording():
                rotations = [
                    qml.RY(angle, wires=wire) for angle, wire in zip(angles, workspace, strict=True)
                ]
            operations = rotations + neurons_onto(own, controls, workspace, neuron, degree)
            stages.append(CircuitStage(f"work stage {number}", operations))
        return stages


def neurons_onto(
    rows: Tensor,
    controls: Sequence[int],
    targets: Sequence[int],
    neuron: NeuronFactory,
    degree: int,
) -> "list[Operator]":
    """One neuron onto each target, controlled by all of some wires but the target.

    Args:
        rows: Coefficients of each neuron.
        controls: The wires.
        targets: The targets, in the order in which the neurons act.
        neuron: Makes the operation of a quantum neuron in the chosen realisation.
        degree: Of the neurons' polynomials.
    """
    return [
        neuron(row, [wire for wire in controls if wire != target], target, degree)
        for row, target in zip(rows, targets, strict=True)
    ]
