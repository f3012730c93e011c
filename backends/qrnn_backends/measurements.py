"""PennyLane's measurements, made ready for devices: of wires and of bits, with known values."""

from collections.abc import Hashable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.exceptions import WireError
from pennylane.measurements import (
    CountsMP,
    MeasurementProcess,
    ProbabilityMP,
    SampleMeasurement,
    SampleMP,
)
from pennylane.operation import Operator
from pennylane.ops import LinearCombination, MeasurementValue, MidMeasure, SProd, Sum

from qrnn_backends.conditions import holds
from qrnn_circuits.circuits.unitary import numbers


def options_of(measurement: MeasurementProcess) -> dict[str, Any]:
    """What a measurement has beside wires and eigenvalues."""
    if isinstance(measurement, CountsMP):
        return {"all_outcomes": measurement.all_outcomes}
    if isinstance(measurement, SampleMP):
        return {"dtype": measurement._dtype}
    return {}


def mid_circuit(measurement: MeasurementProcess) -> list[MidMeasure]:
    """The mid-circuit measurements whose values a measurement returns, most significant first."""
    if measurement.mv is None:
        return []
    values = [measurement.mv] if isinstance(measurement.mv, MeasurementValue) else measurement.mv
    return [measured for value in values for measured in value.measurements]


def check_distinct(measurements: Iterable[MeasurementProcess]) -> None:
    """Checks that results list each mid-circuit measurement once, as those of bits do.

    PennyLane's deferral leaves the others out of the list in silence.

    Raises:
        ValueError: If one is listed twice.
    """
    for measurement in measurements:
        listed = [part.meas_uid for part in mid_circuit(measurement)]
        if len(set(listed)) < len(listed):
            raise ValueError(
                f"a result must list each measured value once, got {measurement}: list it once, or "
                "take qrnn.torch"
            )


def check_sparse(measurements: Iterable[MeasurementProcess]) -> None:
    """Checks that sparse observables stand alone, which PennyLane measures by themselves only.

    Raises:
        ValueError: If one is within a sum, a product or a multiple.
    """
    for measurement in measurements:
        observable = measurement.obs
        alone = observable is None or isinstance(observable, qml.SparseHamiltonian)
        if not alone and holds(observable, qml.SparseHamiltonian):
            raise ValueError(
                "qml.SparseHamiltonian must stand alone in an expectation value, got "
                f"{observable.name} with one on wires {observable.wires.tolist()}: return the "
                "expectation value of each and add them, or add their matrices"
            )


def hermitian_terms(observable: Operator) -> list[tuple[float, Operator]]:
    """Terms of an observable, each Hermitian if the observable is, with their real coefficients.

    PennyLane's ``terms`` multiply out products of sums and have coefficients that are not real, so
    that the terms may be no observables, such as those of ``(a + b) @ c @ (a + b)``.

    Args:
        observable: One that :func:`~.circuit_checks.check_hermitian` takes.

    Example:
        >>> observable = 2 * (qml.H(0) + 3 * qml.Projector([1], 1))
        >>> hermitian_terms(observable)
        [(2.0, H(0)), (6.0, Projector(array([1]), wires=[1]))]
    """
    words = observable.pauli_rep
    if words is not None:
        return [
            (float(np.real(numbers(factor))), word.operation()) for word, factor in words.items()
        ]
    parts: Iterable[tuple[Any, Operator]] = []
    match observable:
        case LinearCombination():
            parts = zip(*observable.terms(), strict=True)
        case Sum():
            parts = [(1.0, operand) for operand in observable.operands]
        case SProd() if not np.imag(numbers(observable.scalar)):
            parts = [(observable.scalar, observable.base)]
        case _:
            return [(1.0, observable)]
    return [
        (float(np.real(numbers(factor))) * inner, term)
        for factor, part in parts
        for inner, term in hermitian_terms(part)
    ]


def with_known_values(measurement: MeasurementProcess) -> MeasurementProcess:
    """A measurement with the same result, whose function of outcomes runs once for each of them.

    PennyLane's take milliseconds, and are asked for all values again and again. What is no real
    number is refused when it is asked for: results would leave imaginary parts and derivatives out.

    Args:
        measurement: Any measurement.
    """
    value = measurement.mv
    if not isinstance(value, MeasurementValue) or not value.has_processing:
        return measurement

    @cache
    def number(*bits: int) -> Any:  # noqa: ANN401
        result = value.processing_fn(*bits)
        if not isinstance(result, int | float):
            raise ValueError(
                "a value of mid-circuit measurements must be a real number, without derivatives, "
                f"got {result!r}: return the measured values, and go on with their results"
            )
        return result

    known = MeasurementValue(value.measurements, number)
    with qml.QueuingManager.stop_recording():
        return type(measurement)(obs=known, **options_of(measurement))


def with_wires(
    measurement: MeasurementProcess,
    wires: Iterable[Hashable],
    eigenvalues: Any,  # noqa: ANN401
) -> MeasurementProcess:
    """A measurement of the same kind of other wires, or of the bits that they are read into.

    Args:
        measurement: The measurement.
        wires: The other wires, or positions of bits.
        eigenvalues: The value of each pattern of them, or None for the patterns themselves.
    """
    return on_bits(type(measurement), wires, eigenvalues, **options_of(measurement))


def values_on_bits(measurement: MeasurementProcess, bits: Sequence[int]) -> MeasurementProcess:
    """A measurement of mid-circuit values as one of the bits that record them.

    Args:
        measurement: The measurement.
        bits: Position of the bit of each of its :func:`mid_circuit` measurements.
    """
    eigenvalues = None
    if isinstance(measurement.mv, MeasurementValue) and not isinstance(measurement, ProbabilityMP):
        eigenvalues = [value for _, value in measurement.mv.items()]
    return on_bits(type(measurement), bits, eigenvalues, **options_of(measurement))


def with_identity_on_wires(
    measurement: MeasurementProcess, wires: qml.wires.Wires
) -> MeasurementProcess:
    """A measurement with the same result, whose identity acts on a wire if it is of one.

    Args:
        measurement: Any measurement.
        wires: All wires, which an identity without wires acts on.

    Raises:
        WireError: If it needs a wire, and there are none.
    """
    observable = measurement.obs
    unnamed = not measurement.wires and measurement.mv is None
    if not wires and unnamed and isinstance(measurement, SampleMeasurement):
        raise WireError(
            f"{measurement} must have wires, of which neither the circuit nor the device has any: "
            "name some"
        )
    if observable is None or not wires:
        return measurement
    identity = isinstance(observable, qml.Identity)
    if observable.wires and not identity:
        return measurement
    with qml.QueuingManager.stop_recording():
        if isinstance(measurement, ProbabilityMP):
            return ProbabilityMP(wires=observable.wires or wires)
        # More wires than one tell no more.
        acting = qml.Identity((observable.wires or wires)[:1])
        if not identity:
            # A sum of nothing is none of it, and a phase that is real is 1 or -1.
            words = observable.pauli_rep
            factors = np.real(observable.eigvals()) if words is None else words.values()
            acting = sum(factors) * acting
        return type(measurement)(obs=acting, **options_of(measurement))


def on_bits(
    kind: type[MeasurementProcess],
    bits: Iterable[Hashable],
    eigenvalues: Any,  # noqa: ANN401
    **options: Any,  # noqa: ANN401
) -> MeasurementProcess:
    """A measurement of classical bits.

    Args:
        kind: PennyLane's class of it.
        bits: Positions of classical bits, the most significant first.
        eigenvalues: The value of each pattern of the bits, or None for the patterns themselves.
        options: ``all_outcomes`` of counts, ``dtype`` of samples.
    """
    if eigenvalues is not None:
        eigenvalues = _without_rounding(np.asarray(eigenvalues))
    with qml.QueuingManager.stop_recording():
        return kind(wires=qml.wires.Wires(list(bits)), eigvals=eigenvalues, **options)


def _without_rounding(eigenvalues: NDArray[Any]) -> NDArray[Any]:
    """Eigenvalues that are real, and the same number where they differ by rounding only."""
    if eigenvalues.dtype.kind not in "fc":
        return eigenvalues
    real = np.real(eigenvalues)
    order = np.argsort(real)
    steps = np.diff(real[order], prepend=-np.inf) > 1e-12 * np.abs(real).max()
    starts = np.flatnonzero(steps)
    # Those that follow one another closely all take the value of the first.
    equal = np.empty_like(real)
    equal[order] = real[order[starts]][np.cumsum(steps) - 1]
    return equal
