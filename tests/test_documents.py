from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.filterwarnings("default")  # as for a reader
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_python_code_of_a_document_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block after block in one namespace, in an empty folder, with an empty store of jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QRNN_JOBS", str(tmp_path / "jobs.sqlite"))
    # Where a document puts `<!--- skip: next -->`, the next block is not for tests.
    document = Sybil([PythonCodeBlockParser(), SkipParser()]).parse(path)

    for example in document.examples():
        example.evaluate()
