"""The gradient of a training step, from the shares that several processes compute of it."""

import signal
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.loss import Loss, sequence_loss
from qrnn_circuits.network import QRNNOutput, RecurrentNetwork, ZeroProbabilityError
from qrnn_circuits.tasks import BaseBatch, Batch
from qrnn_circuits.threads import worthwhile_threads
from qrnn_circuits.training.ranks import RankError, Ranks, reaching_the_others

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Share(NamedTuple):
    """What a process computes of a batch.

    Attributes:
        rows: Its sequences, on its device.
        weight: Which part of the batch's scored predictions they hold.
        part: Which part of its sequences they are.
    """

    rows: BaseBatch
    weight: float
    part: float


class BatchLoss(NamedTuple):
    """What a backward pass tells every process.

    Attributes:
        loss: The loss of the whole batch, shape ``()``.
        received: The signal that some process had received by then, or ``None``.
    """

    loss: Tensor
    received: int | None


class DataParallelLoss:
    """The loss of batches of which every process runs its rows.

    The loss is a mean over the scored steps of the whole batch, so that a process weighs its own
    mean by the part of those steps that it holds: losses and gradients then add up to what one
    process finds, however uneven the shares are. PyTorch's ``DistributedDataParallel`` adds up the
    gradients; a second exchange carries the loss and what all must know to go on or stop in step.
    """

    def __init__(self, model: RecurrentNetwork | Forecaster, kind: Loss, ranks: Ranks) -> None:
        """Gives every process the first one's parameters.

        Args:
            model: The network, on the device of this process.
            kind: Which loss of symbols, see :func:`~qrnn_circuits.loss.sequence_loss`.
            ranks: The processes, all of which must call this.

        Raises:
            RankError: Another process has ended.
        """
        self._ranks = ranks
        self._model = model
        self._module = _RowsLoss(model, kind)
        self._parallel: nn.Module = self._module
        if ranks.size > 1:
            with reaching_the_others():
                self._parallel = DistributedDataParallel(self._module)

    def share(self, batch: BaseBatch, device: torch.device) -> Share:
        """Takes the rows of this process to its device.

        Args:
            batch: The whole batch, the same in every process, on the CPU.
            device: Where the network lives.
        """
        if self._ranks.size == 1:
            return Share(batch.to(device), 1.0, 1.0)
        rows = self._ranks.shard(batch)
        return Share(rows.to(device), rows.count / batch.count, len(rows) / len(batch))

    def backward(
        self,
        share: Share,
        received: int | None,
        acceptance_weight: float = 0.0,
        sparsity_weight: float = 0.0,
    ) -> BatchLoss:
        """Adds the gradient of the batch's loss to that of the parameters, which must be 0 or None.

        Args:
            share: Of the batch.
            received: Number of the signal that this process has received, or ``None``.
            acceptance_weight: How many times the mean of ``-log_acceptance / T`` is added.
            sparsity_weight: How many times the sum of the absolute angles of the cell's neurons is
                added, but for those that need no control.

        Raises:
            RankError: Another process has ended or failed.
            ZeroProbabilityError: A conditioned outcome has probability zero, in any process.
            Exception: Whatever the network's loss raises in this process.
        """
        threads = worthwhile_threads(self._model, *share.rows.inputs.shape[:2])
        if self._ranks.size == 1:
            with threads:
                loss: Tensor = self._module.of_share(share, acceptance_weight, sparsity_weight)
                loss.backward()
            return BatchLoss(loss.detach(), received)
        with threads, reaching_the_others():
            part: Tensor = self._parallel(share, acceptance_weight, sparsity_weight)
            # DistributedDataParallel takes the mean over the processes.
            (part * self._ranks.size).backward()
        failure = self._module.failure
        impossible = isinstance(failure, ZeroProbabilityError)
        flags = [failure is not None, impossible, *(received == number for number in _SIGNALS)]
        notes = torch.cat([part.detach()[None], part.new_tensor(flags)])
        self._ranks.add_up(notes)
        failures, impossibles, *counts = notes[1:].tolist()
        if failure is not None:
            raise failure
        if failures > impossibles:
            raise RankError("another process of this run has failed; its own message says why")
        if impossibles:
            raise ZeroProbabilityError("an outcome in another process's rows has probability zero")
        numbers = (number for number, count in zip(_SIGNALS, counts, strict=True) if count)
        return BatchLoss(notes[0], next(numbers, None))


class _RowsLoss(nn.Module):
    """The forward pass of one process, for ``DistributedDataParallel`` to wrap.

    Attributes:
        parameters_of_model: Of the network. Its buffers are constants, which need no exchange.
        failure: What the last call raised, kept back lest the other processes wait for this one.
    """

    def __init__(self, model: RecurrentNetwork | Forecaster, kind: Loss) -> None:
        super().__init__()
        # One without elements, such as the angles of no work stage, gets no gradient to wait for.
        self.parameters_of_model = nn.ParameterList(
            parameter for parameter in model.parameters() if parameter.numel()
        )
        self.failure: Exception | None = None
        # Not as a module: it is one of the parameters' already.
        self._network = (model,)
        self._kind = kind

    def of_share(self, share: Share, acceptance_weight: float, sparsity_weight: float) -> Tensor:
        """The part of the batch's loss that the share makes up."""
        (network,), rows = self._network, share.rows
        if isinstance(network, Forecaster) or not isinstance(rows, Batch):
            return share.weight * network.loss(*rows.tensors)
        if not acceptance_weight:
            loss = network.loss(rows.inputs, rows.outcomes, rows.scored, kind=self._kind)
            loss = loss if share.weight == 1 else share.weight * loss
        else:
            output: QRNNOutput = network(rows.inputs, rows.outcomes)
            kept = output.log_acceptance_per_step.mean()
            loss = -acceptance_weight * share.part * kept.to(output.log_probs.dtype)
            if share.weight > 0:
                log_probs, kind = output.log_probs, self._kind
                scored = sequence_loss(log_probs, rows.outcomes, rows.scored, kind=kind)
                loss = loss + share.weight * scored
        return loss + self._sparsity(share, sparsity_weight) if sparsity_weight else loss

    def forward(self, share: Share, acceptance_weight: float, sparsity_weight: float) -> Tensor:
        """The part of the batch's loss that the share makes up; 0 where it has failed."""
        self.failure = None
        try:
            if share.weight > 0 or acceptance_weight:
                return self.of_share(share, acceptance_weight, sparsity_weight)
            sparsity = self._sparsity(share, sparsity_weight) if sparsity_weight else 0
            return self._nothing() + sparsity
        except Exception as error:
            self.failure = error
        return self._nothing()

    def _nothing(self) -> Tensor:
        """0, with a gradient of every parameter."""
        return torch.stack([0 * parameter.sum() for parameter in self.parameters()]).sum()

    def _sparsity(self, share: Share, weight: float) -> Tensor:
        """The share's part of the weighted angles; a rotation without control costs nothing."""
        (network,) = cast(tuple[RecurrentNetwork], self._network)
        return weight * share.part * network.cell.parity_angles()[:, 1:].abs().sum()
