"""In which bases a tape's terminal measurements are sampled, and where each finds its value."""

from dataclasses import dataclass
from typing import TypeAlias

import pennylane as qml
from pennylane.measurements import (
    ClassicalShadowMP,
    ExpectationMP,
    MeasurementProcess,
    ShadowExpvalMP,
)
from pennylane.operation import Operator
from pennylane.ops import LinearCombination, MeasurementValue, MidMeasure, Sum

from qrnn_backends.measurements import (
    hermitian_terms,
    mid_circuit,
    values_on_bits,
    with_identity_on_wires,
    with_wires,
)
from qrnn_backends.torch.exact import is_recorded

Shadow: TypeAlias = ClassicalShadowMP | ShadowExpvalMP


@dataclass(frozen=True)
class Basis:
    """Measurements that the same shots serve.

    Attributes:
        gates: What makes them diagonal.
        measurements: Of the bits of a shot, by their positions.
    """

    gates: list[Operator]
    measurements: list[MeasurementProcess]


@dataclass(frozen=True)
class Term:
    """Where a measurement finds its value, or one term of an observable that is a sum.

    Attributes:
        basis: Position of the basis.
        place: Position among the basis's measurements.
        coefficient: Of a term; None for a measurement that is no sum.
    """

    basis: int
    place: int
    coefficient: float | None = None


class ShotPlan:
    """What to sample for a tape's measurements.

    The bits of a shot are those of the wires, then those of ``columns``.

    Attributes:
        wires: Number of wires.
        columns: What was read mid-circuit and is asked for, one bit each.
        bases: The bases.
        terms: By the measurement's place in the tape, where its value is.
        shadows: By their places, classical shadows, which take another basis in each shot.
    """

    def __init__(self, tape: qml.tape.QuantumScript) -> None:
        """Plans the measurements of a tape whose wires are numbered from 0."""
        self.wires: int = tape.num_wires
        self.columns: list[MeasurementValue] = []
        self.bases: list[Basis] = []
        self.terms: dict[int, list[Term]] = {}
        self.shadows: dict[int, Shadow] = {}
        self._positions: dict[tuple[int, ...], int] = {}
        uids = {op.meas_uid for op in tape.operations if isinstance(op, MidMeasure)}
        for place, measurement in enumerate(tape.measurements):
            if isinstance(measurement, Shadow):
                self.shadows[place] = measurement
            elif is_recorded(measurement, uids):
                self.terms[place] = [self._recorded(measurement)]
            elif isinstance(measurement, ExpectationMP) and isinstance(
                measurement.obs, LinearCombination | Sum
            ):
                with qml.QueuingManager.stop_recording():
                    # Nothing is left of a sum that cancels.
                    summands = hermitian_terms(measurement.obs) or [(0.0, qml.Identity())]
                self.terms[place] = [
                    self._observed(ExpectationMP(term), coefficient)
                    for coefficient, term in summands
                ]
            else:
                self.terms[place] = [self._observed(measurement)]

    def _recorded(self, measurement: MeasurementProcess) -> Term:
        values = [MeasurementValue([measured]) for measured in mid_circuit(measurement)]
        first = self.wires + len(self.columns)
        self.columns += values
        return self._add([], values_on_bits(measurement, [*range(first, first + len(values))]))

    def _observed(self, measurement: MeasurementProcess, coefficient: float | None = None) -> Term:
        # Terms of a sum may be identities without wires.
        measurement = with_identity_on_wires(measurement, qml.wires.Wires(range(self.wires)))
        with qml.QueuingManager.stop_recording():
            gates = measurement.diagonalizing_gates()
        bits = measurement.wires.tolist() or list(range(self.wires))
        eigenvalues = None
        if measurement.obs is not None or isinstance(measurement.mv, MeasurementValue):
            eigenvalues = measurement.eigvals()
        return self._add(gates, with_wires(measurement, bits, eigenvalues), coefficient)

    def _add(
        self,
        gates: list[Operator],
        measurement: MeasurementProcess,
        coefficient: float | None = None,
    ) -> Term:
        key = tuple(gate.hash for gate in gates)
        basis = self._positions.setdefault(key, len(self.bases))
        if basis == len(self.bases):
            self.bases.append(Basis(gates, []))
        self.bases[basis].measurements.append(measurement)
        return Term(basis, len(self.bases[basis].measurements) - 1, coefficient)
