import pytest
import torch

from qrnn_circuits import PADDING
from qrnn_circuits.training import RankError, Ranks, RunConfig
from qrnn_circuits.training.gradient import DataParallelLoss
from tests.conftest import network_of, task_of
from tests.two_processes import Pair, generic


def gradient(
    ranks: Ranks,
    task: str,
    rows: int,
    stages: int,
    device: str = "cpu",
    acceptance_weight: float = 0.0,
    sparsity_weight: float = 0.0,
) -> tuple[float, list[torch.Tensor]]:
    config = generic(RunConfig.resolve(task, {"workspace": 2, "degree": 2, "stages": stages}))
    own = ranks.device(device)
    model = network_of(config, own)
    batch = task_of(config).batch(rows, config.batch_generator())
    shared = DataParallelLoss(model, "nll", ranks)
    found = shared.backward(shared.share(batch, own), None, acceptance_weight, sparsity_weight)
    gradients = (parameter.grad for parameter in model.parameters())
    return found.loss.item(), [grad.cpu() for grad in gradients if grad is not None]


def check_gradient(
    on_both: Pair, task: str, rows: int, stages: int, device: str, *weights: float
) -> None:
    expected_loss, expected = gradient(Ranks(), task, rows, stages, "cpu", *weights)
    for loss, gradients in on_both(gradient, task, rows, stages, device, *weights):
        assert loss == pytest.approx(expected_loss, rel=1e-13)
        for found, right in zip(gradients, expected, strict=True):
            torch.testing.assert_close(found, right, rtol=1e-11, atol=1e-14)


# Without work stages there is a parameter of no elements.
@pytest.mark.parametrize(("task", "rows", "stages"), [("xor", 5, 1), ("quotes", 4, 0)])
def test_the_shares_of_two_processes_add_up_to_the_gradient_of_one(
    on_both: Pair, task: str, rows: int, stages: int
) -> None:
    if task == "quotes":
        # Equal numbers of rows, but other numbers of scored steps in them.
        batch = task_of(RunConfig.resolve(task)).batch(rows, torch.Generator().manual_seed(0))
        assert len(set(batch.scored.sum(1).tolist())) > 1
    check_gradient(on_both, task, rows, stages, "cpu")
    # The acceptance is a mean over sequences, however many of their steps are scored.
    check_gradient(on_both, task, rows, stages, "cpu", 0.3)
    check_gradient(on_both, task, rows, stages, "cpu", 0.3, 0.2)
    check_gradient(on_both, task, rows, stages, "cpu", 0.0, 0.2)


def two_gradients(ranks: Ranks) -> list[float]:
    """The losses of two batches by one DataParallelLoss, of a network without work stages."""
    settings = {"workspace": 2, "stages": 0, "strategy": "state"}
    config = generic(RunConfig.resolve("xor", settings))
    model = network_of(config)
    generator = config.batch_generator()
    shared = DataParallelLoss(model, "nll", ranks)
    device = torch.device("cpu")
    losses = []
    for _ in range(2):
        model.zero_grad()
        batch = task_of(config).batch(4, generator)
        losses.append(shared.backward(shared.share(batch, device), None).loss.item())
    return losses


def test_a_parameter_of_no_elements_does_not_end_a_shared_run_at_its_second_step(
    on_both: Pair,
) -> None:
    expected = two_gradients(Ranks())
    for found in on_both(two_gradients):
        assert found == pytest.approx(expected)


def test_the_acceptance_of_a_padded_sequence_counts_by_its_own_steps() -> None:
    config = generic(RunConfig.resolve("xor", {"workspace": 2, "degree": 2}, recipe="paper"))
    model = network_of(config)
    batch = task_of(config).batch(4, config.batch_generator())
    batch.outcomes[1:, 5:], batch.scored[1:, 5:] = PADDING, False
    shared = DataParallelLoss(model, "nll", Ranks())
    share = shared.share(batch, torch.device("cpu"))
    found = shared.backward(share, None, acceptance_weight=0.3).loss.item()
    steps = (batch.inputs, batch.outcomes, batch.scored)
    assert found == pytest.approx(model.loss(*steps, acceptance_weight=0.3).item())


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs")
def test_the_shares_of_two_gpus_add_up_to_the_gradient_of_the_cpu(on_both: Pair) -> None:
    check_gradient(on_both, "xor", 5, 1, "cuda")


def half_scored(
    ranks: Ranks, broken: int | None, acceptance_weight: float = 0.0, sparsity_weight: float = 0.0
) -> tuple[float, list[torch.Tensor]]:
    """The gradient of a batch whose last rows are not scored; a broken rank's symbols are wrong."""
    config = generic(RunConfig.resolve("xor", {"workspace": 2, "degree": 2}, recipe="paper"))
    model = network_of(config)
    batch = task_of(config).batch(4, config.batch_generator())
    batch.scored[2:] = False
    shared = DataParallelLoss(model, "nll", ranks)
    share = shared.share(batch, torch.device("cpu"))
    if ranks.rank == broken:
        share.rows.inputs.fill_(9)
    loss = shared.backward(share, None, acceptance_weight, sparsity_weight).loss.item()
    return loss, [parameter.grad for parameter in model.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("weights", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_a_process_without_a_scored_step_adds_its_acceptance_and_angles_alone(
    on_both: Pair, weights: tuple[float, float]
) -> None:
    expected_loss, expected = half_scored(Ranks(), None, *weights)
    for loss, gradients in on_both(half_scored, None, *weights):
        assert loss == pytest.approx(expected_loss, rel=1e-13)
        for found, right in zip(gradients, expected, strict=True):
            torch.testing.assert_close(found, right, rtol=1e-11, atol=1e-14)


def test_the_loss_adds_the_angles_of_all_rotations_that_have_a_control() -> None:
    plain, _ = gradient(Ranks(), "xor", 5, 1)
    weighted, _ = gradient(Ranks(), "xor", 5, 1, sparsity_weight=0.2)
    config = generic(RunConfig.resolve("xor", {"workspace": 2, "degree": 2, "stages": 1}))
    angles = network_of(config).cell.parity_angles()
    total = sum(abs(angle) for neuron in angles.tolist() for angle in neuron[1:])
    assert weighted == pytest.approx(plain + 0.2 * total, rel=1e-12)


def test_an_error_in_one_process_ends_both(on_both: Pair) -> None:
    errors = on_both(half_scored, 0)
    assert isinstance(errors[0], ValueError)
    assert "inputs must be symbols from 0 to 3" in str(errors[0])
    assert isinstance(errors[1], RankError)
    assert "another process of this run has failed" in str(errors[1])
