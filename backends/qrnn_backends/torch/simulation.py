"""Simulation of dynamic circuits in torch: one state for each record of mid-circuit outcomes."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence

import numpy as np
import pennylane as qml
import torch
from numpy.typing import NDArray
from pennylane.operation import Operator, StatePrepBase
from pennylane.ops import Conditional, MeasurementValue, MidMeasure
from torch import Tensor

from qrnn_backends.measurements import mid_circuit
from qrnn_backends.torch.distinct_rows import distinct_rows
from qrnn_backends.torch.representation import (
    DensityMatrices,
    Representation,
    StateVectors,
    density_matrices,
    summed,
)
from qrnn_backends.torch.state import (
    LEAD,
    initial_state,
    is_supported,
    keeps_norm,
    replaced,
    squared_norms,
)
from qrnn_circuits import ZeroProbabilityError
from qrnn_circuits.tracing import is_traced

# Of all branches together: 1 GiB of float64.
MAX_AMPLITUDES = 2**27

# What backpropagation keeps of all operations: 2 GiB of float64.
MAX_KEPT_NUMBERS = 2**28

# An operation's input and its result in another order of axes, measured over random circuits.
_COPIES = 2

# Fewer branches are not worth a singular value decomposition, or density matrices.
_MIN_MERGED = 32


class Branches(ABC):
    """States of a dynamic circuit, one for each record of outcomes that can occur.

    Attributes:
        state: Shape ``(branches, batch, 2, ..., 2)``.
        records: The bit that each branch read, by the measurement's identifier, each of shape
            ``(branches,)``; only of measurements that are still asked for.
    """

    def __init__(
        self, tape: qml.tape.QuantumScript, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Prepares the initial state.

        Args:
            tape: Its operations are supported ones and mid-circuit measurements.
            dtype: Real type.
            device: Where the state lives.
        """
        standard = tape.map_to_standard_wires()
        self._labels: dict[int, Hashable] = {
            number: label
            for numbered, labelled in zip(standard.operations, tape.operations, strict=True)
            for number, label in zip(numbered.wires, labelled.wires, strict=True)
        }
        operations = list(standard.operations)
        preparation = None
        if operations and isinstance(operations[0], StatePrepBase):
            preparation = operations.pop(0)
        self._dtype = dtype
        self._operations = operations
        self._asked_for = _asked_for(operations, standard.measurements)
        self.state = initial_state(preparation, standard.num_wires, dtype, device)
        self.records: dict[str, NDArray[np.uint8]] = {}
        self._representation: Representation = StateVectors()
        self._kept_numbers = 0

    def run(self) -> None:
        """Applies all operations.

        Raises:
            ZeroProbabilityError: If a postselected outcome cannot occur and branches are exact.
            ValueError: If a measurement is conditioned, or the branches do not fit into memory.
        """
        for operation, asked_for in zip(self._operations, self._asked_for, strict=True):
            if not len(self.state):
                return
            if isinstance(operation, MidMeasure):
                self._measure(operation, asked_for)
            else:
                self._apply(operation)
            self._check_memory()

    def values(self, value: MeasurementValue) -> NDArray[np.generic]:
        """What a function of mid-circuit outcomes gives in each branch, shape ``(branches,)``."""
        bits = np.stack([self.records[m.meas_uid] for m in value.measurements], 1)
        patterns, inverse = distinct_rows(bits)
        results = [value.processing_fn(*map(int, pattern)) for pattern in patterns]
        return np.asarray(results)[inverse]

    def _apply(self, operation: Operator) -> None:
        gate = operation
        if isinstance(operation, Conditional):
            gate = operation.base
            if isinstance(gate, MidMeasure):
                raise ValueError(
                    "qml.cond must not condition a mid-circuit measurement (of wire "
                    f"{self._labels[gate.wires[0]]!r}): condition the gates around it"
                )
            chosen = np.flatnonzero(self.values(operation.meas_val).astype(bool))
        if not isinstance(operation, Conditional) or len(chosen) == len(self.state):
            self.state = self._representation.apply(self.state, gate, self._dtype)
        elif len(chosen):
            rows = torch.as_tensor(chosen, device=self.state.device)
            part = self._representation.apply(self.state[rows], gate, self._dtype)
            self.state = replaced(self.state, part, (rows,))
        if not keeps_norm(gate):
            self._postselected(gate)

    def _measure(self, measurement: MidMeasure, asked_for: frozenset[str]) -> None:
        values = (0, 1) if measurement.postselect is None else (measurement.postselect,)
        wire, reset = measurement.wires[0], bool(measurement.reset)
        project, count = self._representation.project, len(self.state)
        self.state = torch.cat([project(self.state, wire, value, reset) for value in values])
        records = {uid: np.tile(bits, len(values)) for uid, bits in self.records.items()}
        records[measurement.meas_uid] = np.repeat(np.array(values, np.uint8), count)
        self.records = {uid: bits for uid, bits in records.items() if uid in asked_for}
        if measurement.postselect is None:
            self._split()
        else:
            self._postselected(measurement)

    def _check_memory(self) -> None:
        size = self.state.numel()
        if size > MAX_AMPLITUDES:
            raise ValueError(
                f"the mid-circuit measurements leave {len(self.state)} branches of "
                f"{size // len(self.state)} amplitudes, more than {MAX_AMPLITUDES} amplitudes in "
                "all: give shots, or measure less"
            )
        if self.state.requires_grad:
            self._kept_numbers += _COPIES * size * (2 if self.state.is_complex() else 1)
        if self._kept_numbers > MAX_KEPT_NUMBERS:
            raise ValueError(
                f"backpropagation keeps more than {MAX_KEPT_NUMBERS} numbers of the "
                f"{len(self._operations)} operations, whose state has {size} amplitudes: take "
                "diff_method='parameter-shift' or 'finite-diff', or measure less"
            )

    def _keep(self, alive: NDArray[np.bool_]) -> None:
        """Drops the other branches."""
        if not alive.all():
            rows = torch.as_tensor(np.flatnonzero(alive), device=self.state.device)
            self.state = self.state[rows]
            self.records = {uid: bits[alive] for uid, bits in self.records.items()}

    @property
    def _negligible(self) -> float:
        """Share of a weight that may be due to rounding."""
        return float(64 * torch.finfo(self._dtype).eps) ** 2

    @abstractmethod
    def _split(self) -> None:
        """Follows a measurement whose branches that read 1 were put behind those that read 0."""

    @abstractmethod
    def _postselected(self, operation: Operator) -> None:
        """Follows an operation that took norm away."""


class ExactBranches(Branches):
    """Every branch, each with its amplitudes: its squared norm is its share of what is kept.

    Branches of probability 0 are dropped. Branches that differ only in outcomes that nothing asks
    for are replaced by fewer of the same density matrix, at most ``2**wires``, and where a gradient
    is wanted by that matrix itself: how few they can be is no smooth function of the parameters.

    Attributes:
        log_acceptance: Logarithm of the probability that all postselected outcomes come out right,
            shape ``(batch,)``; not differentiable.
    """

    def __init__(
        self, tape: qml.tape.QuantumScript, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Prepares the initial state."""
        super().__init__(tape, dtype, device)
        self.log_acceptance = torch.zeros(1, dtype=torch.float64)
        self._merge_at = _MIN_MERGED

    @property
    def mixed(self) -> bool:
        """Whether the branches are density matrices, with two axes for each wire."""
        return isinstance(self._representation, DensityMatrices)

    def weights(self) -> Tensor:
        """Share of each branch in what is kept, shape ``(branches, batch)``; differentiable."""
        weights = self._representation.weights(self.state)
        return weights / weights.sum(0)

    @property
    def _negligible(self) -> float:
        return float(super()._negligible ** self._representation.rounding)

    def _split(self) -> None:
        # Where transforms of PyTorch follow, nothing may be chosen by numbers.
        differentiated = self.state.requires_grad or is_traced()
        if not is_traced():
            weights = self._representation.weights(self.state.detach())
            alive = (weights > self._negligible * weights.sum(0)).any(1)
            self._keep(alive.cpu().numpy())
        if self.mixed or (differentiated and len(self.state) > _MIN_MERGED):
            self._mix()
        elif len(self.state) >= self._merge_at and not differentiated:
            self._merge()

    def _postselected(self, operation: Operator) -> None:
        if is_traced():
            kept = self._representation.weights(self.state).sum(0).detach()
            self.state = self._representation.divided(self.state, kept)
            return
        norms = self._representation.weights(self.state.detach())
        kept = norms.sum(0)
        # What a projection leaves may be rounding; a neuron's block is small and exact.
        measured = isinstance(operation, MidMeasure)
        smallest = self._negligible if measured else torch.finfo(self._dtype).tiny
        if bool((kept <= smallest).any()):
            raise ZeroProbabilityError(
                f"{self._describe(operation)} has probability 0: postselection leaves nothing"
            )
        self.log_acceptance = self.log_acceptance + kept.double().log().cpu()
        # A long sequence keeps less than the smallest floating-point number.
        self.state = self._representation.divided(self.state, kept)
        self._keep((norms > self._negligible * kept).any(1).cpu().numpy())

    def _groups(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Records that are told apart, and which of them each branch has."""
        records = list(self.records.values()) or [np.zeros(len(self.state), np.uint8)]
        return distinct_rows(np.stack(records, 1))

    def _mix(self) -> None:
        """Holds one density matrix for each record, where that is less than its branches."""
        patterns, group = self._groups()
        if self.mixed:
            if len(patterns) == len(self.state):
                return
            self.state = summed(self.state, group)
        else:
            size = self.state[0, 0].numel()
            if len(self.state) <= len(patterns) * size:
                return
            self.state = density_matrices(self.state, group)
            self._representation = DensityMatrices()
        self.records = {uid: patterns[:, place] for place, uid in enumerate(self.records)}

    def _merge(self) -> None:
        """Makes fewer branches of those whose records nothing tells apart."""
        patterns, group = self._groups()
        lead, wires = self.state.shape[1], self.state.shape[LEAD:]
        states, rows = [], []
        for index in range(len(patterns)):
            members = torch.as_tensor(np.flatnonzero(group == index))
            stack = self.state[members.to(self.state.device)].reshape(len(members), lead, -1)
            # A = U S V: the rows of S V have the density matrix of the rows of A.
            _, sizes, directions = torch.linalg.svd(stack.movedim(1, 0), full_matrices=False)
            weights = sizes**2
            rank = int((weights > self._negligible * weights.sum(1, True)).any(0).sum())
            merged = (sizes[..., None] * directions)[:, :rank].movedim(0, 1)
            states.append(merged.reshape(rank, lead, *wires))
            rows += [index] * rank
        self.state = torch.cat(states)
        self.records = {uid: patterns[rows, place] for place, uid in enumerate(self.records)}
        self._merge_at = max(_MIN_MERGED, 2 * len(self.state))

    def _describe(self, operation: Operator) -> str:
        labels = [self._labels[wire] for wire in operation.wires]
        if isinstance(operation, MidMeasure):
            return f"outcome {operation.postselect} of the measurement of wire {labels[0]!r}"
        return f"the postselection of {operation.name} on wires {labels}"


class SampledBranches(Branches):
    """The branches that a number of shots takes, each normalised, with the shots that took it.

    Attributes:
        counts: Kept shots, shape ``(branches, batch)``.
    """

    def __init__(
        self,
        tape: qml.tape.QuantumScript,
        dtype: torch.dtype,
        device: torch.device,
        shots: int,
        random: np.random.Generator,
    ) -> None:
        """Prepares the initial state, which all shots start from."""
        super().__init__(tape, dtype, device)
        self._random = random
        batch = tape.batch_size or 1
        self.state = self.state.expand(-1, batch, *self.state.shape[LEAD:])
        self.counts: NDArray[np.int64] = np.full((1, batch), shots)

    def _split(self) -> None:
        zero, one = squared_norms(self.state).double().cpu().numpy().reshape(2, *self.counts.shape)
        total = zero + one
        # An entry of a batch may not take a branch at all.
        ones = self._random.binomial(self.counts, one / np.where(total > 0, total, 1))
        self._follow(np.concatenate((self.counts - ones, ones)))

    def _postselected(self, operation: Operator) -> None:
        share = squared_norms(self.state).double().cpu().numpy()
        self._follow(self._random.binomial(self.counts, np.minimum(share, 1)))

    def _follow(self, counts: NDArray[np.int64]) -> None:
        alive = counts.any(1)
        self.counts = counts[alive]
        self._keep(np.asarray(alive))
        norms = squared_norms(self.state).sqrt()
        norms = torch.where(norms > 0, norms, 1)
        self.state = self.state / norms.reshape(*norms.shape, *(1,) * (self.state.ndim - LEAD))


def runs(operation: Operator) -> bool:
    """Whether branches can follow an operation as it is."""
    return isinstance(operation, MidMeasure) or is_supported(operation)


def check_width(tape: qml.tape.QuantumScript) -> None:
    """Raises a ``ValueError`` where not even one branch fits into memory."""
    size = 2**tape.num_wires * (tape.batch_size or 1)
    if size > MAX_AMPLITUDES:
        raise ValueError(
            f"a state of {tape.num_wires} wires and a batch of {tape.batch_size or 1} has {size} "
            f"amplitudes, more than the {MAX_AMPLITUDES} that fit into memory"
        )


def _asked_for(
    operations: Sequence[Operator], measurements: Sequence[qml.measurements.MeasurementProcess]
) -> list[frozenset[str]]:
    """After each operation, the measurements whose outcomes are yet to be used."""
    later = frozenset(part.meas_uid for each in measurements for part in mid_circuit(each))
    asked_for = []
    for operation in reversed(operations):
        asked_for.append(later)
        if isinstance(operation, Conditional):
            later |= {m.meas_uid for m in operation.meas_val.measurements}
    return asked_for[::-1]
