"""Drawings of a compiled circuit: as text, and one step as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import Conditional, MidMeasure

from qrnn_circuits.checks import check_instance, check_integer
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.qiskit.basic import basic_operations
from qrnn_circuits.circuits.stages import StagedOperation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From ColorBrewer's qualitative palettes: dark ones for wires, pale ones behind stages.
_REGISTER_COLOURS = {"lane": "#1f78b4", "workspace": "#33a02c", "ancillas": "#ff7f00"}
_STAGE_COLOURS = {"input": "#deebf7", "work": "#e5f5e0", "output": "#fee6ce", "other": "#f0f0f0"}
# Where a compiled circuit comes from.
_COMPILE = "compile_circuit(model, inputs) makes one"
_COLUMNS_PER_LINE, _MOST_LINES = 40, 4
# In inches. The title is as wide as the narrowest picture.
_LEAST_WIDTH, _MOST_WIDTH = 6, 16

_LETTERS = {
    "PauliX": "X",
    "PauliZ": "Z",
    "Hadamard": "H",
    "S": "S",
    "Adjoint(S)": "S†",
    "RY": "RY",
    "RZ": "RZ",
    "PhaseShift": "P",
}


@dataclass
class _Column:
    """Operations that are drawn above each other."""

    stage: str
    operations: list[Operator] = field(default_factory=list)
    neuron: int | None = None


def draw_text(circuit: CompiledCircuit) -> str:
    """Draws a compiled circuit as text, with one box for each neuron.

    Args:
        circuit: Any compiled circuit.

    Raises:
        TypeError: If it is no compiled circuit.

    Example:
        >>> from qrnn_circuits import QRNN, compile_circuit
        >>> model = QRNN(lane=1, workspace=1, stages=0, degree=1, semantics="unitary")
        >>> print(draw_text(compile_circuit(model, [0])))  # doctest: +NORMALIZE_WHITESPACE
             lane 0: ─╭Neuron─╭Neuron─┤  Probs
        workspace 0: ─╰Neuron─╰Neuron─┤
    """
    check_instance("circuit", circuit, CompiledCircuit, _COMPILE)
    labels = {
        wire: f"{name.removesuffix('s')} {place}"
        for name, wires in zip(circuit.registers._fields, circuit.registers, strict=True)
        for place, wire in enumerate(wires)
    }
    (tape,), _ = qml.map_wires(circuit.tape, labels)
    text: str = qml.drawer.tape_text(tape, wire_order=labels.values(), decimals=2)
    return text


def draw_step(circuit: CompiledCircuit, step: int = 0) -> "Figure":
    """Draws one step of a compiled circuit.

    Above, every neuron with the wires that control it, on the colour of its stage; where rotations
    are dropped, with those that still do, and dashed where no rotation is left. Below, the gates
    of the first neuron that has some, on their wires alone, before transpilation; those that wait
    for a measurement are dashed. ``M`` is a measurement, ``M=0`` one that must read 0, and
    ``→|0⟩`` resets the wire after it. A long circuit is cut, and the picture says so.

    Args:
        circuit: Any compiled circuit.
        step: From 0. An unread one has no output stage; the last is one that is read.

    Returns:
        A matplotlib figure.

    Raises:
        TypeError: If it is no compiled circuit, or ``step`` is not an integer.
        ValueError: If the circuit has no such step.

    Example:
        >>> from qrnn_circuits import QRNN, compile_circuit
        >>> figure = draw_step(compile_circuit(QRNN(lane=1, workspace=2), [0]))
        >>> figure.get_suptitle()
        'One step, input symbol 0: order 2, degree 2, realisation postselect'
    """
    from matplotlib.figure import Figure

    check_instance("circuit", circuit, CompiledCircuit, _COMPILE)
    check_integer("step", step, 0, len(circuit.inputs) - 1)
    staged = [item for item in circuit.staged_operations() if item.step == step]
    neurons = (item for item in staged if item.neuron is not None)
    neuron = next((item for item in neurons if _rotates(item.operation)), None)
    overview = _overview_columns(staged)
    used: list[int] = []  # wires of these gates, which alone are shown with them
    gates: list[_Column] = []
    if neuron is not None:
        operations = list(basic_operations(neuron.operation))
        used = sorted(qml.wires.Wires.all_wires([gate.wires for gate in operations]))
        rows_of = {wire: row for row, wire in enumerate(used)}
        gates = _packed([qml.map_wires(gate, rows_of) for gate in operations])
    shown = gates[: _COLUMNS_PER_LINE * _MOST_LINES]
    lines = [
        shown[start : start + _COLUMNS_PER_LINE]
        for start in range(0, len(shown), _COLUMNS_PER_LINE)
    ]
    every = range(sum(map(len, circuit.registers)))
    heights = [0.42 * (len(wires) + 1) + 0.5 for wires in (every, *[used] * len(lines))]
    # An inch for a column, as far as the page goes.
    widest = max(len(overview), len(shown[:_COLUMNS_PER_LINE]))
    width = min(max(widest, _LEAST_WIDTH), _MOST_WIDTH)
    places = min(widest, _MOST_WIDTH)
    figure = Figure(figsize=(width, 1.6 + sum(heights)), layout="constrained")
    rows = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    symbol, realisation = circuit.inputs[step], circuit.realisation
    given = f"input symbol {symbol}" if isinstance(symbol, int) else "real features"
    cell = circuit.model.cell
    kept = ("order", "degree") if "order" in cell.sizes() else ("lane", "workspace")
    sizes = [f"{name} {cell.sizes()[name]}" for name in kept]
    if cell.order:
        sizes.append(f"realisation {realisation}")
    figure.suptitle(f"One step, {given}: {', '.join(sizes)}", fontsize=11)
    _draw_overview(rows[0], overview, circuit, max(len(overview), places))
    if circuit.tolerance:
        words = f"Rotations up to {circuit.tolerance:g} rad are dropped"
        if any(item.neuron is not None and not _rotates(item.operation) for item in staged):
            words += "; dashed: neurons of which none is left"
        rows[0].set_title(words, loc="left", fontsize=9)
    for place, (axes, line) in enumerate(zip(rows[1:], lines, strict=True)):
        _draw_gates(axes, line, circuit, used, max(len(lines[0]), places))
        if place == 0 and neuron is not None:
            title = f"Gates of neuron f{neuron.neuron}"
            if len(shown) < len(gates):
                title += f", the first {len(shown)} of {len(gates)} columns"
            if any(isinstance(gate, Conditional) for column in shown for gate in column.operations):
                title += "; dashed: only where an earlier measurement read 1"
            axes.set_title(title, loc="left", fontsize=11)
    return figure


def _rotates(neuron: Any) -> bool:  # noqa: ANN401
    """Whether a neuron has dropped fewer than all of its rotations."""
    return bool(neuron.hyperparameters["parities"] != ())


def _overview_columns(staged: Sequence[StagedOperation]) -> list[_Column]:
    """One column for each neuron; other operations of a stage share columns where they fit."""
    columns: list[_Column] = []
    for item in staged:
        last = columns[-1] if columns else None
        apart = item.neuron is not None or last is None or last.neuron is not None
        if apart or last is None or last.stage != item.stage or _overlap(last, item.operation):
            last = _Column(item.stage, neuron=item.neuron)
            columns.append(last)
        last.operations.append(item.operation)
    return columns


def _overlap(column: _Column, operation: Operator) -> bool:
    return any(set(operation.wires) & set(other.wires) for other in column.operations)


def _packed(gates: Sequence[Operator]) -> list[_Column]:
    """Puts each gate in the first column after all those that share a wire span with it."""
    columns: list[_Column] = []
    for gate in gates:
        low, high = min(gate.wires), max(gate.wires)
        place = len(columns)
        while place and not any(
            min(other.wires) <= high and low <= max(other.wires)
            for other in columns[place - 1].operations
        ):
            # A condition or measurement stays in order.
            if isinstance(gate, Conditional | MidMeasure):
                break
            place -= 1
        if place == len(columns):
            columns.append(_Column(""))
        columns[place].operations.append(gate)
    return columns


def _draw_wires(
    axes: "Axes", circuit: CompiledCircuit, wires: Sequence[int], columns: int, width: int
) -> None:
    """Draws some wires, one below the other."""
    axes.set_xlim(-0.6 - 0.05 * width, width)
    axes.set_ylim(len(wires) - 0.3, -1.1)
    axes.axis("off")
    for (name, colour), register in zip(_REGISTER_COLOURS.items(), circuit.registers, strict=True):
        for place, wire in enumerate(register):
            if wire not in wires:
                continue
            row = wires.index(wire)
            axes.plot([-0.6, columns - 0.4], [row, row], color=colour, linewidth=1.2, zorder=1)
            label = f"{name.removesuffix('s')} {place}"
            axes.text(-0.7, row, label, ha="right", va="center", color=colour, fontsize=9)


def _draw_overview(
    axes: "Axes", columns: Sequence[_Column], circuit: CompiledCircuit, width: int
) -> None:
    wires = range(sum(map(len, circuit.registers)))
    _draw_wires(axes, circuit, wires, len(columns), width)
    start = 0
    for place, column in enumerate(columns):
        ends = place + 1 == len(columns) or columns[place + 1].stage != column.stage
        if ends:
            word = column.stage.split()[0]
            colour = _STAGE_COLOURS.get(word, _STAGE_COLOURS["other"])
            axes.axvspan(start - 0.45, place + 0.45, color=colour, zorder=0)
            axes.text(
                (start + place) / 2,
                -0.75,
                column.stage if place > start or word in ("input", "work", "output") else word,
                ha="center",
                va="center",
                fontsize=9,
            )
            start = place + 1
        for operation in column.operations:
            if column.neuron is None:
                _draw_gate(axes, place, operation)
            else:
                _draw_neuron(axes, place, operation, column.neuron)
    axes.set_ylim(len(wires) - 0.3, -1.3)


def _draw_neuron(axes: "Axes", place: int, neuron: Any, row: int) -> None:  # noqa: ANN401
    target, kept = neuron.target_wire[0], neuron.hyperparameters["parities"]
    ancillas = list(neuron.ancilla_wires) if _rotates(neuron) else []
    used = range(len(neuron.control_wires)) if kept is None else sorted(set().union(*kept))
    controls = [neuron.control_wires[position] for position in used]
    ends = [*controls, target, *ancillas]
    axes.plot([place] * 2, [min(ends), max(ends)], color="black", zorder=2)
    for wire in controls:
        axes.plot(place, wire, "o", color="black", markersize=5, zorder=3)
    _box(axes, place, target, f"f{row}", dashed=not _rotates(neuron))
    if ancillas:
        _box(axes, place, ancillas[0], neuron.realisation.ancilla_label, last=ancillas[-1])


def _draw_gates(
    axes: "Axes",
    columns: Sequence[_Column],
    circuit: CompiledCircuit,
    wires: Sequence[int],
    width: int,
) -> None:
    """Draws gates whose wires are places among those that are shown."""
    _draw_wires(axes, circuit, wires, len(columns), width)
    for place, column in enumerate(columns):
        for operation in column.operations:
            _draw_gate(axes, place, operation)


def _draw_gate(axes: "Axes", place: int, operation: Operator) -> None:
    dashed = isinstance(operation, Conditional)
    gate = operation.base if dashed else operation
    if isinstance(gate, MidMeasure):
        text = "M" if gate.postselect is None else f"M={gate.postselect}"
        if gate.reset:
            text += "\n→|0⟩"
        _box(axes, place, gate.wires[0], text, colour="#d9d9d9")
        return
    *controls, target = gate.wires
    if gate.name in ("CNOT", "CZ"):
        colour = "tab:gray" if dashed else "black"
        style = "--" if dashed else "-"
        ends = [controls[0], target]
        axes.plot([place] * 2, ends, style, color=colour, zorder=2)
        axes.plot(place, controls[0], "o", color=colour, markersize=5, zorder=3)
        if gate.name == "CZ":
            axes.plot(place, target, "o", color=colour, markersize=5, zorder=3)
        else:
            axes.plot(
                place, target, "o", markerfacecolor="white", color=colour, markersize=9, zorder=3
            )
            axes.plot(place, target, "+", color=colour, markersize=9, zorder=4)
        return
    text = _LETTERS.get(gate.name, gate.name)
    if gate.data:
        # Adding zero turns -0.0 into 0.0.
        angle = round(float(qml.math.unwrap(gate.data)[0]), 6) + 0.0
        text += f"\n{angle:.2f}" if abs(angle) >= 0.005 else f"\n{angle:.1g}"
    for wire in controls:
        axes.plot([place] * 2, [wire, target], color="black", zorder=2)
        axes.plot(place, wire, "o", color="black", markersize=5, zorder=3)
    _box(axes, place, target, text, dashed=dashed)


def _box(
    axes: "Axes",
    place: int,
    wire: int,
    text: str,
    *,
    last: int | None = None,
    colour: str = "white",
    dashed: bool = False,
) -> None:
    from matplotlib.patches import Rectangle

    bottom = wire if last is None else last
    axes.add_patch(
        Rectangle(
            (place - 0.38, wire - 0.36),
            0.76,
            bottom - wire + 0.72,
            facecolor=colour,
            edgecolor="tab:gray" if dashed else "black",
            linestyle="--" if dashed else "-",
            zorder=3,
        )
    )
    axes.text(place, (wire + bottom) / 2, text, ha="center", va="center", fontsize=6.5, zorder=5)
