"""Angles of fractional gates on a local model that has them, by Qiskit Runtime's own check."""

from functools import partial
from pathlib import Path

import numpy as np
import pennylane as qml
import pytest

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit_ibm_runtime.fake_provider import FakeFractionalBackend
from qiskit_ibm_runtime.utils.utils import is_valid_rzz_pub

from qrnn_backends.ibm.chip import RuntimeChip
from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.ibm.sampling import bundle
from qrnn_backends.qiskit_common.program import programs
from tests.backends.tapes import tape_of

ANGLES = (0.3, -0.3, 1.0, 1.9, 2.5, 4.0, 7.0, -4.0, 0.0, np.pi)


def circuit(angle: float) -> object:
    # Its probabilities tell angles from their opposites and from those of half a turn more.
    qml.RY(1.5, 0)
    qml.RY(0.8, 1)
    qml.IsingZZ(angle, [0, 1])
    qml.RX(1.5, 0)
    value = qml.measure(0)
    qml.cond(value, qml.IsingXX)(2 * angle, [1, 2])
    qml.RX(1.5, 2)
    return qml.probs(wires=[0, 1, 2])


def test_every_angle_is_one_that_chips_take_and_the_circuit_the_same(path: Path) -> None:
    tapes = [tape_of(partial(circuit, angle), 20_000) for angle in ANGLES]
    backend = FakeFractionalBackend()
    chip = RuntimeChip(backend, backend.target, True, 1)
    pubs = bundle(programs(tapes), lambda program: chip.transpile(program.circuit))
    for pub in pubs:
        assert is_valid_rzz_pub(SamplerPub.coerce(pub.coercible())) == ""
    assert sorted(place for pub in pubs for place in pub.places) == list(range(len(ANGLES)))
    # Those that chips take as they are share a circuit.
    assert max(len(pub.places) for pub in pubs) > 1

    device = IBMDevice(backend=backend, noise=False, seed=1, jobs=path, optimization_level=1)
    exact = qml.execute([tape.copy(shots=None) for tape in tapes], qml.device("default.qubit"))
    for found, expected in zip(device.fetch(device.submit(tapes)), exact, strict=True):
        np.testing.assert_allclose(found, expected, atol=0.02)
