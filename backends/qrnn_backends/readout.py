"""From the classical bits of a circuit's shots to the results of a tape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.measurements import (
    CountsMP,
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    SampleMP,
    VarianceMP,
)
from pennylane.typing import Result

from qrnn_backends.measurements import on_bits, options_of, with_wires
from qrnn_backends.mitigation import Correction, QuasiProbabilities, nearest_distribution

_KINDS: dict[str, type[MeasurementProcess]] = {
    "expval": ExpectationMP,
    "var": VarianceMP,
    "probs": ProbabilityMP,
    "sample": SampleMP,
    "counts": CountsMP,
}

# Smaller exact probabilities are rounding.
_LEAST_SHARE = 1e-13
# Below this many kept shots, statistics say little.
_WANTED_SHOTS = 100


class NoShotsKeptError(ValueError):
    """Postselection dropped every shot, so that there is nothing to compute a result from."""


@dataclass(frozen=True)
class Readout:
    """How the classical bits of a circuit's shots become a tape's results.

    Attributes:
        measurements: PennyLane's measurements. Their wires are positions of classical bits, and
            they have eigenvalues in place of observables, so that PennyLane does the arithmetic;
            of several bits, two eigenvalues are those of an even and an odd number of ones.
        postselected: Positions of classical bits, each with the value that a kept shot reads there.
        shots: Number of shots of each copy of the shot vector, in order; one number without it.
        predicted_share: Probability that a shot is kept, if it was predicted.
    """

    measurements: tuple[MeasurementProcess, ...]
    postselected: tuple[tuple[int, int], ...]
    shots: tuple[int, ...]
    predicted_share: float | None = None

    @property
    def total_shots(self) -> int:
        """Number of shots of all copies of the shot vector."""
        return sum(self.shots)

    def kept(self, bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which shots postselection keeps.

        Args:
            bits: The value of each classical bit in each shot, shape ``(shots, bits)``.

        Returns:
            Shape ``(shots,)``.
        """
        positions = [position for position, _ in self.postselected]
        values = [value for _, value in self.postselected]
        kept: NDArray[np.bool_] = (bits[:, positions] == values).all(axis=1)
        return kept

    def results(self, bits: NDArray[np.uint8], correction: Correction | None = None) -> Result:
        """The tape's results from the kept shots.

        Args:
            bits: The value of each classical bit in each shot, shape ``(total_shots, bits)``.
                Column j is the circuit's classical bit j.
            correction: Of readout errors, for whole shots and before postselection. Expectation
                values are those of the quasi-probabilities, and may be a little outside of the
                eigenvalues; probabilities and variances are those of the nearest distribution.

        Returns:
            One result, or a tuple with one for each measurement if there are several; for a shot
            vector, a tuple with this for each of its copies.

        Raises:
            ImportError: If the correction needs a package that is not installed.
            MitigationError: If the correction fails.
            NoShotsKeptError: If postselection keeps no shot of a copy, or only such as the
                correction explains by errors.
            ValueError: If there are not as many shots as were asked for, or a correction is
                given for samples or counts.
        """
        if correction is not None:
            self.check_mitigable()
        if len(bits) != self.total_shots:
            raise ValueError(f"bits must hold {self.total_shots} shots, got {len(bits)}")
        ends = np.cumsum(self.shots)
        copies = np.split(bits, ends[:-1])
        results = tuple(self._copy_results(copy, correction) for copy in copies)
        return results if len(results) > 1 else results[0]

    def check_mitigable(self) -> None:
        """Checks that readout errors can be corrected in all results.

        Raises:
            ValueError: If one is of samples or counts.
        """
        for measurement in self.measurements:
            if isinstance(measurement, SampleMP | CountsMP):
                raise ValueError(
                    f"mitigation must be None for qml.{_kind(measurement)}: it corrects "
                    "distributions, not shots. It takes qml.probs, qml.expval and qml.var"
                )

    def expected(self, probabilities: NDArray[np.float64]) -> Result:
        """The tape's results in the limit of many shots.

        Args:
            probabilities: Of all patterns of the classical bits, shape ``(2**bits,)``, bit 0 most
                significant.

        Returns:
            One result, or a tuple with one for each measurement if there are several.

        Raises:
            NoShotsKeptError: If what is postselected on has probability 0.
            ValueError: If a measurement is of samples or counts.
        """
        order = qml.wires.Wires(range(int(np.log2(probabilities.size))))
        if self.postselected:
            patterns = np.indices((2,) * len(order), dtype=np.uint8).reshape(len(order), -1).T
            kept = self.kept(patterns)
            probabilities = np.where(kept, probabilities, 0.0)
            if probabilities.sum() < _LEAST_SHARE:
                raise NoShotsKeptError("what is postselected on has probability 0")
            probabilities = probabilities / probabilities.sum()
        results = []
        for measurement in self.measurements:
            if isinstance(measurement, SampleMP | CountsMP):
                raise ValueError(f"{measurement} has no result without shots")
            results.append(_process_exact(measurement, probabilities, order))
        return tuple(results) if len(results) > 1 else results[0]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON.

        Raises:
            TypeError: If a measurement is of a class that is not PennyLane's own.
        """
        return {
            "measurements": [_to_json(measurement) for measurement in self.measurements],
            "postselected": [list(pair) for pair in self.postselected],
            "shots": list(self.shots),
            "predicted_share": self.predicted_share,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Readout":
        """Reads what :meth:`to_json` gave."""
        return cls(
            measurements=tuple(_from_json(entry) for entry in data["measurements"]),
            postselected=tuple((position, value) for position, value in data["postselected"]),
            shots=tuple(data["shots"]),
            predicted_share=data["predicted_share"],
        )

    def _copy_results(self, bits: NDArray[np.uint8], correction: Correction | None) -> Any:  # noqa: ANN401
        kept = bits[self.kept(bits)] if self.postselected else bits
        if not len(kept):
            raise NoShotsKeptError(self._nothing_kept(len(bits)))
        if correction is None:
            results = tuple(_process(measurement, kept) for measurement in self.measurements)
        else:
            patterns, weights = self._corrected(bits, correction)
            results = tuple(
                _process_corrected(measurement, patterns, weights)
                for measurement in self.measurements
            )
        return results if len(results) > 1 else results[0]

    def _corrected(self, bits: NDArray[np.uint8], correction: Correction) -> QuasiProbabilities:
        """Patterns that postselection keeps, and their quasi-probabilities given that it does."""
        patterns, weights = correction(bits)
        kept = self.kept(patterns)
        share = float(weights[kept].sum())
        # Results are divided by the share.
        if round(share * len(bits)) < 1:
            raise NoShotsKeptError(
                f"postselection kept {self.kept(bits).sum()} of {len(bits)} shots, and the "
                "correction for readout errors leaves none of them: give more shots"
            )
        return patterns[kept], weights[kept] / share

    def _nothing_kept(self, shots: int) -> str:
        message = f"postselection kept none of {shots} shots"
        if self.predicted_share is None:
            return f"{message}: give more shots, or postselect on less"
        if self.predicted_share <= 0:
            return f"{message}: what is postselected on has probability 0"
        needed = ceil(_WANTED_SHOTS / self.predicted_share)
        return (
            f"{message}: the circuit without noise keeps a share of {self.predicted_share:.2g}, so "
            f"that {needed} shots keep about {_WANTED_SHOTS}"
        )


def _is_of_parity(measurement: MeasurementProcess) -> bool:
    eigenvalues = measurement.eigvals()
    return eigenvalues is not None and len(eigenvalues) == 2 < 2 ** len(measurement.wires)


def _read(
    measurement: MeasurementProcess, bits: NDArray[np.uint8]
) -> tuple[MeasurementProcess, NDArray[np.int64]]:
    """A measurement of the patterns that it reads of some bits, and those patterns."""
    # PennyLane multiplies samples by powers of two, for which 8 bits are too few.
    read = bits[:, measurement.wires.tolist()].astype(np.int64)
    if not _is_of_parity(measurement):
        return measurement, read
    return with_wires(measurement, [0], measurement.eigvals()), read.sum(1, keepdims=True) % 2


def _process_exact(
    measurement: MeasurementProcess, probabilities: NDArray[np.float64], order: qml.wires.Wires
) -> Any:  # noqa: ANN401
    """PennyLane's result of one measurement from the probabilities of all patterns."""
    # PennyLane computes probabilities from amplitudes.
    amplitudes = np.sqrt(probabilities)
    if not _is_of_parity(measurement):
        return measurement.process_state(amplitudes, order)
    table = ProbabilityMP(wires=measurement.wires).process_state(amplitudes, order)
    for _ in measurement.wires[1:]:
        (none, second), (first, both) = table.reshape(2, 2, -1)
        table = np.concatenate([none + both, first + second])
    measurement = with_wires(measurement, [0], measurement.eigvals())
    return measurement.process_state(np.sqrt(table), measurement.wires)


def _process(measurement: MeasurementProcess, bits: NDArray[np.uint8]) -> Any:  # noqa: ANN401
    """PennyLane's result of one measurement from the kept shots."""
    measurement, samples = _read(measurement, bits)
    wires = measurement.wires
    if not isinstance(measurement, CountsMP):
        return measurement.process_samples(samples, wire_order=wires)
    patterns, numbers = np.unique(samples, axis=0, return_counts=True)
    counts = {
        "".join(map(str, pattern)): number
        for pattern, number in zip(patterns, numbers, strict=True)
    }
    # Unlike process_samples, this adds the counts of equal eigenvalues.
    return measurement.process_counts(counts, wire_order=wires)


def _process_corrected(
    measurement: MeasurementProcess, patterns: NDArray[np.uint8], weights: NDArray[np.float64]
) -> Any:  # noqa: ANN401
    """PennyLane's result of one measurement from quasi-probabilities of patterns."""
    measurement, read = _read(measurement, patterns)
    wires = measurement.wires
    places = read @ (1 << np.arange(len(wires))[::-1])
    marginal = np.zeros(2 ** len(wires))
    np.add.at(marginal, places, weights)
    if isinstance(measurement, ExpectationMP):
        # Linear, so that quasi-probabilities do, and without the bias of another distribution.
        return marginal @ np.asarray(measurement.eigvals())
    # PennyLane computes probabilities from amplitudes.
    return measurement.process_state(np.sqrt(nearest_distribution(marginal)), wires)


def _kind(measurement: MeasurementProcess) -> str:
    kinds = [kind for kind, cls in _KINDS.items() if type(measurement) is cls]
    if not kinds:
        raise TypeError(f"{measurement} must be one of {', '.join(_KINDS)} to be kept as JSON")
    return kinds[0]


def _to_json(measurement: MeasurementProcess) -> dict[str, Any]:
    eigenvalues = measurement.eigvals()
    data = {
        "kind": _kind(measurement),
        "bits": measurement.wires.tolist(),
        "eigenvalues": None if eigenvalues is None else np.asarray(eigenvalues).tolist(),
        **options_of(measurement),
    }
    if data.get("dtype") is not None:
        data["dtype"] = np.dtype(data["dtype"]).name
    return data


def _from_json(data: Mapping[str, Any]) -> MeasurementProcess:
    options = {name: data[name] for name in ("all_outcomes", "dtype") if name in data}
    return on_bits(_KINDS[data["kind"]], data["bits"], data["eigenvalues"], **options)


def stacked(entries: Sequence[Any]) -> Any:  # noqa: ANN401
    """The result of a batch of parameters, measurement by measurement; counts become a list.

    Args:
        entries: The result of each entry.

    Raises:
        ValueError: If they are of different numbers of shots.
    """
    if isinstance(entries[0], tuple):
        return tuple(stacked(parts) for parts in zip(*entries, strict=True))
    if isinstance(entries[0], dict):
        return list(entries)
    if len({np.shape(entry) for entry in entries}) > 1:
        raise ValueError(
            "postselection keeps different numbers of shots of a batch's entries, so that their "
            "samples do not form an array: run one entry at a time, or take "
            "postselect_mode='fill-shots' where the device has it"
        )
    return np.stack(entries)
