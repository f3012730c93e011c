"""``qrnn compare``: several runs of one task side by side."""

from pathlib import Path
from typing import Annotated

import typer

from qrnn_circuits.choices import PRETRAINED
from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.options import (
    EncodingChoice,
    EncodingOption,
    ToleranceOption,
)
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.run_forecast import of_symbols_only, refuse_for_forecasts
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.command_line.waiting import clear, doing


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Two folders of runs or more, each the --out of qrnn train; of several seeds "
            f"(--seeds), the median and the spread count. Or {PRETRAINED}NAME, a network that "
            "comes with the package.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write an HTML page as well, with the curves, which needs no internet.",
            show_default=False,
        ),
    ] = None,
    tolerance: ToleranceOption = 0.0,
    encoding: EncodingOption = EncodingChoice.LANE,
) -> None:
    """Compare runs of one task: which is better, and in what their settings differ.

    The test figures stand side by side with their standard errors, and so do the gates of every
    realisation. It is said whether a difference exceeds its standard error.
    """
    with run_errors(), usage_errors():
        if len(folders) < 2:
            raise ValueError(f"name two folders or more to compare, got {len(folders)}")
        from qrnn_circuits.atomic_files import write_atomically
        from qrnn_circuits.command_line.run_places import check_page, load_members
        from qrnn_circuits.execution.comparison import make_comparison
        from qrnn_circuits.execution.comparison_page import comparison_page
        from qrnn_circuits.tasks import Forecast

        if out is not None:
            check_page(out)
        named = [(str(folder), load_members(folder)) for folder in folders]
        if any(isinstance(members[0].run.task, Forecast) for _, members in named):
            refuse_for_forecasts(of_symbols_only(None, tolerance, encoding))
        found = make_comparison(named, tolerance=tolerance, encoding=encoding.value, progress=doing)
        if out is not None:
            doing("drawing")
            write_atomically(out, comparison_page(found).encode())
    clear()
    from qrnn_circuits.command_line.comparison_table import comparison_parts

    console = table_console()
    for part in comparison_parts(found):
        console.print(part)
    if out is not None:
        console.print(plain(f"The page is in {out}."), soft_wrap=True)
