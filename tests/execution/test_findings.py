from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest

from qrnn_circuits.circuits import Multiplexed
from qrnn_circuits.execution import Plan, PlannedCircuit, Report, make_report
from qrnn_circuits.execution.findings import find_faults

SURE = 0.94
SHOTS = 1_000


def report_of(
    rights: Sequence[int],
    given: Sequence[Sequence[int]],
    *,
    exact: Sequence[int] | None = None,
    probability: float = SURE,
    shots: int | None = SHOTS,
) -> Report:
    """A report on circuits of a lane of two wires.

    Args:
        rights: The right symbols.
        given: How often each circuit gave each symbol.
        exact: The symbol that the model gives most probably; by default the right one.
        probability: Of that symbol; the others are equally probable.
        shots: Of each circuit.
    """
    rest = (1 - probability) / 3
    circuits = tuple(
        PlannedCircuit(
            row, 1, right, tuple(probability if s == sure else rest for s in range(4)), None
        )
        for row, (right, sure) in enumerate(zip(rights, exact or rights, strict=True))
    )
    plan = Plan("xor", 5, Multiplexed(), 4, shots, circuits)
    results = [
        np.array(counts) / sum(counts)
        if shots is None
        else np.array([[s // 2, s % 2] for s in range(4) for _ in range(counts[s])])
        for counts in given
    ]
    return make_report(plan, results, device="a chip")


def sure(symbol: int) -> list[int]:
    """Counts of a device that gives nearly always one symbol."""
    return [400 if s == symbol else 8 for s in range(4)]


ALTERNATING = [0, 1] * 5


def test_nothing_speaks_against_right_answers() -> None:
    found = find_faults(report_of(ALTERNATING, [sure(right) for right in ALTERNATING]))
    assert found is not None
    assert found.texts == ()
    assert (found.guessing, found.fewest_kept) == (0.5, 424)
    assert found.guessing_error == pytest.approx(sqrt(0.25 / 10))
    assert found.uniform_distance == pytest.approx(SURE - 0.25)


def test_exact_distributions_are_not_judged() -> None:
    assert find_faults(report_of([0], [[1, 0, 0, 0]], shots=None)) is None


def test_uniform_answers_are_noise_with_what_would_help() -> None:
    found = find_faults(report_of(ALTERNATING, 10 * [[100, 100, 101, 100]]))
    assert found is not None
    noise, guessing = found.texts
    assert noise.startswith("The distributions are noise: their distance to the exact ones is 0.69")
    assert "that of uniform ones 0.690" in noise
    assert "--reading scored, --order 0" in noise
    assert guessing == (
        "The accuracy of 0.0% is within 2 standard errors of guessing the most frequent symbol "
        "(50.0% ± 15.8% of 10 circuits); that of the exact model, 100.0%, is not."
    )


@pytest.mark.parametrize(("counts", "told"), [(100, False), (10_000, True)])
def test_answers_are_not_called_noise_where_shots_do_not_tell_them_from_the_exact_ones(
    counts: int, told: bool
) -> None:
    # Uniform distributions are 0.05 from the exact one, 400 shots of a perfect device 0.034.
    found = find_faults(report_of([0], [[counts] * 4], probability=0.3, shots=4 * counts))
    assert found is not None
    assert len(found.texts) == told


def test_an_accuracy_near_guessing_is_told_also_where_distances_are_small() -> None:
    answers = [*ALTERNATING[:8], 1, 0]
    found = find_faults(report_of(ALTERNATING, [sure(answer) for answer in answers]))
    assert found is not None
    (text,) = found.texts
    assert text.startswith("The accuracy of 80.0% is within 2 standard errors of guessing")
    # 50 % and two standard errors of 15.8 %.
    answers = [*ALTERNATING[:9], 0]
    found = find_faults(report_of(ALTERNATING, [sure(answer) for answer in answers]))
    assert found is not None
    assert found.texts == ()


def test_a_network_that_guesses_itself_is_told_apart_from_noise() -> None:
    answers = 10 * [0]
    found = find_faults(report_of(ALTERNATING, [sure(0) for _ in answers], exact=answers))
    assert found is not None
    (text,) = found.texts
    assert text.endswith(
        "and so is that of the exact model, 50.0%: more --sequences would tell, or the network "
        "must be trained further."
    )


@pytest.mark.parametrize("rights", [[2], [0, 1], [3] * 12])
def test_circuits_that_cannot_tell_an_accuracy_from_guessing_are_not_judged_by_it(
    rights: list[int],
) -> None:
    wrong = [sure((right + 1) % 4) for right in rights]
    found = find_faults(report_of(rights, wrong, exact=[(right + 1) % 4 for right in rights]))
    assert found is not None
    assert found.texts == ()


def test_too_few_kept_shots_are_told_with_those_that_would_do() -> None:
    found = find_faults(report_of([0, 1], [sure(0), [0, 20, 0, 0]]))
    assert found is not None
    (text,) = found.texts
    assert text == (
        "A circuit kept only 20 of 1,000 shots (step 1 of test sequence 1), too few for a "
        "distribution: 5,000 shots would keep about 100."
    )
    assert found.to_json()["fewest_kept"] == 20


def test_no_more_shots_are_advised_than_a_run_takes() -> None:
    found = find_faults(report_of([0, 1], [sure(0), [0, 1, 0, 0]], shots=1_000_000))
    assert found is not None
    assert found.texts[0].endswith("too few for a distribution: no number of shots will do.")
