"""A report on a run as one HTML page, which loads nothing and trusts no text."""

import math
import re
from base64 import b64encode
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

import qrnn_circuits
from qrnn_circuits.circuits.draw import draw_step
from qrnn_circuits.execution.curve_chart import curve_figure
from qrnn_circuits.execution.figure_files import figure_bytes
from qrnn_circuits.execution.forecast_chart import forecast_figure
from qrnn_circuits.execution.inspection_rows import (
    column_names,
    count_rows,
    estimate_rows,
    inspection_notes,
    inspection_title,
)
from qrnn_circuits.execution.plan import Plan, symbol_name
from qrnn_circuits.execution.remedies import leaving_out_pruned
from qrnn_circuits.execution.report import CircuitReport, Report
from qrnn_circuits.execution.report_chart import draw_report
from qrnn_circuits.execution.report_table import accuracy_text
from qrnn_circuits.execution.run_report import Example, RunReport, is_pruned
from qrnn_circuits.training import Evaluation, ForecastEvaluation

# Of a sequence's inputs and of a distribution no more are shown.
_INPUTS, _SYMBOLS = 24, 8

TEMPLATES = Environment(
    loader=PackageLoader("qrnn_circuits.execution"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Pages, in which every text is escaped."""

_OPTION = re.compile(r"(?<!\S)(--[\w-]+)")


def _unbroken(text: str) -> Markup:
    """A text whose options are not wrapped at their hyphens."""
    return Markup(_OPTION.sub(r'<span class="option">\1</span>', str(escape(text))))


TEMPLATES.filters["unbroken"] = _unbroken


def report_page(report: RunReport) -> str:
    """Writes a report as HTML.

    The page has its pictures in itself, reads without a network and without scripts, on a phone and
    in the dark; every text is escaped.

    Args:
        report: On the run.

    Example:
        >>> from pathlib import Path
        >>> from qrnn_circuits.execution.run_report import make_run_report
        >>> from qrnn_circuits.training import load_pretrained
        >>> place = Path("pretrained:xor-chip")
        >>> report = make_run_report(load_pretrained("xor-chip"), place, "best", {})
        >>> page = report_page(report)
        >>> "What to try next" in page, "<script" in page
        (True, False)
    """
    inspection = report.inspection
    table: dict[str, Any] | None = None
    if inspection is not None:
        table = {
            "title": inspection_title(inspection),
            "columns": column_names(inspection),
            "rows": count_rows(inspection) + estimate_rows(inspection),
            "notes": [
                *inspection_notes(inspection),
                *leaving_out_pruned(is_pruned(dict(report.settings)), inspection.tolerance),
            ],
        }
    forecasts = None
    if report.forecasts is not None:
        forecasts = picture(forecast_figure(report.forecasts, report.targets, "Test windows"))
    return TEMPLATES.get_template("run_report.html").render(
        report=report,
        version=qrnn_circuits.__version__,
        figures=figure_rows(report.figures),
        curves=_curves(report),
        examples=[_example(example) for example in report.examples],
        forecasts=forecasts,
        circuit=None if report.circuit is None else picture(draw_step(report.circuit)),
        table=table,
        device=None if report.device is None else _device(report.device),
    )


def _device(report: Report) -> dict[str, Any]:
    """What the page shows of a device: exact answers beside its own."""
    return {
        "title": f"{report.device}, {report.plan.realisation}, {report.plan.sampling}",
        "accuracy": [" ".join(line.split()) for line in accuracy_text(report).splitlines()],
        "chart": picture(draw_report(report)),
        "rows": [_answers(circuit, report.plan) for circuit in report.circuits],
    }


def _answers(circuit: CircuitReport, plan: Plan) -> list[str]:
    """Sequence, step, right symbol, exact and measured probability of it, and the kept share."""
    planned = circuit.planned
    share = circuit.distribution[planned.right]
    measured = f"{share:.1%}"
    if circuit.kept:
        measured += f" ± {math.sqrt(share * (1 - share) / circuit.kept):.1%}"
    kept = "-" if circuit.kept is None else f"{circuit.kept:,}"
    return [
        str(planned.sequence),
        str(planned.step),
        plan.name_of(planned.right),
        f"{planned.exact[planned.right]:.1%}",
        measured,
        kept,
        "right" if circuit.correct else "wrong",
    ]


def _curves(report: RunReport) -> str | None:
    if not report.curves:
        return None
    of_series = report.forecasts is not None
    error = "normalised validation error" if of_series else "validation error"
    return picture(curve_figure(report.curves, error))


def picture(figure: Figure) -> str:
    """A figure as the address of an image that is in the page."""
    content = figure_bytes(figure, "svg")
    return f"data:image/svg+xml;base64,{b64encode(content).decode()}"


def figure_rows(figures: Evaluation | ForecastEvaluation) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each figure of a test."""
    if isinstance(figures, Evaluation):
        rows = [
            (
                "test error",
                f"{figures.test_error:.2%} ± {figures.standard_error:.2%}",
                "share of the answers whose most probable symbol is wrong, with its standard error",
            ),
            (
                "sampled error",
                f"{figures.sampled_error:.2%}",
                "the same if each answer is measured once",
            ),
            ("tested on", f"{figures.count:,}", figures.unit.replace("_", " ")),
        ]
        if figures.guessing_error is not None:
            guessed = f"{figures.guessing_error:.2%}"
            rows.insert(1, ("by guessing", guessed, "error of the most frequent answer each time"))
        return rows
    rows = [
        ("mean squared error", f"{figures.mean_squared_error:.3g}", "of scaled values"),
        (
            "normalised error",
            f"{figures.normalised_error:.3g}",
            "root mean squared error as a share of the standard deviation",
        ),
    ]
    if figures.persistence is not None:
        rows.append(
            (
                "by the last value",
                f"{figures.persistence:.3g}",
                "normalised error of taking the last known value",
            )
        )
    for name, error in figures.root_mean_squared_errors.items():
        rows.append((f"root mean squared error of {name}", f"{error:.3g}", "in its own units"))
    return [*rows, ("tested on", f"{figures.windows:,}", "windows")]


def _example(example: Example) -> dict[str, Any]:
    """What the page shows of an example."""
    inputs = [str(symbol) for symbol in example.inputs[-_INPUTS:]]
    if len(example.inputs) > _INPUTS:
        inputs.insert(0, "…")
    order = sorted(range(len(example.exact)), key=lambda symbol: -example.exact[symbol])
    shown = sorted({*order[: _SYMBOLS - 1], example.right})
    rest = 1 - sum(example.exact[symbol] for symbol in shown)
    return {
        "title": f"Test sequence {example.sequence}, step {example.step}",
        "right": example.answer == example.right,
        "inputs": " ".join(inputs),
        "text": example.text,
        "kept": f"{example.kept:.3g}",
        "bars": [
            {
                "symbol": symbol_name(example.class_names, symbol),
                "probability": f"{example.exact[symbol]:.1%}",
                "width": f"{100 * example.exact[symbol]:.1f}",
                "right": symbol == example.right,
            }
            for symbol in shown
        ],
        "others": len(example.exact) - len(shown),
        "rest": f"{max(0.0, rest):.1%}",
    }
