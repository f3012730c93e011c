import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from qrnn_circuits.command_line.completion import completions
from qrnn_circuits.tasks import TASKS
from qrnn_circuits.tasks.recipes import read_recipes
from qrnn_circuits.training.task_options import task_class

# As the script of --show-completion calls the program, for Bash.
_PROGRAM = """
import os, sys
words = sys.argv[1:]
os.environ |= {
    "_QRNN_COMPLETE": "complete_bash",
    "COMP_WORDS": " ".join(words),
    "COMP_CWORD": str(len(words) - 1),
}
sys.argv = ["qrnn"]
from qrnn_circuits.command_line import start
try:
    start()
except SystemExit:
    pass
heavy = {"torch", "pennylane", "qiskit", "qiskit_ibm_runtime"} & sys.modules.keys()
print(" ".join(sorted(heavy)), file=sys.stderr)
"""


def completed(*words: str) -> tuple[list[str], str]:
    """What Bash is offered for the last word, and what was imported for it."""
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words], capture_output=True, text=True, check=True
    )
    return result.stdout.split(), result.stderr.strip()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("qrnn", "do"), ["doctor"]),
        (("qrnn", "train", "m"), ["memorise"]),
        (("qrnn", "sweep", "x"), ["xor"]),
        (("qrnn", "train", "xor", "--recipe", "c"), ["chip"]),
        (("qrnn", "run", "runs/x", "--device", "qrnn.t"), ["qrnn.torch"]),
        (("qrnn", "run", "runs/x", "--seed", "1", "--noise", "fake_fe"), ["fake_fez"]),
        (("qrnn", "submit", "runs/x", "--backend", "l"), ["least_busy"]),
        (("qrnn", "results", "a"), []),
    ],
)
def test_a_shell_is_offered_names_without_waiting_for_imports(
    words: tuple[str, ...], expected: list[str]
) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    assert completed(*words) == (expected, "")


def test_options_are_those_of_the_command() -> None:
    assert completed("qrnn", "train", "xor", "--rec")[0] == ["--recipe"]
    assert completed("qrnn", "doctor", "--l")[0] == ["--load"]


def test_tasks_and_recipes_are_the_packages_own() -> None:
    own = [name for name in TASKS.names() if task_class(name).__module__.startswith("qrnn_c")]
    assert completions("train", [], "") == sorted(own)
    for task in own:
        recipes = {
            name: recipe
            for name, recipe in read_recipes(task_class(task)).items()
            if "refused" not in recipe
        }
        assert completions("train", [task, "--recipe"], "") == sorted({"none", *recipes})


def test_chips_are_the_local_models_of_qiskit_runtime() -> None:
    provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = sorted(chip.name for chip in provider.FakeProviderForBackendV2().backends())
    assert completions("inspect", ["runs/x", "--backend"], "") == known
    assert completions("run", ["--noise"], "fake_m") == [
        name for name in known if name.startswith("fake_m")
    ]


def test_the_script_of_a_shell_is_shown_by_an_option() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "qrnn_circuits", "--show-completion", "bash"],
        capture_output=True,
        text=True,
        # By default Typer takes the shell that it was called from.
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert result.returncode == 0, result.stderr
    assert "complete -o default -F" in result.stdout


def test_where_completion_cannot_be_installed_is_one_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.touch()
    result = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m qrnn_circuits --install-completion; exit $?"],
        env=os.environ | {"HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: completion cannot be installed: ")
    assert line.endswith("; put what qrnn --show-completion prints where your shell reads it")
