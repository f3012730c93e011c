"""Variational circuits of one layer in closed form, by Pauli strings on a product state.

CNOTs turn X, Y and Z of one wire into strings of Paulis, and the expectation of a string in a
product state is the product of expectations on each wire. No amplitudes are needed, and circuits
may have any number of wires.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.simulation.variational import Evaluate, cnot_pairs, encoding_angles

_BITS = ((1, 0), (1, 1), (0, 1))
_KINDS = {(0, 0): 0, (1, 0): 1, (1, 1): 2, (0, 1): 3}


class PauliStrings(NamedTuple):
    """What X, Y and Z of each wire, read behind CNOTs, are in front of them.

    Attributes:
        kinds: For each of X, Y, Z, wire that is read and wire: 0 to 3 for I, X, Y, Z.
        signs: 1 or -1 for each of X, Y, Z and wire that is read.
    """

    kinds: list[list[list[int]]]
    signs: list[list[int]]


@lru_cache(maxsize=64)
def pauli_strings(wires: int) -> PauliStrings:
    """Follows the Paulis of each wire back through the CNOTs of an entangling layer.

    By the rules of stabilizer tableaus (Aaronson and Gottesman, arXiv:quant-ph/0406196).
    """
    strings = PauliStrings([], [])
    for of_x, of_z in _BITS:
        kinds, signs = [], []
        for read in range(wires):
            x = [of_x * (wire == read) for wire in range(wires)]
            z = [of_z * (wire == read) for wire in range(wires)]
            negative = 0
            for control, target in reversed(cnot_pairs(wires)):
                negative ^= x[control] & z[target] & (x[target] ^ z[control] ^ 1)
                x[target] ^= x[control]
                z[control] ^= z[target]
            kinds.append([_KINDS[pair] for pair in zip(x, z, strict=True)])
            signs.append(-1 if negative else 1)
        strings.kinds.append(kinds)
        strings.signs.append(signs)
    return strings


def single_layer_circuits(angles: Tensor) -> Evaluate:
    """Variational circuits of one layer with encoded values, exactly; differentiable.

    Args:
        angles: Of G circuits, shape ``(G, 1, n, 3)``.

    Returns:
        From values ``(G, B, n)``, or ``(1, B, n)`` for all circuits, to ``(G, B, n)``.
    """
    wires = angles.shape[-2]
    strings = pauli_strings(wires)
    offsets = 4 * torch.arange(wires, device=angles.device)
    places = torch.tensor(strings.kinds, device=angles.device) + offsets
    alpha, beta, _ = angles[:, 0].unbind(-1)
    # What Z behind a rotation is in front of it.
    weights = torch.stack((-beta.sin() * alpha.cos(), beta.sin() * alpha.sin(), beta.cos()), 1)
    weights = weights * torch.tensor(strings.signs, dtype=angles.dtype, device=angles.device)

    def evaluate(values: Tensor) -> Tensor:
        turned, phases = encoding_angles(values)
        cos = turned.cos()
        bloch = torch.stack(
            (torch.ones_like(cos), cos * phases.cos(), cos * phases.sin(), -turned.sin()), -1
        )
        expectations = bloch.flatten(-2)[..., places].prod(-1)
        return (expectations * weights[:, None]).sum(-2)

    return evaluate
