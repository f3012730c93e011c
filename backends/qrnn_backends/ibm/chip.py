"""The chip that a job is for: one of IBM's, or a local model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qrnn_backends.ibm.service import RuntimeService
from qrnn_backends.qiskit_common.chip_model import chip_model
from qrnn_backends.qiskit_common.readout_errors import assignment_matrices
from qrnn_circuits.circuits.qiskit.target import Chip, fake_backend, is_fake
from qrnn_circuits.optional_packages import require_modules

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.transpiler import Target

_LEAST_BUSY = "least_busy"


@dataclass(frozen=True)
class RuntimeChip:
    """A chip, to transpile for.

    Attributes:
        backend: Qiskit Runtime's backend: of the service, or for a local model the fake one, which
            has the chip's calibration data.
        target: Qiskit's description of the chip.
        local: Whether it is a local model.
        level: Optimisation level of the transpiler.
    """

    backend: Any
    target: "Target"
    local: bool
    level: int

    @property
    def name(self) -> str:
        """Name of the chip."""
        return str(self.backend.name)

    def transpile(self, circuit: "QuantumCircuit") -> "QuantumCircuit":
        """The circuit on the chip's qubits and in its gates; parameters stay parameters.

        Raises:
            UnsupportedTargetError: If the chip lacks qubits or instructions.
        """
        chip = Chip(self.name, self.target, None)
        return chip.transpile(circuit, optimization_level=self.level)

    def readout_matrices(self, circuit: "QuantumCircuit") -> NDArray[np.float64]:
        """The readout errors of each bit of a circuit on the chip, from its calibration data.

        Args:
            circuit: On the chip's qubits, without conditions.

        Returns:
            Shape ``(bits, 2, 2)``, as
            :func:`~qrnn_backends.qiskit_common.readout_errors.assignment_matrices` has them.

        Raises:
            ValueError: If the circuit has conditions, there are no data on a qubit, or a bit says
                nothing of its qubit.
        """
        from qiskit_aer.noise.device import readout_error_values

        properties = self.backend.properties()
        if properties is None:
            raise ValueError(
                f"mitigation must be None: {self.name} has no calibration data just now"
            )
        errors = readout_error_values(properties)

        def matrix(qubit: int) -> NDArray[np.float64]:
            if errors[qubit] is None:
                raise ValueError(
                    f"mitigation must be None: {self.name} has no data on readout errors of qubit "
                    f"{qubit}"
                )
            one_from_zero, zero_from_one = errors[qubit]
            return np.array(
                [[1 - one_from_zero, zero_from_one], [one_from_zero, 1 - zero_from_one]]
            )

        return assignment_matrices(circuit, matrix)


def check_backend(backend: Any, wires: int) -> None:  # noqa: ANN401
    """Checks what a user gives as a backend, as far as that takes no connection.

    Args:
        backend: What the user gave.
        wires: Number of wires that it must have.

    Raises:
        TypeError: If it is neither a name nor a backend of Qiskit Runtime.
        ValueError: If there is no local model of the name, or the chip has too few qubits.
    """
    if backend is None:
        return
    require_modules("qiskit", "qiskit_ibm_runtime")
    if isinstance(backend, str):
        if not is_fake(backend):
            return
        backend = fake_backend(backend)
    from qiskit_ibm_runtime import IBMBackend
    from qiskit_ibm_runtime.fake_provider.fake_backend import FakeBackendV2

    if not isinstance(backend, IBMBackend | FakeBackendV2):
        raise TypeError(
            "backend must be a name or a backend of qiskit_ibm_runtime, got "
            f"{type(backend).__name__}; simulators are for the device qrnn.aer"
        )
    qubits = backend.configuration().n_qubits
    if wires > qubits:
        raise ValueError(f"{backend.name} has {qubits} qubits, but wires are {wires}")


def open_chip(
    backend: Any,  # noqa: ANN401
    service: RuntimeService,
    *,
    qubits: int,
    level: int,
) -> RuntimeChip:
    """Finds the chip.

    Args:
        backend: What :func:`check_backend` accepts.
        service: Where to look for it; asked for IBM's chips only.
        qubits: Number of qubits that the least busy chip must have.
        level: Optimisation level of the transpiler.

    Raises:
        NoAccountError: If there is no account.
        ServiceError: If the service refuses, or cannot be reached.
        ValueError: If there is no such chip, or no backend is given.
    """
    if backend is None:
        raise ValueError(
            "backend must be given to run circuits: the name of a chip, 'least_busy', or a local "
            "model such as 'fake_fez'"
        )
    if isinstance(backend, str):
        if is_fake(backend):
            # The target takes a second to build, and the model has it.
            model = chip_model(backend)
            return RuntimeChip(fake_backend(backend), model.target, True, level)
        found = service.least_busy(qubits) if backend == _LEAST_BUSY else service.backend(backend)
        return RuntimeChip(found, found.target, False, level)
    from qiskit_ibm_runtime import IBMBackend

    if isinstance(backend, IBMBackend):
        return RuntimeChip(backend, backend.target, False, level)
    # It is simulated by its name, in whatever process fetches the results.
    chip_model(backend.name)
    # A user may have changed the target, by adding instructions or leaving out qubits.
    return RuntimeChip(backend, backend.target, True, level)
