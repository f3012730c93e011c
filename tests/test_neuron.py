from math import pi
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits import Initialisation, QuantumNeuron
from qrnn_circuits.neuron import Semantics, block_amplitudes
from tests.dense import DenseCell

SEEDS = st.integers(0, 2**31)


def random_neuron(
    seed: int, controls: int, order: int, degree: int, semantics: Semantics
) -> QuantumNeuron:
    return QuantumNeuron(
        controls,
        order=order,
        degree=degree,
        semantics=semantics,
        initialisation=Initialisation(bias_spread=1, weight_spread=1),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@pytest.mark.parametrize(
    ("controls", "order", "degree", "target"),
    [
        (1, 0, 1, 1),
        (3, 0, 2, 1),
        (1, 1, 1, 0),
        (2, 1, 2, 1),
        (2, 2, 1, 0),
        (2, 2, 2, 2),
        (3, 2, 3, 1),
        (1, 3, 1, 1),
        (2, 4, 2, 0),
    ],
)
def test_neuron_equals_the_circuit_of_kronecker_products(
    controls: int, order: int, degree: int, target: int, semantics: Semantics
) -> None:
    neuron = random_neuron(controls + 7 * order, controls, order, degree, semantics)
    dense = DenseCell(
        lane=controls + 1,
        workspace=0,
        stages=0,
        order=order,
        degree=degree,
        semantics=semantics,
        coefficients=neuron.coefficients.detach().numpy()[None],
        theta=np.zeros((0, 0)),
    ).neuron(0, target)
    # A neuron acts on rows, so that the rows of the identity give the transposed matrix.
    matrix = neuron(torch.eye(2 ** (controls + 1), dtype=torch.float64), target).T
    assert np.abs(matrix.detach().numpy() - dense).max() < 1e-10


@given(seed=SEEDS, order=st.integers(1, 6))
def test_the_activation_is_the_sharpened_tangent(seed: int, order: int) -> None:
    neuron = random_neuron(seed, 2, order, 2, "postselected")
    angles = neuron.angles().detach()
    # Compared as sines and cosines, since the tangent itself has poles.
    tangent = torch.tan(angles / 2) ** (2**order)
    expected = 2 * torch.atan(tangent)
    assert torch.allclose(neuron.activation(), expected, rtol=0, atol=1e-10)


@given(seed=SEEDS, semantics=st.sampled_from(get_args(Semantics)))
def test_of_order_0_the_block_is_the_rotation_with_its_signs_and_always_succeeds(
    seed: int, semantics: Semantics
) -> None:
    neuron = random_neuron(seed, 3, 0, 2, semantics)
    angles = neuron.angles()
    cos, sin = block_amplitudes(angles, 0, semantics)
    assert torch.equal(cos, (angles / 2).cos())
    assert torch.equal(sin, (angles / 2).sin())
    assert torch.equal(neuron.success_probability(), torch.ones_like(angles))
    turns = (neuron.activation() - angles) / (4 * pi)
    assert torch.allclose(turns, turns.round(), rtol=0, atol=1e-12)


@given(seed=SEEDS, order=st.integers(0, 4), target=st.integers(0, 2))
def test_the_norm_after_a_postselected_neuron_is_the_mean_success_probability(
    seed: int, order: int, target: int
) -> None:
    neuron = random_neuron(seed, 2, order, 2, "postselected")
    state = torch.randn(1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    state = state / state.norm()
    weights = (state**2).reshape(2**target, 2, -1).sum(1).reshape(-1)
    expected = weights @ neuron.success_probability()
    assert torch.allclose((neuron(state, target) ** 2).sum(), expected, rtol=1e-12, atol=0)


@given(seed=SEEDS, order=st.integers(0, 6))
def test_a_unitary_neuron_keeps_the_norm_and_postselection_never_raises_it(
    seed: int, order: int
) -> None:
    angles = torch.randn(20, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3
    cos, sin = block_amplitudes(angles, order, "unitary")
    assert torch.allclose(cos**2 + sin**2, torch.ones(20, dtype=torch.float64))
    cos, sin = block_amplitudes(angles, order, "postselected")
    success = cos**2 + sin**2
    assert (success <= 1 + 1e-12).all()
    # The smallest value is reached at phi = pi/2.
    assert (success >= 2.0 ** (1 - 2**order) * (1 - 1e-12)).all()


@pytest.mark.parametrize("order", [0, 2])
def test_a_neuron_is_differentiable(order: int) -> None:
    neuron = random_neuron(3, 2, order, 2, "postselected")
    state = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)

    def run(coefficients: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        parameters = {"coefficients": coefficients}
        rotated: torch.Tensor = torch.func.functional_call(neuron, parameters, (state, 1))
        return rotated

    coefficients = neuron.coefficients.detach().requires_grad_()
    assert torch.autograd.gradcheck(run, (coefficients, state))


@pytest.mark.parametrize("order", [0, 1, 3])
def test_initial_coefficients_have_the_given_spreads(order: int) -> None:
    spreads = Initialisation(bias_spread=0.1, weight_spread=0.01)
    drawn = spreads.coefficients((4000, 3), order, torch.Generator().manual_seed(0))
    assert abs(drawn[:, 0].mean() - (pi / 2 if order else 0)) < 0.01
    assert abs(drawn[:, 0].std() / 0.1 - 1) < 0.05
    assert abs(drawn[:, 1:].mean()) < 0.001
    assert abs(drawn[:, 1:].std() / 0.01 - 1) < 0.05


def test_default_spreads_follow_from_the_order() -> None:
    for order, (bias_spread, weight_spread) in ((0, (0.05, 0.02)), (1, (0.1, 0)), (6, (0.1, 0))):
        default, given_spreads = (
            spreads.coefficients((5, 4), order, torch.Generator().manual_seed(0))
            for spreads in (Initialisation(), Initialisation(bias_spread, weight_spread))
        )
        assert torch.equal(default, given_spreads)


def test_of_order_0_a_neuron_starts_near_the_identity() -> None:
    neuron = QuantumNeuron(2, order=0, generator=torch.Generator().manual_seed(0))
    assert 0 < neuron.angles().abs().max() < 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": -1}, "order must be between 0 and 6, got -1"),
        ({"order": 7}, "order must be between 0 and 6, got 7"),
        ({"degree": 3}, "degree must be between 1 and the number of variables"),
        ({"degree": 0}, "degree must be between 1 and the number of variables"),
        ({"semantics": "amplified"}, "semantics must be one of"),
        ({"dtype": torch.float16}, "dtype must be torch.float32 or torch.float64"),
    ],
)
def test_options_out_of_range_are_rejected(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuantumNeuron(2, **options)  # type: ignore[arg-type]


def test_a_negative_spread_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"bias_spread must be finite and at least 0, got -0.1"):
        Initialisation(bias_spread=-0.1)


def test_states_and_targets_that_do_not_fit_are_rejected() -> None:
    neuron = QuantumNeuron(2)
    with pytest.raises(ValueError, match=r"state must have shape \(B, 8\), got \(1, 4\)"):
        neuron(torch.zeros(1, 4), 0)
    with pytest.raises(ValueError, match="target must be from 0 to 2, got 3"):
        neuron(torch.zeros(1, 8), 3)


@pytest.mark.parametrize(
    ("state", "target", "words"),
    [
        ([0], 0, "state must be .* got a list"),
        (torch.eye(8, dtype=torch.float64), 0, r"state must be .* got torch\.float64"),
        (torch.eye(8, dtype=torch.int64), 0, r"state must be .* got torch\.int64"),
        (torch.eye(8) * torch.nan, 0, "state must be finite"),
        (torch.eye(8), 1.0, r"target must be an integer, got 1\.0"),
    ],
)
def test_what_is_no_state_or_no_wire_is_named(state: Any, target: Any, words: str) -> None:  # noqa: ANN401
    with pytest.raises((TypeError, ValueError), match=words):
        QuantumNeuron(2, dtype=torch.float32)(state, target)


def test_no_states_stay_none() -> None:
    assert QuantumNeuron(2)(torch.zeros(0, 8), 1).shape == (0, 8)


def test_controls_are_named() -> None:
    with pytest.raises(ValueError, match="controls must be at least 1, got 0"):
        QuantumNeuron(0)


def test_a_neuron_without_memory_has_the_shapes_of_one_with_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    neuron = QuantumNeuron(2, generator=generator, device="meta")
    assert torch.equal(generator.get_state(), before)
    for values in (neuron.angles(), neuron.activation(), neuron.success_probability()):
        assert values.is_meta
        assert values.shape == (4,)
