"""The public names of both packages, and what docstrings and signatures mean by other names.

Packages export under shorter names what their modules define. The reference documents each object
once, under the first of its names, and follows the other ones there. Names of what is not exported,
and of other packages, stay text; names of nothing are left to Sphinx, which warns of them.
"""

import inspect
import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike
from pennylane.typing import TensorLike
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.typing import stringify_annotation

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

EXPORTING = (
    "qrnn_circuits",
    "qrnn_circuits.cells",
    "qrnn_circuits.circuits",
    "qrnn_circuits.circuits.realisations",
    "qrnn_circuits.layers",
    "qrnn_circuits.tasks",
    "qrnn_circuits.training",
    "qrnn_circuits.execution",
    "qrnn_circuits.synthesis",
    "qrnn_circuits.job_store",
    "qrnn_backends",
)
"""The packages that export names, in the order of the reference."""


def setup(app: "Sphinx") -> dict[str, bool]:
    """Gives the templates of the reference the names, and follows links to them."""
    app.connect("config-inited", _name_doubles, priority=100)
    app.connect("autodoc-process-docstring", _keep_returns, priority=100)
    app.connect("autodoc-process-docstring", _tell_values, priority=50)
    app.connect("autodoc-process-docstring", _tell_arguments, priority=50)
    app.connect("autodoc-process-signature", _shorten_types)
    app.connect("missing-reference", _follow)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


@cache
def public_names() -> dict[int, str]:
    """The first public name of each exported object, by the object's identity.

    Example:
        >>> from qrnn_circuits.cells import Cell
        >>> public_names()[id(Cell)]
        'qrnn_circuits.Cell'
    """
    names: dict[int, str] = {}
    for package in map(import_module, EXPORTING):
        for name in package.__all__:
            names.setdefault(id(getattr(package, name)), f"{package.__name__}.{name}")
    return names


def exported_values(package: str) -> list[str]:
    """The exported names that are neither classes nor functions: constants and types.

    Example:
        >>> exported_values("qrnn_circuits")
        ['PADDING', 'UNREAD']
    """
    module = import_module(package)
    return [
        name
        for name in module.__all__
        if not (inspect.isclass(getattr(module, name)) or inspect.isroutine(getattr(module, name)))
    ]


def words_on(name: str, value: object) -> list[str]:
    """What stands below a value's name in the module that defines it; else its own docstring.

    Raises:
        LookupError: If nobody says what it is.

    Example:
        >>> from qrnn_circuits import UNREAD
        >>> words_on("UNREAD", UNREAD)[0][:24]
        'In place of an outcome: '
    """
    for key, module in sorted(sys.modules.items()):
        if key.startswith(("qrnn_circuits", "qrnn_backends")) and vars(module).get(name) is value:
            words = ModuleAnalyzer.for_module(key).find_attr_docs().get(("", name))
            if words:
                return list(words)
    if value.__doc__ and value.__doc__ != type(value).__doc__:
        return inspect.cleandoc(value.__doc__).splitlines()
    raise LookupError(f"nothing says what {name} is")


def find(name: str, module: str) -> Any:  # noqa: ANN401 - whatever has the name
    """The object that a name stands for.

    Args:
        name: With the module before it, or without: then a name of the module in whose page it
            stands, or of any other module of both packages.
        module: The module in whose page the name stands.

    Returns:
        The object, or None if there is none of the name.

    Example:
        >>> find("qrnn_circuits.neuron.QuantumNeuron", "").__name__
        'QuantumNeuron'
        >>> find("Tensor", "qrnn_circuits").__name__
        'Tensor'
    """
    name = name.strip(".~").partition("[")[0]
    for place in (f"{module}.{name}".strip("."), name, f"builtins.{name}"):
        found = _import(place)
        if found is not None:
            return found
    first, *rest = name.split(".")
    for loaded in [
        key for key in sys.modules if key.startswith(("qrnn_circuits", "qrnn_backends"))
    ]:
        found = vars(sys.modules[loaded]).get(first)
        for word in rest:
            found = getattr(found, word, None)
        if found is not None:
            return found
    return None


def _import(place: str) -> Any:  # noqa: ANN401
    """What a full name stands for, or None."""
    words = place.split(".")
    for length in range(len(words), 0, -1):
        try:
            found: Any = import_module(".".join(words[:length]))
        except (ImportError, ValueError):
            continue
        for word in words[length:]:
            found = getattr(found, word, None)
        return found
    return None


def _name_doubles(app: "Sphinx", config: Any) -> None:  # noqa: ANN401
    """Tells the template of a module which of its names are documented elsewhere, and where."""
    first = public_names()
    named = {
        f"{package}.{name}": first[id(getattr(import_module(package), name))]
        for package in EXPORTING
        for name in import_module(package).__all__
    }
    doubles = {name: place for name, place in named.items() if name != place}
    values = {
        package: [name for name in exported_values(package) if f"{package}.{name}" not in doubles]
        for package in EXPORTING
    }
    config.autosummary_context = {"documented_at": doubles, "values": values}


def _keep_returns(
    app: "Sphinx", what: str, name: str, item: object, options: object, lines: list[str]
) -> None:
    """Types stand in signatures: what stands before a docstring's colon is no type."""
    if what in ("attribute", "data", "property") and lines and ":" in lines[0]:
        lines[0] = f": {lines[0]}"
    for number, line in enumerate(lines[:-1]):
        following = lines[number + 1]
        if line.strip() in ("Returns:", "Yields:") and ":" in following:
            indent = len(following) - len(following.lstrip())
            lines[number + 1] = f"{following[:indent]}: {following[indent:]}"


def _tell_values(
    app: "Sphinx", what: str, name: str, item: object, options: object, lines: list[str]
) -> None:
    """An exported value is described where it is defined, which autodoc does not look up."""
    if what == "data":
        lines[:] = words_on(name.rpartition(".")[2], item)


def constructor_words(item: type) -> list[str]:
    """What the docstring of a class's constructor says after its first line.

    Args:
        item: A class whose constructor, or that of a class of this project before it, has a
            docstring of its own; of any other class nothing is said.

    Example:
        >>> from qrnn_circuits import QGRU
        >>> words = constructor_words(QGRU)
        >>> words[words.index("Args:") + 1].split(":")[0].strip()
        'input_size'
    """
    for base in item.__mro__:
        if "__init__" in vars(base):
            words = inspect.getdoc(vars(base)["__init__"])
            own = base.__module__.startswith(("qrnn_circuits", "qrnn_backends"))
            return words.splitlines()[1:] if words and own else []
    return []


def _tell_arguments(
    app: "Sphinx", what: str, name: str, item: object, options: object, lines: list[str]
) -> None:
    """The arguments of a class stand where its signature does, before its example."""
    if what in ("class", "exception") and isinstance(item, type):
        words = constructor_words(item)
        example = lines.index("Example:") if "Example:" in lines else len(lines)
        lines[example:example] = [*words, ""] if words else []


def _shorten_types(
    app: "Sphinx",
    what: str,
    name: str,
    item: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Types of other packages stand under their names, in place of all that they are made of."""
    for title, kind in (("TensorLike", TensorLike), ("ArrayLike", ArrayLike)):
        whole = stringify_annotation(kind, "smart")
        signature = signature and signature.replace(whole, title)
        returns = returns and returns.replace(whole, title)
    return signature, returns


def _follow(
    app: "Sphinx", env: "BuildEnvironment", node: "pending_xref", content: "nodes.TextElement"
) -> "nodes.Element | None":
    if node.get("refdomain") != "py":
        return None
    module = node.get("py:module") or ""
    found = find(node["reftarget"], module)
    if found is None and node.get("py:class"):
        found = find(f"{node['py:class']}.{node['reftarget']}", module)
    if found is None:
        return None
    if name := public_names().get(id(found)):
        target: nodes.Element | None = env.domains.python_domain.resolve_xref(
            env, node["refdoc"], app.builder, "obj", name, node, content
        )
        return target or content
    return content
