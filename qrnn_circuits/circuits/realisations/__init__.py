"""The ways to build a quantum neuron as a circuit, and how users name them."""

from collections.abc import Callable

from qrnn_circuits.circuits.realisations.amplified import Amplified
from qrnn_circuits.circuits.realisations.base import Realisation
from qrnn_circuits.circuits.realisations.multiplexed import Multiplexed
from qrnn_circuits.circuits.realisations.postselect import Postselect
from qrnn_circuits.circuits.realisations.repeat_until_success import RepeatUntilSuccess
from qrnn_circuits.circuits.realisations.unsharpened import Unsharpened
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.registry import Registry

__all__ = [
    "REALISATIONS",
    "Amplified",
    "Multiplexed",
    "Postselect",
    "Realisation",
    "RepeatUntilSuccess",
    "Unsharpened",
    "realisation_at",
    "realisation_of",
    "realisations_of",
    "register_realisation",
]

REALISATIONS = Registry[Realisation]("realisation", "qrnn_circuits.realisations", Realisation)
"""Every realisation by its name on the command line."""

for _built_in in (Postselect, RepeatUntilSuccess, Amplified, Multiplexed):
    REALISATIONS.register(_built_in.name, _built_in)


def register_realisation(name: str, item: Realisation | Callable[..., Realisation] | str) -> None:
    """Adds a realisation under a name, in this process.

    An installed package adds one for good by an entry point of the group
    ``qrnn_circuits.realisations``.

    Args:
        name: The name.
        item: As for :meth:`qrnn_circuits.registry.Registry.register`.

    Raises:
        ValueError: If the name is not allowed or already stands for another realisation.

    Example:
        >>> register_realisation("multiplexed", Multiplexed)
        >>> REALISATIONS.resolve("multiplexed")
        Multiplexed()
    """
    REALISATIONS.register(name, item)


def realisation_at(realisation: Realisation, order: int) -> Realisation:
    """The realisation that builds a neuron of an order.

    Args:
        realisation: The chosen one.
        order: Order of the neuron.

    Returns:
        The chosen one; for order 0, where there is nothing to sharpen, :class:`Unsharpened`
        whichever is chosen.

    Example:
        >>> realisation_at(Amplified(), order=1), realisation_at(Amplified(), order=0)
        (Amplified(length=7), Unsharpened())
    """
    return realisation if order else Unsharpened()


def realisations_of(semantics: Semantics) -> list[Realisation]:
    """Every realisation of a semantics that has a name, the one that is taken by default first."""
    every = (REALISATIONS.make(name) for name in REALISATIONS.names())
    found = [realisation for realisation in every if realisation.semantics == semantics]
    return sorted(found, key=lambda each: each != realisation_of(None, semantics))


def realisation_of(
    given: Realisation | str | None, semantics: Semantics, order: int = 1
) -> Realisation:
    """The realisation that a user gives, names or leaves open.

    Args:
        given: A realisation; a name, with options after commas if it takes any, such as
            ``"amplified,length=5"``; ``"module:attribute"``, which names one or what makes one; or
            None for the exact one of the semantics.
        semantics: Of the model that it is for.
        order: Of the model's neurons. Those of order 0 are the same in every realisation, whatever
            its semantics.

    Raises:
        TypeError: If it is none of these.
        ValueError: If it has no such name or options, or gives other semantics.

    Example:
        >>> realisation_of("amplified,length=5", "unitary")
        Amplified(length=5)
        >>> realisation_of(None, "postselected")
        Postselect()
    """
    if given is None:
        return Postselect() if semantics == "postselected" else Multiplexed()
    realisation = REALISATIONS.resolve(given)
    if order and realisation.semantics != semantics:
        fitting = [fit.name for fit in realisations_of(semantics)]
        raise ValueError(
            f"realisation {realisation.name!r} gives neurons of {realisation.semantics!r} "
            f"semantics, but the model's semantics are {semantics!r}: choose from {fitting}"
        )
    return realisation
