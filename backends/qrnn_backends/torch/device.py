"""The device ``qrnn.torch``: dynamic circuits on statevectors in torch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pennylane as qml
import torch
from pennylane.devices import ExecutionConfig
from pennylane.devices.default_qubit import (
    ALL_DQ_GATES_PLUS_MCM,
    accepted_analytic_measurement,
    accepted_sample_measurement,
)
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.devices.preprocess import (
    decompose,
    device_resolve_dynamic_wires,
    no_sampling,
    validate_device_wires,
    validate_measurements,
)
from pennylane.exceptions import DeviceError
from pennylane.math import Interface
from pennylane.measurements import ClassicalShadowMP, ShadowExpvalMP
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.transforms import broadcast_expand, defer_measurements
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import PostprocessingFn, Result
from pennylane.wires import WiresLike
from torch import Tensor

from qrnn_backends.parameter_shift import unpostselected_param_shift
from qrnn_backends.torch.adjoint import AdjointDevice
from qrnn_backends.torch.autograd import in_autograd, is_traced, to_array
from qrnn_backends.torch.branches import ExactBranches, check_width, runs
from qrnn_backends.torch.measurements import exact_results
from qrnn_backends.torch.sampling import sampled_results

_TYPES = {"float32": torch.float32, "float64": torch.float64}

# What parameters may be for backpropagation to go through torch.
_BACKPROP = (Interface.TORCH, Interface.AUTOGRAD, Interface.NUMPY, Interface.AUTO)


@simulator_tracking
@single_tape_support
class TorchDevice(AdjointDevice):
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
    probability 0. Adjoint differentiation of circuits without mid-circuit measurements by
    PennyLane's own implementation. With shots, PennyLane's parameter-shift rule.

    Args:
        wires: Number of wires, or their labels; by default those of each circuit.
        shots: As for every PennyLane device.
        dtype: ``"float64"`` or ``"float32"``; complex numbers are of the same precision.
        torch_device: Where states live, e.g. ``"cpu"`` or ``"cuda"``.
        seed: Seed of all shots.

    Raises:
        ValueError: If ``dtype`` or ``torch_device`` is not of the kind above.
    """

    def __init__(
        self,
        wires: WiresLike | None = None,
        shots: int | Sequence[int] | None = None,
        *,
        dtype: str = "float64",
        torch_device: str | torch.device = "cpu",
        seed: int | None = None,
    ) -> None:
        if dtype not in _TYPES:
            raise ValueError(f"dtype must be one of {tuple(_TYPES)}, got {dtype!r}")
        try:
            # Allocates, so that a device that is not there is told here.
            self._torch_device = torch.empty(0, device=torch_device).device
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"torch_device must be a device of this machine, got {torch_device!r}: {error}"
            ) from error
        super().__init__(wires=wires, shots=shots)
        self._dtype = _TYPES[dtype]
        self._random = np.random.default_rng(seed)

    @property
    def name(self) -> str:
        """The name of the device."""
        return "qrnn.torch"

    def supports_derivatives(
        self,
        execution_config: ExecutionConfig | None = None,
        circuit: QuantumScript | None = None,
    ) -> bool:
        """Whether the device itself can differentiate a circuit in this way."""
        if execution_config is None:
            return True
        method = execution_config.gradient_method
        if method == "best":
            method = self._best(execution_config, circuit)
        if method == "backprop":
            return _supports_backprop(execution_config, circuit)
        return bool(method == "adjoint" and self.supports_adjoint(circuit))

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        """Settles what the user left open.

        Raises:
            DeviceError: If a device option is given, or a way to handle mid-circuit measurements
                that this device does not have.
        """
        config = config or ExecutionConfig()
        if config.device_options:
            raise DeviceError(
                f"qrnn.torch takes no device options, got {list(config.device_options)}"
            )
        if config.mcm_config.mcm_method == "single-branch-statistics":
            raise DeviceError("qrnn.torch has no mcm_method 'single-branch-statistics'")
        if config.mcm_config.postselect_mode == "pad-invalid-samples":
            raise DeviceError(
                "postselect_mode must be 'hw-like' or 'fill-shots' on qrnn.torch, got "
                "'pad-invalid-samples'"
            )
        method = config.gradient_method
        if method == "best":
            method = self._best(config, circuit)
        changes: dict[str, Any] = {"gradient_method": method}
        if config.use_device_gradient is None:
            changes["use_device_gradient"] = method in ("adjoint", "backprop")
        for name in ("use_device_jacobian_product", "grad_on_execution"):
            if getattr(config, name) is None:
                changes[name] = method == "adjoint"
        if method == qml.gradients.param_shift:
            changes["gradient_method"] = unpostselected_param_shift
        return replace(config, **changes)

    def preprocess_transforms(
        self, execution_config: ExecutionConfig | None = None
    ) -> CompilePipeline:
        """What turns any tape into tapes that :meth:`execute` runs."""
        config = execution_config or ExecutionConfig()
        program = CompilePipeline()

        def expand() -> None:
            program.add_transform(
                decompose,
                stopping_condition=runs,
                device_wires=self.wires,
                target_gates=ALL_DQ_GATES_PLUS_MCM,
                name=self.name,
            )

        expand()
        if config.mcm_config.mcm_method == "deferred":
            program.add_transform(defer_measurements, allow_postselect=True)
            expand()
        program.add_transform(device_resolve_dynamic_wires, wires=self.wires, allow_resets=True)
        program.add_transform(validate_device_wires, self.wires, name=self.name)
        program.add_transform(
            validate_measurements,
            analytic_measurements=accepted_analytic_measurement,
            sample_measurements=accepted_sample_measurement,
            name=self.name,
        )
        program.add_transform(_expand_shadows)
        if config.gradient_method == "backprop":
            program.add_transform(no_sampling, name=f"backprop + {self.name}")
        if config.gradient_method == "adjoint":
            self.add_adjoint(program, device_vjp=bool(config.use_device_jacobian_product))
        return program

    def execute(
        self,
        circuits: QuantumScriptBatch,
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[Result, ...]:
        """Runs tapes that have been preprocessed.

        Returns:
            The result of each tape: torch tensors if its parameters are or torch was asked for,
            otherwise arrays.
        """
        config = execution_config or ExecutionConfig()
        wants_torch = config.interface == Interface.TORCH and config.gradient_method in (
            None,
            "backprop",
        )
        fill_shots = config.mcm_config.postselect_mode == "fill-shots"
        return tuple(self._run(circuit, wants_torch, fill_shots) for circuit in circuits)

    def plain_results(self, circuits: QuantumScriptBatch) -> tuple[Result, ...]:
        """Results of tapes of numbers."""
        return tuple(self._run(circuit) for circuit in circuits)

    def _run(
        self, circuit: QuantumScript, wants_torch: bool = False, fill_shots: bool = False
    ) -> Result:
        check_width(circuit)
        parameters = circuit.get_parameters(trainable_only=False)
        wants_torch = wants_torch or any(isinstance(value, Tensor) for value in parameters)
        if circuit.shots:
            with torch.no_grad():
                sampled, kept = sampled_results(
                    circuit, self._dtype, self._torch_device, self._random, fill_shots=fill_shots
                )
            if self.tracker.active:
                self.tracker.update(kept_shots=kept)
            return _to_tensors(sampled, self._torch_device) if wants_torch else sampled
        results: tuple[Any, ...]
        if is_traced(parameters):
            results = self._traced(circuit, parameters)
        else:
            tensors = self._exact(circuit)
            results = tensors if wants_torch else tuple(map(to_array, tensors))
        return results if len(results) > 1 else results[0]

    def _exact(self, circuit: QuantumScript) -> tuple[Tensor, ...]:
        branches = ExactBranches(circuit, self._dtype, self._torch_device)
        branches.run()
        return exact_results(circuit, branches, self._dtype)

    def _traced(self, circuit: QuantumScript, parameters: list[Any]) -> tuple[Any, ...]:
        """Runs a circuit whose parameters autograd traces."""
        templates: list[Tensor] = []

        def flat_results(*tensors: Tensor) -> Tensor:
            bound = circuit.bind_new_parameters(list(tensors), range(len(tensors)))
            templates[:] = self._exact(bound)
            return torch.cat([result.reshape(-1) for result in templates])

        flat = in_autograd(flat_results)(*parameters)
        results, start = [], 0
        for template in templates:
            part = flat[start : start + template.numel()].reshape(tuple(template.shape))
            results.append(part if template.is_complex() else qml.math.real(part))
            start += template.numel()
        return tuple(results)

    def _best(self, config: ExecutionConfig, circuit: QuantumScript | None) -> str:
        return "backprop" if _supports_backprop(config, circuit) else "adjoint"


def _supports_backprop(config: ExecutionConfig, circuit: QuantumScript | None) -> bool:
    if config.interface not in _BACKPROP:
        return False
    if circuit is None:
        return True
    return not circuit.shots and not any(
        # PennyLane computes their expectation values in SciPy.
        isinstance(measurement.obs, qml.SparseHamiltonian)
        for measurement in circuit.measurements
    )


@qml.transform  # type: ignore[untyped-decorator]
def _expand_shadows(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """One tape for each entry of a batch, where PennyLane's classical shadows take no batch."""
    if any(isinstance(m, ClassicalShadowMP | ShadowExpvalMP) for m in tape.measurements):
        batch, combine = broadcast_expand(tape)
        return batch, combine
    return (tape,), _first


def _first(results: Sequence[Result]) -> Result:
    return results[0]


def _to_tensors(results: Any, device: torch.device) -> Any:  # noqa: ANN401
    """Arrays within a result as tensors."""
    if isinstance(results, tuple):
        return tuple(_to_tensors(result, device) for result in results)
    if isinstance(results, dict | list):
        return results
    return torch.as_tensor(results, device=device)
