"""The console that tables are printed on."""

from rich.console import Console

# Of a file or a pipe, which has no width of its own; and the least that tables are made for, whose
# lines go on in the next one on a narrower terminal.
_WIDTH, _LEAST_WIDTH = 200, 80


def table_console() -> Console:
    """The standard output, as wide as a table of many columns where it is no terminal."""
    console = Console(highlight=False)
    console.width = max(console.width, _LEAST_WIDTH) if console.is_terminal else _WIDTH
    return console
