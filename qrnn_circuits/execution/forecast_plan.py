"""The windows that show how a trained layer forecasts on a device."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from inspect import signature
from typing import Any, cast

import pennylane as qml
import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.checks import check_integer, check_number
from qrnn_circuits.circuits.chip_checks import check_width
from qrnn_circuits.circuits.expectations import expectation_circuits
from qrnn_circuits.circuits.realisations import realisation_at, realisation_of
from qrnn_circuits.circuits.tapes import reading_tapes
from qrnn_circuits.execution.plan import check_name
from qrnn_circuits.execution.planning import (
    check_shots,
    predictions,
    shots_advice,
    spread_rows,
)
from qrnn_circuits.layers import QRNNLayer
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tracing import copied
from qrnn_circuits.training import TrainedRun
from qrnn_circuits.training.validation import forecasts


@dataclass(frozen=True)
class ForecastPlan:
    """What is to be forecast, and all that a report on it needs to know of the network.

    Attributes:
        task: Name of the task.
        cell: Name of the layer.
        realisation: How neurons are built, or None for the layer's own choice.
        shots: Of each circuit; None for exact numbers.
        mitigation: By which the device is to correct readout errors, or None.
        rows: Of the N windows in the test, from 0.
        targets: Name of each of the K values that are forecast.
        truth: What came, of scaled values, shape ``(N, K)``.
        exact: The exact network's forecasts, alike.
        head: Weights and bias of the linear layer behind the H values that circuits read, shape
            ``(K, H + 1)``.
        low: What 0 of scaled values is in the units of the series, shape ``(K,)``.
        span: How much more 1 is, shape ``(K,)``.
        mean_error: Mean squared error of the mean of the test taken for every forecast, of scaled
            values.
        tapes: A circuit for each window that reads the lane after its last step, of a plan to be
            submitted. Neurons are not decomposed.
    """

    task: str
    cell: str
    realisation: str | None
    shots: int | None
    mitigation: str | None
    rows: tuple[int, ...]
    targets: tuple[str, ...]
    truth: Tensor
    exact: Tensor
    head: Tensor
    low: Tensor
    span: Tensor
    mean_error: float
    tapes: tuple[qml.tape.QuantumScript, ...] = field(default=(), repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Everything but the tapes, as plain dictionaries and lists."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        del values["tapes"]
        return {
            name: value.tolist() if isinstance(value, Tensor) else value
            for name, value in values.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ForecastPlan":
        """Reads what :meth:`to_json` wrote.

        Raises:
            ValueError: If it is something else.
        """
        try:
            tensors = {
                name: torch.tensor(data[name], dtype=torch.float64)
                for name in ("truth", "exact", "head", "low", "span")
            }
            rows, targets = tuple(data["rows"]), tuple(data["targets"])
            plan = cls(**{**data, **tensors, "rows": rows, "targets": targets})
            plan._check()
            return plan
        except (AttributeError, KeyError, OverflowError, RuntimeError, TypeError) as error:
            raise ValueError(f"this is no plan of a forecast: {error}") from error

    def _check(self) -> None:
        """Raises a TypeError or ValueError where a value that was read is none of its field."""
        for row in self.rows:
            check_integer("a row", row, 0)
        if self.shots is not None:
            check_integer("shots", self.shots, 1)
        optional = self.realisation or "", self.mitigation or ""
        for name in (self.task, self.cell, *optional, *self.targets):
            check_name("names", name)
        check_number("mean_error", self.mean_error)
        count, values = len(self.targets), self.head.shape[-1]
        shapes = {
            "truth": (len(self.rows), count),
            "exact": (len(self.rows), count),
            "head": (count, values),
            "low": (count,),
            "span": (count,),
        }
        for name, shape in shapes.items():
            tensor = getattr(self, name)
            if tensor.shape != shape or not tensor.isfinite().all():
                raise ValueError(f"{name} must be finite numbers of shape {shape}")


def plan_forecast(
    run: TrainedRun[Any, Any],
    *,
    windows: int | None = None,
    shots: int | None = None,
    realisation: str | None = None,
    mitigation: str | None = None,
    chip: str | None = None,
) -> ForecastPlan:
    """Chooses test windows to be forecast on a device.

    Args:
        run: A network that forecasts real values, and its task.
        windows: How many, spread evenly over the test; None for 10, or for all of a smaller test.
        shots: Of each circuit, at most ``MOST_SHOTS``; None for exact numbers, of simulators.
        realisation: How neurons are built, of layers that have any.
        mitigation: By which the device corrects readout errors in the results of shots, if it does.
        chip: Name of a fake backend that is to run the circuits, as for
            :func:`~qrnn_circuits.execution.plan_run`.

    Raises:
        FileNotFoundError: If the task's file is missing.
        TypeError: If a number is not an integer.
        ValueError: If the layer has no circuits or no neurons, a number is out of range, there is
            mitigation but no shots, or the network predicts that a circuit keeps less than one
            shot.
    """
    layer: Any = run.model.layer
    cell = run.config.cell
    if not hasattr(layer, "on"):
        raise ValueError(
            f"a run on a device needs a cell of circuits, but the run has {cell!r}: test it with "
            "qrnn evaluate, or train it again with --cell qrnn"
        )
    if realisation is not None and "realisation" not in signature(layer.on).parameters:
        raise ValueError(
            f"realisation must be left out for the cell {cell!r}, whose circuits have no neurons "
            f"to build, got {realisation!r}"
        )
    check_shots(shots, mitigation)
    if isinstance(layer, QRNNLayer):
        for each in cast(Iterable[FeatureQRNNCell], layer.cells):
            check_width(chip, each, realisation_of(realisation, each.semantics, each.order))
    test = run.task.test()
    rows = spread_rows(windows, len(test))
    batch, linear = test.rows(rows), run.model.head
    low = run.task.unscaled(torch.zeros(len(run.task.target_names)))
    plan = ForecastPlan(
        task=run.task.name,
        cell=cell,
        realisation=realisation,
        shots=shots,
        mitigation=mitigation,
        rows=tuple(rows.tolist()),
        targets=tuple(run.task.target_names),
        truth=batch.targets.double(),
        exact=forecasts(run.model, batch).double(),
        head=torch.cat([linear.weight, linear.bias[:, None]], 1).detach().cpu().double(),
        low=low,
        span=run.task.unscaled(torch.ones_like(low)) - low,
        mean_error=float(test.targets.var(0, correction=0).mean()),
    )
    _check_kept(plan, run)
    return plan


def only_cell(run: TrainedRun[Any, Any]) -> FeatureQRNNCell:
    """The cell of a network whose circuits are known before any is run.

    Args:
        run: A forecast by the cell ``"qrnn"``, of one layer in one direction.

    Raises:
        ValueError: If the network is another.
    """
    layer, cell = run.model.layer, run.config.cell
    if not isinstance(layer, QRNNLayer):
        raise ValueError(
            f"the circuit of a window needs the cell 'qrnn', but the run has {cell!r}: its layer "
            "runs on a device with qrnn run, if it has circuits"
        )
    if len(layer.cells) > 1:
        raise ValueError(
            f"the circuit of a window needs one layer in one direction, got {len(layer.cells)} "
            "cells, of which some read what others give: qrnn run runs them on a device"
        )
    return cast(FeatureQRNNCell, layer.cells[0])


def has_known_circuits(run: TrainedRun[Any, Any]) -> bool:
    """Whether no circuit of a network depends on what another one gives."""
    return isinstance(run.model.layer, QRNNLayer) and len(run.model.layer.cells) == 1


def _check_kept(plan: ForecastPlan, run: TrainedRun[Any, Any]) -> None:
    """Checks that circuits keep shots, where what a network predicts of them is known.

    Args:
        plan: The windows.
        run: What it was made of.

    Raises:
        ValueError: If the network predicts that a circuit keeps less than one shot.
    """
    if plan.shots is None or not has_known_circuits(run):
        return
    cell = copied(only_cell(run)).cpu().double()
    chosen = realisation_of(plan.realisation, cell.semantics, cell.order)
    if not realisation_at(chosen, cell.order).predictable:
        return
    inputs = run.task.test().rows(torch.tensor(plan.rows)).inputs.double()
    outcomes = torch.full(inputs.shape[:2], UNREAD)
    share, place = predictions(RecurrentNetwork(cell), inputs, outcomes)[1].min(0)
    if share * plan.shots < 1:
        raise ValueError(
            f"test window {plan.rows[int(place)]} keeps a share of {share:.3g} of the shots, as "
            f"the network predicts, so that none of {plan.shots:,} would be left: "
            f"{shots_advice(float(share))}. A network trained with --semantics unitary loses none"
        )


def with_tapes(plan: ForecastPlan, run: TrainedRun[Any, Any]) -> ForecastPlan:
    """A plan with the circuits of its windows, to be submitted.

    Args:
        plan: With shots.
        run: What it was made of.

    Raises:
        ValueError: If the circuits are not known beforehand, as of every network but a ``"qrnn"``
            of one layer in one direction; or if the realisation is not of its semantics.
    """
    cell, layer = copied(only_cell(run)).cpu().double(), run.model.layer
    inputs = run.task.test().rows(torch.tensor(plan.rows)).inputs.double()
    chosen = realisation_of(plan.realisation, cell.semantics, cell.order)
    steps = inputs.transpose(0, 1)
    read = torch.zeros(steps.shape[:2], dtype=torch.bool)
    read[-1] = True
    with torch.no_grad():
        circuits, lane = expectation_circuits(cell, steps, read, realisation=chosen)
    tapes = reading_tapes(circuits, [lane] * len(circuits), readout=layer.readout, shots=plan.shots)
    return replace(plan, tapes=tuple(tapes))
