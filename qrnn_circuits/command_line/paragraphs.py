"""Texts that are wrapped where they are shown, and not where they are written."""


def joined(text: str) -> str:
    r"""A text whose paragraphs are a line each, for a terminal of any width.

    Args:
        text: Paragraphs, with empty lines between them.

    Example:
        >>> joined("Of two\nlines.\n\nAnother.")
        'Of two lines.\n\nAnother.'
    """
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
