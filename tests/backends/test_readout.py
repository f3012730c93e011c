import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pennylane.measurements import (
    CountsMP,
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    SampleMP,
    VarianceMP,
)

from qrnn_backends.measurements import on_bits
from qrnn_backends.readout import NoShotsKeptError, Readout

BITS = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=np.uint8)


def readout(*measurements: MeasurementProcess, **options: Any) -> Readout:  # noqa: ANN401
    return Readout(measurements, **({"postselected": (), "shots": (4,)} | options))


def same(left: Any, right: Any) -> bool:  # noqa: ANN401
    """Whether nested results are equal."""
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return bool(left == right)
    return bool(np.array_equal(left, right))


def test_bits_give_what_counting_by_hand_gives() -> None:
    results = readout(
        on_bits(ExpectationMP, [2], [1.0, -1.0]),
        on_bits(VarianceMP, [2], [1.0, -1.0]),
        on_bits(ProbabilityMP, [2, 0], None),
        on_bits(SampleMP, [1, 0], None),
        on_bits(SampleMP, [0, 1], [3.0, 5.0, 7.0, 9.0]),
        on_bits(CountsMP, [0], None),
        on_bits(CountsMP, [2, 1], None, all_outcomes=True),
    ).results(BITS)
    expected = (
        -0.5,
        0.75,
        [0.0, 0.25, 0.5, 0.25],
        [[0, 0], [1, 0], [0, 1], [1, 1]],
        [3.0, 5.0, 7.0, 9.0],
        {"0": 2, "1": 2},
        {"00": 0, "01": 1, "10": 2, "11": 1},
    )
    assert same(results, expected)


def test_counts_of_equal_eigenvalues_are_added() -> None:
    counts = readout(on_bits(CountsMP, [0, 1], [0, 1, 1, 2])).results(BITS)
    assert counts == {0: 1, 1: 2, 2: 1}


def test_two_eigenvalues_of_several_bits_are_of_their_parity() -> None:
    values, every = [2.0, -2.0, -2.0, 2.0], np.indices((2, 2, 2), dtype=np.uint8).reshape(3, -1).T
    shares = np.arange(1.0, 9.0) / 36
    tables = readout(*(on_bits(kind, [2, 0], values) for kind in (ExpectationMP, VarianceMP)))
    parity = readout(*(on_bits(kind, [2, 0], [2.0, -2.0]) for kind in (ExpectationMP, VarianceMP)))
    parity = Readout.from_json(json.loads(json.dumps(parity.to_json())))
    assert np.shape(parity.expected(shares)) == (2,)
    assert parity.expected(shares) == pytest.approx(tables.expected(shares), abs=1e-14)
    for correction in (None, lambda bits: (every, shares)):
        assert parity.results(BITS, correction) == pytest.approx(tables.results(BITS, correction))
    shots = readout(*(on_bits(kind, [0, 1, 2], [2.0, -2.0]) for kind in (SampleMP, CountsMP)))
    assert same(shots.results(BITS), ([-2.0, 2.0, 2.0, 2.0], {-2.0: 1, 2.0: 3}))


def test_only_shots_with_the_postselected_values_count() -> None:
    postselecting = readout(on_bits(ProbabilityMP, [0], None), postselected=((1, 1), (2, 1)))
    assert postselecting.kept(BITS).tolist() == [False, True, False, False]
    assert same(postselecting.results(BITS), [1.0, 0.0])


def test_a_shot_vector_has_one_result_for_each_copy() -> None:
    vector = readout(
        on_bits(ExpectationMP, [0], [0.0, 1.0]), on_bits(SampleMP, [1], None), shots=(1, 3)
    )
    assert same(vector.results(BITS), ((0.0, [[0]]), (2 / 3, [[1], [0], [1]])))
    with pytest.raises(ValueError, match="bits must hold 4 shots, got 3"):
        vector.results(BITS[:3])


def test_no_kept_shot_is_an_error_that_tells_how_many_shots_it_takes() -> None:
    nothing = readout(on_bits(ProbabilityMP, [0], None), postselected=((0, 1),), shots=(2, 2))
    with pytest.raises(NoShotsKeptError, match="kept none of 2 shots: give more shots"):
        nothing.results(BITS)
    with pytest.raises(
        NoShotsKeptError, match=r"share of 0\.02, so that 5000 shots keep about 100"
    ):
        replace(nothing, predicted_share=0.02).results(BITS)
    with pytest.raises(NoShotsKeptError, match="has probability 0"):
        replace(nothing, predicted_share=0.0).results(BITS)


def test_many_shots_tend_to_the_expected_results() -> None:
    exact = readout(
        on_bits(ExpectationMP, [1], [1.0, -1.0]),
        on_bits(VarianceMP, [1], [1.0, -1.0]),
        on_bits(ProbabilityMP, [1, 0], None),
    )
    probabilities = np.array([0.1, 0.2, 0.3, 0.4])
    expectation, variance, table = exact.expected(probabilities)
    assert expectation == pytest.approx(-0.2)
    assert variance == pytest.approx(0.96)
    assert table == pytest.approx([0.1, 0.3, 0.2, 0.4])
    with pytest.raises(ValueError, match="has no result without shots"):
        readout(on_bits(SampleMP, [1], None)).expected(probabilities)
    expectation, _, table = replace(exact, postselected=((0, 1),)).expected(probabilities)
    assert expectation == pytest.approx(-1 / 7)
    assert table == pytest.approx([0, 3 / 7, 0, 4 / 7])
    with pytest.raises(NoShotsKeptError, match="has probability 0"):
        replace(exact, postselected=((0, 0),)).expected(np.array([0.0, 0.0, 0.5, 0.5]))


def test_a_measurement_of_unknown_kind_cannot_be_kept() -> None:
    class Largest(SampleMP):  # type: ignore[misc]
        pass

    with pytest.raises(TypeError, match="must be one of expval, var, probs, sample, counts"):
        readout(on_bits(Largest, [0], None)).to_json()


def observables(bits: list[int]) -> st.SearchStrategy[MeasurementProcess]:
    values = st.lists(
        st.integers(-3, 3) | st.floats(-2, 2), min_size=2 ** len(bits), max_size=2 ** len(bits)
    )
    return st.one_of(
        st.builds(on_bits, st.just(ExpectationMP), st.just(bits), values),
        st.builds(on_bits, st.just(VarianceMP), st.just(bits), values),
        st.builds(on_bits, st.just(ProbabilityMP), st.just(bits), st.none()),
        st.builds(on_bits, st.just(SampleMP), st.just(bits), st.none() | values),
        st.builds(on_bits, st.just(SampleMP), st.just(bits), st.none(), dtype=st.just("int8")),
        st.builds(on_bits, st.just(CountsMP), st.just(bits), st.none(), all_outcomes=st.booleans()),
        st.builds(on_bits, st.just(CountsMP), st.just(bits), values),
    )


@settings(max_examples=50)
@given(
    st.lists(
        st.permutations([0, 1, 2]).flatmap(lambda order: observables(order[:2])),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.tuples(st.just(2), st.integers(0, 1)), max_size=1),
    st.none() | st.floats(0, 1),
    st.integers(0, 2**16),
)
def test_json_carries_everything(
    measurements: list[MeasurementProcess],
    postselected: list[tuple[int, int]],
    share: float | None,
    seed: int,
) -> None:
    original = Readout(tuple(measurements), tuple(postselected), (20, 30), share)
    copied = Readout.from_json(json.loads(json.dumps(original.to_json())))
    bits: NDArray[np.uint8] = np.random.default_rng(seed).integers(2, size=(50, 3), dtype=np.uint8)
    assert same(copied.results(bits), original.results(bits))
    assert (copied.postselected, copied.shots) == (original.postselected, original.shots)
    assert copied.predicted_share == original.predicted_share


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer", "qrnn.ibm"])
def test_counts_of_a_batch_are_a_list_whatever_its_angles_are(
    name: str,
    kind: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    options = {"backend": "fake_manila", "noise": False, "jobs": tmp_path / "jobs.sqlite"}

    def circuit(angles: Any) -> tuple[MeasurementProcess, MeasurementProcess]:  # noqa: ANN401
        qml.RX(angles, 0)
        return qml.counts(qml.measure(0)), qml.probs(wires=0)

    node = qml.QNode(circuit, qml.device(name, **(options if name == "qrnn.ibm" else {})))
    counts, probabilities = qml.set_shots(node, 10)(kind([0.0, np.pi]))
    assert counts == [{0: 10}, {1: 10}]
    np.testing.assert_array_equal(probabilities, [[1, 0], [0, 1]])
