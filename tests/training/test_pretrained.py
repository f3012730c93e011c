import os
from pathlib import Path, PurePosixPath

import pytest
import torch

from qrnn_circuits import load_pretrained
from qrnn_circuits.training import (
    RunFolder,
    evaluate,
    load_run,
    pretrained_figures,
    pretrained_names,
)
from qrnn_circuits.training.checkpoint import read_checkpoint, write_checkpoint
from qrnn_circuits.training.pretrained import FOLDER, without_training

DOCUMENT = Path(__file__).parents[2] / "docs" / "guides" / "pretrained.md"


def needs_data(name: str) -> bool:
    return name.startswith("mnist")


@pytest.mark.parametrize("name", pretrained_names())
def test_a_network_has_on_its_test_set_the_figures_that_it_comes_with(name: str) -> None:
    if needs_data(name) and "QRNN_DATA_DIR" not in os.environ:
        pytest.skip("QRNN_DATA_DIR names no folder with MNIST files")
    found, stored = evaluate(load_pretrained(name)), pretrained_figures(name)["figures"]
    assert stored.keys() == found.to_json().keys()
    assert stored[found.unit] == found.count
    # Another processor rounds otherwise.
    assert found.guessing_error == pytest.approx(stored["guessing_error"])
    assert found.test_error == pytest.approx(stored["test_error"], abs=2 / found.count)
    assert found.sampled_error == pytest.approx(stored["sampled_error"], abs=1e-4)


@pytest.mark.parametrize("name", pretrained_names())
def test_no_network_holds_a_path_of_the_machine_that_trained_it(name: str) -> None:
    config = read_checkpoint(FOLDER / f"{name}.safetensors").config
    texts = [*config.to_json().values(), *config.task_options.values()]
    texts += pretrained_figures(name)["command"].split()
    paths = [PurePosixPath(text) for text in texts if isinstance(text, str)]
    assert not [path for path in paths if path.is_absolute()]


def test_the_networks_are_small_and_each_has_its_figures() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10**6
    assert {path.stem for path in FOLDER.glob("*.json")} == set(pretrained_names())


@pytest.mark.parametrize("name", pretrained_names())
def test_the_document_tells_the_figures_of_each_network(name: str) -> None:
    from benchmarks.pretrained import row

    assert row(name) in DOCUMENT.read_text().splitlines()


@pytest.mark.parametrize("name", pretrained_names())
def test_the_command_that_trains_a_network_has_its_settings(name: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from qrnn_circuits.command_line import app

    words = pretrained_figures(name)["command"].split()
    out = tmp_path / "made"
    options = [*words[1:-1], str(out)]
    if needs_data(name):
        options[options.index("$QRNN_DATA_DIR")] = os.environ.get("QRNN_DATA_DIR", "")
        if "QRNN_DATA_DIR" not in os.environ:
            pytest.skip("QRNN_DATA_DIR names no folder with MNIST files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qrnn_circuits.command_line.train_runs._run", lambda trainer: None)
        result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    made = RunFolder(out).read_config().to_json()
    stored = read_checkpoint(FOLDER / f"{name}.safetensors").config.to_json()
    made["task_options"].pop("data", None)
    stored["task_options"].pop("data", None)
    assert made == stored


@pytest.mark.parametrize("name", [name for name in pretrained_names() if needs_data(name)])
def test_networks_for_data_that_are_not_there_are_loaded_and_say_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QRNN_DATA_DIR", raising=False)
    run = load_pretrained(name)
    run.model(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(FileNotFoundError, match="QRNN_DATA_DIR names, which is not set"):
        evaluate(run)
    elsewhere = load_pretrained(name, {"data": str(tmp_path)})
    with pytest.raises(FileNotFoundError, match=f"the folder {tmp_path} must hold"):
        evaluate(elsewhere)


@pytest.mark.parametrize("name", ["nothing", "", "../pretrained/xor-chip", "xor_chip"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match="there is no pretrained network") as raised:
        load_pretrained(name)
    assert all(known in str(raised.value) for known in pretrained_names())


def test_what_is_kept_of_a_run_is_the_same_network_with_other_options(
    stored_run: Path, tmp_path: Path
) -> None:
    checkpoint = read_checkpoint(RunFolder(stored_run).checkpoint_path("best"))
    kept = without_training(checkpoint, {"length": 9})
    assert kept.config.task_options["length"] == 9
    write_checkpoint(tmp_path / "kept.safetensors", kept)
    path = tmp_path / "kept.safetensors"
    model = kept.config.build_model()
    read_checkpoint(path).load_parameters(model)
    for found, expected in zip(
        model.parameters(), load_run(stored_run).model.parameters(), strict=True
    ):
        assert torch.equal(found, expected)
    assert path.stat().st_size < RunFolder(stored_run).checkpoint_path("best").stat().st_size
