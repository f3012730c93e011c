"""Random cases for :mod:`tests.backends.density`, from a seed each."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from tests.backends.density import ANGLED, GATES, TWO_WIRES, Case, Noise, Result, Step

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel

LABELS: list[tuple[Hashable, ...]] = [(0, 1, 2), (2, 0, 1), (4, 1, 7), ("b", "a", "c"), (1, "a", 0)]
NOISY = {"PauliX": "x", "Identity": "id", "RY": "ry"}
# All gates that circuits and their readout have, so that none is written in noisy ones.
BASIS = ["id", "x", "y", "z", "h", "s", "sdg", "rx", "ry", "rz", "cx", "cz", "swap"]


def random_case(seed: int, *, noise: bool = False, measures: bool = True) -> Case:
    random = np.random.default_rng(seed)
    labels = LABELS[random.integers(len(LABELS))]
    steps = [Step("RY", (wire,), float(random.uniform(0.5, 2.6))) for wire in range(3)]
    read = 0
    for _ in range(random.integers(4, 11)):
        if measures and read < 4 and random.random() < 0.35:
            postselect = random.choice([-1, -1, 0, 1])
            steps.append(
                Step(
                    "measure",
                    (int(random.integers(3)),),
                    reset=bool(random.random() < 0.4),
                    postselect=None if postselect < 0 else int(postselect),
                )
            )
            read += 1
            continue
        # Aer's density matrices have no controlled rotation.
        names = [name for name in GATES if name != "CRX"] if noise else list(GATES)
        name = str(random.choice(names))
        wires = tuple(map(int, random.permutation(3)[: 2 if name in TWO_WIRES else 1]))
        conditions: tuple[int, ...] = ()
        if read and random.random() < 0.4:
            conditions = tuple(
                map(int, random.permutation(read)[: int(random.integers(1, min(read, 2) + 1))])
            )
        steps.append(
            Step(
                name,
                wires,
                float(random.uniform(-3, 3)) if name in ANGLED else 0.0,
                measured=conditions,
                parity=int(random.integers(2)),
            )
        )
    return Case(labels, tuple(steps), _results(random, read), _noise(random) if noise else Noise())


def _results(random: np.random.Generator, read: int) -> tuple[Result, ...]:
    def word() -> str:
        return "".join(random.choice(list("IXYZ"), 3))

    def places(of: int) -> tuple[int, ...]:
        return tuple(map(int, random.permutation(of)[: int(random.integers(1, of + 1))]))

    found = [
        Result("probs", places=places(3)),
        Result("expval", ((1.0, word()),)),
        Result("var", ((float(random.choice([1.0, -2.0])), word()),)),
        Result("expval", ((0.5, word()), (-1.5, word()), (2.0, word()))),
    ]
    if read:
        found += [Result("read", places=places(read)), Result("distribution", places=places(read))]
    order = random.permutation(len(found))[: int(random.integers(1, 5))]
    return tuple(found[place] for place in order)


def _noise(random: np.random.Generator) -> Noise:
    gates = {}
    readout = {}
    for wire in range(3):
        for name in NOISY:
            if random.random() < 0.5:
                gates[name, wire] = random.dirichlet([4, 1, 1, 1])
        if random.random() < 0.6:
            zero, one = random.uniform(0.7, 1, 2)
            readout[wire] = np.array([[zero, 1 - zero], [1 - one, one]])
    return Noise(gates, readout)


def noise_model(noise: Noise, qubits: list[int]) -> "NoiseModel":
    """Aer's model of a noise, on the qubits of the three wires."""
    from qiskit_aer.noise import NoiseModel, ReadoutError, pauli_error

    model = NoiseModel(basis_gates=BASIS)
    for (name, wire), shares in noise.gates.items():
        error = pauli_error(list(zip("IXYZ", map(float, shares), strict=True)))
        model.add_quantum_error(error, [NOISY[name]], [qubits[wire]])
    for wire, errors in noise.readout.items():
        model.add_readout_error(ReadoutError(errors.tolist()), [qubits[wire]])
    return model
