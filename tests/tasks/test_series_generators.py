from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from qrnn_circuits.tasks.series_generators import GENERATORS, narma


@pytest.mark.parametrize("name", GENERATORS)
def test_a_series_has_as_many_points_as_asked_for_and_a_name_for_each_column(name: str) -> None:
    series = GENERATORS[name](50, 0)
    assert series.inputs.shape == (50, len(series.input_names))
    assert series.targets.shape == (50, len(series.target_names))
    assert np.isfinite(series.inputs).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_a_series_is_the_same_for_the_same_seed(name: str) -> None:
    first, second = (GENERATORS[name](50, 3) for _ in range(2))
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.targets, second.targets)


@pytest.mark.parametrize("name", ["narma5", "narma10", "sines"])
def test_a_random_series_differs_from_seed_to_seed(name: str) -> None:
    assert not np.array_equal(GENERATORS[name](50, 0).inputs, GENERATORS[name](50, 1).inputs)


def test_henon_is_the_map() -> None:
    x, y = GENERATORS["henon"](100, 0).targets.T
    np.testing.assert_allclose(x[1:], 1 - 1.4 * x[:-1] ** 2 + y[:-1])
    np.testing.assert_allclose(y[1:], 0.3 * x[:-1])


def test_lorenz_follows_the_flow_from_each_point_to_the_next() -> None:
    points = GENERATORS["lorenz"](20, 0).targets

    def flow(_: float, p: np.ndarray) -> list[float]:
        return [10 * (p[1] - p[0]), p[0] * (28 - p[2]) - p[1], p[0] * p[1] - 8 / 3 * p[2]]

    for before, after in pairwise(points):
        end = solve_ivp(flow, (0, 0.03), before, rtol=1e-10, atol=1e-10).y[:, -1]
        np.testing.assert_allclose(after, end, rtol=0.02, atol=0.02)


def test_mackey_glass_follows_its_delayed_feedback() -> None:
    x = GENERATORS["mackey-glass"](300, 0).targets[:, 0]
    # Between two points the delayed value is held, so that x falls towards ten times the feedback.
    feedback = 0.2 * x[:-18] / (1 + x[:-18] ** 10)
    expected = 10 * feedback + (x[17:-1] - 10 * feedback) * np.exp(-0.1)
    np.testing.assert_allclose(x[18:], expected, atol=3e-3)


@pytest.mark.parametrize("order", [5, 10])
def test_narma_is_its_recurrence_in_the_noise(order: int) -> None:
    u, y = narma(100, order)
    for t in range(order, 100):
        past = [y[t - 1 - i] for i in range(order)]
        expected = 0.3 * y[t - 1] + 0.05 * y[t - 1] * sum(past)
        expected += 1.5 * u[t - order] * u[t - 1] + 0.1
        assert y[t] == pytest.approx(expected)
    assert 0 <= u.min() <= u.max() < 0.5


def test_the_damped_oscillation_obeys_its_linear_recurrence() -> None:
    position, velocity = GENERATORS["damped-oscillation"](60, 0).targets.T
    shrink = 0.96 ** (1 / 20)
    expected = 2 * shrink * np.cos(np.pi / 10) * position[1:-1] - shrink**2 * position[:-2]
    np.testing.assert_allclose(position[2:], expected, atol=1e-12)
    slope = (position[2:] - position[:-2]) / 2
    np.testing.assert_allclose(velocity[1:-1], slope, atol=0.01)
    assert position[20] == pytest.approx(0.96)


def test_bessel_is_the_integral_that_defines_it() -> None:
    x = GENERATORS["bessel"](20, 0).targets[:, 0]
    for index in (0, 7, 19):
        argument = 0.3 * index
        integral = quad(lambda t, z=argument: np.cos(2 * t - z * np.sin(t)), 0, np.pi)[0]
        assert x[index] == pytest.approx(integral / np.pi, abs=1e-12)


def test_sines_are_three_frequencies() -> None:
    x = GENERATORS["sines"](400, 0).targets[:, 0]
    # A sum of three sine waves is predicted by six values before it.
    windows = np.lib.stride_tricks.sliding_window_view(x, 7)
    fitted = np.linalg.lstsq(windows[:, :6], windows[:, 6], rcond=None)[0]
    np.testing.assert_allclose(windows[:, :6] @ fitted, windows[:, 6], atol=1e-8)
    five = np.linalg.lstsq(windows[:, 1:6], windows[:, 6], rcond=None)[0]
    assert np.abs(windows[:, 1:6] @ five - windows[:, 6]).max() > 1e-3
