import sys
from functools import partial, reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pennylane.measurements import (
    CountsMP,
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    SampleMP,
    VarianceMP,
)

pytest.importorskip("mthree")

from qrnn_backends import IBMDevice
from qrnn_backends import mitigation as module
from qrnn_backends.m3 import M3
from qrnn_backends.measurements import on_bits
from qrnn_backends.mitigation import (
    Correction,
    Mitigation,
    QuasiProbabilities,
    check_mitigation,
    nearest_distribution,
    register_mitigation,
    resolve_mitigation,
)
from qrnn_backends.readout import NoShotsKeptError, Readout
from qrnn_circuits.job_store import JobStore
from tests.backends.readout_errors import matrix
from tests.backends.tapes import flip

Vector = NDArray[np.float64]

# M3 calculates in 32 bits.
PRECISION = 2e-4


def all_patterns(size: int) -> NDArray[np.uint8]:
    """Bit 0 most significant, as in the tables below."""
    return ((np.arange(2**size)[:, None] >> np.arange(size)[::-1]) & 1).astype(np.uint8)


def shots_of(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.repeat(all_patterns(int(np.log2(counts.size))), counts, axis=0)


def inverted(counts: NDArray[np.int64], matrices: Vector) -> Vector:
    """The whole distribution by the inverse of the matrix of all patterns."""
    corrected: Vector = np.linalg.solve(reduce(np.kron, matrices), counts / counts.sum())
    return corrected


def m3(matrices: Vector) -> Correction:
    return partial(M3().corrected, matrices=matrices)


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
    ).results(shots_of(counts), m3(matrices))
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
    ).results(shots_of(counts), m3(matrix(0.1, 0.0)[None]))
    assert expectation == pytest.approx(1 - 2 * one, abs=PRECISION)
    assert probabilities == pytest.approx([1.0, 0.0])
    assert variance == pytest.approx(0.0)


def test_copies_of_a_shot_vector_are_corrected_on_their_own() -> None:
    matrices = matrix(0.1, 0.2)[None]
    counts = np.array([[70, 30], [40, 160]])
    bits = np.concatenate([shots_of(copy) for copy in counts])
    vector = Readout((on_bits(ProbabilityMP, [0], None),), (), (100, 200))
    for result, copy in zip(vector.results(bits, m3(matrices)), counts, strict=True):
        assert result == pytest.approx(inverted(copy, matrices), abs=PRECISION)


@pytest.mark.parametrize(("kind", "name"), [(SampleMP, "sample"), (CountsMP, "counts")])
def test_shots_themselves_are_not_corrected(kind: type[MeasurementProcess], name: str) -> None:
    both = readout(on_bits(ProbabilityMP, [0], None), on_bits(kind, [0], None), shots=4)
    with pytest.raises(ValueError, match=rf"must be None for qml\.{name}: .* takes qml\.probs"):
        both.results(shots_of(np.array([2, 2])), m3(matrix(0.1, 0.1)[None]))


def test_kept_shots_that_errors_explain_are_none() -> None:
    counts = np.array([45, 5, 45, 5])
    matrices = np.array([np.eye(2), matrix(0.1, 0.1)])
    kept = readout(on_bits(ProbabilityMP, [0], None), shots=100, kept=True)
    assert kept.results(shots_of(counts)) == pytest.approx([0.5, 0.5])
    with pytest.raises(NoShotsKeptError, match=r"kept 10 of 100 shots, .* leaves none of them"):
        kept.results(shots_of(counts), m3(matrices))


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


def test_what_is_no_mitigation_is_refused() -> None:
    check_mitigation(None, noisy=False)
    check_mitigation("m3", noisy=True)
    with pytest.raises(ValueError, match=r"mitigation must be one of m3, .*got 'M4'"):
        check_mitigation("M4", noisy=True)
    with pytest.raises(ValueError, match="must be None without noise, got 'm3'"):
        check_mitigation("m3", noisy=False)


def test_without_mthree_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mthree", None)
    message = r'mthree is needed here .* pip install "qrnn-circuits\[mitigation\]"'
    with pytest.raises(ImportError, match=message):
        check_mitigation("m3", noisy=True)
    with pytest.raises(ImportError, match=message):
        M3()


class Unchanged(Mitigation):
    """Takes the shares as they were read."""

    def corrected(
        self, bits: NDArray[np.uint8], matrices: NDArray[np.float64]
    ) -> QuasiProbabilities:
        patterns, counts = np.unique(bits, axis=0, return_counts=True)
        return patterns, counts / len(bits)


def test_methods_of_others_are_registered_imported_or_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module._mitigations, "_registered", dict(module._mitigations._registered))
    register_mitigation("unchanged", Unchanged)
    given = Unchanged()
    assert resolve_mitigation(given) is given
    for name in ("unchanged", "qrnn_backends.m3:M3"):
        assert isinstance(resolve_mitigation(name), Mitigation)
    assert isinstance(resolve_mitigation("m3"), M3)
    assert given.name == f"{__name__}:Unchanged"
    with pytest.raises(TypeError, match="mitigation must be a Mitigation or a name, got 4"):
        check_mitigation(4, noisy=True)  # type: ignore[arg-type]


def test_a_job_is_corrected_by_the_method_that_it_records(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(Unchanged=Unchanged))
    options: dict[str, Any] = {"backend": "fake_manila", "seed": 1}
    paths = [tmp_path / name for name in ("raw.sqlite", "same.sqlite")]
    (raw,) = IBMDevice(jobs=paths[0], **options).execute([flip(1.0)])
    device = IBMDevice(jobs=paths[1], mitigation=Unchanged(), **options)
    job = device.submit([flip(1.0)])
    np.testing.assert_allclose(IBMDevice(jobs=paths[1]).fetch(job)[0], raw)
    assert JobStore(paths[1]).program(job)["mitigation"] == f"{__name__}:Unchanged"
