"""Adjoint differentiation of a device, by PennyLane's own implementation."""

from abc import abstractmethod
from typing import Any

import pennylane as qml
from pennylane.devices import ExecutionConfig
from pennylane.devices.default_qubit import (
    ALL_DQ_GATES_PLUS_MCM,
    adjoint_observables,
    adjoint_ops,
    adjoint_state_measurements,
)
from pennylane.devices.preprocess import (
    decompose,
    no_sampling,
    validate_adjoint_trainable_params,
    validate_device_wires,
    validate_measurements,
    validate_observables,
)
from pennylane.devices.qubit.adjoint_jacobian import adjoint_jacobian, adjoint_jvp, adjoint_vjp
from pennylane.exceptions import DecompositionUndefinedError, DeviceError
from pennylane.operation import Operator
from pennylane.ops import Conditional, MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.transforms import broadcast_expand
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import Result


class AdjointDevice(qml.devices.Device):  # type: ignore[misc]
    """A device whose derivatives, where it is asked for any, are by the adjoint method.

    The method (Jones and Gacon, arXiv:2009.02823) takes memory for few states however deep the
    circuit is. It needs unitary circuits: no mid-circuit measurements.
    """

    @abstractmethod
    def plain_results(self, circuits: QuantumScriptBatch) -> tuple[Result, ...]:
        """Results of tapes of numbers."""

    def compute_derivatives(
        self, circuits: QuantumScriptBatch, execution_config: ExecutionConfig | None = None
    ) -> tuple[Any, ...]:
        """Jacobians by adjoint differentiation."""
        return tuple(adjoint_jacobian(circuit) for circuit in circuits)

    def execute_and_compute_derivatives(
        self, circuits: QuantumScriptBatch, execution_config: ExecutionConfig | None = None
    ) -> tuple[tuple[Result, ...], tuple[Any, ...]]:
        """Results and Jacobians by adjoint differentiation."""
        return self.plain_results(circuits), tuple(
            adjoint_jacobian(circuit) for circuit in circuits
        )

    def supports_vjp(
        self,
        execution_config: ExecutionConfig | None = None,
        circuit: QuantumScript | None = None,
    ) -> bool:
        """Whether the device has vector-Jacobian products: where it has derivatives."""
        return bool(self.supports_derivatives(execution_config, circuit))

    def compute_vjp(
        self,
        circuits: QuantumScriptBatch,
        cotangents: tuple[Any, ...],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[Any, ...]:
        """Vector-Jacobian products by adjoint differentiation."""
        pairs = zip(circuits, cotangents, strict=True)
        return tuple(adjoint_vjp(circuit, cotangent) for circuit, cotangent in pairs)

    def execute_and_compute_vjp(
        self,
        circuits: QuantumScriptBatch,
        cotangents: tuple[Any, ...],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[tuple[Result, ...], tuple[Any, ...]]:
        """Results and vector-Jacobian products by adjoint differentiation."""
        return self.plain_results(circuits), self.compute_vjp(circuits, cotangents)

    def supports_jvp(
        self,
        execution_config: ExecutionConfig | None = None,
        circuit: QuantumScript | None = None,
    ) -> bool:
        """Whether the device has Jacobian-vector products: where it has derivatives."""
        return bool(self.supports_derivatives(execution_config, circuit))

    def compute_jvp(
        self,
        circuits: QuantumScriptBatch,
        tangents: tuple[Any, ...],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[Any, ...]:
        """Jacobian-vector products by adjoint differentiation."""
        pairs = zip(circuits, tangents, strict=True)
        return tuple(adjoint_jvp(circuit, tangent) for circuit, tangent in pairs)

    def execute_and_compute_jvp(
        self,
        circuits: QuantumScriptBatch,
        tangents: tuple[Any, ...],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[tuple[Result, ...], tuple[Any, ...]]:
        """Results and Jacobian-vector products by adjoint differentiation."""
        return self.plain_results(circuits), self.compute_jvp(circuits, tangents)

    def supports_adjoint(self, circuit: QuantumScript | None) -> bool:
        """Whether a circuit can be differentiated so; with None, whether any can."""
        if circuit is None:
            return True
        program = CompilePipeline()
        program.add_transform(validate_device_wires, self.wires, name=self.name)
        self.add_adjoint(program)
        try:
            program((circuit,))
        except (AttributeError, DecompositionUndefinedError, DeviceError):
            return False
        return True

    def add_adjoint(self, program: CompilePipeline, *, device_vjp: bool = False) -> None:
        """Adds the transforms that make tapes ready.

        Args:
            program: Where to add them.
            device_vjp: Whether vector-Jacobian products are asked for, not Jacobians.
        """
        name = f"adjoint + {self.name}"
        program.add_transform(no_sampling, name=name)
        program.add_transform(
            decompose,
            stopping_condition=_runs_adjoint,
            device_wires=self.wires,
            target_gates=ALL_DQ_GATES_PLUS_MCM,
            name=name,
            skip_initial_state_prep=False,
        )
        program.add_transform(validate_observables, adjoint_observables, name=name)
        program.add_transform(validate_measurements, name=name)
        program.add_transform(adjoint_state_measurements, device_vjp=device_vjp)
        program.add_transform(broadcast_expand)
        program.add_transform(validate_adjoint_trainable_params)


def _runs_adjoint(operation: Operator) -> bool:
    return bool(
        not isinstance(operation, Conditional | MidMeasure)
        and operation.has_matrix
        and adjoint_ops(operation)
    )
