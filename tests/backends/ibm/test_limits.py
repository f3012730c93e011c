"""Limits of IBM's jobs, as its guides state them."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("qiskit")
pytest.importorskip("qiskit_ibm_runtime")

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit_ibm_runtime.circuit import MidCircuitMeasure

from qrnn_backends.ibm.limits import LIMITS, JobLimitError, Load, broadcasts, divide, load_of
from qrnn_backends.ibm.sampling import Pub


@cache
def conditioned(conditions: int) -> QuantumCircuit:
    """A circuit with so many conditions on one bit, which is measured anew for each."""
    circuit = QuantumCircuit(1, 1)
    for _ in range(conditions):
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(0)
    circuit.measure(0, 0)
    return circuit


@cache
def widely_conditioned(conditions: int) -> QuantumCircuit:
    """The same with conditions on 32 bits, of which 513 fill a job."""
    register = ClassicalRegister(32)
    circuit = QuantumCircuit(QuantumRegister(1), register)
    for _ in range(conditions):
        circuit.measure(0, register[0])
        with circuit.if_test((register, 1)):
            circuit.x(0)
    return circuit


def pub(circuit: QuantumCircuit, places: list[int], shots: int = 10) -> Pub:
    return Pub(circuit, np.zeros((len(places), 0)), shots, tuple(places))


def test_equal_bits_are_broadcast_once_until_one_is_measured() -> None:
    first, second = ClassicalRegister(3), ClassicalRegister(5)
    circuit = QuantumCircuit(QuantumRegister(3), first, second)
    for condition in ((first, 1), (first, 3), (second[2], 1)):
        with circuit.if_test(condition):
            circuit.x(0)
    assert broadcasts(circuit) == [3, 1]
    circuit.measure(0, first[1])
    both = expr.logic_and(first[0], second[0])
    for condition in ((first, 1), (second[2], 0), both, both):
        with circuit.if_test(condition):
            circuit.x(0)
    assert broadcasts(circuit) == [3, 1, 3, 2]


def test_2400_broadcasts_of_one_bit_or_300_of_60_fill_a_job() -> None:
    assert load_of(conditioned(2400), 1).broadcasts == LIMITS.broadcasts
    # By hand, since no condition may have 60 bits.
    assert LIMITS.broadcasts == 300 * (52 + 7 * 60)
    (job,) = divide([pub(conditioned(2400), [0])]).jobs
    assert [part.places for part in job] == [(0,)]
    message = (
        "circuit 7 of the batch needs too much for a job: conditions that cost 2,401 one-bit "
        "broadcasts, of which a job holds 2,400; nothing was sent. Use fewer steps, or .*'multip"
    )
    with pytest.raises(JobLimitError, match=message):
        divide([pub(conditioned(1), [0]), pub(conditioned(2401), [7])])


def test_a_fraction_of_a_broadcast_above_the_limit_is_told_as_above_it() -> None:
    circuit = QuantumCircuit(2, 2)
    for place in range(2400):
        bits = circuit.clbits if place == 0 else circuit.clbits[:1]
        circuit.measure(0, 0)
        condition = expr.logic_and(*bits) if len(bits) > 1 else (bits[0], 1)
        with circuit.if_test(condition):
            circuit.x(1)
    with pytest.raises(JobLimitError, match="cost 2,401 one-bit broadcasts, of which a job holds"):
        divide([pub(circuit, [0])])


def test_a_condition_has_at_most_32_bits() -> None:
    register = ClassicalRegister(33)
    circuit = QuantumCircuit(QuantumRegister(1), register)
    with circuit.if_test((register[32], 1)):
        circuit.x(0)
    assert load_of(circuit, 1).broadcasts == 59
    with circuit.if_test((register, 1)):
        circuit.x(0)
    with pytest.raises(JobLimitError, match="at most 32 bits on IBM's chips, got one of 33"):
        load_of(circuit, 1)


def test_instructions_are_counted_by_the_table_of_the_guide() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.rz(0.1, 0)
    circuit.sx(0)
    circuit.x(0)
    circuit.delay(100, 0)
    circuit.cz(0, 1)
    circuit.barrier()
    circuit.measure(0, 0)
    circuit.reset(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    circuit.x(1)
    assert load_of(circuit, 1).instructions == 50 + 1 + 2 + 2 + 1 + 5 + 10 + 17 + 2


def test_what_a_condition_does_counts_on_the_qubits_that_it_does_it_to() -> None:
    body = QuantumCircuit(2, 1)
    body.sx(0)
    body.cz(0, 1)
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    circuit.if_test((circuit.clbits[0], 1), body, [1, 0], [0])
    assert load_of(circuit, 1).instructions == 50 + 10 + 5


def test_ibms_forms_for_the_middle_of_a_circuit_count_as_what_they_do() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.append(MidCircuitMeasure(), [0], [0])
    assert load_of(circuit, 1).instructions == 50 + 10


def test_executions_are_circuits_times_shots() -> None:
    circuit = conditioned(0)
    assert len(divide([pub(circuit, [0, 1, 2, 3, 4], 2_000_000)]).jobs) == 1
    division = divide([pub(circuit, [0, 1, 2, 3, 4, 5], 2_000_000)])
    assert [[part.places for part in job] for job in division.jobs] == [[(0, 1, 2, 3, 4)], [(5,)]]
    assert division.reason == (
        "the batch takes 2 jobs: 12,000,000 executions (circuits times shots), of which a job "
        "holds 10,000,000"
    )
    with pytest.raises(JobLimitError, match=r"10,000,001 executions .* Give fewer shots"):
        divide([pub(circuit, [0], 10_000_001)])
    # Of twirling, which runs more shots than are asked for.
    assert len(divide([pub(circuit, [0, 1], 4_000_000)], lambda shots: 2 * shots).jobs) == 2


def test_a_job_has_one_number_of_shots() -> None:
    circuit = conditioned(0)
    division = divide([pub(circuit, [0], 10), pub(circuit, [1], 20), pub(circuit, [2], 10)])
    assert [[part.places for part in job] for job in division.jobs] == [[(0,), (2,)], [(1,)]]
    assert division.reason == (
        "the batch takes 2 jobs: there are 2 numbers of shots, of which a job has one"
    )


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 100, 171, 235, 257, 300, 513]),
            st.integers(1, 6),
            st.sampled_from([10, 1_500_000, 6_000_000]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_jobs_keep_the_limits_and_no_two_would_fit_in_one(
    batch: list[tuple[int, int, int]],
) -> None:
    pubs, place = [], 0
    for conditions, rows, shots in batch:
        pubs.append(pub(widely_conditioned(conditions), list(range(place, place + rows)), shots))
        place += rows
    division = divide(pubs)
    alone = {id(part.circuit): load_of(part.circuit, 1) for part in pubs}

    def load(job: tuple[Pub, ...]) -> Load:
        total = Load(0, 0, 0)
        for part in job:
            one = alone[id(part.circuit)]._replace(executions=part.shots)
            total = total.plus(one.times(len(part.places)))
        return total

    places = [place for job in division.jobs for part in job for place in part.places]
    assert sorted(places) == list(range(place))
    for job in division.jobs:
        assert len({part.shots for part in job}) == 1
        assert load(job).fits(LIMITS) != 0
        for part in job:
            assert len(part.values) == len(part.places)
    for first, second in combinations(division.jobs, 2):
        if first[0].shots == second[0].shots:
            assert load(first).plus(load(second)).fits(LIMITS) == 0
    assert (division.reason is None) == (len(division.jobs) == 1)


def test_circuits_of_one_size_take_as_few_jobs_as_can_be() -> None:
    for rows, jobs in ((4, 1), (5, 2), (8, 2), (9, 3)):
        assert len(divide([pub(widely_conditioned(128), list(range(rows)))]).jobs) == jobs
