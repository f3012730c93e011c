"""A comparison of runs as one HTML page, which loads nothing and trusts no text."""

import qrnn_circuits
from qrnn_circuits.execution.comparison import Comparison
from qrnn_circuits.execution.comparison_chart import comparison_figure
from qrnn_circuits.execution.comparison_words import (
    figure_notes,
    figure_rows,
    gate_notes,
    gate_rows,
    verdict_texts,
)
from qrnn_circuits.execution.run_report_page import TEMPLATES, picture


def comparison_page(comparison: Comparison) -> str:
    """Writes a comparison as HTML.

    The page has its pictures in itself, reads without a network and without scripts, on a phone and
    in the dark; every text is escaped.

    Args:
        comparison: The runs.

    Example:
        >>> from pathlib import Path
        >>> from qrnn_circuits.execution.comparison import Member, make_comparison
        >>> from qrnn_circuits.training import load_pretrained
        >>> run = Member(load_pretrained("xor-chip"), Path("pretrained:xor-chip"), {})
        >>> page = comparison_page(make_comparison([("one", [run]), ("other", [run])]))
        >>> "What differs" in page, "<script" in page
        (True, False)
    """
    chart = comparison_figure(comparison)
    return TEMPLATES.get_template("comparison.html").render(
        comparison=comparison,
        version=qrnn_circuits.__version__,
        verdicts=verdict_texts(comparison),
        figures=figure_rows(comparison),
        notes=figure_notes(comparison),
        chart=None if chart is None else picture(chart),
        gates=gate_rows(comparison),
        gate_notes=gate_notes(comparison),
    )
