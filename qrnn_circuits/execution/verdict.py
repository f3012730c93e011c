"""Whether a circuit can answer on a chip, told before it runs there."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import torch

from qrnn_circuits.checks import check_integer
from qrnn_circuits.circuits.inspection import Inspection, RealisationInspection
from qrnn_circuits.execution.plan import symbol_name
from qrnn_circuits.execution.planning import LEAST_SHARE, predictions
from qrnn_circuits.execution.remedies import alternatives, dropping, fewer_gates, keeping_shots
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import Task
from qrnn_circuits.tracing import copied

Category = Literal["works", "may work", "needs many shots", "cannot work"]
"""From good to bad."""

CONFIDENCE = 0.99
"""Probability with which the majority of the shots is to be right."""
FEW_SHOTS = 10_000
"""Up to so many shots a circuit works."""
MANY_SHOTS = 1_000_000
"""Beyond so many shots it cannot work."""
LEAST_FIDELITY = 0.04
"""Lower ones ``benchmarks/verdict.py`` has not measured, so that what they leave is a guess."""
LEAST_SIGNAL = 0.05
"""Noise may prefer a symbol by as much itself, which no number of shots averages out."""
_LEAST_SHOTS = 10
# Of more shots the normal approximation is as good as exact.
_MOST_EXACT = 1_000


@dataclass(frozen=True)
class Question:
    """A step of a test sequence as a circuit: what does the network predict there?

    Attributes:
        inputs: The input symbols up to the step.
        outcomes: The outcome that each earlier step is conditioned on or ``UNREAD``; None for the
            step itself.
        right: The right symbol.
    """

    inputs: tuple[int, ...]
    outcomes: tuple[int | None, ...]
    right: int


def question(task: Task, sequence: int, steps: int | None = None) -> Question:
    """The last scored step of a test sequence.

    Args:
        task: The task.
        sequence: Row of its test set, from 0.
        steps: How many steps of the sequence, from the first; by default all.

    Returns:
        The circuit that asks for this step, as :func:`~qrnn_circuits.execution.plan_run` has it.

    Raises:
        FileNotFoundError: If the task's data are missing.
        TypeError: If a number is not an integer.
        ValueError: If a number is out of range, or none of the steps is scored.

    Example:
        >>> from qrnn_circuits.tasks import Memorise
        >>> question(Memorise(length=4), 0, steps=3)
        Question(inputs=(0, 1, 2), outcomes=(1, 2, None), right=3)
    """
    test = task.test()
    check_integer("sequence", sequence, 0, len(test) - 1)
    length = test.inputs.shape[1]
    if steps is not None:
        check_integer("steps", steps, 1, length)
    scored = test.scored[sequence].nonzero()[:, 0].tolist()
    within = [step for step in scored if step < (length if steps is None else steps)]
    if not within:
        raise ValueError(
            f"steps must be at least {scored[0] + 1}, got {steps}: the task scores no earlier step "
            f"of test sequence {sequence}"
        )
    end = within[-1] + 1
    *given, right = test.outcomes[sequence, :end].tolist()
    return Question(tuple(test.inputs[sequence, :end].tolist()), (*given, None), right)


@dataclass(frozen=True)
class Verdict:
    """Whether a circuit can answer on a chip, by its calibration data.

    A kept shot follows the exact distribution with the probability ``exact_share``, and otherwise
    all symbols are equally probable.

    Attributes:
        category: The verdict in a word.
        answer: The network's answer: its most probable symbol.
        right: The right one, if the task says so.
        margin: By how much the exact probability of the answer exceeds that of any other symbol.
        fidelity: Of the circuit, see :class:`~.qiskit.resources.Estimate`.
        exact_share: What the fidelity leaves of the exact distribution, see :func:`exact_share`.
        acceptance: Share of the shots that is kept, by the model; for a realisation that fails now
            and then the share without its failures.
        signal: Margin on the chip: ``exact_share * margin``.
        kept_shots: How many kept shots make the answer the most frequent symbol with a probability
            of 99 %, see :func:`shots_for_majority`; None if no number does.
        shots: How many shots keep so many; None if no number does.
        text: Two or three sentences: the verdict, its reason, and what would help.
    """

    category: Category
    answer: int
    right: int | None
    margin: float
    fidelity: float
    exact_share: float
    acceptance: float
    signal: float
    kept_shots: int | None
    shots: int | None
    text: str

    def to_json(self) -> dict[str, Any]:
        """All of it as a plain dictionary."""
        return asdict(self)


def exact_share(fidelity: float) -> float:
    """The share of the exact distribution in what a noisy circuit gives: the fidelity's root.

    The fidelity is the probability that nothing fails at all. Of what fails about half does not
    reach the lane: on the noise model of a chip ``benchmarks/verdict.py`` measures powers of the
    fidelity from 0.2 to 1.4, half of them up to 0.51.

    Example:
        >>> exact_share(0.25)
        0.5
    """
    return sqrt(fidelity)


def shots_for_majority(exact: Sequence[float], share: float = 1.0) -> int | None:
    """How many kept shots make the most probable symbol the most frequent one.

    That it is so has the probability :data:`CONFIDENCE`.

    Of n shots with probabilities ``p > q`` of two symbols the difference of their counts has mean
    ``n (p - q)`` and variance ``n (p + q - (p - q)**2)``. By the normal approximation it exceeds 0
    with the probability of z standard deviations where its mean is so many of them above 1: that
    much lies between a tie and the next difference of two symbols alone, which is 2. From there
    more shots are taken until the exact probability is reached, which of few shots is less than
    the approximate one. Each of the ``2**I - 1`` other symbols gets an equal part of the error, and
    none is more probable than the strongest. At least 10 shots are taken, as the share of the exact
    distribution is an estimate itself.

    Args:
        exact: Probability of each of the ``2**I`` symbols without noise.
        share: Weight of this distribution; the rest is uniform.

    Returns:
        The number of shots; None where no symbol is more probable than all others.

    Example:
        >>> shots_for_majority([0.9, 0.1]), shots_for_majority([0.9, 0.1], share=0.1)
        (10, 867)
        >>> shots_for_majority([0.5, 0.5])
    """
    noisy = [share * p + (1 - share) / len(exact) for p in exact]
    *_, q, p = sorted(noisy)
    gap = p - q
    if gap <= 0:
        return None
    certainty = 1 - (1 - CONFIDENCE) / (len(exact) - 1)
    z, variance = NormalDist().inv_cdf(certainty), p + q - gap**2
    root = (z * sqrt(variance) + sqrt(z**2 * variance + 4 * gap)) / (2 * gap)
    shots = max(_LEAST_SHOTS, ceil(root**2))
    # One shot more can be a tie.
    while shots < _MOST_EXACT and min(_leads(p, q, n) for n in (shots, shots + 1)) < certainty:
        shots += 1
    return shots


def _leads(p: float, q: float, shots: int) -> float:
    """Probability that a symbol is more frequent than another one."""
    from scipy.stats import binom

    either = np.arange(shots + 1)
    first = binom.sf(either // 2, either, p / (p + q))
    return float(binom.pmf(either, shots, min(1.0, p + q)) @ first)


def verdicts(
    model: RecurrentNetwork, inspection: Inspection, task: Task, right: int | None = None
) -> tuple[Verdict | None, ...]:
    """Judges the circuits of an inspection.

    Args:
        model: The inspected network.
        inspection: Of a circuit whose last step alone is sampled.
        task: Whose settings are named where they would help.
        right: The right symbol of the last step, if it is known.

    Returns:
        A verdict for each realisation; None for one without an estimate, for one of other
        semantics than the model's, and for all where another step is sampled or the last is not.

    Raises:
        ZeroProbabilityError: If the model rules a conditioned outcome out altogether.

    Example:
        >>> import torch
        >>> from qrnn_circuits import QRNN
        >>> from qrnn_circuits.circuits import inspect_circuit
        >>> from qrnn_circuits.tasks import Memorise
        >>> generator = torch.Generator().manual_seed(0)
        >>> model = QRNN(lane=3, workspace=1, order=0, degree=1, generator=generator)
        >>> inspection = inspect_circuit(model, [0], target="fake_fez")
        >>> (verdict,) = verdicts(model, inspection, Memorise(length=4))
        >>> verdict.category, verdict.answer
        ('works', 0)
    """
    *earlier, last = inspection.outcomes
    if last is not None or None in earlier:
        return (None,) * len(inspection.realisations)
    exact, shares = predictions(
        copied(model).cpu().double(),
        torch.tensor([inspection.inputs]),
        torch.tensor([[*earlier, 0]]),
    )
    return tuple(
        _verdict(model, inspection, entry, exact[0].tolist(), float(shares[0]), task, right)
        for entry in inspection.realisations
    )


def _verdict(
    model: RecurrentNetwork,
    inspection: Inspection,
    entry: RealisationInspection,
    exact: list[float],
    accepted: float,
    task: Task,
    right: int | None,
) -> Verdict | None:
    if entry.estimate is None or entry.realisation.semantics != model.cell.semantics:
        return None
    fidelity = entry.estimate.fidelity
    share = exact_share(fidelity)
    acceptance = accepted if entry.acceptance is None else entry.acceptance
    *_, second, first = sorted(exact)
    margin = first - second
    kept = shots_for_majority(exact, share)
    shots = None if kept is None or acceptance < LEAST_SHARE else ceil(kept / acceptance)
    answer = exact.index(first)
    called = symbol_name(task.class_names, answer)
    category, text = _judge(margin, fidelity, acceptance, shots, called, inspection.target or "")
    if category != "works":
        options = _options(margin, share, entry, model, task, inspection)
        text += f". {options}" if options else ""
    if right is not None and right != answer:
        correct = symbol_name(task.class_names, right)
        text += f". The network itself is wrong here: the right answer is {correct}"
    return Verdict(
        category=category,
        answer=answer,
        right=right,
        margin=margin,
        fidelity=fidelity,
        exact_share=share,
        acceptance=acceptance,
        signal=share * margin,
        kept_shots=kept,
        shots=shots,
        text=f"{text}.",
    )


def _judge(
    margin: float, fidelity: float, acceptance: float, shots: int | None, answer: str, chip: str
) -> tuple[Category, str]:
    """The verdict and its reason."""
    if margin < LEAST_SIGNAL:
        return "cannot work", (
            f"cannot work: the network itself prefers its answer {answer} to the next symbol by "
            f"{margin:.2g} only, and the noise of a chip may prefer any by {LEAST_SIGNAL:g}"
        )
    signal = exact_share(fidelity) * margin
    if signal < LEAST_SIGNAL:
        return "cannot work", (
            f"cannot work: a fidelity of {fidelity:.2g} on {chip} leaves the network's answer "
            f"{answer} a lead of {signal:.2g}, and the noise may prefer any symbol by "
            f"{LEAST_SIGNAL:g}, which no number of shots averages out"
        )
    kept = f"fidelity {fidelity:.2g}, share of kept shots {acceptance:.2g}"
    number = f"more than {MANY_SHOTS:,}" if shots is None else _about(shots)
    if shots is None or shots > MANY_SHOTS:
        return "cannot work", (
            f"cannot work: {number} shots on {chip} would be needed for the network's answer "
            f"{answer} to be the most frequent one with 99 % probability ({kept})"
        )
    if shots > FEW_SHOTS:
        return "needs many shots", (
            f"needs many shots: {number} on {chip}, for the network's answer {answer} to be the "
            f"most frequent one with 99 % probability ({kept})"
        )
    if fidelity < LEAST_FIDELITY:
        return "may work", (
            f"may work, with {number} shots on {chip}: what a fidelity below {LEAST_FIDELITY:g} "
            f"leaves of the network's answer {answer} is a guess ({kept}). Run it under the chip's "
            "noise first, by --device qrnn.aer --noise"
        )
    return "works", (
        f"works: the network's answer {answer} is the most frequent one of {number} shots on "
        f"{chip} with 99 % probability ({kept})"
    )


def _options(
    margin: float,
    share: float,
    entry: RealisationInspection,
    model: RecurrentNetwork,
    task: Task,
    inspection: Inspection,
) -> str:
    """What would help."""
    if margin < LEAST_SIGNAL:
        return "A network that is trained further may be surer"
    if share * margin < LEAST_SIGNAL or share < exact_share(LEAST_FIDELITY):
        ways = dropping(entry.realisation, inspection.tolerance)
        settings, gain = fewer_gates(task, model), "take fewer gates"
    else:
        ways = []
        settings, gain = keeping_shots(task, model, entry.realisation), "lose fewer shots"
    if settings:
        ways = [*ways, f"a network trained with {alternatives(settings)}"]
    named = ", or ".join(ways)
    if len(inspection.inputs) == 1:
        return f"What would {gain}: {named}" if ways else ""
    return f"Fewer steps {gain}" + (f", and so does {named}" if ways else "")


def _about(number: int) -> str:
    """A number rounded up to two digits."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return f"about {-(-number // unit) * unit:,}"
