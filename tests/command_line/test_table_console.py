import io

import pytest
from rich.table import Table

from qrnn_circuits.command_line.table_console import table_console


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
