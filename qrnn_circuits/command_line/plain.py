"""Text that is not ours, as it is shown on a terminal."""

import typer
from rich.text import Text


def plain(value: object, style: str = "") -> Text:
    r"""Shows a value as it is: no markup, no emoji codes, nothing that controls the terminal.

    Args:
        value: A path, a name, an error or any other value.
        style: Of the whole text.

    Example:
        >>> plain("runs/[bold] :bug: \x1b[2J").plain
        'runs/[bold] :bug: \\x1b[2J'
    """
    shown = (
        sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in str(value)
    )
    return Text("".join(shown), style=style)


def echo(text: str, *, err: bool = False) -> None:
    """Prints a text that holds paths or names, as :func:`plain` shows them, in lines of any width.

    Args:
        text: The text.
        err: Whether to print to the standard error.
    """
    typer.echo(plain(text).plain, err=err)
