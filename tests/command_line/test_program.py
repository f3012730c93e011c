import gc
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from typer.testing import Result

import qrnn_circuits
from qrnn_circuits.command_line.program import COMMANDS, load_command, run
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS

Qrnn = Callable[..., Result]


def test_the_version_is_that_of_the_package(qrnn: Qrnn) -> None:
    result = qrnn("--version")
    assert result.exit_code == 0
    assert result.stdout == f"qrnn-circuits {qrnn_circuits.__version__}\n"


@pytest.mark.usefixtures("eighty_columns")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_page_of_which_eighty_columns_cut_nothing(
    qrnn: Qrnn, command: str
) -> None:
    assert command in qrnn("--help").stdout
    result = qrnn(command, "--help")
    assert result.exit_code == 0
    assert f"qrnn {command}" in result.stdout
    assert "…" not in result.stdout


def test_an_unknown_command_is_a_usage_error(qrnn: Qrnn) -> None:
    result = qrnn("tran")
    assert result.exit_code == 2
    assert "tran" in result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_has_the_first_sentence_of_every_commands_help(name: str) -> None:
    assert " ".join(load_command(name).help.split()).startswith(COMMANDS[name])


_LIGHT = """
import sys
from qrnn_circuits.command_line import app
for arguments in {arguments}:
    try:
        app(arguments, prog_name="qrnn")
    except SystemExit as end:
        assert end.code == {code}, (arguments, end.code)
    heavy = {heavy} & sys.modules.keys()
    assert not heavy, (arguments, heavy)
"""


_HEAVY = frozenset({"torch", "pennylane", "qiskit", "numpy", "matplotlib"})


def _imports_nothing_heavy(
    arguments: list[list[str]], code: int, heavy: frozenset[str] = _HEAVY
) -> str:
    program = _LIGHT.format(arguments=arguments, code=code, heavy=heavy)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_no_help_imports_what_takes_long() -> None:
    commands = [[name, "--help"] for name in COMMANDS]
    tasks = [[name, task, "--help"] for name in ("train", "sweep") for task in BUILT_IN_TASKS]
    # Typer coerces values by Pydantic, and a help has none.
    heavy = _HEAVY | {"pydantic"}
    shown = _imports_nothing_heavy([["--help"], ["--version"], *commands, *tasks], 0, heavy)
    assert "Predict every third bit" in shown


def test_wrong_words_are_refused_before_anything_is_imported_that_takes_long() -> None:
    wrong = [
        ["train", "xor"],
        ["train", "xro", "--out", "run"],
        ["train", "xro", "--help"],
        ["train", "xor", "--out", "run", "--steps", "many"],
        ["train", "xor", "--out", "run", "--stpes", "3"],
        ["sweep", "xro", "--out", "run"],
        ["evaluate", "run", "--checkpoint", "worst"],
        ["report", "run", "--seed"],
    ]
    _imports_nothing_heavy(wrong, 2)


def test_a_list_of_experiments_waits_for_no_import_that_takes_long() -> None:
    assert "xor-initialisation" in _imports_nothing_heavy([["reproduce", "--list"]], 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_breaks_lines_only_between_paragraphs(name: str) -> None:
    assert "\n" not in load_command(name).help.replace("\n\n", "")


def test_names_of_the_package_are_imported_when_they_are_used() -> None:
    program = """
import sys
import qrnn_circuits
assert set(qrnn_circuits.__all__) <= set(dir(qrnn_circuits))
assert "torch" not in sys.modules
from qrnn_circuits import QRNN
assert QRNN.__module__ == "qrnn_circuits.network"
for name in qrnn_circuits.__all__:
    value = getattr(qrnn_circuits, name)
    # Integers tell of no module.
    assert getattr(value, "__module__", "qrnn_circuits.").startswith("qrnn_circuits.")
assert not hasattr(qrnn_circuits, "QRN")
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_process_with_triton_ends_without_frozen_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # nanobind, of which Triton is made, lists what is frozen as leaks.
    monkeypatch.setattr(sys, "argv", ["qrnn", "--version"])
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    frozen: list[None] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(None))
    with pytest.raises(SystemExit):
        run()
    assert not frozen
    monkeypatch.delitem(sys.modules, "triton")
    with pytest.raises(SystemExit):
        run()
    assert frozen
