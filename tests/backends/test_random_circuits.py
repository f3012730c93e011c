"""Random dynamic circuits on the simulators against density matrices in numpy.

By default some of each kind; thousands where the environment variable ``RANDOM_CIRCUITS`` is set.
"""

import os

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray
from pennylane.typing import TensorLike

pytest.importorskip("qiskit_aer")

from qrnn_backends.readout import NoShotsKeptError
from tests.backends.density import Case, expected, queue
from tests.backends.random_cases import noise_model, random_case

MANY = "RANDOM_CIRCUITS" in os.environ
EXACT = 2000 if MANY else 50
SAMPLED = 200 if MANY else 6
DIFFERENTIATED = 300 if MANY else 5
SHOTS = 2000


def flat(results: object) -> NDArray[np.float64]:
    parts = results if isinstance(results, tuple | list) else [results]
    return np.concatenate([np.zeros(0), *(np.ravel(np.asarray(part)) for part in parts)])


def reference(case: Case) -> tuple[NDArray[np.float64], float]:
    results, share = expected(case)
    return flat(results), share


def qubits(case: Case) -> list[int]:
    """Without wires of the device, integers are numbers of qubits, and others are in order."""
    if all(isinstance(label, int) for label in case.labels):
        return [int(str(label)) for label in case.labels]
    # The first three gates are on the wires in their order.
    return [0, 1, 2]


def device(case: Case, name: str, seed: int) -> qml.devices.Device:
    given = seed % 3 == 0
    wires = sorted(case.labels, key=str) if given else None
    if name == "qrnn.torch":
        return qml.device(name, wires=wires, seed=seed)
    model = None
    if case.noise.gates or case.noise.readout:
        places = [wires.index(label) for label in case.labels] if wires else qubits(case)
        model = noise_model(case.noise, places)
    return qml.device(name, wires=wires, seed=seed, noise=model)


@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_exact_results_are_those_of_density_matrices(name: str) -> None:
    for seed in range(EXACT):
        case = random_case(seed)
        right, share = reference(case)
        if share < 1e-9:
            continue
        found = flat(qml.QNode(queue, device(case, name, seed))(case))
        np.testing.assert_allclose(found, right, atol=1e-7, err_msg=f"seed {seed}: {case}")


def test_exact_results_with_noise_are_those_of_density_matrices() -> None:
    for seed in range(EXACT // 2):
        case = random_case(seed, noise=True, measures=seed % 3 > 0)
        right, share = reference(case)
        if share < 1e-9:
            continue
        found = flat(qml.QNode(queue, device(case, "qrnn.aer", seed))(case))
        np.testing.assert_allclose(found, right, atol=1e-7, err_msg=f"seed {seed}: {case}")


@pytest.mark.parametrize(("name", "noise"), [("qrnn.torch", False), ("qrnn.aer", True)])
def test_shots_have_the_results_of_density_matrices(name: str, noise: bool) -> None:
    for seed in range(SAMPLED):
        case = random_case(1000 + seed, noise=noise)
        right, share = reference(case)
        kept = share * SHOTS
        if kept < 100:
            continue
        try:
            found = flat(qml.QNode(queue, device(case, name, seed), shots=SHOTS)(case))
        except NoShotsKeptError:
            pytest.fail(f"seed {seed}: {case}")
        # Results are sums of numbers up to 4, or variances of such.
        scale = np.maximum(1.0, np.abs(right)) * 4
        assert (np.abs(found - right) < 5 * scale / np.sqrt(0.7 * kept)).all(), f"{seed}: {case}"


@pytest.mark.parametrize(("name", "method"), [("qrnn.torch", "backprop"), ("qrnn.aer", "best")])
def test_gradients_are_those_of_density_matrices(name: str, method: str) -> None:
    step = 1e-5
    for seed in range(DIFFERENTIATED):
        case = random_case(2000 + seed)
        if reference(case)[1] < 1e-3:
            continue
        postselected = any(part.postselect is not None for part in case.steps)
        angles = np.array(case.angles)
        columns = []
        for place in range(len(angles)):
            shift = step * np.eye(len(angles))[place]
            up, down = (
                reference(case.with_angles((angles + sign * shift).tolist()))[0] for sign in (1, -1)
            )
            columns.append((up - down) / (2 * step))
        node = qml.QNode(
            lambda angles, case=case: queue(case.with_angles(list(angles))),
            device(case, name, seed),
            diff_method="finite-diff" if postselected and name == "qrnn.aer" else method,
        )

        def joined(angles: TensorLike, node: qml.QNode = node) -> TensorLike:
            results = node(angles)
            parts = results if isinstance(results, tuple | list) else [results]
            return qml.math.hstack([qml.math.reshape(part, (-1,)) for part in parts])

        found = qml.jacobian(joined)(qml.numpy.array(angles, requires_grad=True))
        bound = 1e-4 if postselected else 1e-6
        np.testing.assert_allclose(
            found, np.stack(columns, 1), atol=bound, rtol=bound, err_msg=f"seed {seed}: {case}"
        )
