from itertools import pairwise

import numpy as np
import pytest

from qrnn_circuits.execution.forecast_chart import forecast_figure
from qrnn_circuits.training.forecast_evaluation import Forecasts


@pytest.mark.parametrize(
    ("low", "high"), [(1007.3, 1018.6), (0.00123, 0.00187), (-12_345.6, 98_765.4), (0.1, 0.9)]
)
def test_numbers_below_the_picture_of_forecasts_and_truth_do_not_touch(
    low: float, high: float
) -> None:
    truth = np.linspace(low, high, 30)[:, None].repeat(2, axis=1)
    figure = forecast_figure(Forecasts(truth, truth), ("pressure", "temperature"), "Weather")
    figure.draw_without_rendering()
    for axes in figure.axes[1::2]:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        assert len(boxes) >= 2
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
