"""Objects by name: built-in ones, those of installed packages, and those of a user's module."""

import ast
import importlib
import pkgutil
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from inspect import signature, unwrap
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Registry(Generic[T]):
    """What users may name: on the command line, in files and in calls.

    A name is looked up among the registered ones, then among the entry points of installed
    packages; ``"module:attribute"`` names anything that can be imported. Under a name stands an
    object, or a class or function that makes one from keyword arguments. Of a module, a function
    is called only if it is annotated to return such an object, and a ``functools.partial`` only if
    what it calls may be.

    Example:
        >>> from fractions import Fraction
        >>> fractions = Registry[Fraction]("fraction", "example.fractions", Fraction)
        >>> fractions.register("ratio", Fraction)
        >>> fractions.resolve("ratio,numerator=3,denominator=4")
        Fraction(3, 4)
    """

    def __init__(self, kind: str, group: str, base: type[object]) -> None:
        """Begins without names of its own.

        Args:
            kind: What messages call the objects, such as ``"realisation"``.
            group: Group of the entry points by which installed packages add names, such as
                ``"qrnn_circuits.realisations"``.
            base: Class of all objects.
        """
        self.kind = kind
        self.group = group
        self.base = base
        self._registered: dict[str, T | Callable[..., T] | str] = {}

    def register(self, name: str, item: T | Callable[..., T] | str) -> None:
        """Adds a name.

        Args:
            name: The name, without a colon, comma or equals sign.
            item: An object, a class or function that makes one, or where one of these is to be
                imported from once it is asked for, as ``"module:attribute"``.

        Raises:
            ValueError: If the name is not allowed or already stands for something else.
        """
        if not name or set(name) & set(":,="):
            raise ValueError(f"name must be without colon, comma and equals sign, got {name!r}")
        if self._registered.setdefault(name, item) is not item:
            raise ValueError(f"{self.kind} {name!r} is registered already")

    def names(self) -> tuple[str, ...]:
        """The registered names in their order, then those of installed packages."""
        return tuple(dict.fromkeys([*self._registered, *self._installed]))

    def find(self, name: str) -> T | Callable[..., T]:
        """What stands under a name: an object or what makes one.

        Args:
            name: A name, or ``"module:attribute"``.

        Raises:
            ValueError: If there is no such name, or what it names cannot be imported.
        """
        item: Any = name
        if name in self._registered:
            item = self._registered[name]
        elif name in self._installed:
            item = self._installed[name].value
        if not isinstance(item, str):
            return item  # type: ignore[no-any-return]
        if ":" not in item:
            near = get_close_matches(item.lower(), self.names(), n=3)
            raise ValueError(
                f"{self.kind} must be one of {', '.join(self.names())}, or module:attribute, got "
                f"{name!r}" + (f"; close names are {', '.join(near)}" if near else "")
            )
        try:
            return pkgutil.resolve_name(item)  # type: ignore[no-any-return]
        except Exception as error:  # A module of others may raise anything.
            cause = _with_place(error)
            raise ValueError(f"{self.kind} {name!r} cannot be imported: {cause}") from error

    def name_of(self, item: object) -> str:
        """The name by which :meth:`find` gives an object again.

        Args:
            item: What is registered, or a class or function of a module.

        Raises:
            ValueError: If nothing finds it, as a class of a program's own main module or one that
                is defined inside of a function.
        """
        for name, registered in self._registered.items():
            if registered is item:
                return name
        name = f"{getattr(item, '__module__', None)}:{getattr(item, '__qualname__', None)}"
        try:
            found = pkgutil.resolve_name(name)
        except (AttributeError, ImportError, ValueError):
            found = None
        if found is not item or name.startswith("__main__:"):
            raise ValueError(
                f"{self.kind} {item!r} must be found again by other processes: register it, or "
                "define it in a module that can be imported"
            )
        return name

    def make(self, name: str, /, **options: object) -> T:
        """The object of a name.

        Args:
            name: A registered name, one of an installed package, or ``"module:attribute"``.
            options: Keyword arguments of the class or function that stands under the name.

        Raises:
            ValueError: If there is no such name, it takes no such options, or what it names is no
                object of this kind; and whatever the class or function raises.
        """
        found: Any = self.find(name)
        if isinstance(found, self.base):
            if options:
                raise ValueError(
                    f"{self.kind} {name!r} is an object, which takes no options, got "
                    f"{', '.join(options)}"
                )
            return found  # type: ignore[return-value]
        made: Any = found
        if callable(found):
            if name not in self.names() and not self._makes(found):
                raise ValueError(
                    f"{self.kind} {name!r} must be a {self.base.__name__}, a class of them, a "
                    f"function annotated to return one (-> {self.base.__name__}), or a "
                    "functools.partial of either: nothing else of a module is called"
                )
            try:
                signature(found).bind(**options)
            except TypeError as error:
                accepted = ", ".join(map(str, signature(found).parameters.values())) or "none"
                raise ValueError(
                    f"{self.kind} {name!r}: {error}; its options are {accepted}"
                ) from error
            made = found(**options)
        if not isinstance(made, self.base):
            raise ValueError(
                f"{self.kind} {name!r} must be a {self.base.__name__} or make one, got {made!r}"
            )
        return made  # type: ignore[return-value]

    def resolve(self, given: T | str) -> T:
        """The object that a user names, or gives as it is.

        Args:
            given: An object; or a name, with options after commas if it takes any, as in
                ``"amplified,length=5"``. Values are read as Python literals, else as text.

        Raises:
            TypeError: If it is neither.
            ValueError: If there is no such name, or its options do not fit.
        """
        if isinstance(given, self.base):
            return given  # type: ignore[return-value]
        if not isinstance(given, str):
            raise TypeError(f"{self.kind} must be a {self.base.__name__} or a name, got {given!r}")
        name, options = self.parse(given)
        return self.make(name, **options)

    def parse(self, text: str) -> tuple[str, dict[str, Any]]:
        """The name in a text such as ``"amplified,length=5"``, and the options after it.

        Raises:
            ValueError: If an option is not written as ``name=value``.
        """
        name, *parts = text.split(",")
        options: dict[str, Any] = {}
        for part in parts:
            option, equals, value = part.partition("=")
            if not (option and equals):
                raise ValueError(f"options of {self.kind} must look like name=value, got {part!r}")
            options[option] = _literal(value)
        return name, options

    def _makes(self, found: Any) -> bool:  # noqa: ANN401
        """Whether something makes an object of this kind, as is known without calling it.

        A file of somebody else may name what it likes, with options for it: ``os:system`` and a
        command.
        """
        if type(found) is partial:
            return self._makes(found.func)
        if not isinstance(found, type):
            try:
                # Other annotations may be names that only a type checker imports.
                returned = {"return": found.__annotations__["return"]}
                names = unwrap(found).__globals__
                found = get_type_hints(SimpleNamespace(__annotations__=returned), names)["return"]
            except Exception:  # Text may be anything.
                return False
        kinds = set(get_args(found)) if get_origin(found) in (Union, UnionType) else {found}
        # What gives None in place of an object is refused once it has.
        kinds.discard(NoneType)
        return bool(kinds) and all(isinstance(k, type) and issubclass(k, self.base) for k in kinds)

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        # A look through all installed packages takes milliseconds, and a configuration needs four.
        return {point.name: point for point in entry_points(group=self.group)}


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
        return text


def _with_place(error: Exception) -> str:
    """What an error says, and where in a user's module it was raised; nowhere if not in one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, pkgutil.__file__, importlib.__file__)
    module = [frame for frame in frames if frame.filename not in ours and "<" not in frame.filename]
    if not module:
        return str(error)
    text = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
    return f"{text} ({module[-1].filename}, line {module[-1].lineno})"
