"""The console that tables are printed on."""

from rich.console import Console

# Of a file or a pipe, which has no width of its own.
_WIDTH = 200


def table_console() -> Console:
    """The standard output, as wide as a table of many columns where it is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    return console
