import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from tests.rvqe import checkpoint

Qrnn = Callable[..., Result]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.tar"
    torch.save(checkpoint(), path)
    return path


def test_an_imported_checkpoint_is_evaluated_inspected_and_run(
    qrnn: Qrnn, published: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    result = qrnn("import-rvqe", published, "--out", folder)
    assert result.exit_code == 0, result.output
    assert "xor: " in result.stdout
    assert f"qrnn evaluate {folder}" in result.stdout
    assert json.loads(qrnn("evaluate", folder, "--json").stdout)["scored_steps"] == 4 * 1024
    assert qrnn("inspect", folder, "--realisation", "postselect", "--json").exit_code == 0
    assert qrnn("run", folder, "--steps", "2", "--sequences", "1", "--json").exit_code == 0


def test_digits_that_lie_elsewhere_are_asked_for(qrnn: Qrnn, tmp_path: Path) -> None:
    path, folder = tmp_path / "checkpoint.tar", tmp_path / "run"
    torch.save(checkpoint(2, "mnist01"), path)
    assert qrnn("import-rvqe", path, "--out", folder).exit_code == 0
    result = qrnn("evaluate", folder)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "QRNN_DATA_DIR" in line
    assert "qrnn evaluate --data FOLDER" in line
    assert str(tmp_path) not in (folder / "config.json").read_text()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"text\n"])
def test_another_file_is_one_line(qrnn: Qrnn, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.tar"
    path.write_bytes(content)
    result = qrnn("import-rvqe", path, "--out", tmp_path / "run")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "notes.tar cannot be read as a file of torch.save" in line
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_left_as_it_is(qrnn: Qrnn, published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert qrnn("import-rvqe", published, "--out", folder).exit_code == 0
    before = (folder / "best.safetensors").read_bytes()
    result = qrnn("import-rvqe", published, "--out", folder)
    assert result.exit_code == 2
    assert "is not empty" in result.stderr
    assert (folder / "best.safetensors").read_bytes() == before


@pytest.mark.parametrize("command", ["import-rvqe", "train", "sweep"])
def test_no_folder_has_the_name_of_a_network_of_the_package(
    qrnn: Qrnn, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    first = published if command == "import-rvqe" else "xor"
    # Other commands would read the network of the package, whatever lies there.
    result = qrnn(command, first, "--out", "./pretrained:xor-chip")
    assert result.exit_code == 2
    assert "must not begin with pretrained:" in " ".join(result.stderr.replace("│", "").split())
    assert not (tmp_path / "pretrained:xor-chip").exists()
