"""How a trained network that comes with the package fares under the noise of a chip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

import pennylane as qml

from qrnn_circuits.checks import check_choice, check_integer, check_number
from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.inspection import inspect_circuit
from qrnn_circuits.execution import make_report, plan_run
from qrnn_circuits.execution.run import run_and_report
from qrnn_circuits.execution.verdict import question
from qrnn_circuits.reproduction.measurements.settings import read_settings
from qrnn_circuits.training import load_pretrained, pretrained_names


@dataclass(frozen=True)
class ChipSettings:
    """The settings of :func:`measure`.

    Attributes:
        network: Name of a network that comes with the package.
        noise: Name of the chip whose noise is simulated, as for ``qrnn.aer``.
        sequences: How many, spread evenly over the test set.
        steps: How many steps of each, from the first; None for all.
        shots: Of each circuit.
        tolerance: Neurons drop rotations by at most this angle, in radians.
        encoding: Whether inputs are on the ``"lane"`` or in the ``"angles"`` of neurons.
    """

    network: str = "xor-chip"
    noise: str = "fake_fez"
    sequences: int = 10
    steps: int | None = None
    shots: int = 1000
    tolerance: float = 0.0
    encoding: Encoding = "lane"

    def __post_init__(self) -> None:
        """Checks the values; that the chip is known is checked where it is looked up.

        Raises:
            TypeError: If one has the wrong type.
            ValueError: If one is not acceptable.
        """
        check_choice("network", self.network, pretrained_names())
        if not isinstance(self.noise, str):
            raise TypeError(f"noise must be the name of a chip, got {self.noise!r}")
        for name in ("sequences", "shots"):
            check_integer(name, getattr(self, name), 1)
        if self.steps is not None:
            check_integer("steps", self.steps, 1)
        check_number("tolerance", self.tolerance)
        check_choice("encoding", self.encoding, get_args(Encoding))


def measure(
    settings: Mapping[str, Any],
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Counts a network's gates on a chip, and runs its task on ``qrnn.aer`` with its noise.

    Every scored step of the sequences is one circuit. Its answer is the most frequent symbol of the
    shots that are kept.

    Args:
        settings: Fields of :class:`ChipSettings`.
        seed: Of the shots.
        folder: Not used.
        progress: Is told what is being done.

    Returns:
        Of the longest circuit of the first sequence: ``"two_qubit_gates"``, and
        ``"chip_two_qubit_gates"`` once it is transpiled to the chip. ``"circuits"`` and
        ``"sequences"``: how many were run. ``"predicted_share"``: of the shots of a circuit the
        share that the model expects to be kept without noise, on average, or None where the model
        does not tell. ``"right"``: share of the circuits whose answer is right, and
        ``"right_error"``, its standard error over the sequences; ``"single_right"`` and
        ``"single_right_error"``: the same of single kept shots; ``"kept_share"``: of the shots, on
        average. These five are None where the model expects a circuit to keep less than one shot,
        and the errors also with one sequence. ``"exact_right"`` and ``"exact_single_right"``:
        without noise and with any number of shots. ``"seconds"``: of the simulation.

    Raises:
        FileNotFoundError: If the task's data are missing.
        ImportError: If Qiskit is not installed.
        TypeError: If a setting has the wrong type.
        ValueError: If a setting is unknown or not acceptable, or all shots of a circuit were lost.

    Example:
        >>> settings = {"sequences": 1, "steps": 2, "shots": 100}
        >>> found = measure(settings, 0, Path(), lambda doing: None)
        >>> found["circuits"], found["two_qubit_gates"], found["right"], found["kept_share"]
        (1, 20, 1.0, 1.0)
    """
    asked = read_settings(ChipSettings, settings)
    run = load_pretrained(asked.network)
    options: dict[str, Any] = {"tolerance": asked.tolerance, "encoding": asked.encoding}
    chosen: dict[str, Any] = {"sequences": asked.sequences, "steps": asked.steps, **options}
    progress("compiling the circuits")
    plan = plan_run(run, **chosen)
    longest = question(run.task, 0, asked.steps)
    progress(f"transpiling to {asked.noise}")
    (counted,) = inspect_circuit(
        run.model,
        longest.inputs,
        longest.outcomes,
        realisations=[plan.realisation],
        target=asked.noise,
        **options,
    ).realisations
    assert counted.transpiled is not None
    shares = [circuit.predicted_share for circuit in plan.circuits]
    predicted = [share for share in shares if share is not None]
    exact = make_report(plan, [circuit.exact for circuit in plan.circuits], device="the model")
    found: dict[str, Any] = {
        "two_qubit_gates": counted.resources.two_qubit_gates,
        "chip_two_qubit_gates": counted.transpiled.two_qubit_gates,
        "circuits": len(plan.circuits),
        "sequences": exact.sequences,
        "predicted_share": fmean(predicted) if predicted else None,
        "exact_right": exact.accuracy,
        "exact_single_right": exact.sampled_accuracy,
    }
    if predicted and min(predicted) * asked.shots < 1:
        progress("less than one shot of a circuit would be kept: nothing is run")
        return found | dict.fromkeys(_MEASURED)
    plan = plan_run(run, shots=asked.shots, **chosen)
    device = qml.device("qrnn.aer", wires=plan.wires, noise=asked.noise, seed=seed)
    progress(f"running {len(plan.tapes)} circuits with the noise of {asked.noise}")
    report = run_and_report(plan, device, "qrnn.aer")
    figures: Sequence[float | None] = (
        report.accuracy,
        report.accuracy_error,
        report.sampled_accuracy,
        report.sampled_accuracy_error,
        fmean(circuit.kept_share or 0.0 for circuit in report.circuits),
        report.seconds,
    )
    return found | dict(zip(_MEASURED, figures, strict=True))


_MEASURED = (
    "right",
    "right_error",
    "single_right",
    "single_right_error",
    "kept_share",
    "seconds",
)
