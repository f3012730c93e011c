"""Compiles a sequence of a QRNN into one circuit."""

from collections.abc import Sequence

from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.realisation import (
    DEFAULT_ATTEMPTS,
    DEFAULT_LENGTH,
    Realisation,
    check_realisation,
    check_semantics,
    default_realisation,
)
from qrnn_circuits.network import QRNN


def compile(
    model: QRNN,
    inputs: Sequence[int],
    outcomes: Sequence[int | None] | None = None,
    *,
    realisation: Realisation | None = None,
    steps: Sequence[int] | None = None,
    symbolic: bool = False,
    attempts: int = DEFAULT_ATTEMPTS,
    length: int = DEFAULT_LENGTH,
) -> CompiledCircuit:
    """Compiles a sequence into one circuit, whose number of wires does not depend on its length.

    Args:
        model: The network.
        inputs: The input symbols of T steps.
        outcomes: For each step the symbol that its lane is conditioned on, or None where it is to
            be sampled; T - 1 entries leave the last step to be sampled. By default every step is.
        realisation: How neurons are built; it must have the model's semantics. By default
            ``"postselect"`` for postselected and ``"multiplexed"`` for unitary semantics.
        steps: Positions of the sampled steps whose lane a QNode returns; by default all of them.
        symbolic: Whether trained parameters stay parameters in the Qiskit circuit, so that one
            transpiled circuit serves every parameter set.
        attempts: How often a neuron is tried, for ``"repeat_until_success"``, at least 1.
        length: Length of the amplification, odd, for ``"amplified"``.

    Returns:
        The circuit in its various forms.

    Raises:
        ValueError: If an argument is out of range, or the realisation is unknown or not of the
            model's semantics.
    """
    cell = model.cell
    realisation = default_realisation(cell.semantics) if realisation is None else realisation
    check_realisation(
        realisation,
        order=cell.order,
        controls=cell.polynomial.variables,
        attempts=attempts,
        length=length,
    )
    check_semantics(realisation, cell.semantics)
    inputs = [int(symbol) for symbol in inputs]
    if not inputs:
        raise ValueError("inputs must hold at least one symbol, got none")
    chosen: list[int | None] = (
        [None] * len(inputs)
        if outcomes is None
        else [None if symbol is None else int(symbol) for symbol in outcomes]
    )
    if len(chosen) == len(inputs) - 1:
        chosen.append(None)
    if len(chosen) != len(inputs):
        raise ValueError(
            f"outcomes must hold one symbol or None for each of the {len(inputs)} inputs, or for "
            f"each but the last, got {len(chosen)}"
        )
    for name, symbols in (("inputs", inputs), ("outcomes", chosen)):
        for symbol in symbols:
            if symbol is not None and not 0 <= symbol < 2**cell.lane:
                raise ValueError(
                    f"{name} must be symbols from 0 to {2**cell.lane - 1} (a lane of {cell.lane} "
                    f"wires), got {symbol}"
                )
    sampled = [step for step, outcome in enumerate(chosen) if outcome is None]
    requested = sampled if steps is None else [int(step) for step in steps]
    for step in requested:
        if step not in sampled:
            raise ValueError(
                f"steps must be sampled ones, whose outcome is not given (here {sampled}), got "
                f"{step}"
            )
    return CompiledCircuit(
        model,
        tuple(inputs),
        tuple(chosen),
        tuple(requested),
        realisation,
        attempts,
        length,
        symbolic,
    )
