from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits import QRNN, Initialisation
from qrnn_circuits.simulation.transfer import batch_plan, recurrence
from qrnn_circuits.simulation.transfer.costs import BucketKind
from qrnn_circuits.simulation.transfer.run import run_conditioned
from tests.simulation.transfer.bucketed import KINDS
from tests.simulation.transfer.plain import plain_run


def forced(patch: pytest.MonkeyPatch, kind: BucketKind, products: bool, memory: int) -> None:
    """Takes a way of running regardless of its costs."""

    patch.setattr(batch_plan, "MOST_REMEMBERED_SYMBOLS", 0)
    patch.setattr(batch_plan, "worthwhile_buckets", lambda *_: kind)
    patch.setattr(
        batch_plan,
        "worthwhile_products",
        lambda *_: lambda counts, length: counts >= (1 if products else 10**6),
    )
    patch.setattr(recurrence, "MOST_STATE_BYTES", memory)


def random_model(seed: int, workspace: int, lane: int, **options: Any) -> QRNN:  # noqa: ANN401
    return QRNN(
        workspace=workspace,
        lane=lane,
        degree=1,
        initialisation=Initialisation(0.5, 0.5, 0.5),
        generator=torch.Generator().manual_seed(seed),
        **({"dtype": torch.float64} | options),
    )


@pytest.mark.parametrize("memory", [2**28, 1])
@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(1, 5),
    steps=st.integers(1, 11),
    workspace=st.integers(1, 3),
    lane=st.integers(1, 2),
    share=st.sampled_from([0, 0.3, 1]),
    scale_every=st.integers(1, 4),
)
def test_readings_and_gradients_are_those_of_the_plain_network(
    kind: BucketKind,
    products: bool,
    memory: int,
    seed: int,
    batch: int,
    steps: int,
    workspace: int,
    lane: int,
    share: float,
    scale_every: int,
) -> None:
    model = random_model(seed, workspace, lane)
    generator = torch.Generator().manual_seed(seed)
    inputs, outcomes = torch.randint(2**lane, (2, batch, steps), generator=generator)
    read = torch.rand(batch, steps, generator=generator) < share
    state = torch.randn(batch, 2**workspace, generator=generator, dtype=torch.float64)
    state = (state / state.norm(dim=1, keepdim=True)).requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        forced(patch, kind, products, memory)
        run = run_conditioned(
            model.cell.step_gates(), inputs, outcomes, read, state, scale_every=scale_every
        )
        log_probs = (run.weights / run.weights.sum(1, keepdim=True)).log()
        weights = torch.randn(log_probs.shape, generator=generator, dtype=torch.float64)
        variables = (*model.parameters(), state)
        gradients = torch.autograd.grad((log_probs * weights).sum(), variables)
    asked = read.clone()
    asked[:, -1] = True
    assert len(run.positions) == asked.sum()
    assert asked.take(run.positions).all()
    log_probs_of_all = plain_run(model, inputs, outcomes, state).log_probs
    expected = log_probs_of_all.flatten(0, 1)[run.positions]
    assert torch.allclose(log_probs, expected, rtol=1e-10, atol=1e-10)
    plain = torch.autograd.grad((expected * weights).sum(), variables)
    for gradient, value in zip(gradients, plain, strict=True):
        assert torch.allclose(
            gradient, value, rtol=1e-10, atol=1e-10 * (1 + float(value.abs().max()))
        )


@pytest.mark.parametrize("memory", [2**28, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_all_of_an_output_is_differentiable_and_equals_the_plain_networks(
    kind: BucketKind, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced(monkeypatch, kind, products=False, memory=memory)
    model = random_model(0, 2, 2, strategy="transfer")
    inputs, outcomes = torch.randint(4, (2, 3, 9), generator=torch.Generator().manual_seed(0))
    output, expected = model(inputs, outcomes), plain_run(model, inputs, outcomes)
    results = []
    for log_probs, log_acceptance, state in (
        (output.log_probs, output.log_acceptance, output.state),
        expected,
    ):
        total = (log_probs * log_probs).sum() + log_acceptance.sum() + state[:, 1].sum()
        gradients = torch.autograd.grad(total, list(model.parameters()))
        results.append((log_probs, log_acceptance, state, *gradients))
    for value, plain in zip(*results, strict=True):
        assert torch.allclose(value, plain, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_readings_equal_finite_differences(
    kind: BucketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced(monkeypatch, kind, products=True, memory=2**28)
    model = random_model(1, 2, 1, strategy="transfer")
    inputs, outcomes = torch.randint(2, (2, 3, 6), generator=torch.Generator().manual_seed(0))
    scored = torch.zeros(3, 6, dtype=torch.bool)
    scored[:, 2] = True

    def loss(
        coefficients: Tensor, readout_coefficients: Tensor, theta: Tensor, state: Tensor
    ) -> Tensor:
        # functional_call runs forward: the loss is reached through a module that calls it.
        parameters = {
            "cell.coefficients": coefficients,
            "cell.readout_coefficients": readout_coefficients,
            "cell.theta": theta,
        }
        gates = torch.func.functional_call(_Gates(model), parameters, ())
        run = run_conditioned(gates, inputs, outcomes, scored, state, scale_every=2)
        return (run.weights / run.weights.sum(1, keepdim=True)).log()

    state = torch.full((3, 4), 0.5, dtype=torch.float64)
    variables = (*model.parameters(), state)
    assert torch.autograd.gradcheck(loss, tuple(v.detach().requires_grad_() for v in variables))


class _Gates(torch.nn.Module):
    def __init__(self, model: QRNN) -> None:
        super().__init__()
        self.cell = model.cell

    def forward(self) -> Any:  # noqa: ANN401
        return self.cell.step_gates()


@pytest.mark.parametrize("kind", ["nll", "paper"])
@pytest.mark.parametrize("pattern", ["all", "last", "thirds", "some rows"])
def test_the_loss_and_its_gradient_do_not_depend_on_the_strategy(kind: str, pattern: str) -> None:
    model = random_model(2, 3, 2)
    inputs, outcomes = torch.randint(4, (2, 6, 20), generator=torch.Generator().manual_seed(1))
    scored = torch.zeros(6, 20, dtype=torch.bool)
    where: dict[str, Any] = {
        "all": slice(None),
        "last": (slice(None), -1),
        "thirds": (slice(None), slice(1, None, 3)),
        "some rows": (slice(1, 3), slice(4, 9)),
    }
    scored[where[pattern]] = True
    results = []
    for strategy in ("transfer", "state"):
        model.strategy = strategy
        loss = model.loss(inputs, outcomes, scored, kind=kind)  # type: ignore[arg-type]
        results.append((loss, *torch.autograd.grad(loss, list(model.parameters()))))
    for transfer, state in zip(*results, strict=True):
        assert torch.allclose(transfer, state, rtol=1e-10, atol=1e-10)


def test_float32_losses_of_long_sequences_agree_with_float64() -> None:
    # Long runs of steps without any score, as for DNA, and typical outcomes.
    exact = random_model(3, 5, 3)
    inputs = torch.randint(8, (8, 1000), generator=torch.Generator().manual_seed(0))
    every = torch.ones_like(inputs, dtype=torch.bool)
    outcomes = exact.sample(
        inputs, inputs, sampled=every, generator=torch.Generator().manual_seed(0)
    ).outcomes
    single = random_model(3, 5, 3, dtype=torch.float32)
    scored = torch.zeros_like(every)
    scored[:, -1] = True
    with torch.no_grad():
        for mask in (scored, every):
            expected = exact.loss(inputs, outcomes, mask)
            assert abs(single.loss(inputs, outcomes, mask) - expected) < 1e-4


@pytest.mark.parametrize("order", [1, 2, 6])
def test_unlikely_outcomes_do_not_underflow(order: int) -> None:
    models = [
        QRNN(
            lane=2,
            workspace=3,
            order=order,
            strategy="transfer",
            dtype=dtype,
            generator=torch.Generator().manual_seed(0),
        )
        for dtype in (torch.float32, torch.float64)
    ]
    inputs = torch.randint(4, (2, 100), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        # Condition on the less likely half of the outcomes all along.
        probabilities = models[1](inputs, inputs).log_probs.mean((0, 1))
        rare = probabilities.argsort()[:2][inputs % 2]
        scored = torch.zeros_like(inputs, dtype=torch.bool)
        scored[:, 50] = True
        single, double = (model.loss(inputs, rare, scored) for model in models)
    assert torch.isfinite(single)
    assert abs(single - double) < 1e-3 * double


def test_an_impossible_outcome_between_scored_steps_is_named() -> None:
    model = QRNN(lane=1, workspace=1, degree=1, strategy="transfer")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    inputs = torch.zeros(3, 12, dtype=torch.int64)
    scored = torch.zeros_like(inputs, dtype=torch.bool)
    scored[:, 10] = True
    for row, step in [(1, 3), (2, 10), (0, 11), (0, 0)]:
        outcomes = inputs.clone()
        outcomes[row, step] = 1
        with pytest.raises(ValueError, match=rf"outcomes\[{row}, {step}\] is 1, which has prob"):
            model.loss(inputs, outcomes, scored)


def test_a_batch_gives_each_sequence_what_it_gets_alone(
    random_symbols: Callable[..., Tensor],
) -> None:
    model = random_model(4, 3, 2, strategy="transfer")
    inputs, outcomes = random_symbols(model, 20, 7), random_symbols(model, 20, 7, seed=1)
    whole = model(inputs, outcomes).log_probs
    for row in range(20):
        alone = model(inputs[row : row + 1], outcomes[row : row + 1]).log_probs
        assert np.abs((alone - whole[row]).detach().numpy()).max() < 1e-12


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_gives_the_same_loss_and_gradients(
    kind: BucketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced(monkeypatch, kind, products=True, memory=2**28)
    model = random_model(5, 3, 2, strategy="transfer")
    inputs, outcomes = torch.randint(4, (2, 6, 20), generator=torch.Generator().manual_seed(1))
    scored = torch.zeros(6, 20, dtype=torch.bool)
    scored[:, 5::7] = True
    results = []
    for device in ("cpu", "cuda"):
        model.to(device)
        loss = model.loss(inputs.to(device), outcomes.to(device), scored.to(device))
        results.append((loss, *torch.autograd.grad(loss, list(model.parameters()))))
    for cpu, gpu in zip(*results, strict=True):
        assert torch.allclose(cpu, gpu.cpu(), rtol=1e-10, atol=1e-10)
