import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qiskit_aer import AerSimulator

from qrnn_backends.ibm.chip import RuntimeChip
from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.qiskit_common.program import programs
from qrnn_backends.readout import NoShotsKeptError
from qrnn_circuits.job_store import JobStatus, JobStore
from tests.backends.tapes import flip

MakeDevice = Callable[..., IBMDevice]


@pytest.fixture
def device(path: Path) -> MakeDevice:
    def make(**options: object) -> IBMDevice:
        given = {"backend": "fake_manila", "jobs": path, "seed": 1} | options
        return IBMDevice(**given)  # type: ignore[arg-type]

    return make


def postselected(angle: float, shots: int) -> QuantumScript:
    with qml.queuing.AnnotatedQueue() as queue:
        qml.RY(angle, 0)
        qml.measure(0, postselect=1)
        qml.expval(qml.Z(1))
    return QuantumScript.from_queue(queue, shots=shots)


def test_a_hundred_tapes_are_one_job_transpiled_once(
    device: MakeDevice, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transpiled = []
    transpile = RuntimeChip.transpile

    def counted(chip: RuntimeChip, circuit: Any) -> Any:  # noqa: ANN401
        transpiled.append(circuit)
        return transpile(chip, circuit)

    monkeypatch.setattr(RuntimeChip, "transpile", counted)
    dev = device(noise=False)
    angles = np.linspace(0, np.pi, 100)
    with qml.Tracker(dev) as tracker:
        first = dev.execute([flip(angle, shots=1000) for angle in angles])
        dev.execute([flip(angle, shots=10) for angle in angles[::-1]])
    assert tracker.totals["jobs"] == len(JobStore(path).records()) == 2
    assert len(transpiled) == 1
    exact = np.cos(angles / 2) ** 2
    error = np.sqrt(exact * (1 - exact) / 1000)
    assert np.all(np.abs(np.array(first)[:, 0] - exact) <= 5 * error + 1e-12)


def test_circuits_come_back_after_any_number_of_others(device: MakeDevice) -> None:
    dev = device(noise=False)
    others = [
        QuantumScript([qml.RY(0.3, 0)] * many, [qml.counts(wires=[0])], 1) for many in range(2, 70)
    ]
    for _ in range(2):
        (found,) = dev.execute([flip(np.pi, shots=10)])
        assert found == pytest.approx([0.0, 0.0, 0.0, 1.0])
        programs(others)


def test_tapes_of_different_structure_shots_and_results_come_back_in_order(
    device: MakeDevice,
) -> None:
    tapes = [
        flip(shots=10),
        QuantumScript([qml.X(1)], [qml.counts(wires=[0, 1]), qml.expval(qml.Z(1))], 20),
        flip(0, shots=30),
        QuantumScript([], [qml.sample(wires=[2])], 5),
        QuantumScript([qml.X(1)], [qml.counts(wires=[0, 1]), qml.expval(qml.Z(1))], 20),
        flip(shots=10),
        QuantumScript([qml.RY(np.pi, 0)], [qml.expval(qml.Z(0))], [3, 4]),
    ]
    results = device(noise=False).execute(tapes)
    np.testing.assert_array_equal(results[0], [0, 0, 0, 1])
    assert results[1] == results[4] == ({"01": 20}, -1)
    np.testing.assert_array_equal(results[2], [1, 0, 0, 0])
    np.testing.assert_array_equal(results[3], np.zeros((5, 1)))
    np.testing.assert_array_equal(results[5], results[0])
    assert results[6] == (-1, -1)


def test_observables_that_do_not_commute_are_one_job(device: MakeDevice) -> None:
    dev = device(noise=False)

    def circuit(angle: float) -> Any:  # noqa: ANN401
        qml.RY(angle, 0)
        qml.CNOT([0, 1])
        return qml.expval(qml.X(0) @ qml.X(1)), qml.expval(2 * qml.Z(0) - 3 * qml.Y(0) @ qml.Y(1))

    node = qml.set_shots(qml.QNode(circuit, dev), shots=4000)
    with qml.Tracker(dev) as tracker:
        xx, mixed = node(0.8)
    assert tracker.totals["jobs"] == 1
    assert xx == pytest.approx(np.sin(0.8), abs=0.06)
    assert mixed == pytest.approx(2 * np.cos(0.8) + 3 * np.sin(0.8), abs=0.25)


def test_a_seed_makes_jobs_repeatable(device: MakeDevice) -> None:
    tapes = [flip(1.0), flip(2.0)]
    first, second = device(), device()
    np.testing.assert_array_equal(first.execute(tapes), second.execute(tapes))
    np.testing.assert_array_equal(first.execute(tapes), second.execute(tapes))
    assert not np.array_equal(device().execute(tapes), device(seed=2).execute(tapes))
    jobs = [first.submit(tapes), first.submit(tapes)]
    assert not np.array_equal(first.fetch(jobs[0]), first.fetch(jobs[1]))


def test_noise_is_the_chips(device: MakeDevice) -> None:
    (noisy,) = device(backend="fake_fez").execute([flip(shots=4000)])
    assert 0.9 < noisy[3] < 0.999


def test_submitting_simulates_nothing_and_records_all(device: MakeDevice, path: Path) -> None:
    dev = device()
    job = dev.submit([flip(), flip(0.5)], context={"any": ["thing"]})
    record = JobStore(path).get(job)
    assert record.status is JobStatus.SUBMITTED
    assert (record.backend, record.circuits, record.shots) == ("fake_manila", 2, 200)
    assert record.context == {"any": ["thing"]}
    assert JobStore(path).bits(job) is None
    other = IBMDevice(jobs=path)
    results = other.fetch(job)
    assert JobStore(path).get(job).status is JobStatus.DONE
    for again in (other.fetch(job), dev.fetch(job), device(seed=5).fetch(job)):
        np.testing.assert_array_equal(again, results)


def test_equal_work_has_an_equal_hash(device: MakeDevice, path: Path) -> None:
    for tapes in ([flip()], [flip()], [flip(0.5)], [flip(shots=7)], [flip(), flip()]):
        device().submit(tapes)
    hashes = [record.circuit_hash for record in JobStore(path).records()]
    assert len(set(hashes)) == 4


def test_postselected_shots_are_dropped_and_counted(device: MakeDevice) -> None:
    dev = device(noise=False)
    with qml.Tracker(dev) as tracker:
        (value,) = dev.execute([postselected(np.pi / 2, 1000)])
    assert value == 1
    assert 400 < tracker.totals["kept_shots"] < 600


def test_fetching_tells_the_kept_shots_of_each_tape(device: MakeDevice) -> None:
    dev = device(noise=False)
    job = dev.submit([flip(shots=30), postselected(np.pi / 2, 1000), flip(shots=20)])
    with qml.Tracker(dev) as tracker:
        dev.fetch(job)
    first, second, third = tracker.history["kept_shots"]
    assert (first, third) == (30, 20)
    assert 400 < second < 600


def test_mitigation_brings_results_nearer(device: MakeDevice) -> None:
    tapes = [flip(angle, shots=20_000) for angle in (0, 1.0, np.pi)]
    exact = [np.cos(angle / 2) ** 2 * np.eye(4)[0] for angle in (0, 1.0, np.pi)]
    for table in exact:
        table[3] = 1 - table[0]
    raw, mitigated = (
        np.linalg.norm(np.array(device(**options).execute(tapes)) - exact, axis=1)
        for options in ({}, {"mitigation": "m3"})
    )
    assert (mitigated < 0.5 * raw).all()


def test_a_device_without_mitigation_fetches_what_was_submitted_with_it(
    device: MakeDevice, path: Path
) -> None:
    tapes = [flip(1.0, shots=5_000)]
    (raw,) = device(seed=2).execute(tapes)
    job = device(seed=2, mitigation="m3").submit(tapes)
    (found,) = IBMDevice(jobs=path).fetch(job)
    matrices = np.array(JobStore(path).program(job)["pubs"][0]["matrices"])
    # Bit 0 is the first wire; all four patterns are read.
    assert raw.all()
    corrected = np.linalg.solve(np.kron(*matrices), raw)
    nearest = np.maximum(corrected, 0)
    assert (corrected < 0).sum() <= 1, "else the nearest distribution is another"
    negative = corrected.clip(max=0).sum()
    nearest[nearest > 0] += negative / (nearest > 0).sum()
    np.testing.assert_allclose(found, nearest, atol=1e-5)
    assert np.abs(found - raw).max() > 0.01


def test_what_mitigation_does_not_take_is_not_recorded(device: MakeDevice, path: Path) -> None:
    dev = device(backend="fake_fez", mitigation="m3")
    for measurement, name in ((qml.sample(wires=[0]), "sample"), (qml.counts(wires=[0]), "counts")):
        with pytest.raises(ValueError, match=rf"mitigation must be None for qml\.{name}"):
            dev.submit([QuantumScript([qml.X(0)], [measurement], 10)])
    with qml.queuing.AnnotatedQueue() as queue:
        qml.cond(qml.measure(0), qml.X)(1)
        qml.probs(wires=[1])
    conditional = QuantumScript.from_queue(queue, shots=10)
    with pytest.raises(ValueError, match="mitigation must be None for circuits with conditions"):
        dev.submit([conditional])
    assert JobStore(path).records() == []


def test_zero_kept_shots_tell_the_share_and_the_shots_needed(device: MakeDevice) -> None:
    dev = device(noise=False)
    tape = postselected(0.02, 50)
    share = np.sin(0.01) ** 2
    message = rf"none of 50 shots.*share of {share:.2g}.*{np.ceil(100 / share):.0f} shots"
    with pytest.raises(NoShotsKeptError, match=message):
        dev.execute([tape])
    job = dev.submit([tape])
    for _ in range(2):
        with pytest.raises(NoShotsKeptError, match=message):
            device().fetch(job)


def test_the_estimate_follows_ibms_formula(device: MakeDevice, path: Path) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    target = FakeManilaV2().target
    measured = max(target["measure"][(qubit,)].duration for qubit in range(5))
    dev = device()
    bare = dev.estimate([QuantumScript([], [qml.counts(wires=[0])], 1000)])
    delay = FakeManilaV2().default_rep_delay
    assert 2 + 1000 * delay < bare.seconds <= 2 + 1000 * (delay + measured) + 1e-9
    many = dev.estimate([flip(shots=1000)] * 3)
    assert (many.circuits, many.shots, many.backend) == (3, 3000, "fake_manila")
    assert many.seconds == pytest.approx(2 + 3000 * (delay + many.longest))
    assert many.longest > bare.longest
    assert JobStore(path).records() == []


def test_the_estimate_follows_the_options(device: MakeDevice, path: Path) -> None:
    tapes = [flip(shots=1000)]
    usual = device().estimate(tapes)
    slow = device(options={"execution": {"rep_delay": 500e-6}}).estimate(tapes)
    assert slow.seconds == pytest.approx(2 + 1000 * (500e-6 + usual.longest))
    twirling = {"enable_gates": True, "num_randomizations": 30, "shots_per_randomization": 100}
    twirled = device(options={"twirling": twirling}).estimate(tapes)
    assert twirled.seconds - 2 == pytest.approx(3 * (usual.seconds - 2))
    with pytest.raises(ValueError, match=r"rep_delay' must be from 0 to 0\.0005 seconds"):
        device(options={"execution": {"rep_delay": 0.1}}).execute(tapes)
    assert JobStore(path).records() == []


def test_the_usage_limit_holds_for_local_models_too(device: MakeDevice, path: Path) -> None:
    with pytest.raises(ValueError, match="more than max_usage=3 s; nothing was sent"):
        device(max_usage=3).execute([flip(shots=100_000)])
    assert JobStore(path).records() == []


def test_a_backend_object_will_do(device: MakeDevice, path: Path) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    device(backend=FakeManilaV2()).execute([flip()])
    assert JobStore(path).records()[0].backend == "fake_manila"
    with pytest.raises(TypeError, match=r"got AerSimulator; simulators are for .* qrnn\.aer"):
        device(backend=AerSimulator())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "fake_fex"}, "close names are fake_fez"),
        ({"backend": "FakeFex"}, "close names are fake_fez"),
        ({"mode": "jobs"}, "mode must be 'job', 'batch' or 'session', got 'jobs'"),
        ({"max_usage": 0}, "max_usage must be a positive number of seconds, got 0"),
        ({"optimization_level": 4}, "optimization_level must be a whole number from 0 to 3, got 4"),
        ({"optimization_level": "3"}, r"from 0 to 3, got '3'"),
        ({"max_usage": np.inf}, "max_usage must be a positive number of seconds, got inf"),
        ({"channel": "local"}, "channel must be one of IBM's .*'local': .* backend='fake_fez'"),
        ({"max_usage": "10"}, r"positive number of seconds, got '10'"),
        ({"wires": 6}, "fake_manila has 5 qubits, but wires are 6"),
        ({"mitigation": "m4"}, "mitigation must be one of m3, .*got 'm4'"),
        ({"mitigation": "m3", "noise": False}, "mitigation must be None without noise, got 'm3'"),
        ({"options": {"twirlin": {}}}, "no option 'twirlin'; close names are twirling"),
    ],
)
def test_a_wrong_argument_is_an_error_at_once(
    options: dict[str, Any], message: str, device: MakeDevice
) -> None:
    with pytest.raises(ValueError, match=message):
        device(**options)


def test_levels_of_optimisation_may_be_numbers_of_numpy(device: MakeDevice) -> None:
    (result,) = device(optimization_level=np.int64(1)).execute([flip()])
    assert np.sum(result) == pytest.approx(1)


def test_noise_is_not_the_name_of_a_chip(device: MakeDevice) -> None:
    with pytest.raises(TypeError, match=r"noise must be True or False.*got 'fake_fez'"):
        device(noise="fake_fez")


def test_a_token_is_no_argument(device: MakeDevice) -> None:
    with pytest.raises(TypeError, match="token"):
        device(token="secret")


def test_what_cannot_run_is_not_recorded(device: MakeDevice, path: Path) -> None:
    with pytest.raises(ValueError, match="backend must be given"):
        device(backend=None).execute([flip()])
    with pytest.raises(ValueError, match=r"shots must be given on qrnn\.ibm"):
        device().submit([flip(shots=None)])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one circuit"):
        device().submit([])
    wide = QuantumScript([qml.X(wire) for wire in range(6)], [qml.counts()], 10)
    with pytest.raises(ValueError, match="fake_manila has 5 qubits, the circuit needs 6"):
        device().submit([wide])
    with qml.queuing.AnnotatedQueue() as queue:
        qml.cond(qml.measure(0), qml.X)(1)
        qml.counts()
    conditional = QuantumScript.from_queue(queue, shots=10)
    with pytest.raises(ValueError, match=r"no if_else.*'postselect', 'amplified' and 'multipl"):
        device(backend="fake_lima").submit([conditional])
    assert JobStore(path).records() == []


def test_what_is_no_list_of_tapes_is_refused(device: MakeDevice, path: Path) -> None:
    node = qml.QNode(lambda: qml.expval(qml.Z(0)), device(), shots=10)
    tape = postselected(0.3, shots=10)
    for wrong, name in ((tape, "a single QuantumScript"), (node, "a QNode"), ([node], "a QNode")):
        with pytest.raises(TypeError, match=f"tapes must be a list of .* got {name};"):
            device().submit(wrong)
    assert not path.exists()
    (found,) = device().fetch(device().submit([qml.workflow.construct_tape(node)()]))
    assert found == 1.0


def test_fill_shots_is_refused(device: MakeDevice) -> None:
    dev = device()

    def circuit() -> Any:  # noqa: ANN401
        qml.measure(0, postselect=0)
        return qml.expval(qml.Z(0))

    node = qml.QNode(circuit, dev, postselect_mode="fill-shots")
    with pytest.raises(ValueError, match=r"postselect_mode must be 'hw-like' on qrnn\.ibm"):
        qml.set_shots(node, shots=10)()


_SUBMIT_AND_FETCH = """
import sys
import pennylane as qml
from pennylane.tape import QuantumScript
device = qml.device("qrnn.ibm", backend="fake_manila", jobs=sys.argv[1])
# A slow start would keep the processes apart.
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    tape = QuantumScript([qml.RY(0.1 * number, 0)], [qml.probs(wires=[0])], 10 + number)
    device.fetch(device.submit([tape], context={"process": "other", "number": number}))
"""


def test_two_processes_at_once_lose_nothing(path: Path, device: MakeDevice) -> None:
    jobs = 4
    dev = device()
    with subprocess.Popen(
        [sys.executable, "-c", _SUBMIT_AND_FETCH, path, str(jobs)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        for number in range(jobs):
            tape = flip(0.1 * number, shots=10 + number)
            dev.fetch(dev.submit([tape], context={"process": "this", "number": number}))
    assert other.returncode == 0
    records = JobStore(path).records()
    assert sorted((record.context["process"], record.context["number"]) for record in records) == [
        (name, number) for name in ("other", "this") for number in range(jobs)
    ]
    for record in records:
        assert record.status is JobStatus.DONE
        assert record.shots == 10 + record.context["number"]
