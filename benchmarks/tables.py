"""Tables of Markdown, of which each row is printed as soon as it is known."""

from collections.abc import Iterable, Sequence


def row(cells: Iterable[object]) -> str:
    """The row of some cells."""
    return f"| {' | '.join(map(str, cells))} |"


def print_row(cells: Iterable[object]) -> None:
    """Prints the row of some cells."""
    print(row(cells), flush=True)


def print_head(columns: Sequence[str], texts: int | None = None) -> None:
    """Prints the names of columns.

    Args:
        columns: The names.
        texts: How many of the columns, the first ones, hold texts, by default all; the others hold
            numbers, which stand on the right.
    """
    texts = len(columns) if texts is None else texts
    print_row(columns)
    print_row(["---"] * texts + ["---:"] * (len(columns) - texts))
