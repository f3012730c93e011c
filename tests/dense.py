"""Dense matrices of neurons, cells and sequences: Kronecker products of gates, in numpy alone.

Nothing here uses the package, so that agreement with it means something. Wires are numbered from 0
in the order lane, workspace, ancillas; the first wire is the most significant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

ONE = np.diag([0.0, 1.0])
ZERO = np.diag([1.0, 0.0])
FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])


def rotation(angle: float) -> Matrix:
    cos, sin = np.cos(angle / 2), np.sin(angle / 2)
    return np.array([[cos, -sin], [sin, cos]])


def on_wires(gates: Mapping[int, Matrix], wires: int) -> Matrix:
    matrix: Matrix = np.eye(1)
    for wire in range(wires):
        matrix = np.asarray(np.kron(matrix, gates.get(wire, np.eye(2))), dtype=np.float64)
    return matrix


def controlled(gate: Matrix, controls: Sequence[int], target: int, wires: int) -> Matrix:
    gates = dict.fromkeys(controls, ONE) | {target: gate - np.eye(2)}
    return np.eye(2**wires) + on_wires(gates, wires)


def polynomial_rotation(
    coefficients: Sequence[float], degree: int, controls: Sequence[int], target: int, wires: int
) -> Matrix:
    monomials = [c for size in range(degree + 1) for c in combinations(controls, size)]
    assert len(monomials) == len(coefficients)
    matrix = np.eye(2**wires)
    for monomial, coefficient in zip(monomials, coefficients, strict=True):
        matrix = controlled(rotation(coefficient), monomial, target, wires) @ matrix
    return matrix


def monomials_of_parities(coefficients: Sequence[float], controls: int, degree: int) -> list[float]:
    """The coefficients of monomials that add up to those of parities, at every pattern."""
    sets = [set(s) for size in range(degree + 1) for s in combinations(range(controls), size)]

    def angle(ones: set[int]) -> float:
        pairs = zip(coefficients, sets, strict=True)
        return float(sum(value * (-1) ** len(ones & parity) for value, parity in pairs))

    # What a pattern has beyond the patterns within it is the coefficient of its monomial.
    return [
        sum((-1) ** len(whole - part) * angle(part) for part in sets if part <= whole)
        for whole in sets
    ]


def postselected_neuron(
    coefficients: Sequence[float],
    degree: int,
    controls: Sequence[int],
    target: int,
    ancillas: Sequence[int],
    wires: int,
    sign: int = 1,
) -> Matrix:
    *inner, ancilla = ancillas

    def onto_ancilla(sign: int) -> Matrix:
        if inner:
            return postselected_neuron(
                coefficients, degree, controls, ancilla, inner, wires, sign=sign
            )
        angles = [sign * coefficient for coefficient in coefficients]
        return polynomial_rotation(angles, degree, controls, ancilla, wires)

    return (
        on_wires({ancilla: ZERO}, wires)
        @ onto_ancilla(-1)
        @ controlled(rotation(sign * np.pi), [ancilla], target, wires)
        @ onto_ancilla(1)
    )


def neuron(
    coefficients: Sequence[float],
    degree: int,
    controls: Sequence[int],
    target: int,
    order: int,
    semantics: str,
    sign: int = 1,
) -> Matrix:
    """A neuron on its controls and target, once its ancillas have been found in 0."""
    system = len(controls) + 1
    if order == 0:
        angles = [sign * coefficient for coefficient in coefficients]
        return polynomial_rotation(angles, degree, controls, target, system)
    ancillas = range(system, system + order)
    whole = postselected_neuron(
        coefficients, degree, controls, target, ancillas, system + order, sign=sign
    )
    block: Matrix = whole[:: 2**order, :: 2**order]
    if semantics == "unitary":
        # The unitary nearest to the block: its polar factor.
        left, _, right = np.linalg.svd(block)
        block = left @ right
    return block


def last_neuron(
    coefficients: Matrix,
    degree: int,
    controls: int,
    order: int,
    semantics: str,
    *,
    inverse: bool = False,
) -> Matrix:
    """A neuron whose target follows its controls."""
    sign = -1 if inverse else 1
    wires = range(controls)
    return neuron(list(coefficients), degree, wires, controls, order, semantics, sign=sign)


@dataclass(frozen=True)
class DenseCell:
    lane: int
    workspace: int
    stages: int
    order: int
    degree: int
    semantics: str
    coefficients: Matrix
    theta: Matrix

    @property
    def system(self) -> int:
        return self.lane + self.workspace

    def neuron(self, row: int, target: int) -> Matrix:
        """The neuron on lane and workspace, once its ancillas have been found in 0."""
        controls = [wire for wire in range(self.system) if wire != target]
        coefficients = list(self.coefficients[row])
        return neuron(coefficients, self.degree, controls, target, self.order, self.semantics)

    @cached_property
    def neurons(self) -> list[Matrix]:
        """All neurons, in the order of the circuit."""
        targets = [*range(self.lane, self.system)] * (1 + self.stages) + [*range(self.lane)]
        return [self.neuron(row, target) for row, target in enumerate(targets)]

    def step(self, symbol: int, read: bool = True) -> Matrix:
        """Everything from writing the symbol to just before the lane is read.

        A step that is not read ends once the input has been taken off the lane.
        """
        bits = [symbol >> (self.lane - 1 - wire) & 1 for wire in range(self.lane)]
        write = on_wires({wire: FLIP for wire, bit in enumerate(bits) if bit}, self.system)
        workspace = range(self.lane, self.system)
        neurons = iter(self.neurons)
        matrix = write
        for stage in range(1 + self.stages):
            if stage:
                gates = {
                    wire: rotation(angle)
                    for wire, angle in zip(workspace, self.theta[stage - 1], strict=True)
                }
                matrix = on_wires(gates, self.system) @ matrix
            for _ in workspace:
                matrix = next(neurons) @ matrix
        matrix = write @ matrix
        for _ in range(self.lane) if read else ():
            matrix = next(neurons) @ matrix
        return matrix

    def run(
        self, inputs: Sequence[int], outcomes: Sequence[int], unread: Sequence[bool] | None = None
    ) -> tuple[Matrix, float, NDArray[np.float64]]:
        """Step distributions (T, 2**I), acceptance, and the final normalised workspace state.

        Steps that are not read have the distribution of a lane that holds 0.
        """
        symbols, size = 2**self.lane, 2**self.workspace
        workspace = np.eye(size)[0]
        distributions = []
        skipped = [False] * len(inputs) if unread is None else unread
        for symbol, outcome, skip in zip(inputs, outcomes, skipped, strict=True):
            state = self.step(symbol, read=not skip)[:, :size] @ workspace
            joint = state.reshape(symbols, size)
            probabilities = (joint**2).sum(1)
            distributions.append(probabilities / probabilities.sum())
            workspace = joint[0 if skip else outcome]
        acceptance = float(workspace @ workspace)
        return np.array(distributions), acceptance, workspace / np.sqrt(acceptance)
