"""How much of a chip's time a job takes, estimated before it is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qrnn_backends.ibm.chip import RuntimeChip
from qrnn_backends.ibm.options import executed_shots, repetition_delay
from qrnn_backends.ibm.sampling import Pub
from qrnn_circuits.circuits.qiskit.mid_circuit import described, mid_circuit_instructions
from qrnn_circuits.circuits.qiskit.resources import estimate

# IBM's guide on workload usage gives these for a job without error mitigation.
_JOB_SECONDS = 2.0
_DEFAULT_DELAY = 250e-6


class UsageLimitError(ValueError):
    """A job would take more of a chip's time than the user allows."""


@dataclass(frozen=True)
class UsageEstimate:
    """What a job is about to take.

    Attributes:
        backend: Name of the chip.
        circuits: Number of circuits with their parameter values.
        shots: Shots of all circuits together.
        seconds: Of the chip's time, by the formula of IBM's guide on workload usage: 2 s for
            each job, and for each shot the duration of its circuit (by the chip's calibration data,
            with conditions taken as run) and the delay before the next shot. An approximation: the
            service splits large jobs, and classical control takes time of its own.
        longest: Duration of the longest circuit in seconds.
        jobs: Estimated seconds of each of the jobs, which several numbers of shots and IBM's limits
            for one job may take.
        mid_circuit: Names of the chip's instructions that measure and reset inside of the circuits,
            such as ``"measure_2"`` where it has IBM's for that.
    """

    backend: str
    circuits: int
    shots: int
    seconds: float
    longest: float
    jobs: tuple[float, ...]
    mid_circuit: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"about {self.seconds:.1f} s of {self.backend}: {self.circuits:,} "
            f"circuit{'s' * (self.circuits != 1)}, {self.shots:,} shots, the longest circuit "
            f"{1e6 * self.longest:.1f} us"
            + (f", {len(self.jobs)} jobs" if len(self.jobs) > 1 else "")
            + (f", mid-circuit by {described(self.mid_circuit)}" if self.mid_circuit else "")
        )

    def check(self, max_usage: float | None) -> None:
        """Refuses what is above the limit.

        Raises:
            UsageLimitError: If more than ``max_usage`` seconds are estimated.
        """
        if max_usage is not None and self.seconds > max_usage:
            raise UsageLimitError(
                f"the job takes {self}, more than max_usage={max_usage:g} s; nothing was sent. "
                "Give fewer shots or circuits, or a larger max_usage."
            )


def usage(
    jobs: Sequence[Sequence[Pub]], chip: RuntimeChip, options: Mapping[str, Any]
) -> UsageEstimate:
    """Estimates what a batch takes.

    Args:
        jobs: What each of its jobs is to run, on the chip's qubits.
        chip: The chip.
        options: Of the sampler.
    """
    delays = repetition_delay(options), getattr(chip.backend, "default_rep_delay", None)
    delay = next((delay for delay in delays if delay is not None), _DEFAULT_DELAY)
    longest = 0.0
    durations: dict[int, float] = {}
    seconds = []
    for job in jobs:
        seconds.append(_JOB_SECONDS)
        for pub in job:
            if id(pub.circuit) not in durations:
                known = estimate(pub.circuit, chip.target)
                durations[id(pub.circuit)] = 0.0 if known is None else known.duration
            duration = durations[id(pub.circuit)]
            longest = max(longest, duration)
            runs = len(pub.places) * executed_shots(options, pub.shots)
            seconds[-1] += runs * (duration + delay)
    pubs = [pub for job in jobs for pub in job]
    return UsageEstimate(
        backend=chip.name,
        circuits=sum(len(pub.places) for pub in pubs),
        shots=sum(len(pub.places) * pub.shots for pub in pubs),
        seconds=sum(seconds),
        longest=longest,
        jobs=tuple(seconds),
        mid_circuit=tuple(
            sorted({name for pub in pubs for name in mid_circuit_instructions(pub.circuit)})
        ),
    )
