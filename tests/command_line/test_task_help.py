from collections.abc import Callable

import pytest
from typer.testing import Result

from qrnn_circuits.command_line.task_help import _WORDS_OF_OTHERS
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS
from qrnn_circuits.training import RunConfig

Qrnn = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("eighty_columns")


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize("task", BUILT_IN_TASKS)
def test_the_help_on_a_task_fits_eighty_columns_and_leaves_out_what_is_not_its_own(
    qrnn: Qrnn, command: str, task: str
) -> None:
    result = qrnn(command, task, "--help")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "what suits the task" not in result.stdout
    words = set(result.stdout.replace("--", " ").replace("-", "_").split())
    of_series = task == "forecast"
    assert ("horizon" in words) == ("hidden_size" in words) == of_series
    assert ("curriculum" in words) == ("acceptance_weight" in words) == (not of_series)
    assert ("advice" in words) == (task == "quotes")


@pytest.mark.parametrize("task", ["xor", "forecast"])
def test_the_defaults_shown_are_those_that_a_run_has(qrnn: Qrnn, task: str) -> None:
    config = RunConfig.resolve(
        task, {"task_options": {"series": "bessel"}} if task != "xor" else {}
    )
    text = " ".join(qrnn("train", task, "--help").stdout.replace("│", " ").split())
    for name in ("workspace", "learning_rate", "steps", "optimizer", "semantics"):
        option = f" --{name.replace('_', '-')} "
        value = getattr(config, name)
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        default = text.split(option, 1)[1].split("[default: ", 1)[1].split("]", 1)[0]
        assert default == shown, name


@pytest.mark.parametrize(
    ("task", "option", "shown"),
    [("digits", "generate", "no-generate"), ("quotes", "advice", "advice")],
)
def test_the_default_shown_of_a_flag_is_the_one_of_its_two_words_that_a_run_has(
    qrnn: Qrnn, task: str, option: str, shown: str
) -> None:
    text = " ".join(qrnn("train", task, "--help").stdout.replace("│", " ").split())
    assert text.split(f" --no-{option} ", 1)[1].split("[default: ", 1)[1].startswith(f"{shown}]")


def test_the_help_on_a_task_says_what_its_recipes_set_or_why_they_are_refused(qrnn: Qrnn) -> None:
    text = " ".join(qrnn("train", "digits", "--help").stdout.replace("│", " ").split())
    assert "embedded (default) reading scored, workspace 4" in text
    assert "paper-embedded refused: the paper reads MNIST" in text


def test_a_users_task_is_described_in_the_words_of_its_docstring(qrnn: Qrnn) -> None:
    result = qrnn("train", "--out", "xor", "tests.custom_task:echo_of_three", "--help")
    assert result.exit_code == 0, result.output
    assert "Random bits: predict the bit that was just read." in result.stdout
    assert "Bits of a sequence. [default: 3]" in result.stdout
    assert "--length" not in result.stdout


def test_the_general_help_names_that_of_a_task_and_has_all_options(qrnn: Qrnn) -> None:
    shown = qrnn("train", "--help").stdout
    assert "qrnn train TASK --help" in shown
    assert "--horizon" in shown
    assert "--advice" in shown


def test_a_task_that_there_is_not_is_refused_with_close_names(qrnn: Qrnn) -> None:
    result = qrnn("train", "xro", "--help")
    assert result.exit_code == 2
    assert "close names are" in result.stderr


@pytest.mark.parametrize(
    ("word", "option"),
    [
        *((word.replace("_", "-"), option) for word, option in _WORDS_OF_OTHERS.items()),
        ("learning_rate", "learning_rate"),
    ],
)
def test_an_option_of_another_package_is_answered_by_the_one_that_is_meant(
    qrnn: Qrnn, word: str, option: str
) -> None:
    result = qrnn("train", "xor", f"--{word}", "3", "--out", "run")
    assert result.exit_code == 2
    told = " ".join(result.stderr.replace("│", " ").split())
    meant = option.replace("_", "-")
    assert f"No such option: --{word} (Possible options: --{meant})" in told


@pytest.mark.parametrize(
    ("word", "way_out"),
    [
        ("--data", "data = VALUE in [task_options]"),
        ("--lr", "learning_rate = VALUE"),
        ("--cell", "cell = VALUE"),
    ],
)
def test_a_setting_given_to_a_sweep_as_an_option_is_said_to_be_the_files(
    qrnn: Qrnn, word: str, way_out: str
) -> None:
    result = qrnn("sweep", "forecast", word, "3", "--out", "run")
    assert result.exit_code == 2
    told = " ".join(result.stderr.replace("│", " ").split())
    assert f"No such option: {word}; the file of --config sets it, as {way_out}" in told
