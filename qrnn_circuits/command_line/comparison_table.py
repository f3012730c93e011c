"""A comparison of runs as tables for a terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table

from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.execution.comparison import Comparison
from qrnn_circuits.execution.comparison_words import (
    figure_notes,
    figure_rows,
    gate_notes,
    gate_rows,
    verdict_texts,
)

_LONGEST = 60


def comparison_parts(comparison: Comparison) -> Iterator[RenderableType]:
    """What is compared, its figures, settings that differ, gates, and which is better."""
    for each in comparison.candidates:
        seeds = f", {each.seeds} seeds" if each.seeds > 1 else ""
        yield plain(f"{each.letter}  {each.name}{seeds}")
    yield _table(f"{comparison.task}: figures of the test", figure_rows(comparison), comparison)
    for note in figure_notes(comparison):
        yield plain(note, "dim")
    if differing := comparison.differing:
        yield _table("What differs in the settings", differing, comparison)
    if gates := gate_rows(comparison):
        yield _table("Gates of one step", gates, comparison)
        for note in gate_notes(comparison):
            yield plain(note, "dim")
    if comparison.missing:
        yield plain(comparison.missing)
    yield plain("\nWhich is better", "bold")
    for text in verdict_texts(comparison):
        yield plain(text)


def _table(title: str, rows: list[tuple[str, list[str]]], comparison: Comparison) -> Table:
    table = Table(title=plain(f"\n{title}", "bold"), title_justify="left", box=None)
    table.add_column("", overflow="fold")
    for each in comparison.candidates:
        table.add_column(each.letter, justify="right", overflow="fold")
    for name, texts in rows:
        shown = [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for text in texts]
        table.add_row(plain(name), *map(plain, shown))
    return table
