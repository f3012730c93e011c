from pathlib import Path

import nbformat

from tools.notebooks import notebook_paths
from tools.site.notebooks import copy


def test_every_notebook_becomes_a_page_with_its_outputs(tmp_path: Path) -> None:
    copy(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in notebook_paths()}
    for path in notebook_paths():
        shown = nbformat.read(tmp_path / path.name, as_version=4)
        kept = nbformat.read(path, as_version=4)
        assert [cell.get("outputs") for cell in shown.cells] == [
            cell.get("outputs") for cell in kept.cells
        ]
        assert "../../docs/" not in "".join(cell.source for cell in shown.cells)


def test_copies_that_have_not_changed_are_left_alone_and_stale_ones_go(tmp_path: Path) -> None:
    copy(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "gone.ipynb").write_text("{}", encoding="utf-8")
    copy(tmp_path)

    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
