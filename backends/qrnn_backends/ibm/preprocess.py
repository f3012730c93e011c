"""Making tapes ready for a job of qrnn.ibm: one circuit each."""

from collections.abc import Sequence

from pennylane.tape import QuantumScript
from pennylane.transforms.core import CompilePipeline


def one_circuit_each(
    pipeline: CompilePipeline, tapes: Sequence[QuantumScript]
) -> Sequence[QuantumScript]:
    """Preprocesses tapes for a job, whose results nobody will put together.

    Args:
        pipeline: What :func:`~qrnn_backends.qiskit_common.preprocess.sampled_circuits` gave.
        tapes: Tapes that one circuit each answers.

    Raises:
        ValueError: If a tape takes more than one circuit.
    """
    batch: Sequence[QuantumScript]
    batch, combine = pipeline(tuple(tapes))
    # Opaque results tell whether they would be passed on as they are.
    marks = tuple(object() for _ in batch)
    try:
        unchanged = tuple(combine(marks)) == marks and len(batch) == len(tapes)
    except (TypeError, AttributeError, ValueError):
        unchanged = False
    if not unchanged:
        raise ValueError(
            "submit takes tapes whose measurements commute qubit by qubit, without sums of "
            "observables and broadcast parameters: divide the others by "
            "qml.transforms.split_non_commuting or qml.transforms.broadcast_expand, or execute "
            "a QNode"
        )
    return batch
