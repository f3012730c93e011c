import os
import sys
from fractions import Fraction
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from qrnn_circuits import registry as module
from qrnn_circuits.registry import Registry

half = Fraction(1, 2)


def annotated(numerator: int = 1) -> "Fraction":
    return Fraction(numerator, 5)


def with_names_of_a_type_checker(numerator: "Nowhere" = 1) -> "Fraction":  # type: ignore[name-defined]  # noqa: F821
    return Fraction(numerator, 5)


def of_broken_text() -> "1 / 0":  # type: ignore[valid-type]
    raise AssertionError


def perhaps(numerator: int = 1) -> "Fraction | None":
    return Fraction(numerator, 5) if numerator else None


def or_none(numerator: int = 1) -> Optional[Fraction]:  # noqa: UP045
    return Fraction(numerator, 5)


def of_two_kinds(numerator: int = 1) -> Fraction | str:
    raise AssertionError


def of_nothing() -> None:
    raise AssertionError


def in_a_list() -> list[Fraction]:
    raise AssertionError


fifths = partial(Fraction, denominator=5)
fifths_of_a_function = partial(partial(annotated), numerator=2)
of_the_system = partial(os.system)
not_annotated = partial(partial(len), [1])


def unannotated(numerator=1):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    raise AssertionError


def of_another_kind(numerator: int = 1) -> str:
    raise AssertionError


@pytest.fixture
def fractions() -> Registry[Fraction]:
    registry = Registry[Fraction]("fraction", "tests.fractions", Fraction)
    registry.register("ratio", Fraction)
    registry.register("half", half)
    registry.register("later", "fractions:Fraction")
    return registry


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("third", "fractions:Fraction", "tests.fractions")
    found = SimpleNamespace(points=[point])
    monkeypatch.setattr(
        module, "entry_points", lambda group: found.points if group == point.group else []
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("half", half),
        ("ratio", Fraction()),
        ("ratio,numerator=3,denominator=4", Fraction(3, 4)),
        ("ratio,numerator=3/5", Fraction(3, 5)),
        ("later,numerator=2", Fraction(2)),
        ("fractions:Fraction,numerator=2", Fraction(2)),
        (f"{__name__}:half", half),
        (Fraction(7), Fraction(7)),
    ],
)
def test_objects_names_and_attributes_of_modules_are_resolved(
    given: str | Fraction, expected: Fraction, fractions: Registry[Fraction]
) -> None:
    assert fractions.resolve(given) == expected


def test_a_class_is_found_without_being_called(fractions: Registry[Fraction]) -> None:
    assert fractions.find("ratio") is Fraction
    assert fractions.find("later") is Fraction
    assert fractions.name_of(Fraction) == "ratio"
    assert fractions.name_of(Registry) == "qrnn_circuits.registry:Registry"


@pytest.mark.usefixtures("installed")
def test_installed_packages_add_names(fractions: Registry[Fraction]) -> None:
    assert fractions.names() == ("ratio", "half", "later", "third")
    assert fractions.make("third", numerator=1, denominator=3) == Fraction(1, 3)


def test_installed_packages_are_looked_through_once_and_only_for_names_that_are_not_registered(
    fractions: Registry[Fraction], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[str] = []

    def none_of(group: str) -> list[EntryPoint]:
        groups.append(group)
        return []

    monkeypatch.setattr(module, "entry_points", none_of)
    fractions.resolve("half")
    assert groups == []
    assert fractions.names() == fractions.names()
    assert groups == ["tests.fractions"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hall", "fraction must be one of ratio, half, later, .* got 'hall'; close names are half"),
        ("HALF", "got 'HALF'; close names are half"),
        ("nothing", "must be one of .* got 'nothing'$"),
        ("half,numerator=1", "'half' is an object, which takes no options, got numerator"),
        ("ratio,numerator", "options of fraction must look like name=value, got 'numerator'"),
        ("ratio,size=1", r"'ratio': .*unexpected .*'size'; its options are numerator=0"),
        ("nowhere:half", "'nowhere:half' cannot be imported: No module named 'nowhere'"),
        ("fractions:Half", "cannot be imported: .*no attribute 'Half'"),
        ("math:pi", "'math:pi' must be a Fraction or make one, got 3.14"),
        ("decimal:Decimal", "'decimal:Decimal' must be a Fraction, a class of them, a function"),
    ],
)
def test_names_of_nothing_say_what_there_is(
    text: str, message: str, fractions: Registry[Fraction]
) -> None:
    with pytest.raises(ValueError, match=message):
        fractions.resolve(text)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\ny = nothing\n", r"NameError: name 'nothing' is not defined \(.*, line 2\)"),
        ("import nowhere\n", r"No module named 'nowhere' \(.*, line 1\)"),
        ("x = 1\nclass\n", r"invalid syntax \(.*, line 2\)"),
        ("x = 1 / 0\n", r"ZeroDivisionError: division by zero \(.*, line 1\)"),
    ],
)
def test_whatever_ends_a_module_of_others_is_told_with_its_place(
    code: str,
    message: str,
    fractions: Registry[Fraction],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "broken_fractions.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=f"cannot be imported: .*{message}"):
        fractions.find("broken_fractions:Half")


def test_of_a_module_only_what_is_known_to_make_such_an_object_is_called(
    fractions: Registry[Fraction], tmp_path: Path
) -> None:
    for name in (
        "annotated",
        "with_names_of_a_type_checker",
        "perhaps",
        "or_none",
        "fifths",
        "fifths_of_a_function",
    ):
        assert fractions.resolve(f"{__name__}:{name},numerator=3") == Fraction(3, 5)
    fractions.register("own", unannotated)
    with pytest.raises(AssertionError):
        fractions.resolve("own")
    made = tmp_path / "made"
    for text in (
        f"{__name__}:unannotated",
        f"{__name__}:of_another_kind",
        f"{__name__}:of_broken_text",
        f"{__name__}:of_two_kinds",
        f"{__name__}:of_nothing",
        f"{__name__}:in_a_list",
        f"{__name__}:not_annotated",
        f"{__name__}:of_the_system,command=touch {made}",
        f"os:system,command=touch {made}",
        f"os:mkdir,path={made}",
        f"pathlib:Path.mkdir,self={made}",
        "builtins:exit",
        "builtins:dict,a=1",
    ):
        with pytest.raises(ValueError, match=r"annotated to return one \(-> Fraction\)"):
            fractions.resolve(text)
    assert not made.exists()
    with pytest.raises(ValueError, match="must be a Fraction or make one, got None"):
        fractions.resolve(f"{__name__}:perhaps,numerator=0")


def test_what_is_neither_an_object_nor_a_name_is_refused(fractions: Registry[Fraction]) -> None:
    given: Any = 3
    with pytest.raises(TypeError, match="fraction must be a Fraction or a name, got 3"):
        fractions.resolve(given)


def test_a_name_stands_for_one_thing(fractions: Registry[Fraction]) -> None:
    fractions.register("half", half)
    with pytest.raises(ValueError, match="fraction 'half' is registered already"):
        fractions.register("half", Fraction(2, 4))
    with pytest.raises(ValueError, match="without colon, comma and equals sign, got 'a:b'"):
        fractions.register("a:b", half)


def test_what_a_programs_own_main_module_defines_has_no_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = type("Mine", (Fraction,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Mine", mine, raising=False)
    with pytest.raises(ValueError, match="must be found again by other processes"):
        Registry[Fraction]("fraction", "example.fractions", Fraction).name_of(mine)
