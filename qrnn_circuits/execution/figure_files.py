"""Files of figures: checked before anything that takes long, written wholly or not at all."""

import io
import shutil
import warnings
from pathlib import Path
from typing import Any

from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure

from qrnn_circuits.atomic_files import check_target, write_atomically

# What a file says of the day on which it was made, by its ending.
_DATES = {"svg": "Date", "svgz": "Date", "pdf": "CreationDate"}


def check_chart_path(path: Path) -> None:
    """Checks where a chart is to go, before anything that takes long.

    Raises:
        OSError: If it cannot be made there.
        ValueError: If matplotlib does not know the ending, or lacks the program that it takes.
    """
    known = Figure().canvas.get_supported_filetypes()
    ending = path.suffix.lower().removeprefix(".")
    if ending not in known:
        raise ValueError(
            f"a chart must end in one of {', '.join(f'.{ending}' for ending in known)}, got {path}"
        )
    if ending == "pgf" and shutil.which(rcParams["pgf.texsystem"]) is None:
        raise ValueError(
            f"a chart in .pgf takes {rcParams['pgf.texsystem']}, which is not installed, got "
            f"{path}: install it, or take .pdf"
        )
    check_target(path)


def write_figure(
    figure: Figure, path: Path, *, dpi: int = 150, metadata: dict[str, str | None] | None = None
) -> None:
    """Writes a figure in the format that the ending of the file names, wholly or not at all.

    Args:
        figure: The figure.
        path: The file.
        dpi: Dots per inch, where it is made of dots.
        metadata: What the file says of itself.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If matplotlib does not know the ending.
    """
    ending = path.suffix.removeprefix(".")
    write_atomically(path, figure_bytes(figure, ending, dpi=dpi, metadata=metadata))


def figure_bytes(figure: Figure, ending: str, **options: Any) -> bytes:  # noqa: ANN401
    """A figure as the bytes of a file: the same of an equal figure, on any day.

    Args:
        figure: The figure.
        ending: Of such a file, without a dot.
        options: Of ``Figure.savefig``.
    """
    content = io.BytesIO()
    metadata = dict(options.pop("metadata", None) or {})
    if ending.lower() in _DATES:
        metadata[_DATES[ending.lower()]] = None
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "qrnn-circuits"}):
        # Names from the user's data may have any signs; those that no font has are boxes.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        figure.savefig(content, format=ending, metadata=metadata, **options)
    return content.getvalue()
