from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.nn.utils import prune

from qrnn_circuits import (
    QRNN,
    UNREAD,
    Ensemble,
    Initialisation,
    QRNNLayer,
    QuantumNeuron,
    compile_circuit,
)
from qrnn_circuits.simulation.strategy import Strategy
from qrnn_circuits.tracing import is_traced

SYMBOLS = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0]])
OUTCOMES = torch.tensor([[1, UNREAD, 0, 0], [0, 1, UNREAD, 1]])


@pytest.fixture(params=["postselected", "unitary"])
def make(request: pytest.FixtureRequest) -> Callable[..., QRNN]:
    def made(**options: Any) -> QRNN:  # noqa: ANN401
        initialisation = Initialisation(bias_spread=0.5, weight_spread=0.5, theta_spread=0.5)
        return QRNN(
            lane=1,
            workspace=2,
            semantics=request.param,
            initialisation=initialisation,
            generator=torch.Generator().manual_seed(0),
            dtype=torch.float64,
            **options,
        )

    return made


class Loss(torch.nn.Module):
    """The loss as a module's call, which is what ``functional_call`` and ``export`` take."""

    def __init__(self, model: QRNN) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, outcomes: Tensor) -> Tensor:
        return self.model.loss(inputs, outcomes, acceptance_weight=0.1)


def parameters_of(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in module.named_parameters()}


@pytest.mark.parametrize("order", [0, 2])
def test_stepwise_predictions_are_those_of_the_other_strategies(
    make: Callable[..., QRNN], order: int
) -> None:
    expected, found = (
        make(order=order, strategy=strategy)(SYMBOLS, OUTCOMES)
        for strategy in ("transfer", "stepwise")
    )
    for name in ("log_probs", "log_acceptance", "state"):
        one, other = getattr(expected, name), getattr(found, name)
        assert torch.allclose(one, other, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("order", [0, 2])
def test_a_hessian_equals_finite_differences_of_gradients(
    make: Callable[..., QRNN], order: int
) -> None:
    loss = Loss(make(order=order, strategy="stepwise"))
    given = tuple(parameters_of(loss).values())

    def of(*values: Tensor) -> Tensor:
        found: Tensor = functional_call(
            loss, dict(zip(parameters_of(loss), values, strict=True)), (SYMBOLS, OUTCOMES)
        )
        return found

    assert torch.autograd.gradgradcheck(of, [value.requires_grad_() for value in given])


@pytest.mark.parametrize("strategy", ["transfer", "state"])
def test_strategies_of_first_derivatives_refuse_second_ones(
    make: Callable[..., QRNN], strategy: str
) -> None:
    model = make(strategy=strategy)
    loss = model.loss(SYMBOLS, OUTCOMES)
    with pytest.raises(RuntimeError, match="strategy='stepwise'"):
        torch.autograd.grad(loss, model.cell.coefficients, create_graph=True)


@pytest.mark.filterwarnings("ignore")  # That the compiler of scripts is deprecated.
def test_the_compiler_of_scripts_is_refused_in_words(make: Callable[..., QRNN]) -> None:
    for module in (make(), QuantumNeuron(2)):
        with pytest.raises(RuntimeError, match=r"torch\.compile"):
            torch.jit.script(module)


def test_copies_for_several_gpus_in_one_process_are_refused_in_words(
    make: Callable[..., QRNN],
) -> None:
    for module in (make().cell, QuantumNeuron(2), QRNNLayer(1, 1)):
        # PyTorch calls it for each module of a network, before it copies to any GPU.
        with pytest.raises(RuntimeError, match="DistributedDataParallel"):
            module._replicate_for_data_parallel()


def test_a_gradient_of_torch_func_is_that_of_backward(make: Callable[..., QRNN]) -> None:
    loss = Loss(make())
    loss(SYMBOLS, OUTCOMES).backward()
    found = grad(lambda values: functional_call(loss, values, (SYMBOLS, OUTCOMES)))(
        parameters_of(loss)
    )
    for name, parameter in loss.named_parameters():
        assert parameter.grad is not None
        assert torch.allclose(found[name], parameter.grad, rtol=0, atol=1e-12)


def test_gradients_per_sequence_by_vmap_are_those_of_single_sequences(
    make: Callable[..., QRNN],
) -> None:
    loss = Loss(make())

    def of(values: dict[str, Tensor], inputs: Tensor, outcomes: Tensor) -> Tensor:
        found: Tensor = functional_call(loss, values, (inputs[None], outcomes[None]))
        return found

    found = vmap(grad(of), in_dims=(None, 0, 0))(parameters_of(loss), SYMBOLS, OUTCOMES)
    for row in range(len(SYMBOLS)):
        expected = torch.autograd.grad(
            loss(SYMBOLS[row, None], OUTCOMES[row, None]), list(loss.parameters())
        )
        for (name, _), gradient in zip(loss.named_parameters(), expected, strict=True):
            assert torch.allclose(found[name][row], gradient, rtol=0, atol=1e-12)


def test_networks_of_many_seeds_by_vmap_predict_what_each_predicts(
    make: Callable[..., QRNN],
) -> None:
    model = make()
    many = [
        {name: value + 0.1 * seed for name, value in parameters_of(model).items()}
        for seed in range(3)
    ]
    stacked = {name: torch.stack([one[name] for one in many]) for name in many[0]}

    def log_probs(values: dict[str, Tensor]) -> Tensor:
        found: Tensor = functional_call(model, values, (SYMBOLS, SYMBOLS)).log_probs
        return found

    for found, one in zip(vmap(log_probs)(stacked), many, strict=True):
        assert torch.allclose(found, log_probs(one), rtol=0, atol=1e-12)


def test_a_jacobian_equals_rows_of_gradients(make: Callable[..., QRNN]) -> None:
    model = make()
    last = model(SYMBOLS, SYMBOLS).log_probs[:, -1].flatten()
    found = jacrev(
        lambda values: functional_call(model, values, (SYMBOLS, SYMBOLS)).log_probs[:, -1]
    )(parameters_of(model))
    rows = [torch.autograd.grad(one, model.cell.theta, retain_graph=True)[0] for one in last]
    jacobian = found["cell.theta"].flatten(0, 1)
    assert torch.allclose(jacobian, torch.stack(rows), rtol=0, atol=1e-12)


# PyTorch itself compiles its rules for forward mode by torch.jit.script, which it deprecates.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
@pytest.mark.parametrize("strategy", ["transfer", "state", "stepwise"])
def test_derivatives_in_forward_mode_equal_finite_differences(
    make: Callable[..., QRNN], strategy: Strategy
) -> None:
    loss = Loss(make(strategy=strategy))
    values = parameters_of(loss)
    direction = {name: torch.ones_like(value) for name, value in values.items()}

    def of(values: dict[str, Tensor]) -> Tensor:
        found: Tensor = functional_call(loss, values, (SYMBOLS, OUTCOMES))
        return found

    def moved(length: float) -> dict[str, Tensor]:
        return {name: value + length for name, value in values.items()}

    slope = (of(moved(1e-6)) - of(moved(-1e-6))) / 2e-6
    assert torch.allclose(jvp(of, (values,), (direction,))[1], slope, rtol=1e-6, atol=0)
    summed = sum(part.sum() for part in jacfwd(of)(values).values())
    assert torch.allclose(torch.as_tensor(summed), slope, rtol=1e-6, atol=0)

    level = torch.autograd.forward_ad
    with level.dual_level():
        dual = {name: level.make_dual(values[name], direction[name]) for name in values}
        assert torch.allclose(level.unpack_dual(of(dual)).tangent, slope, rtol=1e-6, atol=0)

    bend = (of(moved(1e-4)) - 2 * of(values) + of(moved(-1e-4))) / 1e-8
    rows = hessian(of)(values)
    total = sum(part.sum() for row in rows.values() for part in row.values())
    assert torch.allclose(torch.as_tensor(total), bend, rtol=1e-4, atol=0)


def test_a_network_itself_is_exported_and_mapped_with_all_that_it_gives(
    make: Callable[..., QRNN],
) -> None:
    model = make()
    expected = model(SYMBOLS, OUTCOMES)
    exported = torch.export.export(model, (SYMBOLS.flip(0), OUTCOMES)).module()(SYMBOLS, OUTCOMES)
    mapped = vmap(lambda one, other: model(one[None], other[None]))(SYMBOLS, OUTCOMES)
    for name in ("log_probs", "log_acceptance", "outcomes", "state"):
        whole = getattr(expected, name)
        assert torch.allclose(getattr(exported, name), whole, rtol=0, atol=1e-12, equal_nan=True)
        rows = getattr(mapped, name)[:, 0]
        assert torch.allclose(rows, whole, rtol=0, atol=1e-12, equal_nan=True)


def test_an_exported_network_predicts_what_the_network_predicts(
    make: Callable[..., QRNN],
) -> None:
    loss = Loss(make())
    exported = torch.export.export(loss, (SYMBOLS, OUTCOMES))
    other = OUTCOMES.flip(0)
    found, expected = exported.module()(SYMBOLS, other), loss(SYMBOLS, other)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ending", ["loss", "outputs"])
def test_an_exported_network_takes_batches_of_other_sizes(
    make: Callable[..., QRNN], ending: str
) -> None:
    model = make()
    module: torch.nn.Module = Loss(model) if ending == "loss" else model
    batch = {0: torch.export.Dim("batch", min=2, max=64)}
    exported = torch.export.export(module, (SYMBOLS, OUTCOMES), dynamic_shapes=(batch, batch))
    symbols, outcomes = SYMBOLS.repeat(3, 1), OUTCOMES.flip(0).repeat(3, 1)
    found, expected = exported.module()(symbols, outcomes), module(symbols, outcomes)
    if ending == "outputs":
        found, expected = found.log_acceptance, expected.log_acceptance
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_network_predicts_and_learns_as_the_network(
    make: Callable[..., QRNN],
) -> None:
    loss = Loss(make())
    expected = torch.autograd.grad(loss(SYMBOLS, SYMBOLS), loss.model.cell.coefficients)
    compiled = torch.compile(loss, backend="eager")
    found = torch.autograd.grad(compiled(SYMBOLS, SYMBOLS), loss.model.cell.coefficients)
    assert torch.allclose(found[0], expected[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("strategy", ["transfer", "state", "stepwise"])
def test_mixed_precision_leaves_predictions_and_gradients_as_they_are(strategy: Strategy) -> None:
    model = QRNN(lane=1, workspace=3, strategy=strategy, generator=torch.Generator().manual_seed(1))
    results = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            output, loss = model(SYMBOLS, SYMBOLS), model.loss(SYMBOLS, SYMBOLS)
            if strategy == "stepwise":
                results.append([output.log_probs, output.log_acceptance, loss])
                continue
            # PyTorch advises against a backward pass in here, but does not refuse it.
            (gradient,) = torch.autograd.grad(loss, model.cell.coefficients)
            results.append([output.log_probs, output.log_acceptance, loss, gradient])
    for plain, mixed in zip(*results, strict=True):
        assert torch.equal(plain, mixed)


def test_nothing_is_traced_outside_of_transforms() -> None:
    assert vmap(lambda x: x * is_traced())(torch.ones(1)).item() == 1
    assert not is_traced()


class Predicting(torch.nn.Module):
    """Of a network the tensors alone, which is what ``torch.jit.trace`` returns."""

    def __init__(self, model: QRNN) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, outcomes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output = self.model(inputs, outcomes)
        return output.log_probs, output.log_acceptance, output.state


@pytest.mark.filterwarnings("ignore")  # That recording is deprecated, and what it fixes.
def test_a_recorded_network_predicts_of_other_symbols(make: Callable[..., QRNN]) -> None:
    module = Predicting(make(order=1))
    recorded = torch.jit.trace(module, (SYMBOLS, SYMBOLS))
    others = SYMBOLS.flip(1)
    for found, expected in zip(recorded(others, SYMBOLS), module(others, SYMBOLS), strict=True):
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [0, 2])
def test_many_gradients_at_once_are_rows_of_a_jacobian(
    make: Callable[..., QRNN], order: int
) -> None:
    model = make(order=order, strategy="stepwise")
    found = model(SYMBOLS, SYMBOLS).log_probs.flatten()
    each = torch.eye(len(found), dtype=torch.float64)
    parameters = list(model.parameters())
    rows = torch.autograd.grad(found, parameters, each, retain_graph=True, is_grads_batched=True)
    for place, one in enumerate(each):
        expected = torch.autograd.grad(found, parameters, one, retain_graph=True)
        for row, own in zip(rows, expected, strict=True):
            assert torch.allclose(row[place], own, rtol=0, atol=1e-12)


@pytest.mark.parametrize("strategy", ["transfer", "state"])
def test_strategies_of_one_gradient_refuse_many_at_once(
    make: Callable[..., QRNN], strategy: Strategy
) -> None:
    model = make(strategy=strategy)
    found = model(SYMBOLS, SYMBOLS).log_probs.flatten()
    each = torch.eye(len(found), dtype=torch.float64)
    with pytest.raises(RuntimeError, match=r"one gradient at a time.*torch\.func\.jacrev"):
        torch.autograd.grad(found, model.cell.coefficients, each, is_grads_batched=True)


@pytest.mark.parametrize("strategy", ["transfer", "state"])
@pytest.mark.parametrize("workspace", [2, 6])
def test_symbols_that_are_overwritten_after_a_run_leave_its_gradients_as_they_were(
    strategy: Strategy, workspace: int
) -> None:
    model = QRNN(
        lane=2,
        workspace=workspace,
        strategy=strategy,
        initialisation=Initialisation(0.5, 0.5, 0.5),
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )
    inputs, outcomes = torch.randint(4, (2, 3, 5), generator=torch.Generator().manual_seed(1))
    parameters = list(model.parameters())
    expected = torch.autograd.grad(model(inputs, outcomes).log_probs.sum(), parameters)

    found = model(inputs, outcomes).log_probs.sum()
    inputs.zero_()
    outcomes.zero_()

    for ours, own in zip(torch.autograd.grad(found, parameters), expected, strict=True):
        assert torch.allclose(ours, own, rtol=0, atol=1e-12)


@pytest.mark.parametrize("strategy", ["transfer", "state", "stepwise"])
def test_parameters_that_hooks_of_torch_compute_follow_training(strategy: Strategy) -> None:
    model, plain = (
        QRNN(
            lane=1,
            workspace=2,
            strategy=strategy,
            semantics="unitary",
            generator=torch.Generator().manual_seed(0),
            dtype=torch.float64,
        )
        for _ in range(2)
    )
    prune.l1_unstructured(model.cell, "coefficients", amount=0.5)
    original = model.cell.get_parameter("coefficients_orig")
    kept = model.cell.get_buffer("coefficients_mask")

    def train() -> None:
        with torch.no_grad():
            original.add_(0.1)
            plain.cell.coefficients.copy_(kept * original)

    symbols = torch.tensor([[0, 1, 1, 0]])
    for _ in range(2):
        train()
        losses = [each.loss(symbols, symbols) for each in (model, plain)]
        assert losses[0].item() == pytest.approx(losses[1].item(), abs=1e-12)
        losses[0].backward()
    train()
    assert torch.equal(model.cell.parity_angles(), plain.cell.parity_angles())
    train()
    assert torch.equal(Ensemble([model]).parity_angles(), Ensemble([plain]).parity_angles())
    train()
    found, expected = (compile_circuit(each, [0]).tape for each in (model, plain))
    for ours, own in zip(found.get_parameters(), expected.get_parameters(), strict=True):
        assert torch.equal(torch.as_tensor(ours), torch.as_tensor(own))
