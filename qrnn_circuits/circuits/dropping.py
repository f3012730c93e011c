"""Which small rotations a neuron's circuit may do without, and how far that moves what is read."""

from collections.abc import Iterable
from math import pi, sin

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.typing import TensorLike

from qrnn_circuits.checks import check_number, plain
from qrnn_circuits.circuits.angles import Spectrum
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import Realisation
from qrnn_circuits.synthesis import Parity

# Above, the largest sum over patterns of so many controls gives way to the sum of absolute values.
_MOST_TABLE_CONTROLS = 20


def check_dropping(tolerance: float, realisation: Realisation, *, symbolic: bool) -> None:
    """Raises where rotations cannot be dropped.

    Args:
        tolerance: In radians.
        realisation: How neurons are built.
        symbolic: Whether angles are parameters.

    Raises:
        TypeError: If the tolerance is no number.
        ValueError: If the tolerance is negative or not finite; or if it is not 0, but angles are
            parameters or the realisation does not rotate by parities.
    """
    check_number("tolerance in radians", plain(tolerance))
    if tolerance and symbolic:
        raise ValueError(
            f"tolerance must be 0 with symbolic=True, got {tolerance}: which rotations are small "
            "depends on the parameters, and these are given later"
        )
    if tolerance:
        spectrum_of(realisation, np.zeros(2), 1, order=1, degree=1)


def spectrum_of(
    realisation: Realisation, coefficients: TensorLike, controls: int, *, order: int, degree: int
) -> Spectrum:
    """The parities by which a neuron's circuit rotates, with their angles as numbers in float64.

    Args:
        realisation: How the neuron is built.
        coefficients: Of its polynomial, in radians, shape ``(P,)``.
        controls: Number of control wires.
        order: Order of the neuron.
        degree: Degree of the polynomial.

    Raises:
        ValueError: If the realisation can drop no parities.
    """
    numbers = np.asarray(qml.math.to_numpy(qml.math.detach(coefficients)), dtype=np.float64)
    spectrum = realisation.spectrum(numbers, controls, order=order, degree=degree)
    if spectrum is None:
        raise ValueError(
            f"tolerance must be 0 for realisation {realisation.name!r}: it has no spectrum of "
            "parities of which small ones could be dropped"
        )
    return spectrum


def kept_parities(spectrum: Spectrum, tolerance: float) -> tuple[Parity, ...] | None:
    """The parities whose angle is larger than a tolerance.

    Args:
        spectrum: Of one neuron, its angles of shape ``(P,)``.
        tolerance: In radians; with 0 nothing is dropped.

    Returns:
        What :class:`~qrnn_circuits.circuits.neuron.NeuronOperation` takes: None where all are kept.
    """
    if not tolerance:
        return None
    kept = tuple(
        parity for parity, angle in zip(*spectrum, strict=True) if abs(float(angle)) > tolerance
    )
    return None if len(kept) == len(spectrum.parities) else kept


def largest_change(spectrum: Spectrum, kept: Iterable[Parity]) -> float:
    """The largest change, over all control patterns, of an angle whose other parities are dropped.

    Args:
        spectrum: Of one neuron, its angles of shape ``(P,)``.
        kept: The kept parities.

    Returns:
        In radians. Of more than 20 controls in dropped parities a bound on it: the sum of their
        absolute angles.
    """
    kept = set(kept)
    dropped = {
        parity: float(angle) for parity, angle in zip(*spectrum, strict=True) if parity not in kept
    }
    wires = sorted(set().union(*dropped))
    if len(wires) > _MOST_TABLE_CONTROLS:
        return sum(map(abs, dropped.values()))
    place = {wire: index for index, wire in enumerate(wires)}
    signed = np.zeros(2 ** len(wires))
    for parity, angle in dropped.items():
        signed[sum(1 << place[wire] for wire in parity)] = angle
    return float(np.abs(_walsh_hadamard(signed)).max())


def neuron_change(neuron: NeuronOperation) -> float:
    """By how much all rotations of a neuron's circuit together differ for want of parities.

    Returns:
        The largest change of an angle, in radians, times the number of rotations.
    """
    options = neuron.hyperparameters
    order, realisation = options["order"], neuron.realisation
    if options["parities"] is None:
        return 0.0
    spectrum = spectrum_of(
        realisation,
        neuron.data[0],
        len(neuron.control_wires),
        order=order,
        degree=options["degree"],
    )
    return realisation.rotations(order) * largest_change(spectrum, options["parities"])


def distribution_bound(change: float) -> float:
    """How far changed angles can move a distribution, in total variation distance.

    A rotation by an angle that changes by at most c turns any state by an angle of at most c/2.
    Such angles add up, and states at an angle a have distributions at most ``sin(a)`` apart: see
    ``docs/theory/realisations.md``.

    Args:
        change: The sum of the largest changes of all rotations of the circuit, in radians.

    Returns:
        From 0 to 1.

    Example:
        >>> round(distribution_bound(0.02 + 0.1), 4)
        0.06
    """
    return sin(min(change, pi) / 2)


def _walsh_hadamard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of ``values[S] * (-1)**(S.x)`` over the masks S for each pattern x, ``(2**m,)``."""
    width = 1
    while width < len(values):
        even, odd = values.reshape(-1, 2, width).swapaxes(0, 1)
        values = np.stack((even + odd, even - odd), 1).reshape(-1)
        width *= 2
    return values
