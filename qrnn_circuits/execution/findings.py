"""What makes the answers of a run worthless, told after it."""

from collections import Counter
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from qrnn_circuits.execution.distance import total_variation_distance
from qrnn_circuits.execution.planning import shots_advice
from qrnn_circuits.execution.remedies import dropping
from qrnn_circuits.execution.report import Report

LEAST_KEPT = 30
"""A distribution of fewer kept shots says little."""
LEAST_ERRORS = 2.0
"""So many standard errors above guessing an accuracy must be."""
NOISY_SHARE = 0.9
"""From this share of the uniform distribution's distance on, a device gives noise."""


@dataclass(frozen=True)
class Findings:
    """What speaks against the answers of a run with shots.

    Attributes:
        guessing: Accuracy of guessing: the share of the most frequent right symbol.
        guessing_error: Standard error of that accuracy, as of a binomial proportion with a trial
            for each circuit.
        uniform_distance: Mean total variation distance of the uniform distribution to the exact
            ones.
        fewest_kept: Number of kept shots of the circuit with the fewest.
        texts: A sentence or two for each reason why the answers are worthless, with what would
            help; none where nothing speaks against them.
    """

    guessing: float
    guessing_error: float
    uniform_distance: float
    fewest_kept: int
    texts: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as a plain dictionary."""
        return asdict(self)


def find_faults(report: Report) -> Findings | None:
    """Says whether the answers of a run are worthless, and why.

    Args:
        report: On the run.

    Returns:
        The findings; None for a run without shots.

    Example:
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "semantics": "unitary", "task_options": {"length": 1}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> from qrnn_circuits.execution import make_report, plan_run
        >>> plan = plan_run(run, shots=10_000)
        >>> report = make_report(plan, [[[0, 0, 1]] * 20], device="a device")
        >>> findings = find_faults(report)
        >>> findings.fewest_kept, findings.texts[0]
        (20, 'A circuit kept only 20 of 10,000 shots... 50,000 shots would keep about 100.')
    """
    shots = report.plan.shots
    if shots is None:
        return None
    circuits = report.circuits
    symbols = len(circuits[0].distribution)
    rights = Counter(circuit.planned.right for circuit in circuits)
    guessing = max(rights.values()) / len(circuits)
    error = sqrt(guessing * (1 - guessing) / len(circuits))
    uniform = [total_variation_distance([1 / symbols] * symbols, c.planned.exact) for c in circuits]
    uniform_distance = sum(uniform) / len(uniform)
    kept = min(circuits, key=lambda circuit: circuit.kept or 0)
    fewest = kept.kept or 0
    texts = []
    if fewest < LEAST_KEPT:
        texts.append(
            f"A circuit kept only {fewest} of {shots:,} shots ({kept.planned.describe()}), too few "
            f"for a distribution: {shots_advice(max(fewest, 1) / shots)}."
        )
    noisy = report.distance >= NOISY_SHARE * uniform_distance
    # Where shots are few or the exact distributions nearly uniform, distances do not tell.
    if noisy and uniform_distance > 2 * report.noise:
        ways = ["fewer --steps", *dropping(report.plan.realisation, report.plan.tolerance)]
        texts.append(
            f"The distributions are noise: their distance to the exact ones is "
            f"{report.distance:.3f}, that of uniform ones {uniform_distance:.3f}. Fewer gates "
            f"would help: {', '.join(ways)}, or a network with --reading scored, --order 0, fewer "
            "--stages, a lower --degree or a smaller --workspace; qrnn inspect DIR --sequence 0 "
            "--backend CHIP tells beforehand what can work."
        )
    texts += _guessing(report, guessing, error)
    return Findings(guessing, error, uniform_distance, fewest, tuple(texts))


def _guessing(report: Report, guessing: float, error: float) -> list[str]:
    """Where an accuracy is not above guessing, though it could be."""
    least = guessing + LEAST_ERRORS * error
    circuits = f"{len(report.circuits)} circuits"
    if least >= 1 or report.accuracy > least:
        return []
    text = (
        f"The accuracy of {report.accuracy:.1%} is within {LEAST_ERRORS:g} standard errors of "
        f"guessing the most frequent symbol ({guessing:.1%} ± {error:.1%} of {circuits})"
    )
    if report.exact_accuracy > least:
        return [f"{text}; that of the exact model, {report.exact_accuracy:.1%}, is not."]
    return [
        f"{text}, and so is that of the exact model, {report.exact_accuracy:.1%}: more --sequences "
        "would tell, or the network must be trained further."
    ]
