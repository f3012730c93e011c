import numpy as np
import pennylane as qml
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit")

from qrnn_backends.ibm.sampling import (
    bundle,
    circuit_hash,
    from_payload,
    layout,
    pack,
    results,
    to_payload,
)
from qrnn_backends.ibm.service import ServiceError
from qrnn_backends.qiskit_common.program import Program, programs


def tape(angle: float, mid: int, end: int, shots: int) -> QuantumScript:
    """Reads ``mid`` bits in the middle and ``end`` bits at the end."""
    with qml.queuing.AnnotatedQueue() as queue:
        qml.RY(angle, 0)
        values = [qml.measure(wire % end) for wire in range(mid)]
        if values:
            qml.sample(op=values)
        qml.sample(wires=range(end))
    return QuantumScript.from_queue(queue, shots=shots)


@given(
    shapes=st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=4
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_tape_reads_its_own_bits(shapes: list[tuple[int, int, int]], seed: int) -> None:
    from qiskit.primitives import BitArray, DataBin, SamplerPubResult

    rng = np.random.default_rng(seed)
    tapes = [tape(0.1 * place, *shape) for place, shape in enumerate(shapes)]
    batch = programs(tapes)
    pubs = bundle(batch, lambda program: program.circuit)
    plan = layout(batch, pubs)
    expected: dict[int, list[np.ndarray]] = {}
    answer = []
    for pub in pubs:
        data = {}
        for register in pub.circuit.cregs:
            bits = rng.integers(2, size=(len(pub.places), pub.shots, register.size))
            # Qiskit's own packing: in its order, the first bit is the last one.
            data[register.name] = BitArray.from_bool_array(bits.astype(bool), order="little")
            for place, row in zip(pub.places, bits, strict=True):
                expected.setdefault(place, []).append(row)
        answer.append(SamplerPubResult(DataBin(**data, shape=(len(pub.places),))))
    for place, result in enumerate(results(plan, pack(plan, answer))):
        parts = result if isinstance(result, tuple) else (result,)
        for part, bits in zip(parts, expected[place], strict=True):
            np.testing.assert_array_equal(np.reshape(part, bits.shape), bits)


def test_programs_of_one_structure_and_shot_number_share_a_pub() -> None:
    tapes = [tape(0.1, 0, 2, 10), tape(0.2, 0, 2, 20), tape(0.3, 1, 2, 10), tape(0.4, 0, 2, 10)]
    batch = programs(tapes)
    pubs = bundle(batch, lambda program: program.circuit)
    assert [pub.places for pub in pubs] == [(0, 3), (1,), (2,)]
    np.testing.assert_array_equal(pubs[0].values, [[0.1], [0.4]])


def test_values_follow_the_parameters_that_transpilation_leaves() -> None:
    from qiskit import QuantumCircuit

    script = QuantumScript(
        [qml.RY(angle, 0) for angle in (1.0, 2.0, 3.0)], [qml.counts(wires=[0])], 10
    )

    def reversed_without_the_first(program: Program) -> QuantumCircuit:
        circuit = program.circuit.copy_empty_like()
        for instruction in reversed(program.circuit.data[1:3]):
            circuit.append(instruction)
        return circuit

    (pub,) = bundle(programs([script]), reversed_without_the_first)
    values = dict(zip((p.name for p in pub.circuit.parameters), pub.values[0], strict=True))
    assert sorted(values.values()) == [2.0, 3.0]
    bound = pub.circuit.assign_parameters(pub.values[0])
    assert [instruction.operation.params for instruction in bound.data] == [[3.0], [2.0]]


def test_a_payload_is_read_back() -> None:
    batch = programs([tape(0.1, 2, 2, 10), tape(0.2, 0, 1, 7), tape(0.3, 0, 1, 7)])
    pubs = bundle(batch, lambda program: program.circuit)
    found = from_payload(layout(batch, pubs), to_payload(pubs))
    for pub, expected in zip(found, pubs, strict=True):
        assert pub.circuit == expected.circuit
        assert (pub.shots, pub.places) == (expected.shots, expected.places)
        np.testing.assert_array_equal(pub.values, expected.values)


def test_the_hash_is_of_circuits_values_and_shots() -> None:
    variants = [(0.1, 0, 2, 10), (0.2, 0, 2, 10), (0.1, 1, 2, 10), (0.1, 0, 2, 11)]
    hashes = {circuit_hash(programs([tape(*variant)])) for variant in variants}
    assert len(hashes) == len(variants)
    assert circuit_hash(programs([tape(*variants[0])])) in hashes


def _answer(*shapes: tuple[int, int, int]) -> list[object]:
    """Results of circuits with so many bits, sets of parameters and shots."""
    from qiskit.primitives import BitArray, DataBin, SamplerPubResult

    return [
        SamplerPubResult(
            DataBin(end=BitArray.from_bool_array(np.ones((rows, shots, bits), bool)), shape=(rows,))
        )
        for bits, rows, shots in shapes
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_answer(), "1 circuits were sent, 0 have results"),
        (_answer((3, 2, 5), (3, 2, 5)), "1 circuits were sent, 2 have results"),
        (_answer((11, 2, 5)), "register end of circuit 0 has 3 bits and 2 sets .* num_bits=11"),
        (_answer((3, 1, 10)), r"has 3 bits and 2 sets of parameters, got .*shape=\(1,\)"),
        (_answer((3, 4, 5)), r"has 3 bits and 2 sets of parameters, got .*shape=\(4,\)"),
        (_answer((3, 2, 4)), "5 shots of circuit 0 were sent, 4 came"),
        ([{"end": [1, 2]}], "register end of circuit 0 .* got None"),
        (["<html>"], "register end of circuit 0 .* got None"),
    ],
)
def test_results_of_other_circuits_are_told_as_the_services(
    answer: list[object], message: str
) -> None:
    batch = programs([tape(angle, 0, 3, 5) for angle in (0.1, 0.2)])
    (pub,) = bundle(batch, lambda program: program.circuit)
    plan = layout(batch, [pub])
    pack(plan, _answer((3, 2, 7)))
    with pytest.raises(ServiceError, match=f"{message}.*; fetch them again"):
        pack(plan, answer)
