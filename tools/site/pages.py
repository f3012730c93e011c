"""Pages that are written at each build of the documentation."""

from collections.abc import Mapping
from pathlib import Path


def write_changed(folder: Path, texts: Mapping[str, str]) -> None:
    """Writes pages, but for those that are as they were, which are not to be built again.

    Args:
        folder: Where they go.
        texts: The content of each by its name.
    """
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
