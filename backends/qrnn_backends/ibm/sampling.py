"""A batch of programs as one job of the sampler, and its bits as the batch's results."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pennylane.exceptions import QuantumFunctionError, WireError
from pennylane.tape import QuantumScript
from pennylane.typing import Result

from qrnn_backends.ibm.fractional import folded, takes
from qrnn_backends.ibm.service import ServiceError
from qrnn_backends.mitigation import Correction, resolve_mitigation
from qrnn_backends.qiskit_common.program import Program, columns
from qrnn_backends.readout import Readout
from qrnn_backends.torch.acceptance import predicted_share
from qrnn_circuits.bounded_readers.arrays import read_arrays
from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.job_store import JobDamagedError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# Bytes of an array of circuits or values.
_PAYLOAD_LIMIT = 2**28
# What a layout of other values leads to; a ValueError is told as it is.
_NOT_WRITTEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    QuantumFunctionError,
    TypeError,
    WireError,
)


@dataclass(frozen=True)
class Pub:
    """A primitive unified bloc: a circuit that runs once for each row of parameter values.

    Attributes:
        circuit: The circuit on the chip's qubits.
        values: One row for each program, in the order of ``circuit.parameters``, shape
            ``(rows, parameters)``.
        shots: Shots of each row.
        places: Places of the rows' programs in the batch.
    """

    circuit: "QuantumCircuit"
    values: NDArray[np.float64]
    shots: int
    places: tuple[int, ...]

    def part(self, start: int, stop: int) -> "Pub":
        """The same for some of the rows."""
        return replace(self, values=self.values[start:stop], places=self.places[start:stop])

    def coercible(self, circuit: "QuantumCircuit | None" = None) -> tuple[Any, ...]:
        """What a sampler's ``run`` takes, with another circuit of the same parameters if given."""
        from qiskit.primitives.containers.bindings_array import BindingsArray

        circuit = circuit or self.circuit
        names = tuple(parameter.name for parameter in circuit.parameters)
        data = {names: self.values} if names else {}
        return circuit, BindingsArray(data, shape=(len(self.places),)), self.shots


def bundle(
    programs: Sequence[Program], transpile: Callable[[Program], "QuantumCircuit"]
) -> list[Pub]:
    """Puts programs of one structure and number of shots together, if they have parameters.

    The executor's sampler runs a circuit without parameters once, whatever its number of rows.

    Args:
        programs: The batch.
        transpile: From a program to its circuit on the chip's qubits, with the same parameters or
            fewer.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    for place, program in enumerate(programs):
        groups.setdefault((program.structure, program.readout.total_shots), []).append(place)
    pubs = []
    for (_, shots), places in groups.items():
        circuit = transpile(programs[places[0]])
        used = columns(circuit)
        for rows in [places] if used else [[place] for place in places]:
            values = np.array([programs[place].values[used] for place in rows])
            pubs += _with_angles_that_chips_take(
                Pub(circuit, values.reshape(len(rows), len(used)), shots, tuple(rows))
            )
    return pubs


def _with_angles_that_chips_take(pub: Pub) -> list[Pub]:
    """A bloc, without the rows that need other gates: those in blocs of their own."""
    taken = takes(pub.circuit, pub.values)
    if taken.all():
        return [pub]
    rows = np.flatnonzero(taken)
    kept = replace(pub, values=pub.values[rows], places=tuple(pub.places[row] for row in rows))
    others = [
        Pub(folded(pub.circuit, pub.values[row]), np.zeros((1, 0)), pub.shots, (pub.places[row],))
        for row in np.flatnonzero(~taken)
    ]
    return [*([kept] if len(rows) else []), *others]


def circuit_hash(programs: Sequence[Program]) -> str:
    """A hash of circuits, values and shots."""
    digest = sha256()
    for program in programs:
        digest.update(f"{program.structure}:{program.readout.shots}:".encode())
        digest.update(program.values.tobytes())
    return digest.hexdigest()[:32]


def layout(
    programs: Sequence[Program],
    pubs: Sequence[Pub],
    errors: "Callable[[QuantumCircuit], NDArray[np.float64]] | None" = None,
) -> dict[str, Any]:
    """How the job's bits become the batch's results, as plain JSON.

    Args:
        programs: The batch.
        pubs: The programs in groups.
        errors: From a circuit to the readout errors of its bits, as
            :func:`~qrnn_backends.qiskit_common.readout_errors.assignment_matrices` has them, if
            results are to be corrected for them.

    Raises:
        ValueError: If results are to be corrected, but are samples or counts; and whatever
            ``errors`` raises.
    """
    if errors is not None:
        for program in programs:
            program.readout.check_mitigable()
    return {
        "pubs": [
            {
                "registers": [[register.name, register.size] for register in pub.circuit.cregs],
                "places": list(pub.places),
                "shots": pub.shots,
                "matrices": None if errors is None else errors(pub.circuit).tolist(),
            }
            for pub in pubs
        ],
        "readouts": [program.readout.to_json() for program in programs],
    }


def with_shares(layout: Mapping[str, Any], tapes: Sequence[QuantumScript]) -> dict[str, Any]:
    """A layout that knows the predicted share of kept shots, for messages.

    Args:
        layout: Of the job.
        tapes: The batch; those that are too wide for a quick prediction get none.
    """
    readouts = [
        readout | {"predicted_share": predicted_share(tape)} if readout["postselected"] else readout
        for readout, tape in zip(layout["readouts"], tapes, strict=True)
    ]
    return {**layout, "readouts": readouts}


def pack(layout: Mapping[str, Any], results: Iterable[Any]) -> bytes:
    """The bits of a sampler's results, one after another.

    Args:
        layout: Of the job.
        results: Qiskit's ``SamplerPubResult`` of each circuit. Shots that twirling
            adds to those asked for are left out.

    Raises:
        ServiceError: If the results are not of these circuits, registers and shots.
    """
    from qiskit.primitives import BitArray

    arrays: dict[str, Any] = {}
    given = list(results)
    if len(given) != len(layout["pubs"]):
        raise _misfit(f"{len(layout['pubs'])} circuits were sent, {len(given)} have results")
    for number, (entry, result) in enumerate(zip(layout["pubs"], given, strict=True)):
        rows, shots = len(entry["places"]), entry["shots"]
        bits = [np.zeros((rows, shots, 0), dtype=np.uint8)]
        for name, size in entry["registers"]:
            found = getattr(getattr(result, "data", None), name, None)
            if not isinstance(found, BitArray) or (found.num_bits, found.size) != (size, rows):
                raise _misfit(
                    f"register {name} of circuit {number} has {size} bits and {rows} sets of "
                    f"parameters, got {brief(repr(found))}"
                )
            if found.num_shots < shots:
                raise _misfit(
                    f"{shots} shots of circuit {number} were sent, {found.num_shots} came"
                )
            bits.append(_unpacked(found.array.reshape(rows, -1, -(-size // 8))[:, :shots], size))
        arrays[f"pub{number}"] = np.packbits(np.concatenate(bits, axis=-1), axis=-1)
    return _to_bytes(arrays)


def _misfit(reason: str) -> ServiceError:
    return ServiceError(
        f"the results that came are not of the circuits that were sent: {reason}; fetch them "
        "again, and if they come so again submit the job again"
    )


@contextmanager
def as_recorded(job_id: str) -> Iterator[None]:
    """Tells of a layout that is none of ours, whose hash may yet be right.

    Raises:
        JobDamagedError: Python does not find in it what belongs there.
    """
    try:
        yield
    except _NOT_WRITTEN as error:
        raise damaged(job_id, repr(error)) from error


def damaged(job_id: str, reason: object) -> JobDamagedError:
    """What is told where the record of a batch cannot be meant."""
    return JobDamagedError(
        f"what is recorded of job {job_id} is not what was written: {reason}; submit it again"
    )


def results(layout: Mapping[str, Any], packed: bytes) -> tuple[Result, ...]:
    """The results of all tapes from the packed bits of a job.

    Raises:
        ImportError: If readout errors are to be corrected by a package that is not installed.
        MitigationError: If the correction fails.
        NoShotsKeptError: If postselection keeps no shot of a tape.
        ValueError: If there is no longer a mitigation of the recorded name.
    """
    mitigation = None
    if layout.get("mitigation") is not None:
        mitigation = resolve_mitigation(layout["mitigation"])
    corrections: dict[int, Correction | None] = {}
    for entry in layout["pubs"]:
        correction = None
        if mitigation is not None:
            correction = partial(mitigation.corrected, matrices=np.array(entry["matrices"]))
        corrections |= dict.fromkeys(entry["places"], correction)
    return tuple(
        readout.results(bits, corrections[place])
        for place, (readout, bits) in enumerate(_readings(layout, packed))
    )


def kept_shots(layout: Mapping[str, Any], packed: bytes) -> list[int]:
    """How many shots of each tape postselection keeps."""
    return [int(readout.kept(bits).sum()) for readout, bits in _readings(layout, packed)]


def to_payload(pubs: Sequence[Pub]) -> bytes:
    """Circuits and values, for a run in another process."""
    from qiskit import qpy

    circuits = io.BytesIO()
    qpy.dump([pub.circuit for pub in pubs], circuits)
    arrays: dict[str, Any] = {f"values{number}": pub.values for number, pub in enumerate(pubs)}
    return _to_bytes(arrays | {"qpy": np.frombuffer(circuits.getvalue(), dtype=np.uint8)})


def from_payload(layout: Mapping[str, Any], payload: bytes) -> list[Pub]:
    """Reads what :func:`to_payload` wrote."""
    from qiskit import qpy

    names = ["qpy", *(f"values{number}" for number in range(len(layout["pubs"])))]
    arrays = _from_bytes(payload, names, _PAYLOAD_LIMIT)
    try:
        circuits = qpy.load(io.BytesIO(arrays["qpy"].tobytes()))
    except Exception as error:  # Whatever Qiskit's reader meets with.
        raise ValueError(f"the circuits recorded of the job cannot be read: {error}") from error
    return [
        Pub(circuit, arrays[f"values{number}"], entry["shots"], tuple(entry["places"]))
        for number, (circuit, entry) in enumerate(zip(circuits, layout["pubs"], strict=True))
    ]


def _readings(
    layout: Mapping[str, Any], packed: bytes
) -> Iterator[tuple[Readout, NDArray[np.uint8]]]:
    """The readout of each tape, with its bits of shape ``(shots, bits)``."""
    entries = layout["pubs"]
    limit = max((_bytes_of(entry) for entry in entries), default=0)
    arrays = _from_bytes(packed, [f"pub{number}" for number in range(len(entries))], limit)
    bits: dict[int, NDArray[np.uint8]] = {}
    for number, entry in enumerate(layout["pubs"]):
        size = sum(register_size for _, register_size in entry["registers"])
        unpacked = np.unpackbits(arrays[f"pub{number}"], axis=-1, count=size)
        bits |= dict(zip(entry["places"], unpacked, strict=True))
    for place, readout in enumerate(layout["readouts"]):
        yield Readout.from_json(readout), bits[place]


def _unpacked(array: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bits of a register, the first first; Qiskit's bytes hold the last bit first."""
    return np.unpackbits(array, axis=-1)[..., ::-1][..., :size]


def _to_bytes(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _from_bytes(data: bytes, names: Sequence[str], limit: int) -> dict[str, NDArray[Any]]:
    return read_arrays(io.BytesIO(data), "what is recorded of the job", names, limit)


def _bytes_of(entry: Mapping[str, Any]) -> int:
    """How many bytes the bits of some circuits take."""
    size = sum(int(register_size) for _, register_size in entry["registers"])
    return len(entry["places"]) * int(entry["shots"]) * -(-size // 8)
