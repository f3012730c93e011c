import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tools.notebooks import ROOT, VARIES, executed, notebook_paths, texts

# A notebook that is read on a code host is loaded as a whole.
MOST_BYTES = 300_000


def name_of(path: Path) -> str:
    """The name of a test's parameter."""
    return path.stem


def code_cells(notebook: nbformat.NotebookNode) -> list[Any]:
    """The cells that run, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def written(code: str, tmp_path: Path) -> Path:
    """A notebook of one cell in a file."""
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)
    return path


each_notebook = pytest.mark.parametrize("path", notebook_paths(), ids=name_of)
# The warnings of what starts the kernel; those of a cell are in its outputs.
of_any_library = pytest.mark.filterwarnings("default")


@of_any_library
@each_notebook
def test_a_notebook_runs_and_says_what_its_kept_outputs_say(path: Path, tmp_path: Path) -> None:
    kept = code_cells(nbformat.read(path, as_version=4))

    for cell, before in zip(code_cells(executed(path, tmp_path)), kept, strict=True):
        found, expected = texts(cell), texts(before)
        if VARIES in cell.metadata.get("tags", []):
            found, expected = [str(len(found))], [str(len(expected))]
        assert found == expected, (
            f"run python -m tools.notebooks {path.stem}, or see:\n{cell.source}"
        )
        assert str(tmp_path) not in "".join(found)


@each_notebook
def test_a_notebook_is_kept_as_it_ran_from_top_to_bottom(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    shown = [text for cell in cells for text in texts(cell)]

    assert notebook.cells[0].source.startswith("# ")
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "image/png" in shown
    assert not [text for text in shown if text.startswith(("stderr: ", "error: "))]
    assert not re.search(r"/(home|root|tmp|Users|work)/", "".join(shown))
    assert path.stat().st_size < MOST_BYTES


@each_notebook
def test_no_link_of_a_notebook_is_dead(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", prose):
        if not target.startswith("https://"):
            assert (path.parent / target).exists(), target


@of_any_library
def test_a_cell_that_fails_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(written("1 / 0", tmp_path), tmp_path)


@of_any_library
def test_a_notebook_runs_the_package_of_this_checkout_in_the_given_folder(tmp_path: Path) -> None:
    code = "import os, qrnn_circuits\nprint(os.getcwd(), qrnn_circuits.__file__)\n6 * 7"

    (cell,) = code_cells(executed(written(code, tmp_path), tmp_path))

    printed, value = texts(cell)
    assert printed.split() == ["stdout:", str(tmp_path), str(ROOT / "qrnn_circuits/__init__.py")]
    assert value == "42"


def test_the_text_of_outputs_tells_streams_errors_and_pictures_apart() -> None:
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="a warning"),
        nbformat.v4.new_output("error", ename="E", evalue="a mistake", traceback=[]),
        nbformat.v4.new_output("display_data", data={"image/png": "AA==", "text/plain": "F"}),
    ]
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    assert texts(cell) == ["stderr: a warning", "error: a mistake", "image/png"]
