"""The basic operations of circuits in which equal neurons recur: each neuron's are found once."""

from collections.abc import Hashable, Iterable, Sequence
from uuid import uuid4

import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import Conditional, MeasurementValue, MidMeasure

from qrnn_circuits.circuits.gate_lists import Gates
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.basic import basic_operations


def shared_operations(operations: Iterable[Operator]) -> Gates:
    """Decomposes operations into gates of Qiskit, measurements and conditioned gates.

    Args:
        operations: Any operations, with numbers for parameters.

    Returns:
        The basic operations, in which gates that repeat in a neuron, or in equal neurons, are the
        same objects, to be looked at only. Every measurement is an object of its own.

    Raises:
        TypeError: If an operation has no Qiskit gate, no decomposition and no matrix.

    Example:
        >>> neuron = NeuronOperation([0.3, 0.5], ["x", "t"], 1, 1, "multiplexed")
        >>> gates = shared_operations([neuron, qml.X("t"), neuron])
        >>> len(gates), len(set(map(id, gates)))
        (9, 5)
    """
    known: dict[Hashable, Gates] = {}
    measuring: set[Hashable] = set()
    shared: Gates = []
    with qml.QueuingManager.stop_recording():
        for operation in operations:
            if not isinstance(operation, NeuronOperation):
                shared += basic_operations(operation)
                continue
            key = _key(operation)
            if key not in known:
                known[key] = found = neuron_operations(operation)
                if any(isinstance(basic, MidMeasure) for basic in found):
                    measuring.add(key)
            elif key in measuring:
                found = _with_own_measurements(known[key])
            else:
                found = known[key]
            shared += found
    return shared


def neuron_operations(neuron: NeuronOperation) -> Gates:
    """The basic operations of one neuron; gates that repeat are the same objects.

    Raises:
        TypeError: If an operation has no Qiskit gate, no decomposition and no matrix.

    Example:
        >>> neuron = NeuronOperation([0.3, 0.5], ["x", "t"], 1, 1, "multiplexed")
        >>> [gate.name for gate in neuron_operations(neuron)]
        ['RY', 'CNOT', 'RY', 'CNOT']
    """
    known: dict[int, Gates] = {}
    operations: Gates = []
    parts = neuron.shared_decomposition()
    for part in parts:
        if id(part) not in known:
            known[id(part)] = list(basic_operations(part))
        operations += known[id(part)]
    return operations


def _key(neuron: NeuronOperation) -> Hashable:
    """Equal for neurons of equal circuits."""
    coefficients = qml.math.to_numpy(neuron.data[0])
    return (
        coefficients.shape,
        coefficients.tobytes(),
        tuple(neuron.wires),
        tuple(neuron.hyperparameters.items()),
    )


def _with_own_measurements(operations: Sequence[Operator]) -> Gates:
    """The same operations with other measurements."""
    measured: dict[str, MidMeasure] = {}
    others: dict[int, Operator] = {}
    values: dict[int, MeasurementValue] = {}

    def other(operation: Operator) -> Operator:
        if isinstance(operation, MidMeasure):
            one = MidMeasure(
                operation.wires,
                reset=operation.reset,
                postselect=operation.postselect,
                meas_uid=str(uuid4()),
            )
            measured[operation.meas_uid] = one
            return one
        if not isinstance(operation, Conditional):
            return operation
        if id(operation) not in others:
            value = operation.meas_val
            if id(value) not in values:
                replaced = [measured[part.meas_uid] for part in value.measurements]
                values[id(value)] = MeasurementValue(replaced, value.processing_fn)
            others[id(operation)] = Conditional(values[id(value)], operation.base)
        return others[id(operation)]

    return [other(operation) for operation in operations]
