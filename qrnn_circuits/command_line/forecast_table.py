"""Forecasts of a device as a table for a terminal, and what there is to say of them."""

from rich import box
from rich.table import Table
from rich.text import Text

from qrnn_circuits.execution.forecast_report import ForecastReport

_MOST_ROWS = 20


def forecast_table(report: ForecastReport) -> Table:
    """The forecasts of the first windows in the units of the series."""
    count = len(report.targets)
    shown = max(1, _MOST_ROWS // count)
    left_out = len(report.rows) > shown
    table = Table(
        title=Text(f"forecasts of {report.cell} on {report.device}", style="table.title"),
        caption=f"shown: {shown} of {len(report.rows):,} windows, --json has all"
        if left_out
        else None,
        box=box.SIMPLE,
    )
    for name in ("window", "value", "truth", "exact", "device", "device - exact"):
        table.add_column(name, justify="left" if name == "value" else "right")
    for row, values in zip(report.rows[:shown], report.forecasts.transpose(0, 1), strict=False):
        for name, (device, exact, truth) in zip(report.targets, values.T.tolist(), strict=True):
            cells = [f"{value:.5g}" for value in (truth, exact, device)]
            table.add_row(str(row), Text(name), *cells, f"{device - exact:.2g}")
    return table


def forecast_texts(report: ForecastReport) -> list[str]:
    """How far the forecasts are off, and what they took."""
    shots = "exact numbers" if report.shots is None else f"{report.shots:,} shots of each circuit"
    if report.mitigation is not None:
        shots += f", mitigation {report.mitigation}"
    seconds = "" if report.seconds is None else f", wall time {report.seconds:.2f} s"
    texts = [
        f"{len(report.rows)} window(s), {shots}{seconds}",
        f"mean squared error  {_figure(report.mean_squared_error)} of scaled values on the device",
        f"                    {_figure(report.exact_mean_squared_error)} of the exact network",
    ]
    for name, (device, exact, difference) in report.root_mean_squared_errors.items():
        texts.append(
            f"RMSE                {device:.3g} of {name} on the device, {exact:.3g} exactly,\n"
            f"                    {difference:.3g} of device from exact"
        )
    if report.kept is not None and report.shots is not None and report.kept < report.shots:
        texts.append(f"fewest kept shots   {report.kept:,} of {report.shots:,}")
    return texts


def _figure(figure: tuple[float, float | None]) -> str:
    """A mean with its standard error."""
    mean, error = figure
    return f"{mean:.3g}" if error is None else f"{mean:.3g} ± {error:.1g}"
