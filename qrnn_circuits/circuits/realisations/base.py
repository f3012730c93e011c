"""The ways to build a quantum neuron as a circuit: their names, semantics, costs and limits."""

from types import MappingProxyType
from typing import Literal, get_args

from qrnn_circuits.neuron import MAX_ORDER, Semantics

Realisation = Literal["postselect", "repeat_until_success", "amplified", "multiplexed"]

REALISATIONS: tuple[Realisation, ...] = get_args(Realisation)

# What each realisation does to its target; see `repeat_until_success` for what it does not do.
SEMANTICS = MappingProxyType[Realisation, Semantics](
    {
        "postselect": "postselected",
        "repeat_until_success": "unitary",
        "amplified": "unitary",
        "multiplexed": "unitary",
    }
)

DEFAULT_ATTEMPTS = 3
DEFAULT_LENGTH = 7

# Longer ones need more gates than is of use, and their phases take long to find.
LENGTHS = (3, 5, 7)

# Of hundreds of thousands of gates each, neurons would fill the memory.
MAX_ROTATIONS = 10_000

# A table of 2**m angles becomes as many gates through a dense matrix of 4**m numbers.
MAX_MULTIPLEXED_CONTROLS = 10


def ancilla_count(realisation: Realisation, order: int) -> int:
    """Number of ancilla wires of a neuron.

    Args:
        realisation: One of ``REALISATIONS``.
        order: Order of the neuron, from 1 to ``MAX_ORDER``.

    Raises:
        ValueError: If there is no such realisation or order.
    """
    _check_name(realisation)
    _check_order(order)
    if realisation == "multiplexed":
        return 0
    # Amplified: one more, which takes the real part of the polynomial.
    return order + (realisation == "amplified")


def rotation_count(
    realisation: Realisation,
    order: int,
    *,
    attempts: int = DEFAULT_ATTEMPTS,
    length: int = DEFAULT_LENGTH,
) -> int:
    """How many times a neuron's circuit rotates by the polynomial, forward or backward.

    Args:
        realisation: One of ``REALISATIONS``.
        order: Order of the neuron.
        attempts: How often ``"repeat_until_success"`` tries each ancilla at most.
        length: Degree of the polynomial of ``"amplified"``.

    Returns:
        2, ``2 * attempts`` or ``2 * length`` to the power of the order; 1 for ``"multiplexed"``.
    """
    each_order = {
        "postselect": 2,
        "repeat_until_success": 2 * attempts,
        "amplified": 2 * length,
        "multiplexed": 1,
    }
    rotations: int = each_order[realisation] ** order
    return rotations


def default_realisation(semantics: Semantics) -> Realisation:
    """The exact realisation of a semantics: ``"postselect"`` or ``"multiplexed"``."""
    return "postselect" if semantics == "postselected" else "multiplexed"


def check_realisation(
    realisation: Realisation,
    *,
    order: int,
    controls: int,
    attempts: int = DEFAULT_ATTEMPTS,
    length: int = DEFAULT_LENGTH,
) -> None:
    """Raises a ``ValueError`` where a realisation cannot be built.

    Args:
        realisation: One of ``REALISATIONS``.
        order: Order of the neuron, from 1 to ``MAX_ORDER``.
        controls: Number m of control wires.
        attempts: How often ``"repeat_until_success"`` tries at most, at least 1.
        length: Degree of the polynomial of ``"amplified"``, one of ``LENGTHS``.
    """
    _check_name(realisation)
    _check_order(order)
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, got {attempts}")
    if length not in LENGTHS:
        raise ValueError(
            f"length must be odd, one of {LENGTHS} (amplification is by an odd polynomial), "
            f"got {length}"
        )
    rotations = rotation_count(realisation, order, attempts=attempts, length=length)
    if rotations > MAX_ROTATIONS:
        name, value = ("length", length) if realisation == "amplified" else ("attempts", attempts)
        raise ValueError(
            f"realisation {realisation!r} of order {order} with {name} {value} rotates by its "
            f"polynomial {rotations} times, (2 * {name})**order, which is more than the "
            f"{MAX_ROTATIONS} that fit into memory: choose a lower order or {name}"
        )
    if realisation == "multiplexed" and controls > MAX_MULTIPLEXED_CONTROLS:
        raise ValueError(
            f"realisation 'multiplexed' takes at most {MAX_MULTIPLEXED_CONTROLS} controls "
            f"(lane and workspace wires but the target), got {controls}: each neuron becomes "
            f"2**controls rotations and CNOTs, by a dense matrix of 4**controls numbers. "
            f"'repeat_until_success' and 'amplified' grow with the number of coefficients only"
        )


def check_semantics(realisation: Realisation, semantics: Semantics) -> None:
    """Raises a ``ValueError`` where a realisation is not of a model's semantics."""
    if SEMANTICS[realisation] != semantics:
        fitting = [name for name in REALISATIONS if SEMANTICS[name] == semantics]
        raise ValueError(
            f"realisation {realisation!r} gives neurons of {SEMANTICS[realisation]!r} semantics, "
            f"but the model's semantics are {semantics!r}: choose from {fitting}"
        )


def _check_name(realisation: str) -> None:
    if realisation not in REALISATIONS:
        raise ValueError(f"realisation must be one of {REALISATIONS}, got {realisation!r}")


def _check_order(order: int) -> None:
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"order must be between 1 and {MAX_ORDER}, got {order}")
