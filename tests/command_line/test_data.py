import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from qrnn_circuits.tasks import Digits
from tests.tasks.digit_files import blobs, write_idx

Qrnn = Callable[..., Result]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, count, suffix in (("train", 60, ".gz"), ("t10k", 15, "")):
        images, shown = blobs({name: count})[name]
        write_idx(folder / f"{name}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte{suffix}", shown)
    return folder


@pytest.mark.parametrize(
    ("options", "name", "task"),
    [
        ((), "mnist-10x10.npz", {}),
        (("--deskew",), "mnist-10x10-deskewed.npz", {"deskewed": True}),
        (("--reduce", "pca"), "mnist-pca-8.npz", {"reduce": "pca"}),
    ],
)
def test_what_is_prepared_is_what_the_task_reads(
    qrnn: Qrnn, raw: Path, tmp_path: Path, options: tuple[str, ...], name: str, task: dict[str, str]
) -> None:
    out = tmp_path / "out"
    result = qrnn("data", "prepare", raw, "--out", out, "--validation", "12", *options)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out / name}: 48 to train, 12 to validate, 15 to test\n"
    digits = Digits(digits="0-2", data=str(out), **task)  # type: ignore[arg-type]
    assert len(digits.validation()) == 12
    assert len(digits.test()) == 15
    again = qrnn("data", "prepare", raw, "--out", out, "--validation", "12", *options)
    assert again.exit_code == 2
    assert f"{name} exists: remove it" in again.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--dims", "3"), "dims is for --reduce umap, got 3"),
        (("--reduce", "pca", "--dims", "8"), "dims is for --reduce umap, got 8"),
        (("--reduce", "pca", "--seed", "1"), "seed is for --reduce umap, got 1: leave it out"),
        (
            ("--validation", "60"),
            "must hold more than the 60 images of the validation, got 60: give more of them",
        ),
        (("--validation", "55", "--reduce", "pca"), "at least 8 training images, got 5"),
    ],
)
def test_wrong_options_are_one_line(
    qrnn: Qrnn, raw: Path, tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    arguments = ("--validation", "12") if "--validation" not in options else ()
    result = qrnn("data", "prepare", raw, "--out", tmp_path / "out", *arguments, *options)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert expected in line
    assert not (tmp_path / "out").exists()


def test_files_that_are_missing_or_of_another_size_are_named(
    qrnn: Qrnn, raw: Path, tmp_path: Path
) -> None:
    def refused() -> str:
        result = qrnn("data", "prepare", raw, "--out", tmp_path / "out", "--validation", "5")
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        return line

    write_idx(raw / "t10k-images-idx3-ubyte", np.zeros((15, 8, 8), np.uint8))
    assert "must be uint8 of shape (15, 28, 28), got uint8 of shape (15, 8, 8)" in refused()
    (raw / "t10k-images-idx3-ubyte").write_bytes(b"\0\0")
    assert "t10k-images-idx3-ubyte is cut off" in refused()
    (raw / "t10k-images-idx3-ubyte").unlink()
    assert "must hold the MNIST files" in refused()
    assert "t10k-images-idx3-ubyte is missing" in refused()
    raw.rename(tmp_path / "moved")
    assert f"there is no folder {raw}" in refused()


def test_a_folder_that_cannot_be_made_is_told_before_images_are_reduced(
    qrnn: Qrnn, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(*_: object, **__: object) -> bytes:
        raise AssertionError("images were reduced")

    monkeypatch.setattr("qrnn_circuits.tasks.digit_preparation.prepare_coordinates", prepare)
    (tmp_path / "file").touch()
    for out in ("file", "file/inside"):
        options = ("--out", tmp_path / out, "--validation", "12", "--reduce", "pca")
        result = qrnn("data", "prepare", raw, *options)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert str(tmp_path / "file") in line


def test_without_umap_learn_its_extra_is_named(
    qrnn: Qrnn, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    options = ("--validation", "12", "--reduce", "umap", "--dims", "3")
    result = qrnn("data", "prepare", raw, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert 'pip install "qrnn-circuits[umap]"' in result.stderr
    assert not (tmp_path / "out").exists()
