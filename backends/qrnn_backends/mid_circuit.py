"""Which method runs a tape's mid-circuit measurements: the device itself, or deferral."""

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, Literal, TypeAlias

import pennylane as qml
from pennylane.devices import MCMConfig
from pennylane.devices.preprocess import null_postprocessing
from pennylane.exceptions import DeviceError
from pennylane.measurements import StateMP
from pennylane.operation import Operator
from pennylane.ops import Conditional, Controlled, MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn
from pennylane.wires import Wires

from qrnn_backends.measurements import mid_circuit
from qrnn_backends.wires import ordered_wires
from qrnn_circuits.checks import plain

WithoutShots: TypeAlias = Literal["branches", "state", "distribution"]
"""How a device gets results without shots.

``"branches"``: it follows every outcome. ``"state"``: from one final state, in which each
measurement has a wire of its own. ``"distribution"``: from the distribution of the bits that are
read at the end.
"""

# Of a state in which every mid-circuit measurement has a wire of its own: 64 MB.
MAX_DEFERRED_WIRES = 22

MIXTURE = (
    "qml.state() needs a pure state, but the mid-circuit measurements leave a mixture: take "
    "qml.density_matrix, or postselect"
)
"""What is told where there is no state."""


class UnsupportedMethodError(DeviceError, ValueError):  # type: ignore[misc]
    """A QNode asks for a way to run mid-circuit measurements that the device does not have."""


def check_mcm_config(
    config: MCMConfig, name: str, *, methods: Sequence[str], postselect_modes: Sequence[str]
) -> None:
    """Checks how a QNode wants its mid-circuit measurements run.

    Args:
        config: As PennyLane's QNode has it.
        name: Of the device, for messages.
        methods: What ``mcm_method`` may be, besides None and ``"device"``.
        postselect_modes: What ``postselect_mode`` may be, besides None and ``"device"``.

    Raises:
        UnsupportedMethodError: If the device lacks the method or the mode.
    """
    for option, value, accepted in (
        ("mcm_method", config.mcm_method, methods),
        ("postselect_mode", config.postselect_mode, postselect_modes),
    ):
        # PennyLane's own word for the device's choice of a mode.
        if value not in (None, "device", *accepted):
            raise UnsupportedMethodError(
                f"{option} must be {' or '.join(map(repr, accepted))} on {name}, got {str(value)!r}"
            )


def defers(tape: QuantumScript, method: str | None, without_shots: WithoutShots) -> bool:
    """Whether mid-circuit measurements, if there are any, are deferred.

    Args:
        tape: Any tape.
        method: The QNode's ``mcm_method``. Whatever is not ``"deferred"`` leaves measurements to
            the device, which runs them as they are.
        without_shots: How the device gets results without shots.
    """
    return method == "deferred" or (without_shots == "state" and not tape.shots)


@qml.transform  # type: ignore[untyped-decorator]
def defer_where_needed(
    tape: QuantumScript, method: str | None, without_shots: WithoutShots
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Gives mid-circuit measurements wires of their own if the method for them is deferral.

    Postselected ones leave projectors.

    Args:
        tape: Any tape.
        method: The QNode's ``mcm_method``.
        without_shots: How the device gets results without shots.

    Raises:
        ValueError: If one is postselected on what is no outcome, or the device cannot project the
            state; a result is of one that the tape has not, or a condition of one that does not
            come before it; or a tape without shots takes more than ``MAX_DEFERRED_WIRES`` wires on
            a device that needs them.
    """
    tape = _with_outcomes(tape)
    _check_order(tape.operations)
    measured = {part.meas_uid for part in tape.operations if isinstance(part, MidMeasure)}
    for measurement in tape.measurements:
        if any(part.meas_uid not in measured for part in mid_circuit(measurement)):
            raise ValueError(
                f"{measurement} is of a measurement that is not in the circuit: return a value of "
                "this circuit's, and take mcm_method='deferred' in place of qml.defer_measurements"
            )
    if not (measured and defers(tape, method, without_shots)):
        return (tape,), null_postprocessing
    from_state = without_shots == "state" and not tape.shots
    projects = without_shots == "branches" or from_state
    for part in tape.operations:
        if isinstance(part, MidMeasure) and part.postselect is not None and not projects:
            raise ValueError(
                f"mcm_method must not be 'deferred' where an outcome is postselected, got {part}: "
                "leave mcm_method out, and the device postselects by itself"
            )
    tape = _without_work_wires(_with_pure_states(tape))
    batch, combine = qml.defer_measurements(tape, allow_postselect=projects)
    for deferred in batch:
        wires = len(deferred.wires)
        if from_state and wires > MAX_DEFERRED_WIRES:
            raise ValueError(
                "without shots, every mid-circuit measurement takes a wire of its own: the circuit "
                f"needs {wires} wires, more than {MAX_DEFERRED_WIRES}. Give shots, which take no "
                "more wires than the circuit has."
            )
    return batch, combine


class PureStateMP(StateMP):  # type: ignore[misc]
    """The state of some wires of a pure state, where the others are not entangled with them.

    The others are those of deferred measurements, or number the branches of a mixture. Where every
    outcome is postselected, certain, or without a trace in the state, they are not entangled.
    """

    def process_state(self, state: Any, wire_order: Wires) -> Any:  # noqa: ANN401
        """The state of the wires; its phase is that of the largest component of the others.

        Raises:
            DeviceError: If it is a mixture.
        """
        others = Wires([wire for wire in wire_order if wire not in self.wires])
        inner = Wires([wire for wire in wire_order if wire in self.wires])
        batched = qml.math.ndim(state) > 1
        shape = (-1, *(2,) * len(wire_order))
        order = [0, *(1 + wire_order.index(wire) for wire in [*inner, *others])]
        tensor = qml.math.transpose(qml.math.reshape(state, shape), order)
        table = qml.math.reshape(tensor, (-1, 2 ** len(inner), 2 ** len(others)))
        sizes = qml.math.sum(qml.math.abs(table) ** 2, axis=1)
        columns = []
        for entry, size in zip(table, sizes, strict=True):
            largest = int(qml.math.argmax(size))
            column = entry[:, largest] / qml.math.sqrt(size[largest])
            weights = qml.math.conj(column) @ entry
            rest = entry - column[:, None] * weights[None]
            if not qml.math.allclose(rest, 0.0, atol=_ENTANGLED):
                raise DeviceError(MIXTURE)
            columns.append(column)
        found = qml.math.stack(columns) if batched else columns[0]
        return super().process_state(found, inner)


# Of amplitudes: larger ones are more than rounding in single precision.
_ENTANGLED = 1e-5


def _with_outcomes(tape: QuantumScript) -> QuantumScript:
    """Postselects the integers 0 and 1, which PennyLane leaves to its users."""
    operations = [
        _with_outcome(part) if isinstance(part, MidMeasure) else part for part in tape.operations
    ]
    if all(part is given for part, given in zip(operations, tape.operations, strict=True)):
        return tape
    return tape.copy(operations=operations, trainable_params=tape.trainable_params)


def _with_outcome(measurement: MidMeasure) -> MidMeasure:
    if measurement.postselect is None:
        return measurement
    outcome = plain(measurement.postselect)
    if not (isinstance(outcome, Real) and outcome in (0, 1)):
        raise ValueError(f"postselect must be 0, 1 or None, got {measurement.postselect!r}")
    if type(measurement.postselect) is int:
        return measurement
    with qml.QueuingManager.stop_recording():
        return MidMeasure(
            measurement.wires, measurement.reset, int(outcome == 1), measurement.meas_uid
        )


def _check_order(operations: Iterable[Operator]) -> None:
    """Raises a ``ValueError`` where a condition asks for what is not measured before it."""
    measured = set()
    for part in operations:
        if isinstance(part, MidMeasure):
            measured.add(part.meas_uid)
        elif isinstance(part, Conditional):
            asked = {measurement.meas_uid for measurement in part.meas_val.measurements}
            if not asked <= measured:
                raise ValueError(
                    f"{part} depends on a measurement that does not come before it: condition on "
                    "a value of this circuit's"
                )


def _without_work_wires(tape: QuantumScript) -> QuantumScript:
    """Takes from conditioned gates the wires that PennyLane may give to measurements."""
    operations = []
    for part in tape.operations:
        base = part.base if isinstance(part, Conditional) else None
        if isinstance(base, Controlled) and base.work_wires:
            with qml.QueuingManager.stop_recording():
                gate = qml.ctrl(base.base, base.control_wires, base.control_values)
            part = Conditional(part.meas_val, gate)
        operations.append(part)
    return tape.copy(operations=operations, trainable_params=tape.trainable_params)


def _with_pure_states(tape: QuantumScript) -> QuantumScript:
    """Names the wires whose state is asked for, which those of deferred measurements are not."""
    if not any(type(measurement) is StateMP for measurement in tape.measurements):
        return tape
    wires = ordered_wires(tape)
    measurements = [
        PureStateMP(wires=measurement.wires or wires)
        if type(measurement) is StateMP
        else measurement
        for measurement in tape.measurements
    ]
    return tape.copy(measurements=measurements, trainable_params=tape.trainable_params)
