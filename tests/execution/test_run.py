from collections.abc import Callable

import pennylane as qml
import pytest
from qiskit_aer.noise import NoiseModel, ReadoutError

from qrnn_circuits.execution import make_report, plan_run, run_plan
from qrnn_circuits.tasks import Memorise, Xor
from qrnn_circuits.training import TrainedRun

MakeRun = Callable[..., TrainedRun]

# Sampled distances are below it but once in thousands of runs.
NOISE_FACTOR = 3


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer", "default.qubit", "lightning.qubit"])
@pytest.mark.parametrize(
    ("semantics", "realisation"), [("postselected", "postselect"), ("unitary", "multiplexed")]
)
def test_without_shots_devices_give_the_networks_distributions(
    make_run: MakeRun, device: str, semantics: str, realisation: str
) -> None:
    plan = plan_run(make_run(Xor(length=2), semantics=semantics), realisation=realisation)
    result = make_report(plan, run_plan(plan, qml.device(device)), device=device)
    assert result.distance == pytest.approx(0, abs=1e-9)


def test_without_shots_repeat_until_success_is_the_same_on_all_devices(make_run: MakeRun) -> None:
    run = make_run(Xor(length=2), stages=0, semantics="unitary")
    plan = plan_run(run, realisation="repeat_until_success,attempts=1")
    (deferred,), (native,) = (
        run_plan(plan, qml.device(device)) for device in ("default.qubit", "qrnn.torch")
    )
    assert deferred == pytest.approx(native, abs=1e-9)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer", "default.qubit", "lightning.qubit"])
@pytest.mark.parametrize(
    ("semantics", "realisation"), [("postselected", "postselect"), ("unitary", "multiplexed")]
)
def test_with_shots_the_distance_is_noise_and_the_kept_share_as_predicted(
    make_run: MakeRun, device: str, semantics: str, realisation: str
) -> None:
    run = make_run(Memorise(length=1 + (semantics == "unitary")), semantics=semantics)
    plan = plan_run(run, realisation=realisation, sequences=2, shots=4_000)
    result = make_report(plan, run_plan(plan, qml.device(device, seed=1)), device=device)
    assert 0 < result.distance < NOISE_FACTOR * result.noise
    deviations = [circuit.share_deviation for circuit in result.circuits]
    assert any(deviations)
    assert all(deviation is None or abs(deviation) < 4 for deviation in deviations)


def test_the_noise_of_a_chip_moves_it_away_from_the_model(make_run: MakeRun) -> None:
    run = make_run(Xor(length=2), semantics="unitary")
    plan = plan_run(run, shots=4_000)
    device = qml.device("qrnn.aer", noise="fake_manila", seed=1)
    result = make_report(plan, run_plan(plan, device), device="qrnn.aer")
    assert result.distance > NOISE_FACTOR * result.noise


def test_mitigation_brings_it_back_where_only_readout_errs(unitary_run: TrainedRun) -> None:
    noise = NoiseModel()
    noise.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.15, 0.85]]))
    distances = {}
    for mitigation in (None, "m3"):
        plan = plan_run(unitary_run, shots=4_000, mitigation=mitigation)
        device = qml.device("qrnn.aer", noise=noise, seed=1, mitigation=mitigation)
        with qml.Tracker(device) as tracker:
            results = run_plan(plan, device)
        result = make_report(plan, results, device="qrnn.aer", kept=tracker.history["kept_shots"])
        distances[mitigation] = result.distance
        assert result.kept_share is not None
        assert 0 < result.kept_share < 1
    assert distances["m3"] < 0.5 * distances[None]


def test_shots_one_at_a_time_keep_the_predicted_share(make_run: MakeRun) -> None:
    run = make_run(Xor(length=2), stages=0, semantics="unitary")
    plan = plan_run(run, realisation="amplified,length=3", shots=100)
    (circuit,) = make_report(
        plan, run_plan(plan, qml.device("default.qubit", seed=1)), device="default.qubit"
    ).circuits
    assert circuit.share_deviation is not None
    assert abs(circuit.share_deviation) < 4
    assert circuit.distance < NOISE_FACTOR * circuit.noise


def test_all_circuits_are_one_run_of_aer(unitary_run: TrainedRun) -> None:
    plan = plan_run(unitary_run, sequences=2, shots=100)
    device = qml.device("qrnn.aer")
    with device.tracker:
        run_plan(plan, device)
    assert device.tracker.totals["runs"] == 1
    assert len(plan.tapes) == 4


def test_default_qubit_says_when_it_is_too_narrow(unitary_run: TrainedRun) -> None:
    plan = plan_run(unitary_run, realisation="repeat_until_success")
    with pytest.raises(ValueError, match=r"default.qubit .* needs \d+ wires .* or take qrnn.torch"):
        run_plan(plan, qml.device("default.qubit"))


@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit"])
def test_a_tree_without_kept_shots_is_an_error(make_run: MakeRun, device: str) -> None:
    run = make_run(Memorise(length=2))
    share = plan_run(run).circuits[1].predicted_share
    assert share is not None
    plan = plan_run(run, shots=int(1 / share) + 1)
    # About one shot is kept: some seed keeps none.
    runs = (run_plan(plan, qml.device(device, seed=seed)) for seed in range(20))
    with pytest.raises(ValueError, match=f"{device} kept none of .* shots of a circuit"):
        list(runs)


def test_runs_plans_and_devices_are_not_taken_for_one_another(unitary_run: TrainedRun) -> None:
    plan, device = plan_run(unitary_run), qml.device("qrnn.torch")
    with pytest.raises(TypeError, match=r"run must be a TrainedRun, got a str: take load_run"):
        plan_run("runs/xor")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"plan must be a Plan, got a TrainedRun: plan_run\(run\)"):
        run_plan(unitary_run, device)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"device must be a Device, got a str: qml.device\(name\)"):
        run_plan(plan, "qrnn.torch")
