"""The console that tables are printed on."""

from rich.console import Console

# Tables are made to fit; on a narrower terminal, their lines go on in the next one.
_LEAST_WIDTH = 80


def table_console(piped: int = _LEAST_WIDTH) -> Console:
    """The standard output, so wide that no figure is cut.

    Args:
        piped: The least width of a file or a pipe, which has none of its own.
    """
    console = Console(highlight=False)
    console.width = max(console.width, _LEAST_WIDTH if console.is_terminal else piped)
    return console
