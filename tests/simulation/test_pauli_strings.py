import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qrnn_circuits.simulation.pauli_strings import pauli_strings, single_layer_circuits
from qrnn_circuits.simulation.variational import variational_circuits

PAULIS = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=complex
)


def on_wires(kinds: list[int]) -> np.ndarray:
    matrix = np.ones((1, 1))
    for kind in kinds:
        matrix = np.kron(matrix, PAULIS[kind])
    return matrix


@pytest.mark.parametrize("wires", [1, 2, 3, 4, 5])
def test_strings_are_what_dense_matrices_of_the_cnots_make_of_paulis(wires: int) -> None:
    layer = np.eye(2**wires)
    for distance in (1, 2):
        for control in range(wires if distance % wires else 0):
            zero, flip = [0] * wires, [0] * wires
            zero[control], flip[(control + distance) % wires] = 3, 1
            kept = (np.eye(2**wires) + on_wires(zero)) / 2
            layer = (kept + (np.eye(2**wires) - kept) @ on_wires(flip)) @ layer
    strings = pauli_strings(wires)
    for kind in (1, 2, 3):
        for read in range(wires):
            single = [0] * wires
            single[read] = kind
            found = strings.signs[kind - 1][read] * on_wires(strings.kinds[kind - 1][read])
            assert np.allclose(found, layer.T @ on_wires(single) @ layer)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**31))
def test_the_closed_form_is_what_amplitudes_give(wires: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    angles = torch.randn(2, 1, wires, 3, generator=generator, dtype=torch.float64)
    values = torch.randn(2, 3, wires, generator=generator, dtype=torch.float64)
    found = single_layer_circuits(angles)(values)
    assert torch.allclose(found, variational_circuits(angles, 1)(values), rtol=0, atol=1e-12)


def test_many_wires_take_no_more_than_few() -> None:
    angles = torch.ones(1, 1, 200, 3, dtype=torch.float64)
    assert single_layer_circuits(angles)(torch.ones(1, 2, 200).double()).isfinite().all()
