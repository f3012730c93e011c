"""The device ``qrnn.torch``: dynamic circuits on statevectors in torch."""

from collections.abc import Sequence
from typing import Any

import pennylane as qml
import torch
from pennylane.devices import ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.math import Interface
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import Result
from pennylane.wires import WiresLike
from torch import Tensor

from qrnn_backends.circuit_checks import check_measured, check_parameters, check_unitary
from qrnn_backends.seeds import random_generator
from qrnn_backends.torch.autograd import in_autograd, is_recording, to_array
from qrnn_backends.torch.exact import exact_results
from qrnn_backends.torch.preprocess import backpropagates, resolve_config, simulated_circuits
from qrnn_backends.torch.sampling import sampled_results
from qrnn_backends.torch.simulation import ExactBranches, check_width
from qrnn_backends.torch.snapshots import add_snapshot, snapshot_tapes
from qrnn_circuits.checks import check_choice

_TYPES = {"float32": torch.float32, "float64": torch.float64}


@simulator_tracking
@single_tape_support
class TorchDevice(qml.devices.Device):  # type: ignore[misc]
    """Simulates circuits by their statevectors in torch, in real numbers where the circuit is real.

    Mid-circuit measurements, resets, postselection and ``qml.cond`` run natively. Without shots,
    every branch of outcomes is followed, so that all results are exact; with shots, the branches
    that shots take. PennyLane's ``mcm_method`` is not needed; ``"deferred"`` puts measurements off
    as on other devices.

    :class:`~qrnn_circuits.circuits.NeuronOperation` runs without its circuit if the realisation is
    exact: ``"postselect"``, whose ancillas then stay 0 and whose postselection counts into the kept
    share of shots, and ``"multiplexed"``. ``"amplified"`` and ``"repeat_until_success"``
    approximate, and how they do is what one runs them for: they run gate by gate.

    Gradients: backpropagation without shots, also through postselection (``diff_method="best"``),
    with torch or autograd parameters; first-order derivatives only, where a branch has
    probability 0. With shots, PennyLane's parameter-shift rule. The adjoint method is not offered:
    ``lightning.qubit`` has it for circuits without mid-circuit measurements.

    Args:
        wires: Number of wires, or their labels; by default those of each circuit.
        shots: Number of shots; None for exact results. PennyLane gives it to the QNode by choice.
        dtype: ``"float64"`` or ``"float32"``; complex numbers are of the same precision.
        torch_device: Where states live, e.g. ``"cpu"`` or ``"cuda"``.
        seed: Seed of all shots.

    Raises:
        ValueError: If ``dtype`` or ``torch_device`` is not of the kind above.

    Example:
        >>> import numpy as np
        >>> import pennylane as qml
        >>> @qml.qnode(qml.device("qrnn.torch"))
        ... def circuit(angle):
        ...     qml.RY(angle, wires=0)
        ...     first = qml.measure(0, reset=True)
        ...     qml.cond(first, qml.X)(1)
        ...     return qml.probs(wires=1)
        >>> circuit(np.pi / 2).round(6)
        array([0.5, 0.5])
    """

    name = "qrnn.torch"

    def __init__(
        self,
        wires: WiresLike | None = None,
        shots: int | Sequence[int] | None = None,
        *,
        dtype: str = "float64",
        torch_device: str | torch.device = "cpu",
        seed: int | None = None,
    ) -> None:
        check_choice("dtype", dtype, _TYPES)
        try:
            # Allocates, so that a device that is not there is told here.
            self._torch_device = torch.empty(0, device=torch_device).device
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"torch_device must be a device of this machine, got {torch_device!r}: {error}"
            ) from error
        super().__init__(wires=wires, shots=shots)
        self._dtype = _TYPES[dtype]
        self._random = random_generator(seed)
        # Set by qml.snapshots, while it runs a QNode.
        self._debugger: Any = None

    @property
    def numerical_step(self) -> float | None:
        """Step of numerical derivatives that float32 does not round off; None for PennyLane's."""
        return 0.01 if self._dtype == torch.float32 else None

    def supports_derivatives(
        self,
        execution_config: ExecutionConfig | None = None,
        circuit: QuantumScript | None = None,
    ) -> bool:
        """Whether the device itself can differentiate a circuit in this way."""
        return execution_config is None or backpropagates(execution_config, circuit)

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        """Settles what the user left open.

        Raises:
            DeviceError: If a device option is given, or a way to handle mid-circuit measurements
                that this device does not have.
        """
        return resolve_config(
            config or ExecutionConfig(), self.name, circuit, self.wires, self.numerical_step
        )

    def preprocess_transforms(
        self, execution_config: ExecutionConfig | None = None
    ) -> CompilePipeline:
        """What turns any tape into tapes that :meth:`execute` runs."""
        return simulated_circuits(execution_config or ExecutionConfig(), self.name, self.wires)

    def execute(
        self,
        circuits: QuantumScriptBatch,
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[Result, ...]:
        """Runs tapes that have been preprocessed.

        Returns:
            The result of each tape: torch tensors if its parameters are or torch was asked for,
            otherwise arrays.

        Raises:
            ValueError: If a tape measures nothing.
        """
        check_measured(circuits)
        config = execution_config or ExecutionConfig()
        wants_torch = config.interface == Interface.TORCH and config.gradient_method in (
            None,
            "backprop",
        )
        fill_shots = config.mcm_config.postselect_mode == "fill-shots"
        results = []
        for circuit in circuits:
            if self._debugger is not None and self._debugger.active:
                for tag, part in snapshot_tapes(circuit, self.wires):
                    taken, _ = self._run(part, wants_torch, fill_shots)
                    add_snapshot(self._debugger.snapshots, tag, taken)
            result, kept = self._run(circuit, wants_torch, fill_shots)
            if self.tracker.active and kept is not None:
                self.tracker.update(kept_shots=kept)
            results.append(result)
        return tuple(results)

    def _run(
        self, circuit: QuantumScript, wants_torch: bool, fill_shots: bool
    ) -> tuple[Result, int | None]:
        """The result of a circuit, and how many shots are kept if there are any."""
        check_parameters(circuit)
        check_width(circuit)
        parameters = circuit.get_parameters(trainable_only=False)
        tensors = any(isinstance(value, Tensor) for value in parameters)
        if not (tensors or is_recording(parameters)):
            # PennyLane's matrices of what autograd could record are others than those of numbers.
            (circuit,), _ = qml.transforms.convert_to_numpy_parameters(circuit)
            parameters = circuit.get_parameters(trainable_only=False)
        wants_torch = wants_torch or tensors
        check_unitary(circuit.operations)
        if circuit.shots:
            with torch.no_grad():
                sampled, kept = sampled_results(
                    circuit, self._dtype, self._torch_device, self._random, fill_shots=fill_shots
                )
            return _to_tensors(sampled, self._torch_device) if wants_torch else sampled, kept
        results: tuple[Any, ...]
        if is_recording(parameters):
            results = self._recorded(circuit, parameters)
        else:
            exact = _tied(self._exact(circuit), parameters)
            results = exact if wants_torch else tuple(map(to_array, exact))
        return results if len(results) > 1 else results[0], None

    def _exact(self, circuit: QuantumScript) -> tuple[Tensor, ...]:
        branches = ExactBranches(circuit, self._dtype, self._torch_device)
        branches.run()
        return exact_results(circuit, branches, self._dtype)

    def _recorded(self, circuit: QuantumScript, parameters: list[Any]) -> tuple[Any, ...]:
        """Runs a circuit of which autograd records operations on some parameters."""
        templates: list[Tensor] = []

        recorded = [place for place, value in enumerate(parameters) if is_recording([value])]

        def flat_results(*tensors: Tensor) -> Tensor:
            bound = circuit.bind_new_parameters(list(tensors), recorded)
            templates[:] = _tied(self._exact(bound), tensors)
            return torch.cat([result.reshape(-1) for result in templates])

        flat = in_autograd(flat_results)(*(parameters[place] for place in recorded))
        results, start = [], 0
        for template in templates:
            part = flat[start : start + template.numel()].reshape(tuple(template.shape))
            results.append(part if template.is_complex() else qml.math.real(part))
            start += template.numel()
        return tuple(results)


def _tied(results: tuple[Tensor, ...], parameters: Sequence[Any]) -> tuple[Tensor, ...]:
    """Results that have a gradient of 0 where they do not depend on a parameter.

    For instance one of a gate that is conditioned on what never occurs.
    """
    ties = [value for value in parameters if isinstance(value, Tensor) and value.requires_grad]
    if not ties:
        return results
    parts = [torch.view_as_real(tie) if tie.is_complex() else tie for tie in ties]
    device = results[0].device
    # Derivatives of any order depend on all parameters as well.
    nothing = 0.0 * torch.stack([part.sum().double().to(device) for part in parts]).sum().sin()
    return tuple(result + nothing.to(result.dtype) for result in results)


def _to_tensors(results: Any, device: torch.device) -> Any:  # noqa: ANN401
    """Arrays within a result as tensors."""
    if isinstance(results, tuple):
        return tuple(_to_tensors(result, device) for result in results)
    if isinstance(results, dict | list):
        return results
    return torch.as_tensor(results, device=device)
