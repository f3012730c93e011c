"""Networks of one shape, each on sequences of its own, computed in one set of operations."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TypedDict, cast

import torch
from torch import Tensor, nn

from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.cells.sparsity import parity_angles
from qrnn_circuits.checks import check_number, plain
from qrnn_circuits.log_distribution import log_distribution
from qrnn_circuits.loss import Loss, group_losses
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.numerical_errors import ParameterRangeError, PrecisionError
from qrnn_circuits.sequences import acceptance_per_step, checked_steps
from qrnn_circuits.simulation.ensemble import EnsembleSimulation
from qrnn_circuits.tracing import full_precision, renew_parameters

# Numbers in the states and operators of networks that are computed together: of more, nothing is
# left to be gained, and caches are too small for them.
_MOST_ENTRIES = 2**22
# Operators of so many wires cost little beside the operations that several networks share.
_MOST_WIRES_BY_TRANSFER = 5


class _Options(TypedDict):
    """What losses have in common."""

    kind: Loss
    acceptance_weight: float


class Ensemble(nn.Module):
    """Networks that differ in their parameters alone.

    Small networks are bound by the number of operations, not by their sizes: of many networks at
    once each takes a fraction of its time alone. The numbers are those of each network alone, to
    rounding. Every network keeps its own parameters, and can be used by itself at any time.

    Together are computed networks of :class:`~qrnn_circuits.QRNNCell` that run through transfer
    operators; others, those of a class with a loss of its own, and those whose amplitudes leave the
    range of float64, one by one.

    Attributes:
        networks: The networks.

    Example:
        >>> from qrnn_circuits import QRNN
        >>> ensemble = Ensemble([QRNN(lane=1, workspace=2) for _ in range(3)])
        >>> symbols = torch.tensor([[[0, 1, 1]], [[1, 1, 0]], [[0, 0, 0]]])
        >>> losses = ensemble.losses(symbols, symbols)
        >>> losses.shape
        torch.Size([3])
        >>> losses.sum().backward()
    """

    def __init__(self, networks: Sequence[RecurrentNetwork]) -> None:
        """Takes the networks.

        Args:
            networks: At least one.

        Raises:
            TypeError: If one is no network.
            ValueError: If there is none, or they differ in more than their numbers.
        """
        super().__init__()
        for network in networks:
            if not isinstance(network, RecurrentNetwork):
                raise TypeError(
                    "networks must be RecurrentNetworks, such as QRNN, got a "
                    f"{type(network).__name__}"
                )
        if not networks:
            raise ValueError("networks must be at least one, got none")
        self.networks = nn.ModuleList(networks)
        self._networks = list(networks)
        self._has_own_loss = any(
            type(network).loss is not RecurrentNetwork.loss for network in networks
        )
        first, *others = (_form(network) for network in networks)
        for number, other in enumerate(others, 1):
            if other != first:
                raise ValueError(
                    f"networks must differ in the numbers of their parameters alone, got {first} "
                    f"and, as number {number}, {other}"
                )

    @property
    def parameters_of_networks(self) -> list[list[nn.Parameter]]:
        """The parameters of each network, also where ``load_state_dict`` has replaced them."""
        return [list(network.parameters()) for network in self._networks]

    def losses(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        scored: Tensor | None = None,
        *,
        kind: Loss = "nll",
        acceptance_weight: float = 0.0,
    ) -> Tensor:
        """The loss of each network on its own batch, see :meth:`RecurrentNetwork.loss`.

        Args:
            inputs: Input symbols of E networks, int64, shape ``(E, B, T)``; or features, shape
                ``(E, B, T, F)``.
            outcomes: The right symbol of each scored step, and what each other step is conditioned
                on, or ``UNREAD``, or ``PADDING``, int64, shape ``(E, B, T)``.
            scored: The steps that count, bool, shape ``(E, B, T)``; by default all that are read.
            kind: ``"nll"`` or ``"paper"``.
            acceptance_weight: Of what the acceptance adds.

        Returns:
            Shape ``(E,)``. The gradient of its sum is that of each network's own loss.

        Raises:
            ZeroProbabilityError: If a conditioned outcome of a network has probability zero.
            ValueError: If the batches are not as many as the networks, or something else is not
                acceptable to a network.
            TypeError: If a tensor has the wrong type.
        """
        renew_parameters(self)
        if not isinstance(acceptance_weight, Tensor):
            acceptance_weight = check_number("acceptance_weight", plain(acceptance_weight))
        options: _Options = {"kind": kind, "acceptance_weight": acceptance_weight}
        given = [inputs, outcomes, *([] if scored is None else [scored])]
        for tensor in given:
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    "inputs, outcomes and scored must be tensors, a batch for each network, got a "
                    f"{type(tensor).__name__}"
                )
        count = len(self._networks)
        if outcomes.ndim != 3 or any(each.shape[:1] != (count,) for each in given):
            shapes = ", ".join(str(tuple(each.shape)) for each in given)
            raise ValueError(
                f"inputs, outcomes and scored must hold a batch for each of {count} networks, "
                f"(E, B, T), got shapes {shapes}"
            )
        if self.is_joint(*outcomes.shape[1:]):
            most = self._most_together(*outcomes.shape[1:])
            groups = zip(*(tensor.split(most) for tensor in given), strict=True)
            # Some network needs another way then, and says what is wrong if none is left.
            with suppress(ParameterRangeError, PrecisionError):
                losses = [
                    self._joint_losses(self._networks[first : first + most], *group, **options)
                    for first, group in zip(range(0, len(inputs), most), groups, strict=True)
                ]
                return torch.cat(losses)
        each = zip(self._networks, zip(*given, strict=True), strict=True)
        return torch.stack([network.loss(*rows, **options) for network, rows in each])

    def parity_angles(self) -> Tensor:
        """The angles by which the circuits of the networks' neurons rotate, in radians.

        Returns:
            Those of :meth:`Cell.parity_angles`, shape ``(E, N, R)``. Differentiable.
        """
        renew_parameters(self)
        cell = self._networks[0].cell
        if type(cell) is not QRNNCell:
            return torch.stack([network.cell.parity_angles() for network in self._networks])
        cells = cast(list[QRNNCell], [network.cell for network in self._networks])
        coefficients = torch.stack([own.neuron_coefficients for own in cells])
        return parity_angles(
            coefficients, cell.polynomial, order=cell.order, semantics=cell.semantics
        )

    def is_joint(self, batch: int, steps: int) -> bool:
        """Whether networks are computed together.

        Args:
            batch: Number of sequences B of each.
            steps: Number of steps T.
        """
        cell, first = self._networks[0].cell, self._networks[0]
        if len(self._networks) == 1 or type(cell) is not QRNNCell or self._has_own_loss:
            return False
        # By itself, a small network may go through few steps faster on its states.
        small = first.strategy == "auto" and cell.workspace <= _MOST_WIRES_BY_TRANSFER
        by_transfer = small or first.chosen_strategy(batch, steps) == "transfer"
        return by_transfer and self._most_together(batch, steps) > 1

    def _most_together(self, batch: int, steps: int) -> int:
        """How many networks are computed together."""
        cell = self._networks[0].cell
        symbols, size = 1 << cell.lane, 1 << cell.workspace
        return max(_MOST_ENTRIES // (size * (batch * steps + symbols * size)), 1)

    def _joint_losses(
        self,
        networks: Sequence[RecurrentNetwork],
        inputs: Tensor,
        outcomes: Tensor,
        scored: Tensor | None = None,
        *,
        kind: Loss,
        acceptance_weight: float,
    ) -> Tensor:
        cells = cast(list[QRNNCell], [network.cell for network in networks])
        steps = checked_steps(inputs.flatten(0, 1), outcomes.flatten(0, 1), cells[0])
        counted = steps.scored(None if scored is None else scored.flatten(0, 1))
        if counted is None:
            counted = torch.ones_like(steps.outcomes, dtype=torch.bool)
        state = cells[0].initial_state(len(steps.inputs))
        of_row = torch.arange(len(cells), device=state.device).repeat_interleave(inputs.shape[1])
        with full_precision(state.device):
            run = EnsembleSimulation(cells)
            if acceptance_weight:
                prediction = run.predict(steps.inputs, steps.outcomes, state, steps.lengths)
                log_probs = log_distribution(prediction.weights.flatten(0, 1))
                positions = torch.arange(len(log_probs), device=state.device)
            else:
                log_probs, positions = run.read(
                    steps.inputs, steps.outcomes, counted, state, steps.lengths
                )
            losses = group_losses(
                log_probs,
                steps.outcomes.take(positions),
                counted.take(positions),
                of_row.index_select(0, positions // steps.inputs.shape[1]),
                len(cells),
                kind,
            )
            if acceptance_weight:
                kept = acceptance_per_step(
                    prediction.log_acceptance, steps.inputs.shape[1], steps.lengths
                )
                losses = losses - acceptance_weight * kept.view(len(cells), -1).mean(1)
            return losses.to(state.dtype)


def _form(network: RecurrentNetwork) -> str:
    """What networks of an ensemble have in common, in words."""
    parameters = (
        f"{name} {tuple(p.shape)} {p.dtype} on {p.device}" for name, p in network.named_parameters()
    )
    cell = " ".join(f"{network.cell!r}".split())
    return f"{cell} by {network.strategy} of {', '.join(parameters)}"
