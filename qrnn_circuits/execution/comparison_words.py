"""A comparison in words: the rows of its tables, and which of the runs is better."""

import math

from qrnn_circuits.execution.comparison import Candidate, Comparison, Figure
from qrnn_circuits.execution.inspection_rows import COUNTS, MOVED, moved_text
from qrnn_circuits.execution.remedies import leaving_out_pruned
from qrnn_circuits.execution.run_report import is_pruned

_COUNTED = ("qubits", "depth", "two-qubit gates")
# From how many standard errors on chance is seldom the reason.
_SELDOM = 2


def figure_text(name: str, figure: Figure, seeds: int) -> str:
    """A figure with what is known of its uncertainty.

    Args:
        name: Of the figure.
        figure: The figure.
        seeds: Number of runs that it is of.

    Example:
        >>> figure_text("test error", Figure.of([0.1], 0.01), 1)
        '10.00% ± 1.00%'
        >>> figure_text("normalised error", Figure.of([0.1, 0.3]), 2)
        '0.2 ± 0.125 (0.1 to 0.3)'
    """
    text = _value(name, figure.value)
    if figure.standard_error is not None:
        text += f" ± {_value(name, figure.standard_error)}"
    if seeds > 1:
        text += f" ({_value(name, figure.least)} to {_value(name, figure.greatest)})"
    return text


def figure_rows(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Name of each figure, and its text for each candidate."""
    candidates = comparison.candidates
    rows = [
        (name, [figure_text(name, each.figures[name], each.seeds) for each in candidates])
        for name in candidates[0].figures
    ]
    rows.append(("parameters", [f"{each.parameters:,}" for each in candidates]))
    return [*rows, ("runs", [f"{each.seeds:,}" for each in candidates])]


def figure_notes(comparison: Comparison) -> list[str]:
    """What must be known to read the figures."""
    if comparison.of_series:
        notes = [
            "normalised error: root mean squared error of the test windows as a share of the "
            "standard deviation; ± its standard error, as if windows were independent",
            "mean squared error: of scaled values",
        ]
    else:
        notes = [
            "test error: share of the answers whose most probable symbol is wrong; ± its standard "
            "error",
            "sampled error: the same if each answer is measured once",
        ]
    if any(each.seeds > 1 for each in comparison.candidates):
        notes.append(
            "of several seeds: the median, ± its standard error by their spread, and in brackets "
            "the least and the greatest"
        )
    return notes


def gate_rows(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Counts of one step in every realisation, and the text for each candidate."""
    counted = [_counts(each) for each in comparison.candidates]
    names = dict.fromkeys(name for counts in counted for name in counts)
    return [(name, [counts.get(name, "-") for counts in counted]) for name in names]


def gate_notes(comparison: Comparison) -> list[str]:
    """What must be known to read the counts of gates."""
    kept: dict[str, list[str]] = {}
    for each in comparison.candidates:
        if each.inspection is not None:
            for text in leaving_out_pruned(is_pruned(each.settings), each.inspection.tolerance):
                kept.setdefault(text, []).append(each.letter)
    return [f"{', '.join(letters)}: {text}" for text, letters in kept.items()]


def verdict_texts(comparison: Comparison) -> list[str]:
    """Which candidate is the best, and whether the differences exceed their standard errors."""
    name = comparison.deciding
    ordered = sorted(comparison.candidates, key=lambda each: each.figures[name].value)
    best = ordered[0]
    texts = [_against(name, best, other) for other in ordered[1:]]
    if comparison.other_tests:
        texts.append(
            f"They differ in options of the task ({', '.join(comparison.other_tests)}), so that "
            "they may not be tested on the same: mind that when you compare."
        )
    return texts


def _against(name: str, best: Candidate, other: Candidate) -> str:
    mine, others = best.figures[name], other.figures[name]
    difference = others.value - mine.value
    shown = f"{_value(name, mine.value)} and {_value(name, others.value)}"
    if difference == 0:
        return (
            f"{best.letter} and {other.letter} have the same {name}, {_value(name, mine.value)}. "
            f"{_next_figure(name, best, other)}"
        ).rstrip()
    text = (
        f"{best.letter} is better than {other.letter}: their {name} is {shown}. The difference of "
        f"{_value(name, difference)} "
    )
    error = math.hypot(mine.standard_error or 0.0, others.standard_error or 0.0)
    if error == 0:
        return f"{text}has no known standard error."
    if difference <= error:
        return (
            f"{text}does not exceed its standard error of {_value(name, error)}: it may be chance."
        )
    times = difference / error
    text += f"exceeds its standard error of {_value(name, error)}, {times:.1f} times"
    return text + (", which is seldom chance." if times >= _SELDOM else ", which may be chance.")


def _next_figure(name: str, one: Candidate, other: Candidate) -> str:
    """What the figure after a tied one says."""
    following = next((each for each in one.figures if each != name), name)
    better, worse = sorted((one, other), key=lambda each: each.figures[following].value)
    least, greatest = (_value(following, each.figures[following].value) for each in (better, worse))
    if least == greatest:
        return ""
    return f"By the {following} {better.letter} is better: {least} against {greatest}."


def _counts(candidate: Candidate) -> dict[str, str]:
    if candidate.inspection is None:
        return {}
    found = {}
    for entry in candidate.inspection.realisations:
        for name in _COUNTED:
            found[f"{entry.realisation}: {name}"] = f"{COUNTS[name](entry.resources):,}"
        if candidate.inspection.tolerance:
            found[f"{entry.realisation}: {MOVED}"] = moved_text(entry)
    return found


def _value(name: str, value: float) -> str:
    return f"{value:.2%}" if name in ("test error", "sampled error") else f"{value:.3g}"
