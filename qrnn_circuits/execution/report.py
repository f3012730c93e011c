"""How a device's answers compare with the model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import sqrt
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.execution.distance import expected_distance, total_variation_distance
from qrnn_circuits.execution.plan import Plan, PlannedCircuit
from qrnn_circuits.execution.planning import shots_advice


@dataclass(frozen=True)
class CircuitReport:
    """What a device gave for one circuit.

    Attributes:
        planned: The circuit and what the model says of it.
        shots: Number of shots; None for an exact distribution.
        kept: Number of kept shots as they were read; None for an exact distribution.
        distribution: Probability of each symbol, from the kept shots or as mitigation corrects it.

    Example:
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "degree": 1, "task_options": {"length": 2}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> from qrnn_circuits.execution import plan_run
        >>> plan = plan_run(run)
        >>> circuit = CircuitReport(plan.circuits[0], None, None, plan.circuits[0].exact)
        >>> circuit.distance, circuit.kept_share
        (0.0, None)
    """

    planned: PlannedCircuit
    shots: int | None
    kept: int | None
    distribution: tuple[float, ...]

    @property
    def prediction(self) -> int:
        """The most probable symbol; the smallest of several."""
        return int(np.argmax(self.distribution))

    @property
    def correct(self) -> bool:
        """Whether the prediction is right."""
        return self.prediction == self.planned.right

    @property
    def exact_prediction(self) -> int:
        """The most probable symbol of the exact distribution."""
        return int(np.argmax(self.planned.exact))

    @property
    def right_probability(self) -> float:
        """Probability of the right symbol: the share of single shots that are right."""
        return self.distribution[self.planned.right]

    @property
    def distance(self) -> float:
        """Total variation distance to the model's exact distribution."""
        return total_variation_distance(self.distribution, self.planned.exact)

    @cached_property
    def noise(self) -> float:
        """Mean distance of a perfect device with as many kept shots; 0 without shots."""
        return 0.0 if self.kept is None else expected_distance(self.planned.exact, self.kept)

    @property
    def kept_share(self) -> float | None:
        """Share of the shots that were kept; None without shots."""
        return None if self.kept is None or self.shots is None else self.kept / self.shots

    @property
    def share_error(self) -> float | None:
        """Standard error of the kept share; None without shots.

        That of a binomial proportion, of the predicted share where there is one.
        """
        if self.kept_share is None or self.shots is None:
            return None
        predicted = self.planned.predicted_share
        share = self.kept_share if predicted is None else predicted
        return sqrt(share * (1 - share) / self.shots)

    @property
    def share_deviation(self) -> float | None:
        """Standard errors from the predicted to the kept share.

        None where there are not both, and where the model expects to keep or to lose less than one
        shot, of which the standard error says nothing.
        """
        predicted = self.planned.predicted_share
        if self.kept_share is None or predicted is None or not self.share_error:
            return None
        if min(predicted, 1 - predicted) * (self.shots or 0) < 1:
            return None
        return (self.kept_share - predicted) / self.share_error

    def to_json(self) -> dict[str, Any]:
        """The figures, with those of the plan beside them."""
        return {
            **asdict(self.planned),
            "distribution": self.distribution,
            "prediction": self.prediction,
            "correct": self.correct,
            "right_probability": self.right_probability,
            "distance": self.distance,
            "expected_noise": self.noise,
            "shots": self.shots,
            "kept": self.kept,
            "kept_share": self.kept_share,
            "share_error": self.share_error,
            "share_deviation": self.share_deviation,
        }


@dataclass(frozen=True)
class Report:
    """How a trained network did its task on a device.

    Attributes:
        plan: What was run; its tapes are not needed.
        device: What the device is called.
        seconds: Wall time of the whole batch; None where nobody waited for it.
        circuits: One entry for each circuit of the plan.

    Example:
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "degree": 1, "task_options": {"length": 2}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> from qrnn_circuits.execution import plan_run
        >>> plan = plan_run(run)
        >>> exact = [circuit.exact for circuit in plan.circuits]
        >>> report = make_report(plan, exact, device="a model")
        >>> report.distance, report.accuracy == report.exact_accuracy
        (0.0, True)
    """

    plan: Plan
    device: str
    seconds: float | None
    circuits: tuple[CircuitReport, ...]

    @property
    def accuracy(self) -> float:
        """Share of the circuits whose most probable symbol is right."""
        return fmean([circuit.correct for circuit in self.circuits])

    @property
    def exact_accuracy(self) -> float:
        """The same share for the exact distributions."""
        return fmean(
            [circuit.exact_prediction == circuit.planned.right for circuit in self.circuits]
        )

    @property
    def sequences(self) -> int:
        """Number of sequences that the circuits are of."""
        return len({circuit.planned.sequence for circuit in self.circuits})

    @property
    def accuracy_error(self) -> float | None:
        """Standard error of the accuracy over sequences; None for one sequence.

        Circuits of one sequence are not independent, its number of right answers is: of S
        sequences with ``n_s`` circuits and ``k_s`` right ones the square is ``S / (S - 1)`` times
        the sum of ``(k_s - accuracy * n_s)**2``, divided by the square of the number of circuits
        (Cochran, Sampling Techniques, 1977, section 3.12). With one circuit a sequence that is a
        binomial proportion's, ``accuracy * (1 - accuracy) / (S - 1)``.
        """
        return self._error_over_sequences([float(circuit.correct) for circuit in self.circuits])

    @property
    def sampled_accuracy(self) -> float:
        """Mean probability of the right symbol: the share of single shots that are right."""
        return fmean([circuit.right_probability for circuit in self.circuits])

    @property
    def sampled_accuracy_error(self) -> float | None:
        """Standard error of the sampled accuracy over sequences, as of the accuracy."""
        return self._error_over_sequences([circuit.right_probability for circuit in self.circuits])

    @property
    def exact_sampled_accuracy(self) -> float:
        """The same share for the exact distributions."""
        return fmean([circuit.planned.exact[circuit.planned.right] for circuit in self.circuits])

    def _error_over_sequences(self, values: Sequence[float]) -> float | None:
        """Standard error of the mean of a value for each circuit."""
        count, mean = self.sequences, fmean(values)
        if count == 1:
            return None
        totals: dict[int, float] = {}
        for circuit, value in zip(self.circuits, values, strict=True):
            row = circuit.planned.sequence
            totals[row] = totals.get(row, 0.0) + value - mean
        squares = sum(total**2 for total in totals.values())
        return sqrt(count / (count - 1) * squares) / len(values)

    @property
    def distance(self) -> float:
        """Mean total variation distance to the exact distributions."""
        return fmean([circuit.distance for circuit in self.circuits])

    @property
    def noise(self) -> float:
        """Mean distance of a perfect device with as many kept shots."""
        return fmean([circuit.noise for circuit in self.circuits])

    @property
    def kept_share(self) -> float | None:
        """Share of all shots that were kept; None without shots."""
        shares = [share for circuit in self.circuits if (share := circuit.kept_share) is not None]
        return fmean(shares) if shares else None

    @property
    def predicted_share(self) -> float | None:
        """Mean predicted share; None where it cannot be predicted."""
        shares = [circuit.planned.predicted_share for circuit in self.circuits]
        known = [share for share in shares if share is not None]
        return fmean(known) if len(known) == len(shares) else None

    @property
    def distribution_bound(self) -> float | None:
        """The largest bound on what dropped rotations move; None where one is not known."""
        bounds = [circuit.planned.distribution_bound for circuit in self.circuits]
        known = [bound for bound in bounds if bound is not None]
        return max(known) if len(known) == len(bounds) else None

    def to_json(self) -> dict[str, Any]:
        """All figures as plain dictionaries and lists."""
        return {
            "task": self.plan.task,
            "training_step": self.plan.training_step,
            "device": self.device,
            "realisation": str(self.plan.realisation),
            "wires": self.plan.wires,
            "shots": self.plan.shots,
            "mitigation": self.plan.mitigation,
            "tolerance": self.plan.tolerance,
            "encoding": self.plan.encoding,
            "distribution_bound": self.distribution_bound,
            "sequences": self.sequences,
            "accuracy": self.accuracy,
            "accuracy_error": self.accuracy_error,
            "exact_accuracy": self.exact_accuracy,
            "sampled_accuracy": self.sampled_accuracy,
            "sampled_accuracy_error": self.sampled_accuracy_error,
            "exact_sampled_accuracy": self.exact_sampled_accuracy,
            "distance": self.distance,
            "expected_noise": self.noise,
            "kept_share": self.kept_share,
            "predicted_share": self.predicted_share,
            "seconds": self.seconds,
            "circuits": [circuit.to_json() for circuit in self.circuits],
        }


def make_report(
    plan: Plan,
    results: Sequence[Any],
    *,
    device: str,
    seconds: float | None = None,
    kept: Sequence[int] | None = None,
) -> Report:
    """Compares a device's results with a plan.

    Args:
        plan: As it was run, or as :meth:`Plan.from_json` reads it back.
        results: One for each circuit, as a device returns them for the plan's tapes: bits of shape
            ``(kept, I)``, or without shots or with mitigation probabilities of shape ``(2**I,)``.
        device: What the report calls the device.
        seconds: Wall time of the whole batch, where somebody waited for it.
        kept: Number of kept shots of each circuit, as a device's tracker counts them; needed with
            mitigation, where results do not tell.

    Raises:
        ValueError: If there is not one result for each circuit, a result is of another shape, a
            circuit kept no shot, or kept shots are needed and not one number for each circuit.

    Example:
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "degree": 1, "task_options": {"length": 2}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> from qrnn_circuits.execution import plan_run
        >>> plan = plan_run(run)
        >>> exact = [circuit.exact for circuit in plan.circuits]
        >>> report = make_report(plan, exact, device="a model")
        >>> report.to_json()["device"]
        'a model'
    """
    if len(results) != len(plan.circuits):
        raise ValueError(
            f"results must be of the plan's {len(plan.circuits)} circuits, got {len(results)}"
        )
    arrays = [np.asarray(result) for result in results]
    if plan.shots is None or plan.mitigation is None:
        circuits = [
            _circuit_report(planned, result, plan.shots)
            for planned, result in zip(plan.circuits, arrays, strict=True)
        ]
    elif kept is None or len(kept) != len(plan.circuits):
        raise ValueError(
            f"kept must hold a number for each of the plan's {len(plan.circuits)} circuits with "
            f"mitigation {plan.mitigation!r}, got {kept}"
        )
    else:
        circuits = [
            _mitigated_report(planned, result, plan.shots, number)
            for planned, result, number in zip(plan.circuits, arrays, kept, strict=True)
        ]
    return Report(
        plan=plan,
        device=device,
        seconds=seconds,
        circuits=tuple(circuits),
    )


def _circuit_report(
    planned: PlannedCircuit, result: NDArray[Any], shots: int | None
) -> CircuitReport:
    symbols = len(planned.exact)
    if shots is None:
        _check_shape(planned, result, (symbols,))
        return CircuitReport(planned, None, None, tuple(result.tolist()))
    # PennyLane's devices give a single NaN where they keep no shot.
    kept = len(result) if result.ndim else 0
    if kept == 0:
        share = planned.predicted_share
        raise ValueError(
            f"{planned.describe()} kept none of {shots:,} shots"
            + (
                ""
                if share is None
                else f"; the model predicts a share of {share:.3g}: {shots_advice(share)}"
            )
        )
    if kept > shots:
        raise ValueError(f"{planned.describe()} must keep at most {shots:,} shots, got {kept:,}")
    lane = symbols.bit_length() - 1
    _check_shape(planned, result, (kept, lane))
    read = result.astype(int) @ (1 << np.arange(lane)[::-1])
    counts = np.bincount(read, minlength=symbols)
    return CircuitReport(planned, shots, kept, tuple((counts / kept).tolist()))


def _mitigated_report(
    planned: PlannedCircuit, result: NDArray[Any], shots: int, kept: int
) -> CircuitReport:
    _check_shape(planned, result, (len(planned.exact),))
    return CircuitReport(planned, shots, kept, tuple(result.tolist()))


def _check_shape(planned: PlannedCircuit, result: NDArray[Any], shape: tuple[int, ...]) -> None:
    if result.shape != shape:
        raise ValueError(
            f"the result of {planned.describe()} must have shape {shape}, got {result.shape}"
        )
