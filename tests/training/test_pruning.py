from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qrnn_circuits.circuits import NeuronOperation, compile_circuit
from qrnn_circuits.training import Progress, RunConfig, Trainer, load_run
from tests.training.crashes import assert_crash_changes_nothing

Tiny = Callable[..., RunConfig]


@pytest.fixture
def pruning(tiny: Tiny) -> RunConfig:
    """Two trials, and rotations that are pruned from the ninth step of the attempt on."""
    return tiny(
        order=0,
        semantics="unitary",
        learning_rate=0.05,
        sparsity_weight=0.3,
        prune_tolerance=0.1,
        restarts=1,
        restart_after=4,
        steps=16,
    )


def test_pruned_rotations_are_not_in_the_circuit(pruning: RunConfig, tmp_path: Path) -> None:
    Trainer.start(pruning, tmp_path).run()
    run = load_run(tmp_path)
    angles = run.model.cell.parity_angles().detach()[:, 1:]
    kept = angles.abs() > 1e-6
    assert 0 < kept.sum() < kept.numel()
    assert angles[kept].abs().min() > 0.05
    circuit = compile_circuit(run.model, [0], tolerance=1e-6)
    for item in circuit.staged_operations():
        if isinstance(item.operation, NeuronOperation) and item.neuron is not None:
            parities = item.operation.hyperparameters["parities"]
            controlled = [parity for parity in parities or () if parity]
            whole = parities is None
            assert kept[item.neuron].all() if whole else len(controlled) == kept[item.neuron].sum()
            toggles = [gate for gate in item.operation.decomposition() if gate.name == "CNOT"]
            assert bool(toggles) == bool(kept[item.neuron].any())


def test_the_best_checkpoint_of_a_run_that_prunes_is_a_pruned_one(
    pruning: RunConfig, tmp_path: Path
) -> None:
    # The limit on the loss is met from the start, but not by a pruned network.
    config = replace(pruning, validate_every=1, stop_loss=100.0)
    result = Trainer.start(config, tmp_path).run()
    assert result.standing.best is not None
    assert (result.step, result.standing.best.step) == (14, 14)
    assert result.standing.best.pruned


def test_the_optimiser_is_a_new_one_once_rotations_are_pruned(
    pruning: RunConfig, tmp_path: Path
) -> None:
    class Watch(Progress):
        def step(self, step: int, loss: float) -> None:
            remembers[step] = bool(trainer.optimizer.state)

    remembers: dict[int, bool] = {}
    trainer = Trainer.start(pruning, tmp_path)
    trainer.run(Watch())
    assert [step for step, something in remembers.items() if not something] == [14]


@pytest.mark.parametrize("step", [8, 12, 13, 15])
def test_a_pruning_run_that_crashed_and_resumed_ends_where_the_unbroken_run_does(
    pruning: RunConfig, tmp_path: Path, step: int
) -> None:
    assert_crash_changes_nothing(pruning, tmp_path, step)


def test_a_run_that_prunes_keeps_its_number_of_steps(pruning: RunConfig) -> None:
    with pytest.raises(ValueError, match="steps is 16, got 24"):
        pruning.changed({"steps": 24})
