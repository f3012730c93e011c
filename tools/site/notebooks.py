"""The example notebooks as pages, copied with their outputs into ``docs/examples``."""

from pathlib import Path
from typing import TYPE_CHECKING

from tools.notebooks import notebook_paths
from tools.site.pages import write_changed

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Where the pages of the documentation lie, seen from a notebook and from its copy.
_FROM_NOTEBOOK, _FROM_PAGE = "](../../docs/", "](../"


def setup(app: "Sphinx") -> dict[str, bool]:
    """Copies the notebooks before Sphinx looks for its sources."""
    app.connect("config-inited", lambda app, config: copy(Path(app.srcdir) / "examples"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def copy(folder: Path) -> None:
    """Copies every notebook, with links that lead from where the copy lies.

    Copies of notebooks that are no more go, and those that have not changed are left alone.

    Args:
        folder: Where the copies go.
    """
    texts = {path.name: page(path.read_text(encoding="utf-8")) for path in notebook_paths()}
    for path in folder.glob("*.ipynb"):
        if path.name not in texts:
            path.unlink()
    write_changed(folder, texts)


def page(notebook: str) -> str:
    """The notebook as it is shown in the documentation.

    Args:
        notebook: The content of its file.

    Example:
        >>> page("[Noise](../../docs/guides/noise.md)")
        '[Noise](../guides/noise.md)'
    """
    return notebook.replace(_FROM_NOTEBOOK, _FROM_PAGE)
