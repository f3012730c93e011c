"""Noise acts on the qubits and gates that a noise model names."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit_aer")
from qiskit.quantum_info import Pauli
from qiskit_aer.noise import NoiseModel, PauliLindbladError, ReadoutError, pauli_error

SHOTS = [None, 50]

# The wires that gates act on, in their order; those of the device; and which is the noisy qubit.
PLACES: list[tuple[list[Hashable], list[Hashable] | None, Hashable]] = [
    ([1, 0], [0, 1], 0),
    ([1, 0], None, 0),
    ([7, 3], None, 7),
    ([2, 0], [2, 1, 0], 2),
    ([0, 2], [0, 1, 2], 2),
    (["b", "a"], ["a", "b"], "b"),
    (["b", "a"], None, "a"),
    ([10**9, 1], None, 1),
]


def number(wire: Hashable, used: Sequence[Hashable], wires: Sequence[Hashable] | None) -> int:
    if wires is not None:
        return wires.index(wire)
    return wire if isinstance(wire, int) else used.index(wire)


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize(("used", "wires", "noisy"), PLACES)
@pytest.mark.parametrize("kind", ["gate", "readout"])
def test_errors_of_one_qubit_are_those_of_its_wire(
    kind: str,
    used: list[Hashable],
    wires: list[Hashable] | None,
    noisy: Hashable,
    shots: int | None,
) -> None:
    model = NoiseModel()
    qubit = number(noisy, used, wires)
    if kind == "gate":
        model.add_quantum_error(pauli_error([("X", 1.0)]), ["x"], [qubit])
    else:
        model.add_readout_error(ReadoutError([[0, 1], [1, 0]]), [qubit])
    device = qml.device("qrnn.aer", wires=wires, noise=model)
    tapes = [
        # Not all measurements commute, and each of the circuits has other wires to read.
        QuantumScript(
            [qml.X(wire) for wire in used],
            [qml.expval(qml.Z(wire)) for wire in order] + [qml.expval(qml.X(order[0]))],
            shots=shots,
        )
        for order in (used, used[::-1])
    ]
    expected = {wire: 1.0 if wire == noisy else -1.0 for wire in used}
    for order, result in zip((used, used[::-1]), qml.execute(tapes, device), strict=True):
        assert list(result[:2]) == [expected[wire] for wire in order]


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (2, 0)])
def test_errors_of_a_pair_of_qubits_are_those_of_the_gate_in_its_direction(
    pair: tuple[int, int], shots: int | None
) -> None:
    model = NoiseModel()
    # The first letter is the last qubit of the gate.
    model.add_quantum_error(pauli_error([("XI", 1.0)]), ["cx"], [1, 0])

    @qml.qnode(qml.device("qrnn.aer", wires=3, noise=model), shots=shots)  # type: ignore[untyped-decorator]
    def circuit() -> tuple[qml.measurements.ExpectationMP, ...]:
        qml.CNOT(pair)
        return tuple(qml.expval(qml.Z(wire)) for wire in (2, 1, 0))

    np.testing.assert_allclose(circuit(), [1, 1, -1 if pair == (1, 0) else 1])


@pytest.mark.parametrize("shots", SHOTS)
def test_errors_stay_with_wires_that_only_one_of_the_circuits_reads(shots: int | None) -> None:
    model = NoiseModel()
    model.add_readout_error(ReadoutError([[0, 1], [1, 0]]), [1])
    device = qml.device("qrnn.aer", noise=model)

    @qml.qnode(device, shots=shots)  # type: ignore[untyped-decorator]
    def circuit() -> tuple[qml.measurements.ExpectationMP, ...]:
        qml.X("a")
        qml.Hadamard("b")
        return qml.expval(qml.Z("c")), qml.expval(qml.Z("b")), qml.expval(qml.X("b"))

    first, _, last = circuit()
    assert (first, last) == pytest.approx((1.0, -1.0))


def flips(share: float, gate: str) -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(pauli_error([("X", share), ("I", 1 - share)]), [gate])
    return model


@pytest.mark.parametrize("shots", [None, 10_000])
@pytest.mark.parametrize(
    "queue",
    [
        lambda: qml.Identity(0),
        lambda: qml.Identity([0, 1]),
        lambda: qml.adjoint(qml.Identity(0)),
        lambda: qml.prod(qml.Identity(0), qml.X(1)),
        lambda: qml.cond(qml.measure(1, reset=True) == 0, qml.Identity)(0),
    ],
)
def test_an_identity_is_a_gate_that_may_have_errors(
    queue: Callable[[], object], shots: int | None
) -> None:
    def circuit() -> qml.measurements.ProbabilityMP:
        queue()
        return qml.probs(wires=0)

    device = qml.device("qrnn.aer", noise=flips(0.3, "id"), seed=1)
    np.testing.assert_allclose(qml.QNode(circuit, device, shots=shots)(), [0.7, 0.3], atol=0.03)


@pytest.mark.parametrize("postselect", [None, 0, 1])
@pytest.mark.parametrize("read", [False, True])
def test_a_reset_resets_whatever_was_read(postselect: int | None, read: bool) -> None:
    """Also where the kept shots are those with a misread bit."""
    model = NoiseModel()
    model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))

    @qml.qnode(qml.device("qrnn.aer", noise=model, seed=1), shots=20_000)  # type: ignore[untyped-decorator]
    def circuit() -> tuple[qml.measurements.MeasurementProcess, ...]:
        qml.RX(1.0, 0)
        value = qml.measure(0, reset=True, postselect=postselect)
        return (qml.probs(wires=0), *([qml.expval(value)] if read else []))

    np.testing.assert_allclose(circuit()[0], [0.9, 0.1], atol=0.015)


def flip_of_the_last(wires: int, share: float) -> Any:  # noqa: ANN401
    """An error of a gate's last wire."""
    error = pauli_error([("X", share), ("I", 1 - share)])
    for _ in range(wires - 1):
        error = error.tensor(pauli_error([("I", 1.0)]))
    return error


@pytest.mark.parametrize("conditioned", [False, True])
@pytest.mark.parametrize(
    ("gate", "name", "expected"),
    [
        (qml.ECR([0, 1]), "ecr", [0.0, 0.5, 0.0]),
        (qml.CRX(2.0, [0, 1]), "crx", [1.0, 0.5 + 0.2 * np.cos(2.0), 0.0]),
        (qml.CSWAP([0, 1, 2]), "cswap", [1.0, 0.0, 0.7]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_of_gates_that_density_matrices_lack_are_exact(
    gate: qml.operation.Operator, name: str, expected: list[float], conditioned: bool
) -> None:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(flip_of_the_last(len(gate.wires), 0.3), [name])

    def circuit() -> Any:  # noqa: ANN401
        qml.BasisState([1, 1, 0, 1], wires=range(4))
        if conditioned:
            qml.cond(qml.measure(3), qml.apply)(gate)
        else:
            qml.apply(gate)
        return [qml.probs(wires=wire) for wire in range(3)]

    node = qml.QNode(circuit, qml.device("qrnn.aer", wires=4, noise=model))
    assert np.allclose([found[1] for found in node()], expected, rtol=0, atol=1e-6)


def test_a_general_rotation_is_one_gate_with_one_error() -> None:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.3), ("I", 0.7)]), ["u"])
    node = qml.QNode(general_rotation, qml.device("qrnn.aer", noise=model))
    assert np.allclose(node(), [0.7, 0.3], rtol=0, atol=1e-9)


def general_rotation() -> Any:  # noqa: ANN401
    qml.U3(0.0, 0.2, 0.4, wires=0)
    return qml.probs(wires=0)


@pytest.mark.parametrize("shots", [None, 4000])
def test_errors_may_be_generated_by_pauli_operators(shots: int | None) -> None:
    model = NoiseModel()
    error = PauliLindbladError([Pauli("X"), Pauli("Z")], [0.2, 0.4])
    model.add_all_qubit_quantum_error(error, ["x"])
    model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    node = qml.set_shots(qml.QNode(one_flip, qml.device("qrnn.aer", noise=model, seed=3)), shots)
    flipped = (1 - np.exp(-2 * 0.2)) / 2
    expected = flipped * np.array([0.9, 0.1]) + (1 - flipped) * np.array([0.2, 0.8])
    assert np.allclose(node(), expected, rtol=0, atol=1e-9 if shots is None else 0.04)


@pytest.mark.parametrize("name", ["iswap", "unitary", "if_else", "barrier", "delay", "unknown"])
def test_errors_of_what_no_circuit_is_written_in_are_refused(name: str) -> None:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.3), ("I", 0.7)]), [name])
    with pytest.raises(ValueError, match=rf"noise .* but has some on {name}: put them on"):
        qml.device("qrnn.aer", noise=model)


def test_readout_errors_of_several_qubits_are_refused() -> None:
    model = NoiseModel()
    model.add_readout_error(ReadoutError(0.8 * np.eye(4) + 0.05), [0, 1])
    with pytest.raises(ValueError, match=r"noise must be of one qubit each, got one of .*0, 1"):
        qml.device("qrnn.aer", wires=2, noise=model)


@pytest.mark.parametrize("method", ["statevector", "matrix_product_state", "stabilizer"])
def test_methods_that_draw_errors_have_no_exact_results(method: str) -> None:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.3), ("I", 0.7)]), ["x"])
    node = qml.QNode(one_flip, qml.device("qrnn.aer", noise=model, method=method))
    with pytest.raises(ValueError, match=rf"no noise with method '{method}': give shots"):
        node()


def one_flip() -> Any:  # noqa: ANN401
    qml.X(0)
    return qml.probs(wires=0)


def test_gates_folded_between_barriers_keep_their_noise_on_a_chip() -> None:
    def circuit() -> object:
        for gate, wires in ((qml.H, [0]), (qml.CNOT, [0, 1]), (qml.CNOT, [0, 1]), (qml.H, [0])):
            gate(wires)
            qml.Barrier([0, 1])
        return qml.expval(qml.Z(0))

    node = qml.QNode(circuit, qml.device("qrnn.aer", noise="fake_manila"))
    values = [qml.noise.fold_global(node, scale)() for scale in (1, 3)]
    assert values[0] - values[1] > 0.02


@pytest.mark.parametrize("shots", [None, 4_000])
def test_angles_that_a_transpiler_drops_change_nothing_on_a_chip(shots: int | None) -> None:
    def circuit(phase: float | None) -> Any:  # noqa: ANN401
        qml.RY(0.4, 0)
        if phase is not None:
            qml.RZ(phase, 0)
        qml.RY(2.2, 1)
        return [qml.expval(qml.Z(wire)) for wire in range(2)]

    values = []
    for phase in (None, 0.7):
        node = qml.QNode(circuit, qml.device("qrnn.aer", noise="fake_manila", seed=1), shots=shots)
        values.append(node(phase))
    assert values[1] == pytest.approx(values[0], abs=0.05)
    assert values[1] == pytest.approx(np.cos([0.4, 2.2]), abs=0.15)
