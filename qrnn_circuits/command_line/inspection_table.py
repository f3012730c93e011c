"""Inspections as tables for a terminal."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table

from qrnn_circuits.circuits.inspection import Inspection, RealisationInspection
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.execution.inspection_rows import (
    COUNTS,
    before_after,
    column_names,
    count_rows,
    estimate_rows,
    inspection_notes,
    inspection_title,
)

# Columns of a terminal in which every table fits.
_UNBOUNDED = 10_000


def inspection_tables(inspection: Inspection) -> list[RenderableType]:
    """The realisations side by side with what must be known to read them, then their stages."""
    notes = [plain(note, "table.caption") for note in inspection_notes(inspection)]
    stages = [stage_table(entry) for entry in inspection.realisations]
    # As wide as the terminal, where a title or caption would be as narrow as the table.
    title = plain(inspection_title(inspection), "table.title")
    return [title, RealisationTable(inspection), *notes, *stages]


class RealisationTable:
    """One column for each realisation; counts before and, with a target, after transpilation."""

    def __init__(self, inspection: Inspection) -> None:
        """Takes what is shown."""
        self._inspection = inspection

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Breaks names at their underscores where they do not fit side by side."""
        names = column_names(self._inspection)
        table = self._table(names)
        unbounded = options.update(max_width=_UNBOUNDED)
        if Measurement.get(console, unbounded, table).maximum > options.max_width:
            table = self._table([name.replace("_", "_\n") for name in names])
        yield table

    def _table(self, names: Sequence[str]) -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("", overflow="fold")
        for name in names:
            table.add_column(plain(name), justify="right", overflow="fold")
        for name, texts in (*count_rows(self._inspection), *estimate_rows(self._inspection)):
            table.add_row(name, *texts)
        return table


def stage_table(entry: RealisationInspection) -> Table:
    """One row for each stage of a realisation."""
    caption = None
    if entry.transpiled is not None:
        caption = "transpiled with barriers between stages, which costs a few gates"
    names = ("depth", "one-qubit gates", "two-qubit gates", "measurements")
    title = plain(f"\n{entry.realisation}, by stage", "table.title")
    table = Table(box=None, pad_edge=False, title=title, caption=caption)
    table.title_justify = table.caption_justify = "left"
    table.add_column("", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for stage in entry.stages:
        table.add_row(
            stage.stage,
            *(before_after(COUNTS[name], stage.resources, stage.transpiled) for name in names),
        )
    return table
