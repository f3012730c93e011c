from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qrnn_circuits.training import (
    CheckpointError,
    RunFolder,
    RvqeNetwork,
    Trainer,
    evaluate,
    import_rvqe,
    load_run,
    read_rvqe,
)
from tests.dense import FLIP, Matrix, controlled, on_wires, postselected_neuron, rotation
from tests.rvqe import BIAS, SIZES, SaveRvqe, checkpoint
from tests.training.crashes import CrashError, crash

SmallDisk = Callable[[int], AbstractContextManager[None]]


def released_step(
    state: "OrderedDict[str, torch.Tensor]", lane: int, sizes: dict[str, int], symbol: int
) -> Matrix:
    """One step as the published code does it, gate by gate, on lane, workspace and ancillas."""
    workspace, order, degree = sizes["workspace"], sizes["order"], sizes["degree"]
    system = lane + workspace
    wires = system + order
    lane_wires, workspace_wires = list(range(lane)), list(range(lane, system))
    bits = [int(bit) for bit in f"{symbol:0{lane}b}"]
    flips = on_wires({wire: FLIP for wire, bit in enumerate(bits) if bit}, wires)

    def neuron(name: str, target: int) -> Matrix:
        controls = [wire for wire in workspace_wires + lane_wires if wire != target]
        phi = state[f"module.cell.{name}.φ"].double().tolist()
        theta = float(state[f"module.cell.{name}.θ"].double())
        return postselected_neuron(
            [theta + BIAS, *phi], degree, controls, target, range(system, wires), wires
        )

    matrix = flips
    for number, wire in enumerate(workspace_wires):
        matrix = neuron(f"input_layer.{number}", wire) @ matrix
    for stage in range(sizes["stages"]):
        angles = state[f"module.cell.kernel_layer.{stage}.0.θs"].double().tolist()
        gates = dict(zip(workspace_wires, map(rotation, angles), strict=True))
        matrix = on_wires(gates, wires) @ matrix
        for number, wire in enumerate(workspace_wires):
            matrix = neuron(f"kernel_layer.{stage}.{1 + number}", wire) @ matrix
    matrix = flips @ matrix
    for wire in lane_wires:
        matrix = neuron(f"output_layer.{wire}", wire) @ matrix
    return matrix


def released_distributions(
    state: "OrderedDict[str, torch.Tensor]",
    lane: int,
    sizes: dict[str, int],
    inputs: list[int],
    outcomes: list[int],
) -> NDArray[np.float64]:
    """Distributions of the steps of a sequence whose outcomes are postselected."""
    matrices = {s: released_step(state, lane, sizes, s) for s in set(inputs)}
    size = 2 ** (lane + sizes["workspace"] + sizes["order"])
    psi = np.eye(size)[0]
    found = []
    for symbol, outcome in zip(inputs, outcomes, strict=True):
        psi = matrices[symbol] @ psi
        psi = psi / np.linalg.norm(psi)
        by_lane = psi.reshape(2**lane, -1)
        found.append((by_lane**2).sum(1))
        # The lane is found in the outcome and flipped back to 0.
        after = np.zeros_like(by_lane)
        after[0] = by_lane[outcome]
        psi = after.reshape(-1) / np.linalg.norm(after)
    return np.array(found)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("lane", "sizes"),
    [
        (2, {"workspace": 3, "stages": 2, "order": 2, "degree": 2}),
        (3, {"workspace": 2, "stages": 1, "order": 1, "degree": 3}),
        (1, {"workspace": 2, "stages": 1, "order": 3, "degree": 1}),
    ],
)
def test_an_imported_network_predicts_what_the_gates_of_the_published_code_do(
    save_rvqe: SaveRvqe, lane: int, sizes: dict[str, int], zipped: bool
) -> None:
    content = checkpoint(lane, **sizes)  # type: ignore[arg-type]
    model = read_rvqe(save_rvqe(content, zipped=zipped)).model
    rng = np.random.default_rng(0)
    inputs, outcomes = rng.integers(0, 2**lane, (2, 4)).tolist()
    expected = released_distributions(content["model_state_dict"], lane, sizes, inputs, outcomes)
    found = model(torch.tensor([inputs]), torch.tensor([outcomes])).log_probs.exp()
    np.testing.assert_allclose(found[0].detach(), expected, atol=1e-9)


def test_controlled_rotations_in_the_order_of_the_published_code_add_up_to_one_polynomial() -> None:
    # The published code applies crY gates one by one; the sum of their angles is the polynomial.
    angles = torch.randn(7, generator=torch.Generator().manual_seed(0)).tolist()
    controls, target = [2, 0, 1], 3
    sets = [s for size in range(4) for s in combinations(controls, size)]
    matrix = np.eye(16)
    for subset, angle in zip(sets, [BIAS, *angles], strict=True):
        matrix = controlled(rotation(angle), list(subset), target, 4) @ matrix
    for bits in range(8):
        on = {wire for wire in range(3) if bits >> (2 - wire) & 1}
        angle = sum(a for s, a in zip(sets, [BIAS, *angles], strict=True) if set(s) <= on)
        np.testing.assert_allclose(
            matrix[2 * bits : 2 * bits + 2, 2 * bits : 2 * bits + 2], rotation(angle), atol=1e-12
        )


def test_an_imported_run_is_evaluated_like_any_other(save_rvqe: SaveRvqe, tmp_path: Path) -> None:
    folder = import_rvqe(save_rvqe(checkpoint()), tmp_path / "run")
    run = load_run(folder.path)
    assert (run.task.name, run.step, run.config.dtype) == ("xor", 40, "float64")
    assert run.config.task_options == {"length": 12, "reading": "every"}
    assert evaluate(run).count == 4 * 1024
    assert run.model.cell.sizes() == {
        "lane": 2,
        "semantics": "postselected",
        "basis": "monomials",
        **SIZES,
    }


@pytest.mark.parametrize(
    ("dataset", "lane", "task", "options"),
    [
        ("simple-seq", 3, "memorise", {"length": 12}),
        ("elman-letter", 3, "letters", {"length": 12}),
        ("mnist01", 2, "digits", {"digits": "0,1", "deskewed": False}),
        ("mnist36-ds", 2, "digits", {"digits": "3,6", "deskewed": True}),
        ("mnist-even-odd", 2, "digits", {"digits": "0-9", "labels": "even-odd"}),
        ("mnist-umap-d4-r3", 4, "digits", {"reduce": "umap", "dims": 4, "resolution": 3}),
    ],
)
def test_each_dataset_of_the_published_code_has_its_task(
    save_rvqe: SaveRvqe, dataset: str, lane: int, task: str, options: dict[str, Any]
) -> None:
    config = read_rvqe(save_rvqe(checkpoint(lane, dataset))).config()
    assert config.task == task
    assert config.task_options.items() >= options.items()
    if task == "digits":
        assert config.task_options["omit_last"]
        assert config.task_options["data"] == "$QRNN_DATA_DIR"


def test_a_network_without_a_task_is_read_but_not_imported(
    save_rvqe: SaveRvqe, tmp_path: Path
) -> None:
    path = save_rvqe(checkpoint(2, "mnist-tsne-d2-r5"))
    assert isinstance(read_rvqe(path), RvqeNetwork)
    with pytest.raises(
        ValueError, match="trained on 'mnist-tsne-d2-r5', of which there is no task"
    ):
        import_rvqe(path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_degree_beyond_the_controls_is_that_of_all_controls(save_rvqe: SaveRvqe) -> None:
    content = checkpoint(1, workspace=2, degree=5)
    assert read_rvqe(save_rvqe(content)).model.cell.degree == 2


def test_names_without_the_prefix_of_parallel_training_are_the_same(save_rvqe: SaveRvqe) -> None:
    content = checkpoint()
    expected = read_rvqe(save_rvqe(content)).model.state_dict()
    parameters = content["model_state_dict"]
    content["model_state_dict"] = OrderedDict(
        (name.removeprefix("module."), tensor) for name, tensor in parameters.items()
    )
    torch.testing.assert_close(read_rvqe(save_rvqe(content)).model.state_dict(), expected)


def test_an_initial_bias_without_a_fraction_is_a_number(save_rvqe: SaveRvqe) -> None:
    found = [read_rvqe(save_rvqe(checkpoint(initial_bias=bias))).model for bias in (1, 1.0)]
    torch.testing.assert_close(found[0].state_dict(), found[1].state_dict())


def test_a_network_too_narrow_for_its_task_is_refused_by_the_name_of_its_file(
    save_rvqe: SaveRvqe, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"checkpoint\.tar: lane must be at least 3, got 2"):
        import_rvqe(save_rvqe(checkpoint(2, "elman-letter")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_parameters_that_share_their_numbers_take_no_more_memory_than_a_network(
    save_rvqe: SaveRvqe,
) -> None:
    content = checkpoint(1, workspace=15, stages=3, degree=1)
    options, parameters = content["_original_args"], content["model_state_dict"]
    options.degree = 15
    many = torch.zeros(2**15 - 1)
    for name in parameters:
        if name.endswith("φ"):
            parameters[name] = many
    path = save_rvqe(content)
    assert path.stat().st_size < 2**18
    with pytest.raises(ValueError, match=r"at most 1,048,576 parameters, but has 32,767 for each"):
        read_rvqe(path)


def test_an_import_onto_a_full_disk_leaves_nothing_that_passes_for_a_run(
    save_rvqe: SaveRvqe, tmp_path: Path, small_disk: SmallDisk
) -> None:
    path = save_rvqe(checkpoint())
    with small_disk(2000), pytest.raises(CheckpointError, match="could not be written"):
        import_rvqe(path, tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="there is no run"):
        load_run(tmp_path / "run")
    assert load_run(import_rvqe(path, tmp_path / "run").path).step == 40


def test_an_import_that_was_killed_is_done_again_by_the_same_command(
    save_rvqe: SaveRvqe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = save_rvqe(checkpoint()), tmp_path / "run"
    with monkeypatch.context() as killed:
        killed.setattr(RunFolder, "write_config", lambda *_: crash())
        with pytest.raises(CrashError):
            import_rvqe(path, folder)
    (folder / f".config.json.{'0' * 16}.tmp").touch()
    assert load_run(import_rvqe(path, folder).path).step == 40
    assert {file.name for file in folder.iterdir()} == {".lock", "best.safetensors", "config.json"}
    with pytest.raises(FileExistsError, match="is not empty"):
        import_rvqe(path, folder)


def test_an_import_leaves_the_files_of_others_as_they_are(
    save_rvqe: SaveRvqe, tmp_path: Path
) -> None:
    other = tmp_path / "run" / "best.safetensors"
    other.parent.mkdir()
    other.write_bytes(b"of somebody else")
    with pytest.raises(FileExistsError, match="is not empty"):
        import_rvqe(save_rvqe(checkpoint()), other.parent)
    assert other.read_bytes() == b"of somebody else"


def test_training_is_not_said_to_go_on_from_an_imported_network(
    save_rvqe: SaveRvqe, tmp_path: Path
) -> None:
    run = import_rvqe(save_rvqe(checkpoint()), tmp_path / "run")
    with pytest.raises(CheckpointError, match="training cannot go on from it") as raised:
        Trainer.resume(run.path)
    assert f"qrnn evaluate {run.path} --checkpoint best" in str(raised.value)
    assert "--resume" not in str(raised.value)
