import sys
from functools import partial, reduce
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pennylane.devices import Tracker
from pennylane.measurements import (
    CountsMP,
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    SampleMP,
    VarianceMP,
)

pytest.importorskip("mthree")
pytest.importorskip("qiskit_aer")

from qiskit import QuantumCircuit
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from qrnn_backends.m3 import M3
from qrnn_backends.mitigation import Correction, check_mitigation, nearest_distribution
from qrnn_backends.qiskit_common.readout_errors import assignment_matrices
from qrnn_backends.readout import NoShotsKeptError, Readout, on_bits
from tests.backends.dynamic_circuits import deferred, flat

Vector = NDArray[np.float64]

# M3 calculates in 32 bits.
PRECISION = 2e-4


def matrix(one_from_zero: float, zero_from_one: float) -> Vector:
    return np.array([[1 - one_from_zero, zero_from_one], [one_from_zero, 1 - zero_from_one]])


def all_patterns(size: int) -> NDArray[np.uint8]:
    """Bit 0 most significant, as in the tables below."""
    return ((np.arange(2**size)[:, None] >> np.arange(size)[::-1]) & 1).astype(np.uint8)


def shots_of(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.repeat(all_patterns(int(np.log2(counts.size))), counts, axis=0)


def by_m3(matrices: Vector) -> Correction:
    return partial(M3().corrected, matrices=matrices)


def inverted(counts: NDArray[np.int64], matrices: Vector) -> Vector:
    """The whole distribution by the inverse of the matrix of all patterns."""
    corrected: Vector = np.linalg.solve(reduce(np.kron, matrices), counts / counts.sum())
    return corrected


def errors(size: int) -> st.SearchStrategy[Vector]:
    return st.lists(
        st.builds(matrix, st.floats(0, 0.2), st.floats(0, 0.2)), min_size=size, max_size=size
    ).map(np.array)


@given(st.data(), st.integers(1, 5))
def test_where_every_pattern_is_read_m3_inverts_the_whole_matrix(
    data: st.DataObject, size: int
) -> None:
    matrices = data.draw(errors(size))
    counts = data.draw(arrays(np.int64, 2**size, elements=st.integers(1, 9)))
    patterns, weights = M3().corrected(shots_of(counts), matrices)
    np.testing.assert_array_equal(patterns, all_patterns(size))
    np.testing.assert_allclose(weights, inverted(counts, matrices), atol=PRECISION)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 6)), elements=st.integers(0, 1)),
    st.data(),
)
def test_only_patterns_that_were_read_have_a_quasi_probability(
    bits: NDArray[np.uint8], data: st.DataObject
) -> None:
    patterns, weights = M3().corrected(bits, data.draw(errors(bits.shape[1])))
    assert set(map(tuple, patterns)) == set(map(tuple, bits))
    assert weights.sum() == pytest.approx(1, abs=PRECISION)


def test_without_errors_shares_stay_as_they_are() -> None:
    counts = np.array([3, 0, 1, 4])
    _, weights = M3().corrected(shots_of(counts), np.array([np.eye(2)] * 2))
    np.testing.assert_allclose(weights, [3 / 8, 1 / 8, 4 / 8], atol=1e-6)


def test_the_iterative_solution_inverts_as_well() -> None:
    # M3 solves more than 4096 patterns iteratively.
    size = 13
    counts = np.random.default_rng(1).integers(1, 4, size=2**size)
    matrices = np.array([matrix(0.01 * (1 + bit % 3), 0.02) for bit in range(size)])
    _, weights = M3().corrected(shots_of(counts), matrices)
    assert np.abs(weights - inverted_bit_by_bit(counts, matrices)).sum() < PRECISION


def inverted_bit_by_bit(counts: NDArray[np.int64], matrices: Vector) -> Vector:
    table = (counts / counts.sum()).reshape((2,) * len(matrices))
    for bit, errors_of_bit in enumerate(matrices):
        corrected = np.tensordot(np.linalg.inv(errors_of_bit), table, axes=(1, bit))
        table = np.moveaxis(corrected, 0, bit)
    flat: Vector = table.ravel()
    return flat


def readout(*measurements: MeasurementProcess, shots: int, kept: bool = False) -> Readout:
    """With ``kept``, bit 1 must read 1."""
    return Readout(measurements, ((1, 1),) if kept else (), (shots,))


@given(errors(3), arrays(np.int64, 8, elements=st.integers(20, 40)))
def test_whole_shots_are_corrected_and_then_postselected(
    matrices: Vector, counts: NDArray[np.int64]
) -> None:
    values = np.array([1.0, -2.0, 3.0, 0.5])
    corrected = inverted(counts, matrices).reshape(2, 2, 2)[:, 1, :]
    share = corrected.sum()
    assume(share > 0.05)
    corrected /= share
    results = readout(
        on_bits(ExpectationMP, [2, 0], values),
        on_bits(ProbabilityMP, [0], None),
        on_bits(VarianceMP, [0], [1.0, -1.0]),
        shots=counts.sum(),
        kept=True,
    ).results(shots_of(counts), by_m3(matrices))
    expectation, probabilities, variance = results
    tolerance = 4 * PRECISION / share
    assert expectation == pytest.approx(values @ corrected.T.ravel(), abs=tolerance)
    zero = np.clip(corrected.sum(axis=1)[0], 0, 1)
    assert probabilities == pytest.approx([zero, 1 - zero], abs=tolerance)
    assert variance == pytest.approx(4 * zero * (1 - zero), abs=tolerance)


def test_expectation_values_are_linear_and_probabilities_a_distribution() -> None:
    # 0 is read as 1 in a tenth of the shots; here it was less often.
    counts = np.array([98, 2])
    _, one = inverted(counts, matrix(0.1, 0.0)[None])
    assert one < 0
    expectation, probabilities, variance = readout(
        on_bits(ExpectationMP, [0], [1.0, -1.0]),
        on_bits(ProbabilityMP, [0], None),
        on_bits(VarianceMP, [0], [1.0, -1.0]),
        shots=100,
    ).results(shots_of(counts), by_m3(matrix(0.1, 0.0)[None]))
    assert expectation == pytest.approx(1 - 2 * one, abs=PRECISION)
    assert probabilities == pytest.approx([1.0, 0.0])
    assert variance == pytest.approx(0.0)


def test_copies_of_a_shot_vector_are_corrected_on_their_own() -> None:
    matrices = matrix(0.1, 0.2)[None]
    counts = np.array([[70, 30], [40, 160]])
    bits = np.concatenate([shots_of(copy) for copy in counts])
    vector = Readout((on_bits(ProbabilityMP, [0], None),), (), (100, 200))
    for result, copy in zip(vector.results(bits, by_m3(matrices)), counts, strict=True):
        assert result == pytest.approx(inverted(copy, matrices), abs=PRECISION)


@pytest.mark.parametrize(("kind", "name"), [(SampleMP, "sample"), (CountsMP, "counts")])
def test_shots_themselves_are_not_corrected(kind: type[MeasurementProcess], name: str) -> None:
    both = readout(on_bits(ProbabilityMP, [0], None), on_bits(kind, [0], None), shots=4)
    with pytest.raises(ValueError, match=rf"must be None for qml\.{name}: .* takes qml\.probs"):
        both.results(shots_of(np.array([2, 2])), by_m3(matrix(0.1, 0.1)[None]))


def test_kept_shots_that_errors_explain_are_none() -> None:
    counts = np.array([45, 5, 45, 5])
    matrices = np.array([np.eye(2), matrix(0.1, 0.1)])
    kept = readout(on_bits(ProbabilityMP, [0], None), shots=100, kept=True)
    assert kept.results(shots_of(counts)) == pytest.approx([0.5, 0.5])
    with pytest.raises(NoShotsKeptError, match=r"kept 10 of 100 shots, .* leaves none of them"):
        kept.results(shots_of(counts), by_m3(matrices))


@st.composite
def of_sum_one(draw: st.DrawFn) -> Vector:
    numbers = draw(arrays(np.float64, st.integers(1, 9), elements=st.floats(-2, 2)))
    shifted: Vector = numbers + (1 - numbers.sum()) / numbers.size
    return shifted


@given(of_sum_one())
def test_no_distribution_is_nearer(weights: Vector) -> None:
    nearest = nearest_distribution(weights)
    assert nearest.min() >= 0
    assert nearest.sum() == pytest.approx(1)
    # The angle to no corner of the simplex is acute: no way within it leads closer.
    corners = np.eye(weights.size) - nearest
    assert (corners @ (weights - nearest)).max() <= 1e-9
    np.testing.assert_allclose(nearest_distribution(nearest), nearest, atol=1e-12)


@given(of_sum_one())
def test_a_distribution_is_its_own_nearest(weights: Vector) -> None:
    distribution = np.abs(weights) / np.abs(weights).sum()
    np.testing.assert_allclose(nearest_distribution(distribution), distribution, atol=1e-12)


def test_errors_are_those_of_the_qubit_that_a_bit_is_measured_from() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.measure([2, 0], [0, 1])
    circuit.reset(2)
    circuit.measure(2, 2)
    of_qubit = [matrix(0.01, 0.1), matrix(0.02, 0.2), matrix(0.03, 0.3)]
    matrices = assignment_matrices(circuit, of_qubit.__getitem__)
    np.testing.assert_array_equal(matrices, np.array(of_qubit)[[2, 0, 2]])


def test_conditions_on_bits_are_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    with pytest.raises(ValueError, match=r"None for circuits with conditions.*'multiplexed' have"):
        assignment_matrices(circuit, lambda qubit: matrix(0.1, 0.1))


def test_a_bit_that_says_nothing_is_refused() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    of_qubit = [matrix(0.1, 0.1), matrix(0.4, 0.6)]
    with pytest.raises(ValueError, match=r"bit 1 reads 0 with probability 0\.6 from a 0 and 0\.6 "):
        assignment_matrices(circuit, of_qubit.__getitem__)


def test_what_is_no_mitigation_is_refused() -> None:
    check_mitigation(None, noisy=False)
    check_mitigation("m3", noisy=True)
    with pytest.raises(ValueError, match=r"mitigation must be one of m3, .*, got 'M4'"):
        check_mitigation("M4", noisy=True)
    with pytest.raises(ValueError, match="must be None without noise, got 'm3'"):
        check_mitigation("m3", noisy=False)


def test_without_mthree_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mthree", None)
    message = r'mthree is needed here .* pip install "qrnn-circuits\[mitigation\]"'
    with pytest.raises(ImportError, match=message):
        check_mitigation("m3", noisy=True)
    with pytest.raises(ImportError, match=message):
        M3().corrected(np.zeros((1, 1), np.uint8), matrix(0.1, 0.1)[None])


@pytest.fixture
def misread() -> NoiseModel:
    """Readout errors and no others."""
    noise = NoiseModel()
    noise.add_all_qubit_readout_error(ReadoutError([[0.94, 0.06], [0.12, 0.88]]))
    noise.add_readout_error(ReadoutError([[0.97, 0.03], [0.09, 0.91]]), [1], warnings=False)
    return noise


def postselected() -> Any:  # noqa: ANN401
    qml.RY(1.1, 0)
    qml.CNOT([0, 1])
    free = qml.measure(1, reset=True)
    qml.CRX(0.7, [0, 1])
    qml.RY(0.9, 0)
    qml.measure(0, postselect=0, reset=True)
    qml.CRY(1.2, [1, 2])
    return (
        qml.probs(wires=[1, 2]),
        qml.expval(qml.Y(1) @ qml.Z(2)),
        qml.var(qml.Z(2)),
        qml.expval(free),
    )


def test_mitigation_takes_readout_errors_away_before_postselection(misread: NoiseModel) -> None:
    shots = 10_000
    exact = flat(deferred(postselected))
    off = {}
    for mitigation in (None, "m3"):
        device = qml.device("qrnn.aer", noise=misread, seed=3, mitigation=mitigation)
        with Tracker(device) as tracker:
            found = flat(qml.set_shots(qml.QNode(postselected, device), shots)())
        off[mitigation] = np.abs(found - exact)
        # As they were read; Y and Z take a circuit each.
        kept = tracker.history["kept_shots"]
        assert len(kept) == 2
        assert 0.5 * shots < min(kept) <= max(kept) < 0.9 * shots
    # No standard deviation is above 1, and inverting the errors of four bits costs a factor.
    error = 1 / np.sqrt(0.5 * shots) * 0.82**-4
    assert off["m3"].max() < 4 * error < off[None].max()


def test_mitigation_brings_a_chips_results_nearer() -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.RY(0.8, 0)
        qml.CNOT([0, 1])
        return qml.probs(wires=[0, 1]), qml.expval(qml.X(0) @ qml.X(1)), qml.var(qml.Z(0))

    exact = flat(qml.QNode(circuit, qml.device("default.qubit"))())
    devices = (
        qml.device("qrnn.aer", noise="fake_manila", seed=2, mitigation=mitigation)
        for mitigation in (None, "m3")
    )
    raw, mitigated = (
        flat(qml.set_shots(qml.QNode(circuit, device), 40_000)()) for device in devices
    )
    assert np.linalg.norm(mitigated - exact) < 0.5 * np.linalg.norm(raw - exact)


def test_mitigation_leaves_results_without_readout_errors_alone() -> None:
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), ["cx"])
    raw, mitigated = (
        flat(qml.set_shots(qml.QNode(postselected, qml.device("qrnn.aer", **options)), 500)())
        for options in (
            {"noise": noise, "seed": 2},
            {"noise": noise, "seed": 2, "mitigation": "m3"},
        )
    )
    assert mitigated == pytest.approx(raw, abs=1e-6)


def test_what_mitigation_does_not_take_is_refused_before_it_runs(misread: NoiseModel) -> None:
    device = qml.device("qrnn.aer", noise=misread, mitigation="m3")

    def conditioned() -> Any:  # noqa: ANN401
        qml.cond(qml.measure(0), qml.X)(1)
        return qml.probs(wires=[1])

    def counted() -> Any:  # noqa: ANN401
        return qml.probs(wires=[0]), qml.counts(wires=[0])

    def sampled() -> Any:  # noqa: ANN401
        return qml.sample(wires=[0])

    with Tracker(device) as tracker:
        for circuit, message in (
            (conditioned, "mitigation must be None for circuits with conditions"),
            (counted, r"mitigation must be None for qml\.counts"),
            (sampled, r"mitigation must be None for qml\.sample"),
        ):
            with pytest.raises(ValueError, match=message):
                qml.set_shots(qml.QNode(circuit, device), 10)()
        with pytest.raises(ValueError, match="must be None without shots, got 'm3': give shots"):
            qml.QNode(postselected, device)()
    assert "runs" not in tracker.totals
