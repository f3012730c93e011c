import pennylane as qml
from pennylane.measurements import MeasurementProcess
from pennylane.ops import MidMeasure

from qrnn_backends.torch.bases import ShotPlan, Term


def plan(*measurements: MeasurementProcess) -> ShotPlan:
    operations = [qml.Hadamard(0), MidMeasure(0, meas_uid="first"), qml.CNOT([0, 1])]
    return ShotPlan(qml.tape.QuantumScript(operations, measurements))


def test_measurements_with_the_same_gates_share_their_shots() -> None:
    planned = plan(
        qml.probs(wires=0),
        qml.expval(qml.X(1)),
        qml.sample(qml.Z(1)),
        qml.var(qml.X(1)),
        qml.counts(),
    )
    assert [len(basis.measurements) for basis in planned.bases] == [3, 2]
    places = [(term.basis, term.place) for (term,) in planned.terms.values()]
    assert places == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]


def test_an_observable_that_is_a_sum_is_sampled_term_by_term() -> None:
    planned = plan(qml.expval(2 * qml.X(0) + 0.5 * qml.Z(1) + 3 * qml.Identity(0)))
    assert planned.terms == {0: [Term(0, 0, 2.0), Term(1, 0, 0.5), Term(1, 1, 3.0)]}


def test_recorded_outcomes_follow_the_wires() -> None:
    value = qml.ops.MeasurementValue([MidMeasure(0, meas_uid="first")])
    elsewhere = qml.ops.MeasurementValue([MidMeasure(1, meas_uid="put off")])
    planned = plan(qml.expval(value), qml.expval(elsewhere), qml.counts(op=[value]))
    bits = [measurement.wires.tolist() for measurement in planned.bases[0].measurements]
    assert bits == [[2], [1], [3]]
    assert [column.measurements[0].meas_uid for column in planned.columns] == ["first"] * 2


def test_shadows_have_no_basis() -> None:
    shadow = qml.classical_shadow(wires=0)
    planned = plan(shadow, qml.probs(wires=1))
    assert planned.shadows == {0: shadow}
    assert list(planned.terms) == [1]
