"""A report as a table for a terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.execution.report import Report

_COLUMNS = (
    "seq.",
    "step",
    "right",
    "exact",
    "device",
    "TVD",
    "chance",
    "kept",
    "predicted",
    "z",
)
_MOST_ROWS = 20


def report_table(report: Report) -> Table:
    """A row for each circuit, red where the device is wrong, and one for all.

    Of more circuits than fit, the first are shown.
    """
    plan, shown = report.plan, report.circuits[:_MOST_ROWS]
    left_out = len(report.circuits) - len(shown)
    note = f"\nshown: {len(shown)} of {len(report.circuits):,} circuits, --json has all"
    table = Table(
        # Names may hold what Rich takes for markup.
        title=Text(
            f"{plan.task} on {report.device}: {plan.realisation}, {plan.wires} wires, "
            f"{plan.sampling}",
            style="table.title",
        ),
        caption=Text(
            "exact, device: the most probable symbol and its probability\n"
            "TVD: total variation distance to exact; chance: TVD by shots alone\n"
            "kept: share of the shots; predicted: the same by the model\n"
            "z: standard errors between them; all: share right, and means"
            + (note if left_out else "")
            + _dropping(report)
            + _classes(report),
            style="table.caption",
        ),
        # Ten columns in 80 characters.
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for circuit in shown:
        planned = circuit.planned
        exact = circuit.exact_prediction
        table.add_row(
            str(planned.sequence),
            str(planned.step),
            str(planned.right),
            f"{exact} {_share(planned.exact[exact])}",
            f"{circuit.prediction} {_share(circuit.distribution[circuit.prediction])}",
            _distance(circuit.distance),
            _noise(circuit.noise),
            _share(circuit.kept_share),
            _share(planned.predicted_share),
            "-" if circuit.share_deviation is None else f"{circuit.share_deviation:+.1f}",
            style=None if circuit.correct else "red",
        )
    table.add_section()
    table.add_row(
        *("all", "", ""),
        f"{report.exact_accuracy:.1%}",
        f"{report.accuracy:.1%}",
        _distance(report.distance),
        _noise(report.noise),
        _share(report.kept_share),
        _share(report.predicted_share),
        "",
    )
    return table


def _dropping(report: Report) -> str:
    if not report.plan.tolerance:
        return ""
    bound = report.distribution_bound
    return f"\nrotations up to {report.plan.tolerance:g} rad dropped: TVD by that " + (
        "not bounded" if bound is None else f"at most {bound:.2g}"
    )


def _classes(report: Report) -> str:
    names = [f"{symbol} is {name}" for symbol, name in enumerate(report.plan.class_names)]
    # Where they are the symbols themselves, nothing is to be said.
    if all(name == str(symbol) for symbol, name in enumerate(report.plan.class_names)):
        return ""
    return f"\nright, exact, device: {brief(', '.join(names))}"


def accuracy_text(report: Report) -> str:
    """How often the answers are right, beside the exact model's, with standard errors."""
    circuits, sequences = len(report.circuits), report.sequences
    lines = [
        f"accuracy      {_with_error(report.accuracy, report.accuracy_error)} of {circuits:,} "
        f"circuits of {sequences:,} test sequence(s); exact model {report.exact_accuracy:.1%}"
    ]
    if report.plan.shots is not None:
        shots = _with_error(report.sampled_accuracy, report.sampled_accuracy_error)
        lines.append(
            f"single shots  {shots} right; exact model {report.exact_sampled_accuracy:.1%}"
        )
    return "\n".join(lines)


def _with_error(share: float, error: float | None) -> str:
    # Where all are right, or none, the spread of the answers tells no error.
    return f"{share:.1%} ± {error:.1%}" if error else f"{share:.1%}"


def _distance(value: float) -> str:
    return f"{value:.0e}" if 0 < value < 5e-5 else f"{value:.4f}"


def _noise(value: float) -> str:
    return f"{value:.4f}" if value else "-"


def _share(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
