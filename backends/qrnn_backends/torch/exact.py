"""Exact results of terminal measurements from the branches of a dynamic circuit."""

from collections.abc import Container

import numpy as np
import pennylane as qml
import torch
from pennylane.exceptions import DeviceError
from pennylane.measurements import (
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    StateMP,
    VarianceMP,
)
from pennylane.operation import Operator
from pennylane.ops import Sum
from torch import Tensor

from qrnn_backends.measurements import mid_circuit
from qrnn_backends.mid_circuit import MIXTURE, PureStateMP
from qrnn_backends.torch.mixture import measure_mixture
from qrnn_backends.torch.representation import DensityMatrices
from qrnn_backends.torch.simulation import ExactBranches
from qrnn_backends.torch.state import LEAD, complex_type, squared_norms


def exact_results(
    tape: qml.tape.QuantumScript, branches: ExactBranches, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """The result of each of a tape's measurements.

    Args:
        tape: On any wires.
        branches: Of this tape, after all of its operations.
        dtype: Real type of the results.

    Returns:
        One tensor each; differentiable.

    Raises:
        DeviceError: If a state is asked for where the branches make up a mixture.
    """
    prepared = (_mixture if branches.mixed else _purified)(branches.state, tape.batch_size)
    results = []
    for measurement in tape.map_to_standard_wires().measurements:
        if type(measurement) is StateMP and branches.mixed:
            raise DeviceError(MIXTURE)
        if type(measurement) is StateMP and len(branches.state) > 1:
            # Branches may have come to the same state.
            measurement = PureStateMP(wires=measurement.wires or range(tape.num_wires))
        if is_recorded(measurement, branches.records):
            result: object = _record_statistics(measurement, branches, tape.batch_size)
        elif branches.mixed:
            batch = measure_mixture(measurement, prepared, dtype)
            result = batch[0] if tape.batch_size is None else batch
        else:
            result = _measure(measurement, prepared, tape)
        tensor = torch.as_tensor(result, device=branches.state.device)
        if isinstance(measurement, ExpectationMP | VarianceMP):
            # Of a sum the terms alone need not be real.
            tensor = tensor.real
        results.append(tensor.to(complex_type(dtype) if tensor.is_complex() else dtype))
    return tuple(results)


def is_recorded(measurement: MeasurementProcess, records: Container[str]) -> bool:
    """Whether a measurement is of recorded outcomes, rather than of wires they were put off to."""
    measured = mid_circuit(measurement)
    return bool(measured) and all(each.meas_uid in records for each in measured)


def _purified(state: Tensor, batch_size: int | None) -> Tensor:
    """A pure state whose first wires are in the mixture of all branches.

    The branches are numbered by wires of their own behind the others: PennyLane's measurements,
    which take a pure state, then give what they give on the mixture.

    Returns:
        Shape ``([batch,] 2, ..., 2)``, normalised.
    """
    extra = (len(state) - 1).bit_length()
    missing = 2**extra - len(state)
    state = state / squared_norms(state).sum(0).sqrt().reshape(-1, *(1,) * (state.ndim - LEAD))
    if missing:
        state = torch.cat((state, state.new_zeros(missing, *state.shape[1:])))
    state = state.movedim(0, -1).unflatten(-1, (2,) * extra) if extra else state[0]
    if batch_size is None:
        return state[0]
    return state.expand(batch_size, *state.shape[1:])


def _measure(
    measurement: MeasurementProcess, state: Tensor, tape: qml.tape.QuantumScript
) -> object:
    if isinstance(measurement, ExpectationMP) and isinstance(measurement.obs, Sum):
        # Tensors, as PennyLane's number for a term without wires takes no tensor beside it.
        return sum(
            torch.as_tensor(_measure(ExpectationMP(term), state, tape), device=state.device)
            for term in measurement.obs
        )
    if isinstance(measurement, ExpectationMP | VarianceMP) and _is_of_arrays(measurement.obs):
        return _moments(isinstance(measurement, VarianceMP), measurement.obs, state, tape)
    batched = tape.batch_size is not None
    wires = qml.wires.Wires(range(state.ndim - batched))
    if isinstance(measurement, ProbabilityMP) and not measurement.wires:
        measurement = ProbabilityMP(wires=wires[: tape.num_wires])
    if isinstance(measurement, ProbabilityMP) and not measurement.diagonalizing_gates():
        return measurement.process_state(state.flatten(int(batched)), wires)
    # PennyLane's own matrices are complex.
    state = state.to(complex_type(state.real.dtype))
    with qml.QueuingManager.stop_recording():
        return qml.devices.qubit.measure(measurement, state, is_state_batched=batched)


def _is_of_arrays(observable: Operator | None) -> bool:
    """Whether tensors give entries of its matrix: PennyLane's eigenbases have no graph."""
    values = () if observable is None else observable.data
    return any(isinstance(value, Tensor) and value.ndim for value in values)


def _moments(
    variance: bool, observable: Operator, state: Tensor, tape: qml.tape.QuantumScript
) -> Tensor:
    """Mean or variance of an observable by its matrix, which is differentiable."""

    def mean(entries: Tensor) -> Tensor:
        hermitian = qml.Hermitian(entries.to(state.device), observable.wires)
        return torch.as_tensor(
            qml.devices.qubit.measure(
                ExpectationMP(hermitian), state, is_state_batched=tape.batch_size is not None
            )
        )

    with qml.QueuingManager.stop_recording():
        matrix = qml.matrix(observable)
        first = mean(matrix)
        return mean(matrix @ matrix) - first**2 if variance else first


def _mixture(state: Tensor, batch_size: int | None) -> Tensor:
    """The density matrix of all branches, shape ``(1, batch, 2, ..., 2)``, of trace 1."""
    total = state.sum(0, keepdim=True)
    form = DensityMatrices()
    matrix = form.divided(total, form.weights(total)[0])
    return matrix.expand(1, batch_size or 1, *matrix.shape[LEAD:])


def _record_statistics(
    measurement: MeasurementProcess, branches: ExactBranches, batch_size: int | None
) -> Tensor:
    """Expectation, variance or distribution of what was read mid-circuit."""
    weights = branches.weights()
    weights = weights[:, 0] if batch_size is None else weights.expand(-1, batch_size)
    if isinstance(measurement, ProbabilityMP):
        # The distribution of a function is that of its arguments.
        measured = mid_circuit(measurement)
        index = np.zeros(len(branches.state), np.int64)
        for each in measured:
            index = 2 * index + branches.records[each.meas_uid]
        table = weights.new_zeros(2 ** len(measured), *weights.shape[1:])
        rows = torch.as_tensor(index, device=weights.device)
        return table.index_add(0, rows, weights).movedim(0, -1)
    numbers = torch.as_tensor(branches.values(measurement.mv).astype(float)).to(weights)
    mean: Tensor = torch.tensordot(numbers, weights, 1)
    if isinstance(measurement, ExpectationMP):
        return mean
    if isinstance(measurement, VarianceMP):
        square: Tensor = torch.tensordot(numbers**2, weights, 1)
        return square - mean**2
    raise DeviceError(f"{measurement} of mid-circuit measurements needs shots")
