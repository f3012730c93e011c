"""Runs the example notebooks and keeps their outputs: ``python -m tools.notebooks [NAME ...]``."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "notebooks"
VARIES = "varies"
"""The tag of a cell whose printed numbers differ from machine to machine."""
# Of one cell, in seconds.
_LIMIT = 300


def notebook_paths() -> list[Path]:
    """The example notebooks, by name."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Runs a notebook from its first cell to its last.

    Args:
        path: Of the notebook, which is not written.
        folder: In which it runs, and where its files go.

    Returns:
        The notebook with its new outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
        nbclient.exceptions.CellTimeoutError: If a cell takes more than five minutes.
    """
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    # The package of this checkout, also where another one is installed.
    found = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    # Tests of several notebooks at a time share the cores.
    environment = {"OMP_NUM_THREADS": "1"} | os.environ
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, found))
    client = NotebookClient(
        notebook,
        timeout=_LIMIT,
        kernel_name="python3",
        # It warns that others on this machine could listen, to what is printed here anyway.
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        # One output for each stream, however its text arrived.
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment)
    # The version of Python that happened to run it.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def texts(cell: nbformat.NotebookNode) -> list[str]:
    """What a code cell has put out as text; a picture is the name of its type.

    Args:
        cell: A code cell.

    Example:
        >>> output = nbformat.v4.new_output("stream", name="stdout", text="a")
        >>> texts(nbformat.v4.new_code_cell("print('a')", outputs=[output]))
        ['stdout: a']
    """
    return [_text(output) for output in cell.outputs]


def _text(output: Any) -> str:  # noqa: ANN401
    if output.output_type == "stream":
        return f"{output.name}: {output.text}"
    if output.output_type == "error":
        return f"error: {output.evalue}"
    picture = next((kind for kind in output.data if kind.startswith("image/")), None)
    return picture or str(output.data.get("text/plain", ""))


def main() -> None:
    """Executes all notebooks, or those that are named, and writes them back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="without .ipynb; by default all")
    names = parser.parse_args().names
    known = {path.stem: path for path in notebook_paths()}
    for name in names:
        if name not in known:
            parser.error(f"NAME must be one of {', '.join(known)}, got {name!r}")
    for name in names or known:
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(known[name], Path(folder))
        nbformat.write(notebook, known[name])
        print(f"{name}: {known[name].stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
