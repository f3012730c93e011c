import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Qrnn = Callable[..., Result]


def test_json_is_one_object_with_the_documented_keys(qrnn: Qrnn, run: Path) -> None:
    result = qrnn("evaluate", run, "--json")
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    names = ["test_error", "sampled_error", "standard_error", "guessing_error", "scored_steps"]
    assert list(figures) == names


def test_the_error_is_printed_with_its_standard_error(qrnn: Qrnn, run: Path) -> None:
    figures = json.loads(qrnn("evaluate", run, "--json").stdout)
    text = qrnn("evaluate", run).stdout
    assert f"{figures['test_error']:.2%} +- {figures['standard_error']:.2%}" in text
    assert f"{figures['guessing_error']:.2%} by guessing the most frequent answer" in text
    assert f"{figures['scored_steps']:,} scored steps, with the best checkpoint" in text


def test_a_truncated_checkpoint_is_one_message_and_its_advice_works(qrnn: Qrnn, run: Path) -> None:
    path = run / "best.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    result = qrnn("evaluate", run)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "best.safetensors cannot be used: it is truncated" in line
    advice = line.split("`")[1].split()
    assert advice[0] == "qrnn"
    assert qrnn(*advice[1:]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--data", "/data"), "'xor' has no option 'data'"),
        (("--checkpoint", "first"), "first"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    qrnn: Qrnn, run: Path, arguments: tuple[str, ...], expected: str
) -> None:
    result = qrnn("evaluate", run, *arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""


def test_a_folder_without_a_run_is_a_usage_error(qrnn: Qrnn, tmp_path: Path) -> None:
    result = qrnn("evaluate", tmp_path / "absent")
    assert result.exit_code == 2
    assert (
        result.stderr == f"Error: there is no run in {tmp_path / 'absent'}: it has no config.json\n"
    )
