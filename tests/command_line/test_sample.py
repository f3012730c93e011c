from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Qrnn = Callable[..., Result]


def test_samples_are_lines_that_the_seed_decides(qrnn: Qrnn, run: Path) -> None:
    first, again, other = (
        qrnn("sample", run, "--count", 20, "--seed", seed).stdout for seed in (1, 1, 2)
    )
    assert first == again != other
    sequences = first.rstrip("\n").split("\n\n")
    assert [[len(line) for line in text.splitlines()] for text in sequences] == [[6, 6]] * 20


def test_a_sample_tells_what_the_network_was_given(qrnn: Qrnn) -> None:
    given, answers = qrnn("sample", "pretrained:xor-chip").stdout.splitlines()
    bits = [int(bit) for bit in given]
    # The network has learnt it: every second bit is answered by the XOR of both.
    assert answers[1::3] == "".join(str(a ^ b) for a, b in zip(bits[::3], bits[1::3], strict=True))
    counted, same = qrnn("sample", "pretrained:memorise", "--count", 2).stdout.splitlines()
    assert counted.startswith("0123")
    assert same.startswith("4444")


def test_drawings_are_kept_apart_by_an_empty_line(qrnn: Qrnn, tmp_path: Path) -> None:
    options = ("--generate", "--workspace=1", "--stages=1", "--degree=1", "--batch-size=2")
    assert qrnn("train", "digits", *options, "--steps=1", "--out", tmp_path / "run").exit_code == 0
    first, second = qrnn("sample", tmp_path / "run", "--count", 2).stdout.split("\n\n")
    assert [len(line) for line in first.splitlines()] == [8] * 8
    assert [len(line) for line in second.splitlines()] == [8] * 8


@pytest.mark.parametrize(
    ("option", "value"), [("count", 0), ("count", 2**31), ("seed", -1), ("seed", 2**64)]
)
def test_a_number_out_of_range_is_a_usage_error(
    qrnn: Qrnn, run: Path, option: str, value: int
) -> None:
    result = qrnn("sample", run, f"--{option}", value)
    assert result.exit_code == 2
    assert option in result.stderr


def test_a_folder_without_a_run_is_a_usage_error(qrnn: Qrnn, tmp_path: Path) -> None:
    result = qrnn("sample", tmp_path)
    assert result.exit_code == 2
    assert "there is no run in" in result.stderr
