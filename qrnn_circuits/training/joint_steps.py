"""One optimiser step of several runs in one set of operations."""

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, optim
from torch.nn.functional import pad

from qrnn_circuits.cells.base import PADDING
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.ensemble import Ensemble
from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.forecaster_ensemble import can_be_joint, forecasts_together
from qrnn_circuits.network import RecurrentNetwork, ZeroProbabilityError
from qrnn_circuits.numerical_errors import ParameterRangeError, PrecisionError
from qrnn_circuits.tasks import Batch
from qrnn_circuits.tasks.forecast import SeriesBatch
from qrnn_circuits.threads import worthwhile_threads
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.optimizers import build_optimizer
from qrnn_circuits.training.results import TrainingDiverged
from qrnn_circuits.training.trainer import Trainer
from qrnn_circuits.training.updates import StepBatch, drawing, zero_if_finite


class JointSteps:
    """Takes the steps of runs that differ in their seeds alone and are equally far."""

    def __init__(self, config: RunConfig) -> None:
        """Takes what the runs have in common.

        Args:
            config: Of any of them.
        """
        self._config = config
        self._ensembles: dict[tuple[int, ...], Ensemble] = {}
        # It takes the steps of other optimisers, with their states and rates.
        self._optimizer = build_optimizer(config, config.build_model())

    def take(
        self, trainers: Sequence[Trainer], steps: Sequence[StepBatch]
    ) -> list[float | TrainingDiverged]:
        """Changes the parameters of each run by one step of its optimiser.

        Args:
            trainers: The runs.
            steps: What each of them trains on.

        Returns:
            The loss of each run before the step, or why it cannot go on.
        """
        values: list[Tensor | TrainingDiverged] = []
        # Of which run such an error is, only the step of each by itself tells.
        with suppress(ParameterRangeError, PrecisionError, ZeroProbabilityError):
            values += self._together(trainers, steps)
        values = values or [_alone(*pair) for pair in zip(trainers, steps, strict=True)]
        for trainer in trainers:
            trainer.end_step()
        differences = zero_if_finite(list(map(_parameters, trainers)))
        losses = [differences[0] * math.nan if isinstance(v, Exception) else v for v in values]
        told = zip(*torch.stack([torch.stack(losses), differences]).tolist(), strict=True)
        results: list[float | TrainingDiverged] = []
        for trainer, value, (loss, difference) in zip(trainers, values, told, strict=True):
            if isinstance(value, TrainingDiverged):
                results.append(value)
                continue
            try:
                trainer.check_finite(loss, difference == 0)
                results.append(loss)
            except TrainingDiverged as error:
                results.append(error)
        return results

    def _together(
        self, trainers: Sequence[Trainer], steps: Sequence[StepBatch]
    ) -> Sequence[Tensor]:
        """The losses, one of each run, or none; changes no parameter where it raises.

        Raises:
            ParameterRangeError: A parameter of some run is too large.
            PrecisionError: Some gradient leaves the range of the type.
            ZeroProbabilityError: A conditioned outcome of some run has probability zero.
        """
        models = [trainer.model for trainer in trainers]
        batches = [step.batch.to(trainers[0].device) for step in steps]
        parameters = list(map(_parameters, trainers))
        for own in parameters:
            for parameter in own:
                parameter.grad = None
        networks = [model for model in models if isinstance(model, RecurrentNetwork)]
        forecasters = [model for model in models if isinstance(model, Forecaster)]
        if len(networks) == len(models):
            symbols = [batch for batch in batches if isinstance(batch, Batch)]
            losses = self._losses_of_networks(networks, symbols, steps)
        elif len(forecasters) == len(models):
            windows = [batch for batch in batches if isinstance(batch, SeriesBatch)]
            losses = self._losses_of_forecasters(forecasters, windows, steps)
        else:
            return []
        if self._config.clip_norm is not None:
            _clip(parameters, self._config.clip_norm)
        self._optimise([trainer.optimizer for trainer in trainers])
        return losses.detach().unbind()

    def _losses_of_networks(
        self,
        networks: Sequence[RecurrentNetwork],
        batches: Sequence[Batch],
        steps: Sequence[StepBatch],
    ) -> Tensor:
        """The losses, whose gradients are then in the parameters, shape ``(E,)``."""
        ensemble, step = self._ensemble(networks), steps[0]
        kind, weight = self._config.loss, step.acceptance_weight
        batch = _stacked(batches)
        count, sequences, length = batch.outcomes.shape
        with worthwhile_threads(networks[0], count * sequences, length):
            if type(networks[0].cell) is QRNNCell:
                losses = ensemble.losses(*batch.tensors, kind=kind, acceptance_weight=weight)
            else:
                # Another cell may draw at random: by the seed of its own run.
                each = []
                for network, own, taken in zip(networks, batches, steps, strict=True):
                    with drawing(taken.seed(), own.inputs.device):
                        loss = network.loss(*own.tensors, kind=kind, acceptance_weight=weight)
                    each.append(loss)
                losses = torch.stack(each)
            if step.sparsity_weight:
                angles = ensemble.parity_angles()[..., 1:]
                losses = losses + step.sparsity_weight * angles.abs().sum((1, 2))
            losses.sum().backward()
        return losses

    def _losses_of_forecasters(
        self,
        forecasters: Sequence[Forecaster],
        batches: Sequence[SeriesBatch],
        steps: Sequence[StepBatch],
    ) -> Tensor:
        """The losses, whose gradients are then in the parameters, shape ``(E,)``."""
        inputs, targets = (
            torch.stack(each) for each in zip(*(b.tensors for b in batches), strict=True)
        )
        inputs = inputs.to(forecasters[0].head.weight.dtype)
        if can_be_joint(forecasters[0].layer):
            forecasts = forecasts_together(forecasters, inputs)
        else:
            each = []
            for forecaster, own, taken in zip(forecasters, inputs, steps, strict=True):
                with drawing(taken.seed(), own.device):
                    each.append(forecaster(own))
            forecasts = torch.stack(each)
        losses = (forecasts - targets.to(forecasts.dtype)).square().mean((1, 2))
        losses.sum().backward()
        return losses

    def _ensemble(self, models: Sequence[RecurrentNetwork]) -> Ensemble:
        """The networks as one; that of the last call, where it is of the same."""
        key = tuple(map(id, models))
        if key not in self._ensembles:
            self._ensembles = {key: Ensemble(models)}
        return self._ensembles[key]

    def _optimise(self, optimizers: Sequence[optim.Optimizer]) -> None:
        """Takes a step of every optimiser, those of equal rates in one call."""
        groups: dict[tuple[object, ...], dict[str, Any]] = {}
        state: defaultdict[Any, Any] = defaultdict(dict)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                options = {name: value for name, value in group.items() if name != "params"}
                joined = groups.setdefault(tuple(options.items()), {"params": [], **options})
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        joined["params"].append(parameter)
                        # The same dict: what one optimiser notes the other one has noted.
                        state[parameter] = optimizer.state[parameter]
        self._optimizer.param_groups = list(groups.values())
        self._optimizer.state = state
        self._optimizer.step()
        for parameter in [parameter for parameter, noted in state.items() if not noted]:
            # An optimiser that notes nothing has no state, not an empty one.
            for optimizer in optimizers:
                optimizer.state.pop(parameter, None)


def _parameters(trainer: Trainer) -> list[Tensor]:
    """Those of a run, for which its modules are not looked through at every step."""
    return [each for group in trainer.optimizer.param_groups for each in group["params"]]


def _alone(trainer: Trainer, step: StepBatch) -> Tensor | TrainingDiverged:
    """A step of one run by itself."""
    try:
        return trainer.optimise(step)[0]
    except TrainingDiverged as error:
        return error


def _stacked(batches: Sequence[Batch]) -> Batch:
    """Batches of equally many sequences as one, with padding after the shorter ones.

    Args:
        batches: Of E runs.

    Returns:
        With a first dimension of E.
    """
    longest = max(batch.outcomes.shape[1] for batch in batches)

    def stack(name: str, padding: int) -> Tensor:
        each = [getattr(batch, name) for batch in batches]
        if any(tensor.shape[1] < longest for tensor in each):
            after = (0, 0) * (each[0].ndim - 2)
            each = [pad(t, (*after, 0, longest - t.shape[1]), value=padding) for t in each]
        return torch.stack(each)

    return Batch(stack("inputs", 0), stack("outcomes", PADDING), stack("scored", False))


@torch.no_grad()
def _clip(parameters: Sequence[Sequence[Tensor]], most: float) -> None:
    """Clips the gradients of each network as ``torch.nn.utils.clip_grad_norm_`` does.

    Args:
        parameters: Those of each network.
        most: The greatest norm.
    """
    gradients = [[p.grad for p in each if p.grad is not None] for each in parameters]
    rows = [torch.stack(same).flatten(1) for same in zip(*gradients, strict=True)]
    norms = torch.stack([torch.linalg.vector_norm(each, dim=1) for each in rows])
    factors = most / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)
    for own, factor in zip(gradients, factors.tolist(), strict=True):
        if factor < 1:
            for gradient in own:
                gradient.mul_(factor)
