import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qrnn_circuits import QRNN
from qrnn_circuits.gates import apply_workspace_gates
from qrnn_circuits.simulation.state import blocks, reversible
from qrnn_circuits.simulation.state import run as state_recurrence
from qrnn_circuits.simulation.state.reversible import PulledBack
from qrnn_circuits.simulation.state.run import StateSequence, run_states
from tests.conftest import sized
from tests.dense import DenseCell

MakeModel = Callable[..., QRNN]
RandomSymbols = Callable[..., Tensor]

SIZES = sized(
    (2, 2, 1, 0, 2),
    (1, 1, 1, 1, 1),
    (2, 1, 2, 2, 2),
    (1, 2, 1, 3, 2),
    (2, 2, 1, 2, 3),
    (3, 1, 0, 2, 1),
)


@pytest.fixture(params=["all at once", "kept", "evaluated again"])
def tables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test with each way to evaluate the neurons' tables."""
    if request.param != "all at once":
        monkeypatch.setattr(state_recurrence, "MOST_TABLE_BYTES", 0)
    if request.param == "evaluated again":
        monkeypatch.setattr(blocks, "MOST_KEPT_BYTES", 0)


class PeakBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are made and still alive.

    Attributes:
        peak: The most at any time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._alive = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return

        def forget(_: object) -> None:
            self._alive -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, forget)
        self._alive += size
        self.peak = max(self.peak, self._alive)


def initial_state(model: QRNN, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    states = torch.randn(batch, 2**model.cell.workspace, dtype=torch.float64, generator=generator)
    return torch.nn.functional.normalize(states)


def predictions(sequence: StateSequence, outcomes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logs of the distributions, log of the acceptance, and the final states."""
    log_weights = sequence.weights.log()
    log_kept = log_weights.gather(2, outcomes[..., None])[..., 0]
    acceptance = (log_kept + 2 * sequence.log_scales).sum(1)
    return log_weights - log_weights.logsumexp(2, keepdim=True), acceptance, sequence.state


def step_by_step(
    model: QRNN, inputs: Tensor, outcomes: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same through autograd, one gate and step after another."""
    gates = model.cell.step_gates()
    weights, scales = [], []
    for t in range(inputs.shape[1]):
        evolved = apply_workspace_gates(gates.workspace, state.T, inputs[:, t]).T
        joint = evolved[:, None] * gates.readout
        weights.append(joint.square().sum(-1))
        state = joint[range(len(inputs)), outcomes[:, t]]
        state = state / state.norm(dim=1, keepdim=True)
        scales.append(gates.log_scale.expand(len(inputs)))
    return predictions(
        StateSequence(torch.stack(weights, 1), torch.stack(scales, 1), state, torch.ones(())),
        outcomes,
    )


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("basis", ["monomials", "parities"])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_sequence_equals_the_dense_circuit(
    sizes: dict[str, int],
    semantics: str,
    basis: str,
    make_model: MakeModel,
    dense_cell: Callable[[QRNN], DenseCell],
    random_symbols: RandomSymbols,
) -> None:
    model = make_model(**sizes, semantics=semantics, basis=basis)
    inputs, outcomes = random_symbols(model, 3, 5), random_symbols(model, 3, 5, seed=1)
    state = torch.eye(2 ** sizes["workspace"], dtype=torch.float64)[[0, 0, 0]]
    with torch.no_grad():
        sequence = run_states(model.cell, inputs, outcomes, state)
        log_probs, log_acceptance, final = predictions(sequence, outcomes)
    dense = dense_cell(model)
    for row in range(3):
        distributions, acceptance, expected = dense.run(
            inputs[row].tolist(), outcomes[row].tolist()
        )
        assert np.abs(log_probs[row].exp().numpy() - distributions).max() < 1e-10
        assert abs(log_acceptance[row].item() - np.log(acceptance)) < 1e-10
        assert np.abs(final[row].numpy() - expected).max() < 1e-10


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("order", "semantics"), [(2, "postselected"), (4, "postselected"), (3, "unitary")]
)
@pytest.mark.parametrize("batch", [1, 5])
def test_gradients_equal_those_of_autograd_step_by_step(
    order: int, semantics: str, batch: int, make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=4, lane=2, stages=2, order=order, semantics=semantics)
    inputs, outcomes = random_symbols(model, batch, 7), random_symbols(model, batch, 7, seed=1)
    state = initial_state(model, batch).requires_grad_()
    results = []
    for found in (
        predictions(run_states(model.cell, inputs, outcomes, state), outcomes),
        step_by_step(model, inputs, outcomes, state),
    ):
        generator = torch.Generator().manual_seed(2)
        weights = [torch.randn(part.shape, generator=generator).double() for part in found]
        gradients = torch.autograd.grad(found, [*model.parameters(), state], weights)
        results.append((*found, *gradients))
    for found, expected in zip(*results, strict=True):
        assert torch.allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("tables")
def test_gradients_equal_finite_differences(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=2, lane=1)
    inputs, outcomes = random_symbols(model, 2, 3), random_symbols(model, 2, 3, seed=1)

    class Run(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = model.cell

        def forward(self, state: Tensor) -> tuple[Tensor, ...]:
            return predictions(run_states(self.cell, inputs, outcomes, state), outcomes)

    def run(
        coefficients: Tensor, readout_coefficients: Tensor, theta: Tensor, state: Tensor
    ) -> tuple[Tensor, ...]:
        parameters = {
            "cell.coefficients": coefficients,
            "cell.readout_coefficients": readout_coefficients,
            "cell.theta": theta,
        }
        result: tuple[Tensor, ...] = torch.func.functional_call(Run(), parameters, (state,))
        return result

    state = initial_state(model, 2).requires_grad_()
    parameters = (p.detach().requires_grad_() for p in model.parameters())
    assert torch.autograd.gradcheck(run, (*parameters, state))


def test_memory_does_not_grow_with_the_number_of_neurons(
    make_model: MakeModel, random_symbols: RandomSymbols, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_recurrence, "MOST_TABLE_BYTES", 0)
    monkeypatch.setattr(blocks, "MOST_KEPT_BYTES", 0)
    peaks = []
    for stages in (1, 5):
        model = make_model(workspace=9, lane=1, stages=stages, degree=1, semantics="unitary")
        inputs, outcomes = random_symbols(model, 1, 2), random_symbols(model, 1, 2, seed=1)
        state = initial_state(model, 1)
        with PeakBytes() as memory:
            run_states(model.cell, inputs, outcomes, state).weights.sum().backward()
        peaks.append(memory.peak)
    assert peaks[1] < 1.2 * peaks[0]


def test_memory_grows_by_one_state_a_step(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=9, lane=1, order=4)
    peaks = []
    for steps in (10, 30):
        outcomes = random_symbols(model, 2, steps)
        inputs = torch.zeros_like(outcomes)
        state = initial_state(model, 2)
        with PeakBytes() as memory:
            run_states(model.cell, inputs, outcomes, state).weights.sum().backward()
        peaks.append(memory.peak)
    assert peaks[1] - peaks[0] < 1.1 * 20 * 2 * 2**9 * 8


@pytest.mark.parametrize("order", [1, 6])
def test_float32_states_neither_underflow_nor_give_nan(
    order: int, random_symbols: RandomSymbols
) -> None:
    model = QRNN(lane=2, workspace=4, stages=3, order=order, dtype=torch.float32)
    inputs, outcomes = random_symbols(model, 1, 300), random_symbols(model, 1, 300, seed=1)
    state = torch.eye(16)[:1]
    sequence = run_states(model.cell, inputs, outcomes, state)
    assert torch.isfinite(sequence.log_scales).all()
    assert torch.allclose(sequence.state.norm(), torch.tensor(1.0))
    sequence.weights.log().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_parameters_that_change_before_the_backward_pass_are_noticed(
    make_model: MakeModel, random_symbols: RandomSymbols, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_recurrence, "MOST_TABLE_BYTES", 0)
    model = make_model(workspace=2, lane=1)
    symbols = random_symbols(model, 1, 3)
    sequence = run_states(model.cell, symbols, symbols, initial_state(model, 1))
    with torch.no_grad():
        model.cell.theta.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        sequence.state.sum().backward()


def test_all_inputs_are_computed_again_where_those_of_one_step_come_back_inaccurate(
    make_model: MakeModel, random_symbols: RandomSymbols, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(workspace=2, lane=1)
    undone = []

    def evolve_back(*arguments: Any, undo: bool) -> PulledBack:  # noqa: ANN401
        pulled = reversible.evolve_back(*arguments, undo=undo)
        undone.append(undo)
        # The backward pass begins with the last step.
        off = torch.ones_like(pulled.deviation) if len(undone) == 1 else pulled.deviation
        return pulled._replace(deviation=off)

    monkeypatch.setattr(state_recurrence, "evolve_back", evolve_back)
    symbols = random_symbols(model, 1, 3)
    run_states(model.cell, symbols, symbols, initial_state(model, 1)).state.sum().backward()
    assert undone == [True] * 3 + [False] * 3
