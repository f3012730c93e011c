"""TensorCircuit-NG."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.simulators.circuit import Cnot, Gate, Multiplexer, Rotation, StepCircuit
from benchmarks.simulators.likelihood import Simulator


def tensorcircuit(circuit: StepCircuit) -> Simulator:
    """TensorCircuit-NG with JAX: compiled, mapped over the batch and scanned over the steps."""
    import jax
    import tensorcircuit as tc

    tc.set_backend("jax")
    tc.set_dtype("complex128")
    # Gates are contracted in their order: a search for a better one takes long and finds none.
    tc.set_contractor("plain")
    jnp = jax.numpy
    symbols, size = 2**circuit.lane, 2**circuit.workspace_wires

    def apply(gates: Sequence[Gate], angles: Any, state: Any, symbol: Any) -> Any:  # noqa: ANN401
        whole = jnp.zeros((symbols, size), state.dtype).at[symbol].set(state)
        built = tc.Circuit(circuit.wires, inputs=whole.reshape(-1))
        for gate in gates:
            match gate:
                case Rotation(target, index):
                    built.ry(target, theta=angles[index])
                case Cnot(control, target):
                    built.cnot(control, target)
                case Multiplexer(target, controls, first):
                    half = angles[first : first + gate.patterns] / 2
                    blocks = jnp.array(
                        [[jnp.cos(half), -jnp.sin(half)], [jnp.sin(half), jnp.cos(half)]]
                    )
                    each = jnp.arange(gate.patterns)
                    matrix = jnp.zeros((gate.patterns, 2, gate.patterns, 2), state.dtype)
                    matrix = matrix.at[each, :, each, :].set(blocks.transpose(2, 0, 1))
                    built.any(*controls, target, unitary=matrix.reshape(2 * gate.patterns, -1))
        return built.state().reshape(symbols, size)

    def sequence(angles: Any, inputs: Any, outcomes: Any) -> Any:  # noqa: ANN401
        def step(state: Any, symbol: Any) -> tuple[Any, None]:  # noqa: ANN401
            given, outcome = symbol
            state = apply(circuit.workspace, angles, state, given)[given]
            return apply(circuit.readout, angles, state, 0)[outcome], None

        start = jnp.zeros(size, jnp.complex128).at[0].set(1)
        state, _ = jax.lax.scan(step, start, (inputs, outcomes))
        return jnp.log((jnp.abs(state) ** 2).sum())

    def likelihood(angles: Any, inputs: Any, outcomes: Any) -> Any:  # noqa: ANN401
        return jax.vmap(sequence, (None, 0, 0))(angles, inputs, outcomes).sum()

    value = jax.jit(likelihood)
    value_and_gradient = jax.jit(jax.value_and_grad(likelihood))

    def run(
        angles: Tensor, inputs: Tensor, outcomes: Tensor, gradient: bool
    ) -> tuple[float, Tensor | None]:
        arguments = [jnp.asarray(each.numpy()) for each in (angles, inputs, outcomes)]
        if not gradient:
            return float(value(*arguments)), None
        result, derivative = value_and_gradient(*arguments)
        return float(result), torch.from_numpy(np.array(derivative))

    return run
