from collections.abc import Callable
from math import pi
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from qrnn_circuits import PADDING, QRNN, UNREAD, QRNNCell, ZeroProbabilityError
from qrnn_circuits.ensemble import Ensemble
from qrnn_circuits.loss import Loss
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.numerical_errors import ParameterRangeError
from tests.conftest import WIDE

Batch = tuple[Tensor, Tensor, Tensor]


def networks(count: int, **options: object) -> list[RecurrentNetwork]:
    generator = torch.Generator().manual_seed(1)
    sizes = {"lane": 2, "workspace": 3, "degree": 2, "dtype": torch.float64} | options
    return [QRNN(generator=generator, initialisation=WIDE, **sizes) for _ in range(count)]  # type: ignore[arg-type]


def batch(count: int, rows: int, steps: int, lane: int = 2, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, rows, steps)
    inputs, outcomes = torch.randint(2**lane, (2, *shape), generator=generator)
    scored = torch.rand(shape, generator=generator) < 0.6
    scored[:, 0, -1] = True
    return inputs, outcomes, scored


def gradients(models: list[RecurrentNetwork]) -> Tensor:
    found = torch.stack([parameters_to_vector(p.grad for p in m.parameters()) for m in models])  # type: ignore[misc]
    for model in models:
        model.zero_grad()
    return found


def assert_as_alone(
    models: list[RecurrentNetwork],
    data: Batch,
    *,
    kind: Loss = "nll",
    acceptance_weight: float = 0.0,
) -> None:
    """Asserts that losses and gradients are those of each network by itself."""
    options = {"kind": kind, "acceptance_weight": acceptance_weight}
    single = [
        model.loss(*rows, **options)  # type: ignore[arg-type]
        for model, *rows in zip(models, *data, strict=True)
    ]
    torch.stack(single).sum().backward()
    expected = gradients(models)
    losses = Ensemble(models).losses(*data, kind=kind, acceptance_weight=acceptance_weight)
    losses.sum().backward()
    torch.testing.assert_close(losses, torch.stack(single), rtol=0, atol=1e-10)
    torch.testing.assert_close(gradients(models), expected, rtol=1e-10, atol=1e-10)


@given(
    lane=st.integers(1, 2),
    workspace=st.integers(1, 3),
    stages=st.integers(0, 2),
    order=st.integers(0, 2),
    semantics=st.sampled_from(["postselected", "unitary"]),
    rows=st.integers(1, 5),
    steps=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_losses_and_gradients_are_those_of_each_network(
    lane: int,
    workspace: int,
    stages: int,
    order: int,
    semantics: str,
    rows: int,
    steps: int,
    seed: int,
) -> None:
    models = networks(
        3,
        lane=lane,
        workspace=workspace,
        stages=stages,
        order=order,
        semantics=semantics,
        degree=1,
        strategy="transfer",
    )
    assert Ensemble(models).is_joint(rows, steps)
    assert_as_alone(models, batch(3, rows, steps, lane, seed))


@pytest.mark.parametrize("kind", ["nll", "paper"])
@pytest.mark.parametrize("acceptance_weight", [0.0, 0.3])
@pytest.mark.parametrize("workspace", [3, 6])
def test_every_loss_is_that_of_each_network(
    kind: Loss, acceptance_weight: float, workspace: int
) -> None:
    models = networks(3, workspace=workspace, strategy="transfer")
    data = batch(3, 40, 6)
    assert_as_alone(models, data, kind=kind, acceptance_weight=acceptance_weight)


@pytest.mark.parametrize("acceptance_weight", [0.0, 0.3])
def test_sequences_may_be_unread_and_end_early(acceptance_weight: float) -> None:
    models = networks(3, strategy="transfer")
    inputs, outcomes, scored = batch(3, 4, 7)
    outcomes[1] = outcomes[1].masked_fill(~scored[1], UNREAD)
    outcomes[0, 1, 3:], outcomes[2, 3, 5:] = PADDING, PADDING
    scored &= outcomes != PADDING
    assert_as_alone(models, (inputs, outcomes, scored), acceptance_weight=acceptance_weight)


def test_only_products_of_operators_between_scored_steps_are_shared_within_a_network() -> None:
    models = networks(4, workspace=2, strategy="transfer")
    inputs, outcomes, scored = batch(4, 256, 24)
    scored[..., :-1], scored[..., -1] = False, True
    assert_as_alone(models, (inputs % 2, outcomes % 2, scored))


def test_large_networks_are_computed_in_groups_or_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models, data = networks(5, strategy="transfer"), batch(5, 4, 6)
    of_one = 8 * (4 * 6 + 4 * 8)
    monkeypatch.setattr("qrnn_circuits.ensemble._MOST_ENTRIES", 2 * of_one)
    assert Ensemble(models).is_joint(4, 6)
    assert_as_alone(models, data)
    monkeypatch.setattr("qrnn_circuits.ensemble._MOST_ENTRIES", of_one)
    assert not Ensemble(models).is_joint(4, 6)
    assert_as_alone(models, data)


def test_what_underflows_in_float32_is_computed_as_each_network_does() -> None:
    models = networks(2, order=4, dtype=torch.float32, strategy="transfer")
    inputs, outcomes, scored = batch(2, 3, 30)
    losses = Ensemble(models).losses(inputs, outcomes, scored)
    rows = zip(models, inputs, outcomes, scored, strict=True)
    expected = torch.stack([model.loss(*each) for model, *each in rows])
    torch.testing.assert_close(losses, expected)


@pytest.mark.parametrize(
    ("order", "stages", "coefficients"),
    [
        # Half way between both outcomes, where an ancilla reads 0 the least often.
        (3, 4, [pi / 2, 0, 0, 0, 0]),
        # Half way for inputs whose first bit is 1, whose operators are zeros in float32.
        (4, 6, [0, pi / 2, 0, 0, 0]),
    ],
)
def test_unlikely_steps_of_one_network_leave_the_others_together(
    order: int, stages: int, coefficients: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"order": order, "stages": stages, "degree": 1, "strategy": "transfer"}
    models = networks(3, dtype=torch.float32, **options)
    cell = models[1].cell
    assert isinstance(cell, QRNNCell)
    with torch.no_grad():
        cell.coefficients.copy_(torch.tensor(coefficients))
    data = batch(3, 4, 30)
    rows = zip(*data, strict=True)
    single = torch.stack([m.loss(*each) for m, each in zip(models, rows, strict=True)])
    ensemble = Ensemble(models)
    monkeypatch.delattr(RecurrentNetwork, "loss")
    torch.testing.assert_close(ensemble.losses(*data), single)


def test_networks_that_run_on_states_have_their_own_losses() -> None:
    models = networks(2, strategy="state")
    assert not Ensemble(models).is_joint(4, 5)
    assert_as_alone(models, batch(2, 4, 5))


class Doubled(QRNN):
    """Twice the loss."""

    def loss(self, *arguments: Any, **options: Any) -> Tensor:  # noqa: ANN401
        return 2 * super().loss(*arguments, **options)


def test_a_loss_that_a_class_of_networks_defines_is_theirs_together_too() -> None:
    data, models = batch(2, 4, 5), networks(2)
    plain = Ensemble(models).losses(*data)
    for model in models:
        model.__class__ = Doubled
    torch.testing.assert_close(Ensemble(models).losses(*data), 2 * plain)


def test_what_one_network_cannot_condition_on_is_told() -> None:
    models = networks(2, strategy="transfer")
    for parameter in models[1].parameters():
        torch.nn.init.zeros_(parameter)
    inputs, outcomes, _ = batch(2, 1, 1)
    with pytest.raises(ZeroProbabilityError):
        Ensemble(models).losses(inputs, torch.ones_like(outcomes))


@pytest.mark.parametrize("name", ["coefficients", "readout_coefficients", "theta"])
def test_angles_of_one_network_that_are_too_large_are_told(name: str) -> None:
    networks = [QRNN(lane=1, workspace=2) for _ in range(2)]
    getattr(networks[1].cell, name).data.fill_(1e9)
    symbols = torch.zeros(2, 1, 3, dtype=torch.int64)
    with pytest.raises(ParameterRangeError, match=f"{name} must be finite and at most"):
        Ensemble(networks).losses(symbols, symbols)


@pytest.mark.parametrize(
    ("semantics", "order"), [("postselected", 2), ("unitary", 1), ("unitary", 0)]
)
def test_angles_are_those_of_each_cell(semantics: str, order: int) -> None:
    models = networks(3, semantics=semantics, order=order)
    expected = torch.stack([model.cell.parity_angles() for model in models])
    torch.testing.assert_close(Ensemble(models).parity_angles(), expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Ensemble([]), "at least one"),
        (lambda: Ensemble([*networks(1), *networks(1, degree=1)]), "must differ in the numbers"),
        (lambda: Ensemble(networks(2)).losses(*batch(3, 2, 2)), "a batch for each of 2 networks"),
        (
            lambda: Ensemble(networks(2, strategy="transfer")).losses(
                *batch(2, 2, 2)[:2], torch.zeros(2, 2, 2, dtype=torch.bool)
            ),
            "scored must mark at least one step",
        ),
    ],
)
def test_what_is_no_ensemble_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_batches_that_are_no_tensors_are_refused() -> None:
    with pytest.raises(TypeError, match=r"scored must be tensors, a batch .*, got a list"):
        Ensemble([QRNN(lane=1, workspace=2)]).losses([[[0]]], [[[0]]])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Ensemble([QRNN(lane=1, workspace=2).cell]), "RecurrentNetworks.*got a QRNNCell"),  # type: ignore[list-item]
        (
            lambda: Ensemble(networks(2)).losses(*(each[0] for each in batch(2, 3, 4))),
            r"a batch for each of 2 networks, \(E, B, T\), got shapes \(3, 4\)",
        ),
        (
            lambda: Ensemble(networks(2)).losses(*batch(2, 3, 4), acceptance_weight=float("nan")),
            "acceptance_weight must be finite and at least 0, got nan",
        ),
    ],
)
def test_what_no_network_takes_is_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_parameters_of_networks_are_those_that_were_loaded_in_their_place() -> None:
    ensemble = Ensemble(networks(2))
    others = Ensemble(networks(2)).state_dict()
    ensemble.load_state_dict(others, assign=True)
    found = [parameter for each in ensemble.parameters_of_networks for parameter in each]
    for own, parameter in zip(found, ensemble.parameters(), strict=True):
        assert own is parameter
