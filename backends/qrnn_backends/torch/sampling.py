"""Results of a tape in torch from a number of shots."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pennylane as qml
import torch
from numpy.typing import NDArray
from pennylane.measurements import ClassicalShadowMP
from pennylane.ops import MidMeasure
from pennylane.typing import Result

from qrnn_backends.circuit_checks import check_shots
from qrnn_backends.readout import Readout, stacked
from qrnn_backends.torch.acceptance import predicted_share
from qrnn_backends.torch.bases import Basis, Shadow, ShotPlan, Term
from qrnn_backends.torch.simulation import MAX_AMPLITUDES, Branches, ExactBranches, SampledBranches
from qrnn_backends.torch.state import LEAD, apply_operator, squared_norms

Bits = NDArray[np.uint8]

# In each basis: as it was drawn, in another order, and with the records.
_BYTES_OF_A_BIT = 4


class Sampled(NamedTuple):
    """What a number of shots gave.

    Attributes:
        results: One result, or a tuple with one for each measurement if there are several; for a
            shot vector, a tuple with this for each of its copies.
        kept_shots: How many shots postselection kept, over all entries of a batch.
    """

    results: Result
    kept_shots: int


def sampled_results(
    tape: qml.tape.QuantumScript,
    dtype: torch.dtype,
    device: torch.device,
    random: np.random.Generator,
    *,
    fill_shots: bool = False,
) -> Sampled:
    """Runs a tape with shots.

    Args:
        tape: Of operations that :class:`~qrnn_backends.torch.simulation.Branches` runs.
        dtype: Real type of the states.
        device: Where the states live.
        random: Where all randomness comes from.
        fill_shots: Whether every shot is one that postselection keeps. By default shots that it
            drops are missing from the results, as on hardware.

    Raises:
        NoShotsKeptError: If postselection keeps no shot of a copy.
        ValueError: If the states or the shots do not fit into memory.
    """
    plan = ShotPlan(tape.map_to_standard_wires())
    entries = [_Shots(plan) for _ in range(tape.batch_size or 1)]
    check_shots(
        tape.shots.total_shots * len(entries),
        plan.wires + len(plan.columns),
        "qrnn.torch",
        more=_BYTES_OF_A_BIT * plan.wires * len(plan.bases),
    )
    for branches, counts in _parts(tape, dtype, device, random, fill_shots):
        _collect(entries, plan, branches, counts, dtype, random)
    results = [shots.results(tape, random) for shots in entries]
    together = stacked if tape.batch_size is not None else itemgetter(0)
    copies = tuple(
        tuple(map(together, zip(*copy, strict=True))) for copy in zip(*results, strict=True)
    )
    copies = tuple(copy if len(copy) > 1 else copy[0] for copy in copies)
    kept = sum(shots.kept for shots in entries)
    return Sampled(copies if tape.shots.has_partitioned_shots else copies[0], kept)


class _Shots:
    """The kept shots of one entry of a batch: lists of arrays with a row for each shot."""

    def __init__(self, plan: ShotPlan) -> None:
        self.plan = plan
        self.records: list[Bits] = []
        self.bits: list[list[Bits]] = [[] for _ in plan.bases]
        self.shadows: dict[int, list[Bits]] = {place: [] for place in plan.shadows}

    @property
    def kept(self) -> int:
        return sum(map(len, self.records))

    def results(self, tape: qml.tape.QuantumScript, random: np.random.Generator) -> list[list[Any]]:
        """For each copy of the shot vector, one result for each measurement."""
        plan, total = self.plan, tape.shots.total_shots
        order = np.arange(total)
        if self.kept < total or any(isinstance(op, MidMeasure) for op in tape.operations):
            # Shots came one branch after the other, and dropped ones last.
            order = random.permutation(total)
        dropped = (order >= self.kept).astype(np.uint8)
        records = _padded(self.records, total, len(plan.columns))[order]
        tables = [
            np.concatenate((_padded(bits, total, plan.wires)[order], records, dropped[:, None]), 1)
            for bits in self.bits
        ]
        shadows = {
            place: _padded(parts, total, 2, len(plan.shadows[place].wires))[order]
            for place, parts in self.shadows.items()
        }
        copies = []
        for start, stop in tape.shots.bins():
            kept = dropped[start:stop] == 0
            if not kept.any():
                _raise_nothing_kept(tape, stop - start)
            values = [
                _basis_results(basis, table[start:stop])
                for basis, table in zip(plan.bases, tables, strict=True)
            ]
            results = {place: _combined(values, terms) for place, terms in plan.terms.items()} | {
                place: _shadow_result(plan.shadows[place], parts[start:stop][kept])
                for place, parts in shadows.items()
            }
            copies.append([results[place] for place in sorted(results)])
        return copies


def _parts(
    tape: qml.tape.QuantumScript,
    dtype: torch.dtype,
    device: torch.device,
    random: np.random.Generator,
    fill_shots: bool,
) -> Iterator[tuple[Branches, NDArray[np.int64]]]:
    """Final branches with their shots, shape ``(branches, batch)``, in parts that fit memory."""
    shots, batch = tape.shots.total_shots, tape.batch_size or 1
    if fill_shots:
        # What is read before a postselection depends on it: no sampling from front to back.
        exact = ExactBranches(tape, dtype, device)
        exact.run()
        weights = exact.weights().double().cpu().numpy()
        columns = np.broadcast_to(weights, (len(weights), batch)).T
        counts = [random.multinomial(shots, column / column.sum()) for column in columns]
        yield exact, np.stack(counts, 1)
        return
    measured = sum(isinstance(operation, MidMeasure) for operation in tape.operations)
    # A measurement doubles the branches before it turns out which of them take a shot.
    largest = max(1, MAX_AMPLITUDES // (4 * batch * 2**tape.num_wires))
    part = shots if 2**measured <= largest else min(shots, largest)
    for start in range(0, shots, part):
        sampled = SampledBranches(tape, dtype, device, min(part, shots - start), random)
        sampled.run()
        yield sampled, sampled.counts


def _collect(
    entries: Sequence[_Shots],
    plan: ShotPlan,
    branches: Branches,
    counts: NDArray[np.int64],
    dtype: torch.dtype,
    random: np.random.Generator,
) -> None:
    """Samples the terminal measurements of every kept shot."""
    if not len(counts):
        return
    rows = [np.repeat(np.arange(len(counts)), column) for column in counts.T]
    values = [branches.values(value).astype(np.uint8) for value in plan.columns]
    table = np.stack(values, 1) if values else np.zeros((len(counts), 0), np.uint8)
    for shots, taken in zip(entries, rows, strict=True):
        shots.records.append(table[taken])
    for place, basis in enumerate(plan.bases):
        state = branches.state
        for gate in basis.gates:
            state = apply_operator(state, gate, dtype)
        probabilities = _probabilities(state, len(rows))
        for entry, (shots, taken) in enumerate(zip(entries, rows, strict=True)):
            shots.bits[place].append(_sampled_bits(probabilities[:, entry], taken, random))
    for place, shadow in plan.shadows.items():
        # PennyLane's shadows have no batch.
        (shots,) = entries
        shots.shadows[place].append(_shadow(shadow, branches, counts[:, 0], random))


def _probabilities(state: torch.Tensor, batch: int) -> NDArray[np.float64]:
    """Shape ``(branches, batch, 2**wires)``; each row sums to 1."""
    flat = state.expand(-1, batch, *state.shape[LEAD:]).flatten(LEAD)
    weights: NDArray[np.float64] = flat.abs().square().double().cpu().numpy()
    totals = weights.sum(-1, keepdims=True)
    # An entry of a batch may not take a branch at all.
    normalised: NDArray[np.float64] = weights / np.where(totals > 0, totals, 1)
    return normalised


def _sampled_bits(
    probabilities: NDArray[np.float64], rows: NDArray[np.int64], random: np.random.Generator
) -> Bits:
    """One basis state for each shot, drawn from the row of its branch: shape ``(shots, wires)``."""
    size = probabilities.shape[1]
    # The rows' distribution functions one above the other, so that one search serves all shots.
    levels = probabilities.cumsum(1) + np.arange(len(probabilities))[:, None]
    drawn = np.searchsorted(levels.ravel(), rows + random.random(len(rows)), side="right")
    states = np.clip(drawn - rows * size, 0, size - 1)
    shifts = np.arange(size.bit_length() - 1)[::-1]
    bits: Bits = (states[:, None] >> shifts & 1).astype(np.uint8)
    return bits


def _shadow(
    measurement: Shadow,
    branches: Branches,
    counts: NDArray[np.int64],
    random: np.random.Generator,
) -> Bits:
    """Bits and recipes of a classical shadow, shape ``(shots, 2, wires)``."""
    states = branches.state[:, 0] / squared_norms(branches.state).sqrt()[:, :1].reshape(
        -1, *(1,) * (branches.state.ndim - LEAD)
    )
    wires = qml.wires.Wires(range(states.ndim - 1))
    parts: list[NDArray[np.int8]] = []
    for branch in np.flatnonzero(counts):
        seed = int(random.integers(2**32)) if parts else measurement.seed
        process = ClassicalShadowMP(wires=measurement.wires, seed=seed)
        state = states[branch].to(torch.complex128).cpu().numpy()
        parts.append(process.process_state_with_shots(state, wires, counts[branch], rng=random))
    return np.concatenate(parts, 1).swapaxes(0, 1).astype(np.uint8)


def _basis_results(basis: Basis, bits: Bits) -> tuple[Any, ...]:
    """Results of the shots whose last bit, which says that they were dropped, is 0."""
    postselected = ((bits.shape[1] - 1, 0),)
    readout = Readout(tuple(basis.measurements), postselected, (len(bits),))
    results = readout.results(bits)
    return results if len(basis.measurements) > 1 else (results,)


def _combined(values: Sequence[tuple[Any, ...]], terms: Sequence[Term]) -> Any:  # noqa: ANN401
    if terms[0].coefficient is None:
        return values[terms[0].basis][terms[0].place]
    return sum((term.coefficient or 0) * values[term.basis][term.place] for term in terms)


def _shadow_result(measurement: Shadow, shots: Bits) -> Any:  # noqa: ANN401
    bits, recipes = shots[:, 0].astype(np.int8), shots[:, 1].astype(np.int8)
    if isinstance(measurement, ClassicalShadowMP):
        return np.stack((bits, recipes))
    shadow = qml.ClassicalShadow(bits, recipes, wire_map=measurement.wires.tolist())
    return shadow.expval(measurement.H, measurement.k)


def _padded(parts: Sequence[Bits], total: int, *shape: int) -> Bits:
    """All parts, then zeros for the dropped shots."""
    return np.concatenate((*parts, np.zeros((total - sum(map(len, parts)), *shape), np.uint8)))


def _raise_nothing_kept(tape: qml.tape.QuantumScript, shots: int) -> None:
    readout = Readout((), ((0, 0),), (shots,), predicted_share(tape))
    readout.results(np.ones((shots, 1), np.uint8))
