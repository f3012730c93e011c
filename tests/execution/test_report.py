import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from math import nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from qrnn_circuits.circuits import Postselect
from qrnn_circuits.execution import Plan, PlannedCircuit, Report, make_report
from qrnn_circuits.execution.distance import expected_distance
from qrnn_circuits.execution.report import CircuitReport
from qrnn_circuits.execution.report_chart import draw_report
from qrnn_circuits.execution.report_table import accuracy_text, report_table

MakePlan = Callable[..., Plan]

EXACT = ((0.1, 0.2, 0.6, 0.1), (0.25, 0.25, 0.25, 0.25), (0.0, 1.0, 0.0, 0.0))


@pytest.fixture
def make_plan() -> MakePlan:
    """A plan of three circuits of two lane wires, without tapes."""

    def make(shots: int | None) -> Plan:
        circuits = tuple(
            PlannedCircuit(sequence=0, step=step, right=2, exact=exact, predicted_share=share)
            for step, (exact, share) in enumerate(zip(EXACT, (1.0, 0.5, None), strict=True))
        )
        return Plan("xor", 5, Postselect(), 4, shots, circuits)

    return make


@pytest.fixture
def sampled(make_plan: MakePlan) -> Report:
    """Counts of the symbols: (1, 2, 6, 1), (0, 0, 4, 0), (0, 8, 0, 0), of 10 shots each."""
    bits = [
        np.array([[0, 0]] + 2 * [[0, 1]] + 6 * [[1, 0]] + [[1, 1]]),
        np.array(4 * [[1, 0]]),
        np.array(8 * [[0, 1]]),
    ]
    return make_report(make_plan(10), bits, device="a device", seconds=1.5)


def test_bits_become_distributions_of_the_kept_shots(sampled: Report) -> None:
    assert [circuit.distribution for circuit in sampled.circuits] == [
        (0.1, 0.2, 0.6, 0.1),
        (0.0, 0.0, 1.0, 0.0),
        (0.0, 1.0, 0.0, 0.0),
    ]
    assert [circuit.kept for circuit in sampled.circuits] == [10, 4, 8]
    assert [circuit.distance for circuit in sampled.circuits] == pytest.approx([0, 0.75, 0])
    assert [circuit.noise for circuit in sampled.circuits] == [
        expected_distance(EXACT[0], 10),
        expected_distance(EXACT[1], 4),
        0,
    ]


def test_kept_shares_are_compared_with_the_predicted_ones(sampled: Report) -> None:
    first, second, third = sampled.circuits
    assert (first.kept_share, first.share_error, first.share_deviation) == (1, 0, None)
    assert second.kept_share == 0.4
    assert second.share_error == pytest.approx(sqrt(0.25 / 10))
    assert second.share_deviation == pytest.approx(-0.1 / sqrt(0.25 / 10))
    assert third.share_error == pytest.approx(sqrt(0.8 * 0.2 / 10))
    assert third.share_deviation is None


@pytest.mark.parametrize(
    ("share", "deviates"),
    [(0.0, False), (1e-7, False), (0.1, True), (0.9, True), (1 - 1e-7, False)],
)
def test_a_share_of_less_than_a_shot_has_no_standard_errors(share: float, deviates: bool) -> None:
    planned = PlannedCircuit(sequence=0, step=0, right=0, exact=(1.0, 0.0), predicted_share=share)
    result = CircuitReport(planned, shots=1000, kept=500, distribution=(1.0, 0.0))
    assert (result.share_deviation is not None) == deviates


def test_the_totals_are_over_all_circuits(sampled: Report) -> None:
    assert [circuit.prediction for circuit in sampled.circuits] == [2, 2, 1]
    assert [circuit.correct for circuit in sampled.circuits] == [True, True, False]
    assert sampled.accuracy == pytest.approx(2 / 3)
    assert sampled.exact_accuracy == pytest.approx(1 / 3)
    assert sampled.distance == pytest.approx(0.25)
    assert sampled.kept_share == pytest.approx(22 / 30)
    assert sampled.predicted_share is None


def test_single_shots_are_right_as_often_as_the_right_symbol_is_drawn(sampled: Report) -> None:
    assert [circuit.right_probability for circuit in sampled.circuits] == [0.6, 1, 0]
    assert sampled.sampled_accuracy == pytest.approx(1.6 / 3)
    assert sampled.exact_sampled_accuracy == pytest.approx((0.6 + 0.25) / 3)
    assert (sampled.sequences, sampled.accuracy_error, sampled.sampled_accuracy_error) == (
        *(1, None),
        None,
    )


@pytest.fixture
def make_report_of(make_plan: MakePlan) -> Callable[..., Report]:
    """A report on circuits of some sequences, each with a probability of the right symbol 2."""

    def make(answers: list[tuple[int, float]]) -> Report:
        plan = make_plan(None)
        first = plan.circuits[0]
        circuits = tuple(replace(first, sequence=sequence) for sequence, _ in answers)
        results = [np.array([1 - right, 0, right, 0]) for _, right in answers]
        return make_report(replace(plan, circuits=circuits), results, device="a device")

    return make


def test_with_one_circuit_a_sequence_the_error_is_a_binomial_proportions(
    make_report_of: Callable[..., Report],
) -> None:
    found = make_report_of([(0, 0.9), (1, 0.8), (2, 0.2), (3, 0.7), (4, 0.6)])
    assert found.accuracy == pytest.approx(0.8)
    assert found.accuracy_error == pytest.approx(sqrt(0.8 * 0.2 / 4))
    shares = np.array([0.9, 0.8, 0.2, 0.7, 0.6])
    assert found.sampled_accuracy == pytest.approx(shares.mean())
    assert found.sampled_accuracy_error == pytest.approx(shares.std(ddof=1) / sqrt(5))


def test_several_circuits_of_a_sequence_count_as_one_mean(
    make_report_of: Callable[..., Report],
) -> None:
    found = make_report_of([(0, 0.9), (0, 0.8), (1, 0.1), (1, 0.2), (2, 0.9), (2, 0.3)])
    means = np.array([1.0, 0.0, 0.5])
    assert found.accuracy == pytest.approx(0.5)
    assert found.accuracy_error == pytest.approx(means.std(ddof=1) / sqrt(3))
    # As many answers of as many sequences would be surer.
    assert (found.accuracy_error or 0) > sqrt(0.5 * 0.5 / 5)


def test_the_accuracy_stands_beside_the_exact_models(
    sampled: Report, make_report_of: Callable[..., Report]
) -> None:
    assert accuracy_text(sampled).splitlines() == [
        "accuracy      66.7% of 3 circuits of 1 test sequence(s); exact model 33.3%",
        "single shots  53.3% right; exact model 28.3%",
    ]
    exact = make_report_of([(0, 0.9), (1, 0.8), (2, 0.2), (3, 0.7), (4, 0.6)])
    assert accuracy_text(exact).startswith("accuracy      80.0% ± 20.0% of 5 circuits of 5 test")
    assert "single shots" not in accuracy_text(exact)


def test_exact_distributions_have_neither_noise_nor_kept_shots(make_plan: MakePlan) -> None:
    result = make_report(make_plan(None), [np.array(exact) for exact in EXACT], device="a device")
    assert result.distance == 0
    assert result.noise == 0
    assert result.kept_share is None
    for circuit in result.circuits:
        assert (circuit.kept, circuit.share_error, circuit.share_deviation) == (None, None, None)


@pytest.mark.parametrize("empty", [np.zeros((0, 2)), np.array(nan)])
def test_a_circuit_that_kept_no_shot_is_an_error_with_the_shots_needed(
    make_plan: MakePlan, empty: NDArray[np.float64]
) -> None:
    good = np.array([[0, 1]])
    with pytest.raises(ValueError, match="step 1 of test sequence 0 kept none of 10 shots") as told:
        make_report(make_plan(10), [good, empty, good], device="a device")
    assert str(told.value).endswith("a share of 0.5: 200 shots would keep about 100")
    with pytest.raises(ValueError, match=r"step 2 of test sequence 0 kept none of 10 shots$"):
        make_report(make_plan(10), [good, good, empty], device="a device")


@pytest.mark.parametrize(
    ("shots", "results", "message"),
    [
        (None, [np.ones(4)], "results must be of the plan's 3 circuits, got 1"),
        (None, 3 * [np.ones(2)], r"step 0 .* must have shape \(4,\), got \(2,\)"),
        (10, 3 * [np.ones((5, 3))], r"step 0 .* must have shape \(5, 2\), got \(5, 3\)"),
        (10, 3 * [np.ones(4)], r"step 0 .* must have shape \(4, 2\), got \(4,\)"),
    ],
)
def test_results_of_another_shape_are_refused(
    make_plan: MakePlan, shots: int | None, results: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_report(make_plan(shots), results, device="a device")


@pytest.fixture
def mitigated(make_plan: MakePlan) -> Plan:
    return replace(make_plan(1_000), mitigation="m3")


def test_mitigated_distributions_are_reported_with_the_kept_shots(mitigated: Plan) -> None:
    found = np.array([[0.2, 0.2, 0.6, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0]])
    result = make_report(mitigated, list(found), device="a device", kept=[1_000, 400, 800])
    np.testing.assert_array_equal([circuit.distribution for circuit in result.circuits], found)
    assert [circuit.kept_share for circuit in result.circuits] == [1, 0.4, 0.8]
    assert result.circuits[0].distance == pytest.approx(0.1)
    assert result.circuits[1].noise == expected_distance(EXACT[1], 400)
    assert result.to_json()["mitigation"] == "m3"
    console = Console(width=80, file=StringIO())
    with console.capture() as capture:
        console.print(report_table(result))
    assert "1,000 shots, mitigation m3" in " ".join(capture.get().split())


@pytest.mark.parametrize("kept", [None, [1_000, 400]])
def test_mitigated_results_need_the_kept_shots(mitigated: Plan, kept: list[int] | None) -> None:
    with pytest.raises(ValueError, match="kept must hold a number for each of the plan's 3 circ"):
        make_report(mitigated, [np.array(exact) for exact in EXACT], device="a device", kept=kept)
    with pytest.raises(ValueError, match=r"step 0 .* must have shape \(4,\), got \(2,\)"):
        make_report(mitigated, 3 * [np.ones(2)], device="a device", kept=[1, 1, 1])


def test_json_holds_every_figure(sampled: Report) -> None:
    figures = json.loads(json.dumps(sampled.to_json(), allow_nan=False))
    assert figures["device"] == "a device"
    assert figures["seconds"] == 1.5
    assert figures["mitigation"] is None
    assert figures["accuracy"] == sampled.accuracy
    assert figures["expected_noise"] == sampled.noise
    assert figures["circuits"][1] == {
        "sequence": 0,
        "step": 1,
        "right": 2,
        "exact": [0.25, 0.25, 0.25, 0.25],
        "predicted_share": 0.5,
        "distribution_bound": 0.0,
        "distribution": [0, 0, 1, 0],
        "prediction": 2,
        "correct": True,
        "right_probability": 1.0,
        "distance": 0.75,
        "expected_noise": sampled.circuits[1].noise,
        "shots": 10,
        "kept": 4,
        "kept_share": 0.4,
        "share_error": sampled.circuits[1].share_error,
        "share_deviation": sampled.circuits[1].share_deviation,
    }


def test_the_table_fits_a_terminal_and_has_a_row_for_each_circuit(sampled: Report) -> None:
    console = Console(width=80, file=StringIO())
    with console.capture() as capture:
        console.print(report_table(sampled))
    lines = capture.get().splitlines()
    assert "xor on a device: postselect, 4 wires, 10 shots" in lines[0]
    assert "…" not in "".join(lines)
    rows = [" ".join(line.split()) for line in lines if line.strip().startswith(("0 ", "all "))]
    assert rows == [
        "0 0 2 2 0.600 2 0.600 0.0000 0.1783 1.000 1.000 -",
        "0 1 2 0 0.250 2 1.000 0.7500 0.3164 0.400 0.500 -0.6",
        "0 2 2 1 1.000 1 1.000 0.0000 - 0.800 - -",
        "all 33.3% 66.7% 0.2500 0.1649 0.733 -",
    ]


def test_dropped_rotations_are_reported_with_the_largest_bound(make_plan: MakePlan) -> None:
    plan = make_plan(None)
    circuits = tuple(
        replace(circuit, distribution_bound=bound)
        for circuit, bound in zip(plan.circuits, (0.02, 0.03, 0.01), strict=True)
    )
    report = make_report(
        replace(plan, circuits=circuits, tolerance=0.06), list(EXACT), device="a device"
    )
    assert (report.to_json()["tolerance"], report.to_json()["distribution_bound"]) == (0.06, 0.03)
    console = Console(width=80, file=StringIO())
    with console.capture() as capture:
        console.print(report_table(report))
    assert "rotations up to 0.06 rad dropped: TVD by that at most 0.03" in capture.get()
    # Of one circuit it is not known, and so of all.
    unknown = replace(report.circuits[0], planned=replace(circuits[0], distribution_bound=None))
    report = replace(report, circuits=(unknown, *report.circuits[1:]))
    assert report.distribution_bound is None
    with console.capture() as capture:
        console.print(report_table(report))
    assert "rotations up to 0.06 rad dropped: TVD by that not bounded" in capture.get()


def test_a_table_of_many_circuits_says_what_it_leaves_out(sampled: Report) -> None:
    console = Console(width=80, file=StringIO())
    with console.capture() as capture:
        console.print(report_table(replace(sampled, circuits=20 * sampled.circuits)))
    text = capture.get()
    assert sum(line.strip().startswith("0 ") for line in text.splitlines()) == 20
    assert "shown: 20 of 60 circuits, --json has all" in text
    assert "66.7%" in text


def test_the_chart_shows_every_circuit(sampled: Report, tmp_path: Path) -> None:
    figure = draw_report(sampled)
    assert "by chance" in figure.axes[0].get_title()
    panels = figure.axes
    titles = [panel.get_title() for panel in panels]
    assert [title.splitlines()[0] for title in titles] == [
        f"sequence 0, step {step}" for step in range(3)
    ]
    exact, device = ([bar.get_height() for bar in bars] for bars in panels[0].containers[::2])
    assert (tuple(exact), tuple(device)) == (EXACT[0], sampled.circuits[0].distribution)
    figure.savefig(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_a_chart_of_many_circuits_says_what_it_leaves_out(sampled: Report) -> None:
    figure = draw_report(replace(sampled, circuits=20 * sampled.circuits))
    assert figure.get_suptitle().endswith("(shown: 24 of 60 circuits)")


def test_classes_have_their_names_in_table_and_chart_also_after_a_job(make_plan: MakePlan) -> None:
    names = ("even", "[odd]", "an $x$ too long to be shown", "")
    plan = Plan.from_json(
        json.loads(json.dumps(replace(make_plan(None), class_names=names).to_json()))
    )
    report = make_report(plan, list(EXACT), device="a device")
    console = Console(width=80, file=StringIO())
    with console.capture() as capture:
        console.print(report_table(report))
    assert "right, exact, device: 0 is even, 1 is [odd], 2 is an $x$" in capture.get()
    axes = draw_report(report).axes[0]
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert shown == ["even", "[odd]", "an $x$ too …", ""]
    assert (plan.name_of(1), plan.name_of(7)) == ("[odd]", "7")
