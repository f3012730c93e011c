from graphlib import CycleError

import grimp
import pytest

from tools.import_graph import DOCUMENT, describe, import_order, insert, read_imports


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return read_imports()


def test_the_document_holds_the_present_graph(graph: grimp.ImportGraph) -> None:
    document = DOCUMENT.read_text()

    assert insert(describe(graph), document) == document, "run python -m tools.import_graph"


def test_no_module_imports_itself_through_others(graph: grimp.ImportGraph) -> None:
    # The linter's contracts look at folders; here a package's own __init__ is a module too.
    import_order({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})


def test_modules_come_after_what_they_import() -> None:
    assert import_order({"a": {"c"}, "b": set(), "c": {"b"}}) == ["b", "c", "a"]


def test_circles_have_no_order() -> None:
    with pytest.raises(CycleError, match="cycle") as caught:
        import_order({"a": {"b"}, "b": {"a"}})

    assert set(caught.value.args[1]) == {"a", "b"}


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold the lines"):
        insert("a -> b", "no marks")
