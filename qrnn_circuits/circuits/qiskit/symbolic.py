"""Gate angles as Qiskit parameters, found by differentiating the angles of a numeric circuit."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from qrnn_circuits.cells.base import Cell
from qrnn_circuits.optional_packages import require_qiskit

if TYPE_CHECKING:
    from qiskit.circuit import Parameter


# Parameters on which the angles of a neuron depend.
_NEURONS = frozenset({"coefficients", "readout_coefficients"})


class SymbolicAngles:
    """Turns gate angles that depend on a cell's parameters into Qiskit parameter expressions.

    Attributes:
        cell: The cell, whose parameters record gradients.
    """

    def __init__(self, cell: Cell, *, linear: bool) -> None:
        """Names the parameters.

        Args:
            cell: The cell.
            linear: Whether every angle is linear in the neurons' coefficients. If not, each angle
                that depends on them becomes a parameter of its own, in the order of the calls.

        Raises:
            ImportError: If Qiskit is not installed.
        """
        require_qiskit()
        from qiskit.circuit import ParameterVector

        self.cell = cell
        self._linear = linear
        self._parameters = {
            name: ParameterVector(name, parameter.numel())
            for name, parameter in cell.named_parameters()
        }
        self._angles = ParameterVector("angle", 0)
        self._angle_values: list[float] = []

    @classmethod
    def of_copy(cls, cell: Cell, *, linear: bool) -> "SymbolicAngles":
        """Symbolic angles in the parameters of a copy of the cell, in float64."""
        return cls(deepcopy(cell).double().requires_grad_(True), linear=linear)

    def __call__(self, angle: Any) -> Any:  # noqa: ANN401
        """A number where the angle is fixed, else an expression in the parameters."""
        if not (isinstance(angle, Tensor) and angle.requires_grad):
            return float(angle)
        names, values = zip(*self.cell.named_parameters(), strict=True)
        found = torch.autograd.grad(angle, values, retain_graph=True, allow_unused=True)
        gradients = dict(zip(names, found, strict=True))
        depends = [name for name, gradient in gradients.items() if gradient is not None]
        if not self._linear and _NEURONS.intersection(depends):
            self._angle_values.append(angle.item())
            self._angles.resize(len(self._angle_values))
            return self._angles[-1]
        expression: Any = 0.0
        for name in depends:
            flat = gradients[name].reshape(-1)
            for place in flat.nonzero()[:, 0].tolist():
                expression = expression + flat[place].item() * self._parameters[name][place]
        return expression

    def values(self) -> "dict[Parameter, float]":
        """The value of each parameter for this cell, once all angles have been converted."""
        pairs = [
            (self._parameters[name], parameter.reshape(-1).tolist())
            for name, parameter in self.cell.named_parameters()
        ]
        pairs.append((self._angles, self._angle_values))
        return {
            parameter: value
            for vector, numbers in pairs
            for parameter, value in zip(vector, numbers, strict=True)
        }
