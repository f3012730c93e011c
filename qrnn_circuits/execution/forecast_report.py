"""Forecasts of a device, beside the exact ones and what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.execution.forecast_plan import ForecastPlan
from qrnn_circuits.training.validation import root_mean_squares


@dataclass(frozen=True)
class ForecastReport:
    """What a device forecasts, beside the exact network and what came.

    Attributes:
        cell: Name of the layer.
        device: What the device is called.
        shots: Of each circuit, or None.
        mitigation: By which readout errors were corrected, or None.
        kept: The fewest shots that postselection left a circuit; None where that is not known.
        seconds: Wall time on the device; None of a job that was fetched.
        rows: Of the windows in the test, from 0.
        targets: Name of each of the K values that are forecast.
        scaled_errors: Mean squared error of each window's scaled values, on the device and exactly,
            shape ``(2, N)``.
        forecasts: In the units of the series: on the device, exactly, and what came, shape
            ``(3, N, K)``.
        mean_error: Mean squared error of the mean of the test taken for every forecast, of scaled
            values.

    Example:
        >>> values = torch.tensor([[[1.0], [2.0]], [[1.0], [1.0]], [[0.0], [1.0]]])
        >>> errors = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
        >>> report = ForecastReport(
        ...     "qrnn", "qrnn.aer", 100, None, None, 0.5, (0, 9), ("x",), errors, values, 0.8
        ... )
        >>> report.mean_squared_error, report.exact_mean_squared_error
        ((1.0, 0.0), (0.5, 0.5))
        >>> report.remark
        "no better on the device than the test's mean: noise or too few shots hide the forecasts"
    """

    cell: str
    device: str
    shots: int | None
    mitigation: str | None
    kept: int | None
    seconds: float | None
    rows: Sequence[int]
    targets: Sequence[str]
    scaled_errors: Tensor
    forecasts: Tensor
    mean_error: float

    @property
    def remark(self) -> str | None:
        """Why the forecasts of the device are worthless, if they are."""
        if self.mean_squared_error[0] < self.mean_error:
            return None
        if self.exact_mean_squared_error[0] < self.mean_error:
            cause = "noise or too few shots hide the forecasts"
        else:
            cause = "nor is the exact network, which has not learnt"
        return f"no better on the device than the test's mean: {cause}"

    @property
    def mean_squared_error(self) -> tuple[float, float | None]:
        """Of the scaled values on the device, and its standard error, None of a single window."""
        return _mean_and_error(self.scaled_errors[0])

    @property
    def exact_mean_squared_error(self) -> tuple[float, float | None]:
        """The same of the exact network, on the same windows."""
        return _mean_and_error(self.scaled_errors[1])

    @property
    def root_mean_squared_errors(self) -> dict[str, tuple[float, float, float]]:
        """Of each target, in its own units: on the device, exactly, and of device from exact."""
        device, exact, truth = self.forecasts
        pairs = ((device, truth), (exact, truth), (device, exact))
        columns = [root_mean_squares(one - other).tolist() for one, other in pairs]
        return dict(zip(self.targets, zip(*columns, strict=True), strict=True))

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        figures: dict[str, Any] = {
            "cell": self.cell,
            "device": self.device,
            "shots": self.shots,
            "mitigation": self.mitigation,
            "fewest_kept": self.kept,
            "seconds": self.seconds,
        }
        for name in ("mean_squared_error", "exact_mean_squared_error"):
            figures[name], figures[f"{name}_error"] = getattr(self, name)
        figures["mean_error"], figures["remark"] = self.mean_error, self.remark
        names = ("device", "exact", "difference")
        figures["root_mean_squared_errors"] = {
            target: dict(zip(names, errors, strict=True))
            for target, errors in self.root_mean_squared_errors.items()
        }
        device, exact, truth = self.forecasts.tolist()
        figures["windows"] = [
            {"window": row, "device": found, "exact": wanted, "truth": right}
            for row, found, wanted, right in zip(self.rows, device, exact, truth, strict=True)
        ]
        return figures


def make_forecast_report(
    plan: ForecastPlan,
    outputs: Tensor,
    *,
    device: str,
    seconds: float | None = None,
    kept: Sequence[int | None] | None = None,
) -> ForecastReport:
    """Compares forecasts of a device with the exact ones and what came.

    Args:
        plan: What was to be forecast.
        outputs: What the device read of each window, shape ``(N, H)``.
        device: What the report calls the device.
        seconds: Wall time on it.
        kept: How many shots postselection left each circuit, as far as that is known.

    Raises:
        ValueError: If there are not as many numbers as the plan's linear layer takes.
    """
    shape = len(plan.rows), plan.head.shape[1] - 1
    if outputs.shape != shape:
        raise ValueError(
            f"the device must give numbers of shape {shape}, got {tuple(outputs.shape)}"
        )
    weight, bias = plan.head[:, :-1], plan.head[:, -1]
    found = torch.nn.functional.linear(outputs.double().cpu(), weight, bias)
    values = torch.stack([found, plan.exact, plan.truth])
    known = [count for count in kept or () if count is not None]
    return ForecastReport(
        cell=plan.cell,
        device=device,
        shots=plan.shots,
        mitigation=plan.mitigation,
        kept=min(known) if known else None,
        seconds=seconds,
        rows=plan.rows,
        targets=plan.targets,
        scaled_errors=(values[:2] - values[2]).square().mean(-1),
        forecasts=plan.low + plan.span * values,
        mean_error=plan.mean_error,
    )


def _mean_and_error(errors: Tensor) -> tuple[float, float | None]:
    """A mean and its standard error."""
    spread = float(errors.std() / len(errors) ** 0.5) if len(errors) > 1 else None
    return float(errors.mean()), spread
