"""Gate angles as Qiskit parameters, found by differentiating the angles of a numeric circuit."""

from copy import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from qrnn_circuits.cells.base import Cell
from qrnn_circuits.optional_packages import require_modules
from qrnn_circuits.tracing import copied

if TYPE_CHECKING:
    from qiskit.circuit import Parameter


# A constant part of an angle that is no more than this part of the others is rounding.
_ROUNDING = 1e-12


class SymbolicAngles:
    """Turns gate angles that depend on a cell's parameters into Qiskit parameter expressions.

    An angle whose gradient does not itself depend on the parameters is a sum of them and a
    constant. Any other becomes a parameter of its own, in the order of the calls.

    Attributes:
        cell: The cell, whose parameters record gradients.
    """

    def __init__(self, cell: Cell) -> None:
        """Names the parameters.

        Args:
            cell: The cell.

        Raises:
            ImportError: If Qiskit is not installed.
        """
        require_modules("qiskit")
        from qiskit.circuit import ParameterVector

        self.cell = cell
        self._parameters = {
            name: ParameterVector(name, parameter.numel())
            for name, parameter in cell.named_parameters()
        }
        self._angles = ParameterVector("angle", 0)
        self._angle_values: list[float] = []

    @classmethod
    def of_copy(cls, cell: Cell) -> "SymbolicAngles":
        """Symbolic angles in the parameters of a copy of the cell, in float64."""
        return cls(copied(cell).double().requires_grad_(True))

    def from_the_start(self) -> "SymbolicAngles":
        """The same Qiskit parameters for the same circuit, converted once more."""
        again = copy(self)
        again._angle_values = []
        return again

    def has_parameters_of(self, other: "SymbolicAngles") -> bool:
        """Whether the parameters of two cells have the same names, and the same constants.

        Args:
            other: The angles of another cell.
        """
        constants = dict(other.cell.named_buffers())
        return self._parameters.keys() == other._parameters.keys() and all(
            name in constants and torch.equal(constant, constants[name])
            for name, constant in self.cell.named_buffers()
        )

    def __call__(self, angle: Any) -> Any:  # noqa: ANN401
        """A number where the angle is fixed, else an expression in the parameters."""
        if not (isinstance(angle, Tensor) and angle.requires_grad):
            return float(angle)
        names, values = zip(*self.cell.named_parameters(), strict=True)
        found = torch.autograd.grad(angle, values, create_graph=True, allow_unused=True)
        if any(gradient is not None and gradient.requires_grad for gradient in found):
            self._angle_values.append(angle.item())
            if len(self._angles) < len(self._angle_values):
                self._angles.resize(len(self._angle_values))
            return self._angles[len(self._angle_values) - 1]
        expression: Any = 0.0
        constant, size = angle.item(), abs(angle.item())
        for name, value, gradient in zip(names, values, found, strict=True):
            if gradient is not None:
                flat = gradient.reshape(-1)
                for index in flat.nonzero()[:, 0].tolist():
                    expression = expression + flat[index].item() * self._parameters[name][index]
                    part = flat[index].item() * value.reshape(-1)[index].item()
                    constant, size = constant - part, size + abs(part)
        return expression + constant if abs(constant) > _ROUNDING * size else expression

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
