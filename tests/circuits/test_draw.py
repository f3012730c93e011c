from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from qrnn_circuits import QRNN, UNREAD, FeatureQRNNCell, RecurrentNetwork
from qrnn_circuits.circuits.draw import draw_step, draw_text
from qrnn_circuits.circuits.realisations import (
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
)
from qrnn_circuits.circuits.sequence import compile_circuit


@pytest.mark.parametrize(
    "realisation", [Postselect(), RepeatUntilSuccess(2), Amplified(3), Multiplexed()]
)
def test_a_picture_names_wires_stages_and_neurons_and_can_be_written(
    realisation: Realisation, make_model: Callable[..., QRNN], tmp_path: Path
) -> None:
    model = make_model(lane=1, workspace=2, order=1, degree=2, semantics=realisation.semantics)
    circuit = compile_circuit(model, [1], realisation=realisation)
    figure = draw_step(circuit)
    overview, *lines = figure.axes
    words = {text.get_text() for text in overview.texts}
    expected = {"lane 0", "workspace 1", "input stage", "work stage 1", "output stage"}
    assert expected | {f"f{row}" for row in range(5)} <= words
    assert ("ancilla 0" in words) == (realisation != Multiplexed())
    title = lines[0].get_title(loc="left")
    assert ("dashed" in title) == (realisation == RepeatUntilSuccess(2))
    figure.savefig(tmp_path / "step.png")
    assert (tmp_path / "step.png").stat().st_size > 10_000


def test_a_picture_of_order_0_names_no_realisation(make_model: Callable[..., QRNN]) -> None:
    figure = draw_step(compile_circuit(make_model(lane=1, workspace=2, order=0), [1]))
    assert figure.get_suptitle() == "One step, input symbol 1: order 0, degree 2"
    assert "ancilla 0" not in {text.get_text() for text in figure.axes[0].texts}


def test_the_gates_of_a_neuron_are_drawn_on_the_wires_that_they_have() -> None:
    cell = FeatureQRNNCell(features=1, lane=3, workspace=2, order=0)
    overview, gates = draw_step(compile_circuit(RecurrentNetwork(cell), torch.ones(1, 1))).axes
    labels = [[text.get_text() for text in axes.texts] for axes in (overview, gates)]
    assert {f"lane {place}" for place in range(3)} <= set(labels[0])
    assert [text for text in labels[1] if " " in text] == ["workspace 0", "workspace 1"]
    # Each gate lies on the row of its own wire: target above, control below.
    places = [(line.get_marker(), np.asarray(line.get_ydata())) for line in gates.lines]
    assert {float(y[0]) for marker, y in places if marker == "+"} == {0.0}
    assert {float(y[0]) for marker, y in places if marker == "o"} == {0.0, 1.0}


def test_a_later_step_is_drawn_with_its_own_stages(make_model: Callable[..., QRNN]) -> None:
    model = make_model(lane=1, workspace=1, stages=0, order=0, degree=1)
    circuit = compile_circuit(model, [0, 1], [UNREAD, None])
    first, last = (draw_step(circuit, step) for step in range(2))
    assert "output stage" not in {text.get_text() for text in first.axes[0].texts}
    assert "output stage" in {text.get_text() for text in last.axes[0].texts}
    assert "input symbol 1" in last.get_suptitle()
    with pytest.raises(ValueError, match="step must be from 0 to 1, got 2"):
        draw_step(circuit, 2)


def test_the_wires_reach_over_most_of_a_picture(make_model: Callable[..., QRNN]) -> None:
    model = make_model(lane=1, workspace=1, stages=0, order=0, degree=1)
    for figure in (
        draw_step(compile_circuit(model, [0])),
        draw_step(
            compile_circuit(
                make_model(lane=1, workspace=2, order=2, degree=2, semantics="unitary"),
                [1],
                realisation="amplified,length=3",
            )
        ),
    ):
        ends = [
            (float(np.max(np.asarray(line.get_xdata()))) + 0.4) / axes.get_xlim()[1]
            for axes in figure.axes
            for line in axes.lines
        ]
        assert max(ends) == pytest.approx(1)
        # A column is about an inch wide, or the letters in it overlap.
        overview = figure.axes[0]
        assert overview.get_xlim()[1] <= max(figure.get_figwidth(), len(overview.patches))


def test_a_measurement_that_resets_its_wire_still_tells_what_it_must_read(
    make_model: Callable[..., QRNN],
) -> None:
    model = make_model(lane=1, workspace=1, stages=0, order=0, degree=1)
    circuit = compile_circuit(model, [0, 0, 0], [1, None, None])
    boxes = [
        text.get_text()
        for step in range(3)
        for text in draw_step(circuit, step).axes[0].texts
        if text.get_text().startswith("M")
    ]
    assert boxes == ["M=1", "M\n→|0⟩", "M"]


def test_an_angle_that_is_not_zero_is_not_drawn_as_zero(make_model: Callable[..., QRNN]) -> None:
    model = make_model(lane=1, workspace=1, stages=0, order=0, degree=1)
    with torch.no_grad():
        # Of the constant and of the only parity: 0.002 and, to rounding, 0.
        next(model.parameters()).zero_()[..., 0] = 0.002
    figure = draw_step(compile_circuit(model, [0]))
    angles = [text.get_text() for text in figure.axes[1].texts if "RY" in text.get_text()]
    assert angles == ["RY\n0.002", "RY\n0"]


@pytest.mark.parametrize("realisation", [Postselect(), RepeatUntilSuccess(2), Multiplexed()])
def test_a_picture_shows_only_the_controls_and_neurons_that_dropping_leaves(
    make_model: Callable[..., QRNN], realisation: Realisation
) -> None:
    model = make_model(
        lane=1, workspace=2, stages=0, order=1, degree=1, semantics=realisation.semantics
    )
    with torch.no_grad():
        model.cell.coefficients.zero_()
        # The second neuron, onto workspace wire 1, is controlled by workspace wire 0 alone.
        model.cell.coefficients[1, [0, 2]] = torch.tensor([1.0, 0.7]).double()
    figure = draw_step(compile_circuit(model, [0], realisation=realisation, tolerance=1e-3), step=0)
    overview, gates = figure.axes[:2]
    controls = {
        tuple(np.asarray(line.get_xydata()).astype(int)[0])
        for line in overview.lines
        if line.get_marker() == "o"
    }
    assert {wire for place, wire in controls if place == 0} == set()
    assert {wire for place, wire in controls if place == 1} == {1}
    assert (
        overview.get_title(loc="left")
    ) == "Rotations up to 0.001 rad are dropped; dashed: neurons of which none is left"
    assert gates.get_title(loc="left").startswith("Gates of neuron f1")
    assert [patch.get_linestyle() for patch in overview.patches].count("--") == 1


def test_a_picture_without_rotations_has_no_gates_below(make_model: Callable[..., QRNN]) -> None:
    model = make_model(lane=1, workspace=1, order=0, degree=1)
    figure = draw_step(compile_circuit(model, [0], tolerance=10.0))
    (overview,) = figure.axes
    assert "dashed: neurons of which none is left" in overview.get_title(loc="left")


def test_a_long_neuron_is_cut_and_says_so(make_model: Callable[..., QRNN]) -> None:
    model = make_model(lane=1, workspace=2, order=2, degree=2, semantics="unitary")
    figure = draw_step(compile_circuit(model, [1], realisation="amplified,length=3"))
    lines = figure.axes[1:]
    assert len(lines) == 4
    assert "the first 160 of" in lines[0].get_title(loc="left")


def test_text_names_the_wires_and_shows_neurons(make_model: Callable[..., QRNN]) -> None:
    text = draw_text(compile_circuit(make_model(lane=1, workspace=2, order=2), [1]))
    for name in ("lane 0:", "workspace 1:", "ancilla 1:", "Neuron"):
        assert name in text


@pytest.mark.parametrize("draw", [draw_step, draw_text])
def test_what_is_no_compiled_circuit_is_not_drawn(
    draw: Callable[[object], object], make_model: Callable[..., QRNN]
) -> None:
    for given in (None, make_model(lane=1, workspace=1, degree=1)):
        with pytest.raises(TypeError, match=r"circuit must be a CompiledCircuit.*compile_circuit"):
            draw(given)
