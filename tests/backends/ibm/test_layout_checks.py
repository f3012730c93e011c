import copy
from collections.abc import Callable
from typing import Any

import pennylane as qml
import pytest
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit")

from qrnn_backends.ibm.layout_checks import check_layout, check_size, number_of_jobs
from qrnn_backends.ibm.sampling import bundle, layout
from qrnn_backends.qiskit_common.program import programs
from qrnn_circuits.job_store import JobDamagedError

Damage = Callable[[dict[str, Any]], object]


@pytest.fixture
def right() -> dict[str, Any]:
    """Of two circuits, of which one is postselected and has a shot vector."""
    with qml.queuing.AnnotatedQueue() as queue:
        qml.RY(0.4, 0)
        qml.measure(0, postselect=0)
        qml.sample(wires=[0, 1])
    batch = programs(
        [
            QuantumScript.from_queue(queue, shots=(10, 20)),
            QuantumScript([qml.X(0)], [qml.probs(wires=[0])], shots=20),
        ]
    )
    return layout(batch, bundle(batch, lambda program: program.circuit))


def test_a_layout_as_it_was_written_is_accepted(right: dict[str, Any]) -> None:
    check_layout("job", right)
    assert number_of_jobs("job", right) == 1
    assert number_of_jobs("job", {**right, "jobs": 2}) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda layout: layout["pubs"][0].update(shots=10**9),
        lambda layout: layout["pubs"][0].update(shots=29),
        lambda layout: layout["pubs"][0].update(shots="30"),
        lambda layout: layout["pubs"][0].update(registers=[["c", 10**10]]),
        lambda layout: layout["pubs"][0].update(registers=[["c", -1]]),
        lambda layout: layout["pubs"][0].update(registers=5),
        lambda layout: layout["pubs"][0].update(places=[1]),
        lambda layout: layout["pubs"][0].update(places=[-1]),
        lambda layout: layout["pubs"][0].update(places=[[]]),
        lambda layout: layout["pubs"].pop(),
        lambda layout: layout["readouts"].pop(),
        lambda layout: layout["readouts"].append(layout["readouts"][0]),
        lambda layout: layout["readouts"][0].update(shots=[-10, 40]),
        lambda layout: layout["readouts"][0].update(postselected=[[-1, 0]]),
        lambda layout: layout["readouts"][0].update(postselected=[[3, 0]]),
        lambda layout: layout["readouts"][0].update(postselected=[[0, 7]]),
        lambda layout: layout.pop("pubs"),
        lambda layout: layout.update(readouts=None),
    ],
)
def test_numbers_of_a_layout_that_are_not_of_one_batch_are_refused(
    right: dict[str, Any], damage: Damage
) -> None:
    forged = copy.deepcopy(right)
    damage(forged)
    with pytest.raises(JobDamagedError, match=r"not what was written: .*; submit it again"):
        check_layout("job", forged)


@pytest.mark.parametrize("number", [0, -1, 3, 10**9, "2", None])
def test_no_batch_has_more_jobs_than_circuits(right: dict[str, Any], number: object) -> None:
    with pytest.raises(JobDamagedError, match="jobs must be"):
        number_of_jobs("job", {**right, "jobs": number})


def test_a_batch_whose_results_fit_into_no_memory_is_refused() -> None:
    pub = {"places": [0, 1], "shots": 10_000_000, "registers": [["end", 107]]}
    check_size([pub])
    with pytest.raises(ValueError, match="give fewer shots, or fewer tapes at once"):
        check_size([pub, pub])
