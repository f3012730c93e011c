from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qrnn_circuits import QRNN, Initialisation, compile_circuit
from qrnn_circuits.circuits import (
    Amplified,
    CompiledCircuit,
    Multiplexed,
    NeuronOperation,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
)
from qrnn_circuits.circuits.angles import Spectrum
from qrnn_circuits.circuits.dropping import (
    distribution_bound,
    kept_parities,
    largest_change,
    neuron_change,
)
from qrnn_circuits.circuits.neuron import without_neurons
from qrnn_circuits.circuits.realisations import realisation_at
from qrnn_circuits.synthesis import Parity, parities_up_to, polynomial_to_parities
from tests import dense
from tests.branches import branches, system_branches

Draw = Callable[..., NDArray[np.float64]]
MakeModel = Callable[..., QRNN]

EVERY = [Multiplexed(), Postselect(), RepeatUntilSuccess(2), Amplified(3)]
KEPT: list[tuple[Parity, ...]] = [(), ((),), ((1,),), ((0,), (0, 1)), ((), (0,), (1,))]


def joint_distribution(circuit: CompiledCircuit) -> dict[tuple[int, ...], float]:
    """Probabilities of all bits of the lane, by the weights of the circuit's branches."""
    operations = [item.operation for item in circuit.staged_operations()]
    lane, wires = circuit.registers.lane, range(sum(map(len, circuit.registers)))
    read = [
        operation.meas_uid
        for operation in operations
        if operation.name == "MidMeasureMP" and operation.wires[0] in lane
    ]
    decomposed = [
        part
        for operation in without_neurons(operations)
        for part in (
            operation.decomposition() if isinstance(operation, NeuronOperation) else [operation]
        )
    ]
    found: Counter[tuple[int, ...]] = Counter()
    for branch in branches(decomposed, wires, np.eye(2 ** len(wires))[:, :1]):
        weight = float(np.square(np.abs(branch.operator)).sum())
        found[tuple(branch.outcomes[uid] for uid in read)] += weight  # type: ignore[assignment]
    return dict(found)


def distance(first: dict[tuple[int, ...], float], second: dict[tuple[int, ...], float]) -> float:
    """Total variation distance; what is missing to 1 is one more outcome."""
    keys = {*first, *second}
    total = sum(abs(first.get(key, 0) - second.get(key, 0)) for key in keys)
    return (total + abs(sum(first.values()) - sum(second.values()))) / 2


@settings(max_examples=30)
@given(
    realisation=st.sampled_from(EVERY),
    workspace=st.integers(1, 2),
    order=st.integers(1, 2),
    seed=st.integers(0, 1000),
    spread=st.floats(0, 1),
    tolerance=st.floats(0, 1.5),
    inputs=st.lists(st.integers(0, 1), min_size=1, max_size=2),
    conditioned=st.booleans(),
)
def test_no_distribution_moves_further_than_its_bound(
    realisation: Realisation,
    workspace: int,
    order: int,
    seed: int,
    spread: float,
    tolerance: float,
    inputs: list[int],
    conditioned: bool,
) -> None:
    if realisation.measures and not realisation.exact:
        workspace, order, inputs = 1, 1, inputs[:1]  # Their branches are many.
    model = QRNN(
        lane=1,
        workspace=workspace,
        order=order,
        degree=workspace,
        semantics=realisation.semantics,
        initialisation=Initialisation(
            bias_spread=spread, weight_spread=spread, theta_spread=spread
        ),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    ).requires_grad_(False)
    outcomes = [1, None] if conditioned and len(inputs) == 2 else None

    def circuit(steps: int, tolerance: float) -> CompiledCircuit:
        given = None if outcomes is None else outcomes[:steps]
        return compile_circuit(
            model, inputs[:steps], given, realisation=realisation, tolerance=tolerance
        )

    bounds = circuit(len(inputs), tolerance).distribution_bounds()
    assert list(bounds) == sorted(bounds)
    for step, bound in enumerate(bounds):
        assert 0 <= bound <= 1
        moved = distance(
            joint_distribution(circuit(step + 1, tolerance)),
            joint_distribution(circuit(step + 1, 0.0)),
        )
        assert moved <= bound + 1e-12


@pytest.mark.parametrize("realisation", EVERY, ids=str)
def test_without_a_tolerance_nothing_is_dropped(
    make_model: MakeModel, realisation: Realisation
) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics=realisation.semantics)
    circuit = compile_circuit(model, [0, 1], realisation=realisation)
    assert circuit.distribution_bounds() == (0.0, 0.0)
    for item in circuit.staged_operations():
        if isinstance(item.operation, NeuronOperation):
            assert item.operation.hyperparameters["parities"] is None


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("kept", KEPT)
def test_a_multiplexed_neuron_rotates_by_the_parities_that_are_kept(
    kept: tuple[Parity, ...], inverse: bool, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(2, 2)
    arguments = (coefficients, range(3), 2, 2, "multiplexed", inverse)
    neuron = NeuronOperation(*arguments, kept)
    whole = dense.last_neuron(coefficients, 2, 2, 2, "unitary")
    table = 2 * np.arctan2(whole.diagonal(-1)[::2], whole.diagonal()[::2])
    patterns = list(product((0, 1), repeat=2))
    expected = np.zeros((8, 8))
    for row, pattern in enumerate(patterns):
        angle = sum(
            (-1) ** sum(pattern[i] for i in parity)
            * np.mean(
                [
                    t * (-1) ** sum(x[i] for i in parity)
                    for t, x in zip(table, patterns, strict=True)
                ]
            )
            for parity in kept
        )
        expected_block = dense.rotation(-angle if inverse else angle)
        expected[2 * row : 2 * row + 2, 2 * row : 2 * row + 2] = expected_block
    (block,) = system_branches(neuron, 3)
    np.testing.assert_allclose(block, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(neuron.matrix(), expected, rtol=0, atol=1e-12)
    names = Counter(gate.name for gate in neuron.decomposition())
    assert names["RY"] == len(kept)
    assert names["CNOT"] <= 4


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize(
    ("realisation", "order"), [*((realisation, 1) for realisation in EVERY[1:]), (Postselect(), 2)]
)
def test_dropping_parities_of_the_polynomial_is_the_neuron_of_another_polynomial(
    realisation: Realisation, kept: tuple[Parity, ...], order: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(2, 2)
    to_parities = polynomial_to_parities(2, 2)
    mask = np.array([parity in kept for parity in parities_up_to(2, 2)])
    other = np.linalg.solve(to_parities, mask * (to_parities @ coefficients))
    wires = range(3 + realisation.ancillas(order))
    channels = [
        np.sum([np.kron(block, block.conj()) for block in system_branches(neuron, 3)], axis=0)
        for neuron in (
            NeuronOperation(coefficients, wires, order, 2, realisation, parities=kept),
            NeuronOperation(other, wires, order, 2, realisation),
        )
    ]
    np.testing.assert_allclose(channels[0], channels[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("realisation", [Multiplexed(), Postselect(), RepeatUntilSuccess(2)])
def test_a_neuron_of_which_no_rotation_is_left_takes_no_gates(
    realisation: Realisation, order: int
) -> None:
    wires = range(3 + realisation.ancillas(order))
    neuron = NeuronOperation([0.1, 0.2, 0.3], wires, order, 1, realisation, parities=())
    assert neuron.decomposition() == []


@given(
    st.integers(1, 4).flatmap(
        lambda controls: st.tuples(
            st.just(controls),
            st.lists(st.floats(-4, 4), min_size=2**controls, max_size=2**controls),
        )
    ),
    st.floats(0.01, 3),
)
def test_the_largest_change_is_that_of_the_worst_pattern(
    spectrum: tuple[int, list[float]], tolerance: float
) -> None:
    controls, angles = spectrum
    parities = parities_up_to(controls, controls)
    dropped = [abs(angle) <= tolerance for angle in angles]
    worst = max(
        abs(
            sum(
                angle * (-1) ** sum(pattern[i] for i in parity)
                for parity, angle, drop in zip(parities, angles, dropped, strict=True)
                if drop
            )
        )
        for pattern in product((0, 1), repeat=controls)
    )
    kept = kept_parities(Spectrum(parities, np.array(angles)), tolerance)
    assert (kept is None) == (not any(dropped))
    if kept is not None:
        change = largest_change(Spectrum(parities, np.array(angles)), kept)
        assert change == pytest.approx(worst, abs=1e-12)


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_neuron_of_one_rotation_changes_by_as_much_as_its_gates_turn_at_most(
    kept: tuple[Parity, ...], order: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(2, 2) / 4
    arguments = (coefficients, range(3), order, 2, realisation_at(Multiplexed(), order))
    neuron = NeuronOperation(*arguments, parities=kept)
    (less,), (whole,) = (system_branches(n, 3) for n in (neuron, NeuronOperation(*arguments)))
    turned = np.linalg.solve(whole, less).real
    angles = 2 * np.arctan2(turned.diagonal(-1)[::2], turned.diagonal()[::2])
    assert neuron_change(neuron) == pytest.approx(np.abs(angles).max())


def test_of_many_controls_the_change_is_bounded_by_the_sum() -> None:
    parities = parities_up_to(22, 1)
    angles = np.where(np.arange(23) % 2, -0.01, 0.01)
    assert largest_change(Spectrum(parities, angles), ()) == pytest.approx(0.23)


def test_the_bound_is_reached_where_one_rotation_is_dropped() -> None:
    for change in (0.1, 1.0, 3.0):
        # Halfway between the axis and its complement, the probability of 1 is steepest.
        angles = np.pi / 2 + np.array([-change, change]) / 2
        assert np.ptp(np.sin(angles / 2) ** 2) == pytest.approx(distribution_bound(change))
    assert distribution_bound(10.0) == 1.0


def test_every_rotation_of_a_sharpened_neuron_counts_in_its_bound() -> None:
    change = 0.1
    # Of order 1 the target reads 0 and 1 by the fourth powers, which are steepest here.
    neuron = NeuronOperation(
        np.array([np.pi / 3 - change, 2 * change]), range(3), 1, 1, Postselect(), parities=[()]
    )
    half = np.array([np.pi / 3, np.pi / 3 - change]) / 2
    kept, exact = np.stack([np.cos(half) ** 4, np.sin(half) ** 4], 1)
    moved = (np.abs(kept - exact).sum() + abs(kept.sum() - exact.sum())) / 2
    assert distribution_bound(change) < moved <= distribution_bound(neuron_change(neuron))


@pytest.mark.parametrize("realisation", EVERY, ids=str)
def test_fewer_gates_are_left_the_larger_the_tolerance(
    make_model: MakeModel, realisation: Realisation
) -> None:
    model = make_model(lane=1, workspace=2, degree=2, order=1, semantics=realisation.semantics)

    def count(tolerance: float) -> int:
        circuit = compile_circuit(model, [0], realisation=realisation, tolerance=tolerance)
        return len(circuit.to_qiskit().data)

    counts = [count(tolerance) for tolerance in (0.0, 0.1, 0.3, 10.0)]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) > 2


@pytest.mark.parametrize("realisation", EVERY, ids=str)
def test_resources_are_those_of_the_parities_that_are_kept(
    realisation: Realisation, draw_coefficients: Draw
) -> None:
    neuron = NeuronOperation(
        draw_coefficients(3, 2),
        range(4 + realisation.ancillas(1)),
        1,
        2,
        realisation,
        parities=[(), (0, 2)],
    )
    assert set(neuron.resource_keys) == set(neuron.resource_params)
    (rule,) = qml.list_decomps(NeuronOperation)
    counts = rule.compute_resources(**neuron.resource_params).gate_counts
    operations = [getattr(gate, "base", gate) for gate in neuron.decomposition()]
    assert sum(counts.values()) == len(operations)


class Opaque(Multiplexed):
    """A realisation that says nothing of parities."""

    def spectrum(self, *_: object, **__: object) -> None:  # type: ignore[override]
        return None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tolerance": -0.1}, "tolerance in radians must be finite and at least 0, got -0.1"),
        ({"tolerance": 10**400}, "tolerance in radians must be finite and at least 0, got an int"),
        ({"tolerance": float("nan")}, "got nan"),
        ({"tolerance": float("inf")}, "got inf"),
        ({"tolerance": 0.1, "symbolic": True}, r"tolerance must be 0 with symbolic=True, got 0.1"),
        ({"tolerance": 0.1, "realisation": Opaque()}, "tolerance must be 0 for realisation"),
    ],
)
def test_what_cannot_be_dropped_is_refused(
    make_model: MakeModel, options: dict[str, object], named: str
) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match=named):
        compile_circuit(model, [0], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("tolerance", [None, "0.1", True, [0.1]])
def test_a_tolerance_that_is_no_number_is_refused_by_its_name(
    make_model: MakeModel, tolerance: object
) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")
    with pytest.raises(TypeError, match="tolerance in radians must be a number, got"):
        compile_circuit(model, [0], tolerance=tolerance)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("realisation", "kept", "named"),
    [
        ("multiplexed", [(0, 1, 2)], r"some of the neuron's 4, got \(0, 1, 2\)"),
        (Opaque(), [(0,)], "parities must be None for realisation"),
    ],
)
def test_parities_that_a_neuron_does_not_have_are_refused(
    realisation: Realisation | str, kept: Sequence[Parity], named: str, draw_coefficients: Draw
) -> None:
    with pytest.raises(ValueError, match=named):
        NeuronOperation(draw_coefficients(2, 2), range(3), 1, 2, realisation, parities=kept)


def test_the_spectrum_of_all_neurons_of_a_cell_is_differentiable(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2, degree=1, semantics="unitary")
    coefficients = model.cell.neuron_coefficients
    angles = Multiplexed().spectrum(coefficients, 2, order=1, degree=1).angles
    assert angles.shape == (len(coefficients), 4)
    # The mean angle of every neuron grows with its bias.
    (gradient,) = torch.autograd.grad(angles[:, 0].sum(), model.cell.coefficients)
    assert gradient[:, 0].min() > 0
