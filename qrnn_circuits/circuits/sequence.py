"""A whole sequence of a QRNN as one circuit, whose wires do not grow with the steps."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from qrnn_circuits.checks import check_instance
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.dropping import check_dropping
from qrnn_circuits.circuits.encoding import Encoding, check_encoding
from qrnn_circuits.circuits.realisations import Realisation, realisation_at, realisation_of
from qrnn_circuits.circuits.steps import StepInput, checked_inputs
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tensors import check_numbers


def compile_circuit(
    model: RecurrentNetwork,
    inputs: Sequence[StepInput] | Tensor,
    outcomes: Sequence[int | None] | None = None,
    *,
    realisation: Realisation | str | None = None,
    steps: Sequence[int] | None = None,
    symbolic: bool = False,
    tolerance: float = 0.0,
    encoding: Encoding = "lane",
) -> CompiledCircuit:
    """Compiles a sequence into one circuit, whose number of wires does not depend on its length.

    Args:
        model: The network.
        inputs: The input symbols of T steps; or, of a cell of real inputs, the features of each,
            shape ``(T, F)``.
        outcomes: For each step the symbol that its lane is conditioned on, None where it is to be
            sampled, or ``UNREAD`` where it only carries the input: no output stage, no measurement.
            T - 1 entries leave the last step to be sampled. By default every step is.
        realisation: How neurons are built: an object such as ``Amplified(length=5)``; or a name,
            ``"amplified"`` or with options ``"amplified,length=5"``, or ``"module:attribute"``. It
            must have the model's semantics. By default ``"postselect"`` for postselected and
            ``"multiplexed"`` for unitary semantics. Neurons of order 0 are the same in all.
        steps: Positions of the sampled steps whose lane a QNode returns; by default all of them.
        symbolic: Whether trained parameters stay parameters in the Qiskit circuit, so that one
            transpiled circuit serves every parameter set.
        tolerance: In radians. Every neuron drops the parities of its controls that it rotates by at
            most this angle, for fewer gates; :meth:`CompiledCircuit.distribution_bounds` says how
            far that can move what is read. By default nothing is dropped.
        encoding: ``"lane"``: X gates write each input on the lane, whose wires control the neurons.
            ``"angles"``: neurons have it in their angles, with fewer gates to the same effect, and
            the lane is for outcomes only.

    Returns:
        The circuit in its various forms.

    Raises:
        NotImplementedError: If a step is unread and the cell must be read at every step.
        TypeError: If symbols are no integers, or the model is no network.
        ValueError: If an argument is out of range, the realisation is unknown or not of the
            model's semantics, or there is a tolerance but its realisation can drop nothing, or a
            tolerance or inputs in angles but the circuit is symbolic.

    Example:
        >>> from qrnn_circuits import QRNN
        >>> model = QRNN(lane=1, workspace=2, semantics="unitary")
        >>> circuit = compile_circuit(model, [0, 1, 1], [0, None], realisation="amplified,length=5")
        >>> circuit.realisation, circuit.outcomes, circuit.steps
        (Amplified(length=5), (0, None, None), (1, 2))
    """
    check_network(model)
    cell = model.cell
    realisation = realisation_of(realisation, cell.semantics, cell.order)
    built = realisation_at(realisation, cell.order)
    built.check(order=cell.order, controls=cell.most_controls)
    check_dropping(tolerance, built, symbolic=symbolic)
    check_encoding(encoding, symbolic=symbolic)
    steps_in, chosen = checked_inputs(cell, inputs, outcomes)
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
        tuple(steps_in),
        tuple(chosen),
        tuple(requested),
        realisation,
        symbolic,
        tolerance,
        encoding,
    )


def check_network(model: object) -> None:
    """Raises where something is given that has no circuit, or of no known angles.

    Raises:
        TypeError: It is no network.
        ValueError: Its parameters have no numbers.
    """
    check_instance(
        "model",
        model,
        RecurrentNetwork,
        "QRNN is one, and load_run(folder).model; a layer runs by its method on(device), and a "
        "Cell, as layer.cells[0] of a QRNNLayer, in RecurrentNetwork(cell)",
    )
    for parameter in cast(RecurrentNetwork, model).parameters():
        check_numbers(parameter)
