import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import Result

from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.job_store import JobStore
from tests.job_store.jobs import add

Qrnn = Callable[..., Result]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_figure_of_a_table_is_cut_where_the_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    table = Table(box=None)
    for place in range(8):
        table.add_column(str(place), no_wrap=True)
    table.add_row(*["0.1234"] * 8)
    table_console().print(table)
    assert terminal.getvalue().count("0.1234") == 8


@pytest.mark.parametrize("command", ["compare {run} {run}", "inspect {run}", "jobs {job}"])
def test_commands_print_their_tables_for_eighty_columns_or_more(
    qrnn: Qrnn, trained: Path, store: JobStore, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    words = command.format(run=trained, job=add(store).id).split()
    printed = []
    for columns in ("80", "20"):
        monkeypatch.setenv("COLUMNS", columns)
        result = qrnn(*words)
        assert result.exit_code == 0, result.output
        printed.append(result.stdout)
    assert printed[0] == printed[1]


def test_the_figures_of_several_seeds_are_whole_on_a_narrow_terminal(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    options = "--length 6 --steps 1 --batch-size 4 --seeds 0-1"
    result = qrnn("train", "xor", *options.split(), "--out", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    for seed in range(2):
        assert re.search(rf"(?m)^ +{seed}( +\d+\.\d\d%){{2}} ", result.stdout)
