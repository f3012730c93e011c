from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from qrnn_backends.torch.neuron import apply_neuron, is_native
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import REALISATIONS
from tests.branches import system_branches


@pytest.fixture
def make_neuron() -> Callable[..., NeuronOperation]:
    def make(
        controls: int,
        *,
        batch: int | None = None,
        order: int = 2,
        **options: Any,  # noqa: ANN401
    ) -> NeuronOperation:
        size = 1 + controls
        shape = (size,) if batch is None else (batch, size)
        coefficients = np.random.default_rng(0).normal(size=shape)
        ancillas = REALISATIONS.make(options["realisation"]).ancillas(order)
        with qml.QueuingManager.stop_recording():
            return NeuronOperation(
                coefficients, range(controls + 1 + ancillas), order, degree=1, **options
            )

    return make


def random_state(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(2))


def on_system(neuron: NeuronOperation, state: Tensor) -> Tensor:
    """Applies the neuron, its ancillas in 0: shape ``(branches, batch, 2**system)``."""
    ancillas = len(neuron.ancilla_wires)
    for _ in range(ancillas):
        state = torch.stack((state, torch.zeros_like(state)), -1)
    applied = apply_neuron(state, neuron)
    lead = applied.shape[:2]
    applied = applied.reshape(*lead, -1, 2**ancillas)
    assert not applied[..., 1:].any()
    return applied[..., 0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(
    ("realisation", "controls", "order"),
    [("amplified", 3, 0), ("postselect", 2, 1), ("postselect", 3, 2), ("multiplexed", 2, 3)],
)
def test_a_native_neuron_does_what_its_circuit_does(
    realisation: str,
    controls: int,
    order: int,
    inverse: bool,
    dtype: torch.dtype,
    make_neuron: Callable[..., NeuronOperation],
) -> None:
    neuron = make_neuron(controls, realisation=realisation, order=order, inverse=inverse)
    (block,) = system_branches(neuron, controls + 1)
    state = random_state(3, 2, *(2,) * (controls + 1), dtype=dtype)
    expected = state.reshape(3, 2, -1).numpy() @ block.T
    np.testing.assert_allclose(on_system(neuron, state), expected, atol=1e-12)


def test_a_batch_of_coefficients_gives_a_batch_of_states(
    make_neuron: Callable[..., NeuronOperation],
) -> None:
    neuron = make_neuron(2, realisation="postselect", batch=3)
    state = random_state(2, 1, 2, 2, 2)
    applied = on_system(neuron, state)
    for entry, coefficients in enumerate(neuron.data[0]):
        options = neuron.hyperparameters
        alone = on_system(NeuronOperation(coefficients, neuron.wires, **options), state)
        torch.testing.assert_close(applied[:, entry], alone[:, 0])


def test_the_controls_may_be_any_wires() -> None:
    coefficients: NDArray[np.float64] = np.array([1.0, 0.4, -0.7])
    options: dict[str, Any] = {"order": 1, "degree": 1, "realisation": "multiplexed"}
    neuron = NeuronOperation(coefficients, [3, 0, 2], **options)
    state = random_state(1, 1, 2, 2, 2, 2)
    matrix = qml.matrix(neuron, wire_order=range(4))
    expected = matrix @ state.reshape(16).numpy()
    np.testing.assert_allclose(apply_neuron(state, neuron).reshape(16), expected, atol=1e-12)


def test_only_exact_realisations_and_neurons_of_order_0_are_native(
    make_neuron: Callable[..., NeuronOperation],
) -> None:
    names = REALISATIONS.names()
    native = [name for name in names if is_native(make_neuron(2, realisation=name))]
    assert native == ["postselect", "multiplexed"]
    assert all(is_native(make_neuron(2, realisation=name, order=0)) for name in names)
