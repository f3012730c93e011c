import inspect
import re
from enum import Enum
from importlib import import_module

import pytest

from qrnn_circuits.training import RunConfig
from tools.site.public_names import (
    EXPORTING,
    constructor_words,
    exported_values,
    find,
    public_names,
    words_on,
)


def test_every_exported_object_has_one_name() -> None:
    names = list(public_names().values())

    assert len(names) == len(set(names))
    for package in map(import_module, EXPORTING):
        for name in package.__all__:
            assert id(getattr(package, name)) in public_names()


@pytest.mark.parametrize(
    ("name", "module", "found"),
    [
        ("QRNN", "qrnn_circuits", "QRNN"),
        ("qrnn_circuits.neuron.QuantumNeuron", "", "QuantumNeuron"),
        ("~.unsharpened.Unsharpened", "qrnn_circuits.circuits.realisations", "Unsharpened"),
        ("collections.abc.Sequence", "qrnn_circuits", "Sequence"),
        ("ParameterRangeError", "qrnn_circuits", "ParameterRangeError"),
        ("dict[str", "qrnn_circuits", "dict"),
    ],
)
def test_names_are_found_as_docstrings_write_them(name: str, module: str, found: str) -> None:
    assert find(name, module).__name__ == found


@pytest.mark.parametrize("name", ["QRNNN", "qrnn_circuits.nothing", "the result"])
def test_names_of_nothing_are_not_found(name: str) -> None:
    assert find(name, "qrnn_circuits") is None


def test_every_exported_constant_says_what_it_is() -> None:
    for package in EXPORTING:
        for name in exported_values(package):
            assert words_on(name, getattr(import_module(package), name))
    assert {"UNREAD", "PADDING"} <= set(exported_values("qrnn_circuits"))
    with pytest.raises(LookupError, match="nothing says what SEVEN is"):
        words_on("SEVEN", 7)


def test_the_arguments_of_every_exported_class_are_told_where_its_signature_stands() -> None:
    silent = []
    for package in map(import_module, EXPORTING):
        for name in package.__all__:
            exported = getattr(package, name)
            if not inspect.isclass(exported) or issubclass(exported, Exception | Enum | RunConfig):
                continue
            words = "\n".join([inspect.getdoc(exported) or "", *constructor_words(exported)])
            silent += [
                f"{name}.{argument}"
                for argument, kind in inspect.signature(exported).parameters.items()
                if kind.kind not in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD)
                and not re.search(rf"^\s*{argument}:", words, re.MULTILINE)
            ]
    assert silent == []
