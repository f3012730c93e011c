"""Writes which module imports which into CONTRIBUTING.md: ``python -m tools.import_graph``."""

from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from textwrap import wrap

import grimp

PACKAGES = ("qrnn_circuits", "qrnn_backends")
DOCUMENT = Path(__file__).parents[1] / "CONTRIBUTING.md"
BEGIN = "<!-- Written by python -m tools.import_graph: begin -->"
END = "<!-- Written by python -m tools.import_graph: end -->"


def read_imports() -> grimp.ImportGraph:
    """All imports between modules of both packages, those for types only included."""
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)


def import_order(imports: dict[str, set[str]]) -> list[str]:
    """Modules in an order in which each imports from earlier ones only.

    Args:
        imports: The modules that each module imports.

    Returns:
        All modules; of those that could come next, the first in the alphabet comes first.

    Raises:
        graphlib.CycleError: If there is no such order. Its second argument is the circle.
    """
    sorter = TopologicalSorter(imports)
    sorter.prepare()
    order: list[str] = []
    ready: set[str] = set()
    while sorter.is_active():
        ready.update(sorter.get_ready())
        order.append(min(ready))
        ready.remove(order[-1])
        sorter.done(order[-1])
    return order


def describe(graph: grimp.ImportGraph) -> str:
    """The graph as text: a paragraph for each package that holds folders.

    Args:
        graph: The imports, as of :func:`read_imports`.

    Returns:
        Lines of a module or folder each, followed by what it imports; below all those lines that
        it imports from. Modules of the other package stand in brackets.

    Raises:
        graphlib.CycleError: If modules of one folder import each other in a circle.
    """
    return "\n\n".join(
        "\n".join(_lines(graph, folder))
        for package in PACKAGES
        for folder in (package, *sorted(graph.find_children(package)))
        if any(graph.find_children(child) for child in graph.find_children(folder))
    )


def insert(text: str, document: str) -> str:
    """Replaces what stands between the two marks of a document.

    Raises:
        ValueError: If the document lacks one of the marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document must hold the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n```\n{text}\n```\n{END}{after}"


def _lines(graph: grimp.ImportGraph, folder: str) -> Iterator[str]:
    package = folder.partition(".")[0]
    inside: dict[str, set[str]] = {child: set() for child in graph.find_children(folder)}
    outside: dict[str, set[str]] = {child: set() for child in inside}
    for child in inside:
        for module in (child, *graph.find_descendants(child)):
            for imported in graph.find_modules_directly_imported_by(module):
                sibling = ".".join(imported.split(".")[: folder.count(".") + 2])
                if sibling in inside:
                    inside[child].add(sibling)
                elif imported.partition(".")[0] != package:
                    outside[child].add(".".join(imported.split(".")[:2]))
        inside[child].discard(child)
    width = max(len(child) for child in inside) - len(folder)
    yield folder
    for child in import_order(inside):
        names = [name.removeprefix(f"{folder}.") for name in sorted(inside[child])]
        names += [f"[{name}]" for name in sorted(outside[child])]
        start = f"  {child.removeprefix(f'{folder}.'):{width}}"
        yield from wrap(
            " ".join(names) or "-",
            width=100,
            initial_indent=start,
            subsequent_indent=" " * len(start),
        )


if __name__ == "__main__":
    DOCUMENT.write_text(insert(describe(read_imports()), DOCUMENT.read_text()))
