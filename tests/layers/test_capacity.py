import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.legendre import Legendre
from numpy.typing import NDArray

from qrnn_circuits import QuantumReservoir, RecurrentCircuitLayer
from qrnn_circuits.layers import information_processing_capacity, memory_capacity

Values = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def drive(length: int = 3000, seed: int = 0) -> Values:
    return np.random.default_rng(seed).uniform(-1, 1, length)


def shift_register(inputs: Values, size: int) -> Values:
    return np.stack([np.roll(inputs, delay) for delay in range(size)], axis=1)[size:]


@given(size=st.integers(1, 8), seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_shift_register_has_as_much_memory_as_places_and_no_other_capacity(
    size: int, seed: int
) -> None:
    inputs = drive(seed=seed)
    features = shift_register(inputs, size)
    memory = memory_capacity(features, inputs[size:], longest_delay=12, interval=(-1, 1))
    capacities = information_processing_capacity(
        features, inputs[size:], longest_delays=(12, 4, 2), interval=(-1, 1), significance=1e-7
    )

    assert memory.shape == (13,)
    assert memory[:size] == pytest.approx(1)
    assert memory[size:].max() < 0.02
    assert sum(capacities.values()) == pytest.approx(size, abs=0.05)


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_noise_has_no_capacity(seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(2000, 20))
    capacities = information_processing_capacity(
        features,
        drive(2000, seed=1),
        longest_delays=(12, 4, 2),
        interval=(-1, 1),
        significance=1e-7,
    )
    assert set(capacities.values()) == {0}


def test_without_a_threshold_noise_would_reach_features_over_steps() -> None:
    features = np.random.default_rng(0).normal(size=(2000, 20))
    memory = memory_capacity(
        features, drive(2000, 1), longest_delay=200, interval=(-1, 1), significance=1 - 1e-12
    )
    assert memory.mean() == pytest.approx(20 / 1800, rel=0.1)


@given(
    delays=st.lists(st.integers(0, 4), min_size=1, max_size=3).map(sorted),
    seed=SEEDS,
)
@settings(max_examples=20, deadline=None)
def test_a_feature_has_the_capacity_of_its_own_polynomial_alone(
    delays: list[int], seed: int
) -> None:
    inputs = drive(seed=seed)
    feature = np.ones(len(inputs))
    for delay in set(delays):
        feature *= Legendre.basis(delays.count(delay))(np.roll(inputs, delay))
    capacities = information_processing_capacity(
        feature[5:, None], inputs[5:], longest_delays=(4, 4, 4), interval=(-1, 1), significance=1e-7
    )

    assert capacities.pop(tuple(delays)) == pytest.approx(1)
    assert max(capacities.values()) < 0.05
    assert len(capacities) + 1 == 5 + 15 + 35


@given(size=st.integers(1, 8), seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_all_capacities_are_at_most_as_many_as_features(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = drive(4000, seed=seed)
    recurrent = rng.normal(size=(size, size))
    recurrent *= 0.6 / np.abs(np.linalg.eigvals(recurrent)).max()
    weights, bias = rng.normal(size=(2, size))
    state, states = np.zeros(size), []
    for value in inputs:
        state = np.tanh(recurrent @ state + weights * value + bias)
        states.append(state)
    capacities = information_processing_capacity(
        np.array(states)[100:], inputs[100:], longest_delays=(15, 8, 4), interval=(-1, 1)
    )
    # Polynomials are orthogonal up to the length of the series.
    assert size * 0.5 < sum(capacities.values()) < size * 1.1
    assert all(0 <= capacity <= 1 for capacity in capacities.values())


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_capacities_are_those_of_any_basis_of_the_features(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = drive(500, seed=seed)
    features = np.tanh(shift_register(inputs, 4) @ rng.normal(size=(4, 3)))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    one, other = (
        memory_capacity(rows, inputs[4:], longest_delay=6, interval=(-1, 1), penalty=0)
        for rows in (features, 3 * features @ rotation + 1)
    )
    assert one == pytest.approx(other, abs=1e-9)


def test_a_register_without_rotations_remembers_the_cosine_of_each_input() -> None:
    layer = RecurrentCircuitLayer(1, 4, staggered=True, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    inputs = np.random.default_rng(0).uniform(size=4000)
    features = QuantumReservoir(layer).transform(inputs[:, None])
    memory = memory_capacity(features[10:], inputs[10:], longest_delay=8)

    # The squared correlation of u and cos(pi * u), with u uniform in [0, 1].
    assert memory[:4] == pytest.approx(96 / np.pi**4, abs=0.003)
    assert memory[4:].max() < 0.01


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"features": drive(100)}, ValueError, r"got \(100,\) and \(100,\)"),
        ({"inputs": drive(99)}, ValueError, r"got \(100, 2\) and \(99,\)"),
        ({"inputs": drive(100) * np.nan}, ValueError, "inputs must be finite"),
        ({"features": np.full((100, 2), np.inf)}, ValueError, "features must be finite"),
        ({"inputs": drive(100) + 1j}, TypeError, "inputs must be .* got complex ones"),
        ({"features": np.ma.masked_less(np.ones((100, 2)), 2)}, ValueError, "or masked values"),
        ({"interval": (0, 1)}, ValueError, r"inputs must be uniform in interval=\(0, 1\), but are"),
        ({"interval": (1, -1)}, ValueError, "inputs must be uniform in interval"),
        ({"longest_delays": ()}, ValueError, "longest_delays must have a delay for each degree"),
        ({"longest_delays": (3, -1)}, ValueError, r"longest_delays\[1\] must be at least 0"),
        ({"longest_delays": (98,)}, ValueError, "features must have more than 101 steps"),
        ({"penalty": -1.0}, ValueError, "penalty must be finite and at least 0"),
        ({"significance": 0.0}, ValueError, "significance must be between 0 and 1, got 0.0"),
    ],
)
def test_arguments_out_of_range_are_refused(
    options: dict[str, object], error: type[Exception], problem: str
) -> None:
    arguments: dict[str, object] = {
        "features": np.stack((drive(100), drive(100, 1)), axis=1),
        "inputs": drive(100),
        "longest_delays": (3, 2),
        "interval": (-1, 1),
    }
    with pytest.raises(error, match=problem):
        information_processing_capacity(**(arguments | options))  # type: ignore[arg-type]


def test_a_delay_out_of_range_is_refused_by_its_own_name() -> None:
    with pytest.raises(TypeError, match="longest_delay must be an integer"):
        memory_capacity(drive(9)[:, None], drive(9), longest_delay=1.5)  # type: ignore[arg-type]
