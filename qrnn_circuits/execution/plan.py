"""A run on a device as it is planned: its circuits, and what the model says of each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

import pennylane as qml

from qrnn_circuits.checks import check_choice, check_integer, check_number
from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.realisations import REALISATIONS, Realisation

# Of a sum in float64.
_ROUNDING = 1e-6
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class PlannedCircuit:
    """One question to a device: what does the network predict at a step of a sequence?

    Attributes:
        sequence: Row of the task's test set, from 0.
        step: Position of the step in the sequence, from 0. The circuit has all steps up to it, each
            earlier one conditioned on its outcome in the test set.
        right: The right symbol.
        exact: Probability of each symbol by the model in float64, ``2**I`` of them.
        predicted_share: Share of the shots in which every ancilla reads 0 and every conditioned
            outcome occurs, by the model; None for a realisation that fails now and then, as
            ``"repeat_until_success"`` does.
        distribution_bound: How far dropped rotations can move the distribution, in total variation
            distance; None where something is postselected in a share that is not predicted.

    Example:
        >>> from qrnn_circuits.execution import plan_run
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "degree": 1, "task_options": {"length": 2}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> plan = plan_run(run)
        >>> plan.circuits[0].describe()
        'step 0 of test sequence 0'
    """

    sequence: int
    step: int
    right: int
    exact: tuple[float, ...]
    predicted_share: float | None
    distribution_bound: float | None = 0.0

    def describe(self) -> str:
        """Where the question comes from."""
        return f"step {self.step} of test sequence {self.sequence}"


@dataclass(frozen=True)
class Plan:
    """What is to be run, and all that a report on it needs to know of the model.

    Attributes:
        task: Name of the task.
        training_step: Optimiser steps behind the model.
        realisation: How neurons are built.
        wires: Number of wires of each circuit.
        shots: Of each circuit; None for exact distributions.
        circuits: One entry for each circuit, by sequence, then by step.
        mitigation: By which the device is to correct readout errors, or None.
        tolerance: Neurons drop rotations by at most this angle, in radians; with 0 none.
        encoding: Whether inputs are on the ``"lane"`` or in the ``"angles"`` of neurons.
        class_names: What the symbols of answers are called; empty where these are symbols.
        tapes: The circuits, in this order. With shots each returns ``qml.sample`` of its lane, one
            row of I bits for each kept shot; without, or with mitigation, ``qml.probs``. Neurons
            are not decomposed. A plan that was read back from JSON has none.

    Example:
        >>> from qrnn_circuits.execution import plan_run
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "degree": 1, "task_options": {"length": 2}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> plan = plan_run(run)
        >>> len(plan.circuits), plan.wires, plan.sampling
        (2, 4, 'exact')
        >>> Plan.from_json(plan.to_json()) == plan
        True
    """

    task: str
    training_step: int
    realisation: Realisation
    wires: int
    shots: int | None
    circuits: tuple[PlannedCircuit, ...]
    mitigation: str | None = None
    tolerance: float = 0.0
    encoding: Encoding = "lane"
    class_names: tuple[str, ...] = ()
    tapes: tuple[qml.tape.QuantumScript, ...] = field(default=(), repr=False, compare=False)

    @property
    def sampling(self) -> str:
        """How results come about, for a title."""
        if self.shots is None:
            return "exact"
        text = f"{self.shots:,} shots"
        return text if self.mitigation is None else f"{text}, mitigation {self.mitigation}"

    def name_of(self, symbol: int) -> str:
        """What a symbol of an answer is called."""
        return symbol_name(self.class_names, symbol)

    def to_json(self) -> dict[str, Any]:
        """Everything but the tapes, as plain dictionaries and lists; the realisation as text."""
        values = asdict(replace(self, tapes=()))
        del values["tapes"]
        return values | {"realisation": str(self.realisation)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Reads what :meth:`to_json` wrote.

        Raises:
            ValueError: If it is something else.
        """
        try:
            circuits = tuple(
                PlannedCircuit(**{**circuit, "exact": tuple(circuit["exact"])})
                for circuit in data["circuits"]
            )
            realisation = REALISATIONS.resolve(data["realisation"])
            names = tuple(data.get("class_names", ()))
            read = {"circuits": circuits, "realisation": realisation, "class_names": names}
            plan = cls(**{**data, **read})
            plan._check()
            return plan
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"this is no plan of a run: {error}") from error

    def _check(self) -> None:
        """Raises a TypeError or ValueError where a value that was read is none of its field."""
        check_integer("wires", self.wires, 1)
        check_integer("training_step", self.training_step, 0)
        if self.shots is not None:
            check_integer("shots", self.shots, 1)
        check_number("tolerance", self.tolerance)
        check_choice("encoding", self.encoding, get_args(Encoding))
        for name in (self.task, self.mitigation or "", *self.class_names):
            check_name("task, mitigation and classes", name)
        if not self.circuits:
            raise ValueError("circuits must be at least one, got none")
        for circuit in self.circuits:
            check_integer("sequence", circuit.sequence, 0)
            check_integer("step", circuit.step, 0)
            check_integer("right", circuit.right, 0, len(circuit.exact) - 1)
            optional = circuit.predicted_share, circuit.distribution_bound
            shares = [each for each in optional if each is not None]
            for number in (*circuit.exact, *shares):
                check_number("a probability", number)
            if max(shares, default=0) > 1 or abs(sum(circuit.exact) - 1) > _ROUNDING:
                raise ValueError(
                    f"shares of {circuit.describe()} must be at most 1, and its probabilities sum "
                    "to 1"
                )


def check_name(what: str, name: object) -> None:
    """Raises a ValueError where a title cannot hold what was read as a name."""
    if not isinstance(name, str) or _CONTROL.search(name):
        raise ValueError(f"{what} must be text without control characters, got {name!r}")


def symbol_name(class_names: Sequence[str], symbol: int) -> str:
    """What a symbol of an answer is called: itself where there is no name for it."""
    return class_names[symbol] if symbol < len(class_names) else str(symbol)
