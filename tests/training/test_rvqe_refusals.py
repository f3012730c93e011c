import json
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from qrnn_circuits.network import QRNN
from qrnn_circuits.training import read_rvqe
from tests.rvqe import SaveRvqe, checkpoint


class Calls:
    """Whose pickle calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["_original_args", "model_state_dict", "tensor", "elsewhere"])
def test_nothing_that_a_file_names_is_called(
    save_rvqe: SaveRvqe, tmp_path: Path, place: str, zipped: bool
) -> None:
    trap = Calls(Path.touch, tmp_path / "called")
    content = checkpoint()
    if place == "tensor":
        content["model_state_dict"]["module.cell.input_layer.0.θ"] = trap
    else:
        content[place] = trap
    path = save_rvqe(content, zipped=zipped)
    if place == "elsewhere":
        read_rvqe(path)
    else:
        with pytest.raises(ValueError, match=r"checkpoint.tar is no checkpoint of github.com"):
            read_rvqe(path)
    assert not (tmp_path / "called").exists()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def shortened(content: dict[str, Any]) -> None:
    key = "module.cell.input_layer.0.φ"
    content["model_state_dict"][key] = content["model_state_dict"][key][:-1].clone()


def repeated(content: dict[str, Any]) -> None:
    content["model_state_dict"]["module.cell.input_layer.0.φ"] = torch.zeros(1).expand(10)


def renamed(content: dict[str, Any]) -> None:
    content["model_state_dict"]["module.cell.gates.0.φ"] = torch.zeros(1)


def missing(content: dict[str, Any]) -> None:
    del content["model_state_dict"]["module.cell.kernel_layer.1.0.θs"]


def infinite(content: dict[str, Any]) -> None:
    content["model_state_dict"]["module.cell.input_layer.0.θ"] = torch.tensor(math.nan)


def twice(content: dict[str, Any]) -> None:
    content["model_state_dict"]["cell.input_layer.0.θ"] = torch.zeros(())


def nested(depth: int) -> tuple[object, ...]:
    value: tuple[object, ...] = ()
    for _ in range(depth):
        value = (value,)
    return value


def option(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda content: vars(content["_original_args"]).update(values)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (shortened, "input_layer.0.φ must have the shape (10,), got (9,)"),
        (repeated, "a tensor is cut off: it has 1 of 10 numbers"),
        (renamed, "its parameter gates.0.φ is unknown"),
        (missing, "module.cell.kernel_layer.1.0.θs is missing"),
        (infinite, "parameters that are not finite"),
        (twice, "a parameter twice, with and without the prefix module.cell."),
        (option(workspace=2), "its parameter input_layer.2.θ is unknown"),
        (option(workspace=10**9), "16 wires in all, got 2 and a workspace of 1000000000"),
        (option(stages=10**9), "fewer parameters than its 1000000000 stages"),
        (option(degree=0), "degree must be from 1 to"),
        (option(order=nested(200)), "order must be an integer, got tuple"),
        (option(epoch=1, sentence_length=None), "sentence_length must be an integer, got NoneType"),
        (option(order="2"), "order must be an integer, got '2'"),
        (option(order=10**6), "order must be"),
        (option(initial_bias=None), "must say initial_bias"),
        (option(initial_bias=10**400), "must say initial_bias, a number of less than"),
        (option(initial_bias=math.nan), "must say initial_bias, a number of less than"),
        (option(dataset=None), "must say dataset"),
        (lambda content: content.pop("_original_args"), "_original_args and model_state_dict"),
        (lambda content: content.update(epoch=-1), "epoch must be from 0"),
    ],
)
def test_another_content_is_refused_in_one_line(
    save_rvqe: SaveRvqe, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    content = checkpoint()
    change(content)
    with pytest.raises(ValueError, match=r"checkpoint\.tar is no checkpoint of") as raised:
        read_rvqe(save_rvqe(content))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_is_cut_off_anywhere_is_refused(save_rvqe: SaveRvqe, zipped: bool) -> None:
    path = save_rvqe(checkpoint(), zipped=zipped)
    whole = path.read_bytes()
    for size in [*range(0, 200, 7), *range(200, len(whole), len(whole) // 50)]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"checkpoint\.tar "):
            read_rvqe(path)


def test_a_safetensors_file_or_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.tar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(2**24))
    with pytest.raises(ValueError, match="records must not be compressed"):
        read_rvqe(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({}))
    with pytest.raises(ValueError, match=r"a zip file without data\.pkl"):
        read_rvqe(path)


def test_a_model_of_the_package_is_not_taken_for_a_published_one(save_rvqe: SaveRvqe) -> None:
    with pytest.raises(ValueError, match="must hold a dict"):
        read_rvqe(save_rvqe(QRNN(lane=1, workspace=2).state_dict()))
