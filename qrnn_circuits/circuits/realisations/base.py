"""What every way to build a quantum neuron as a circuit tells about itself."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from pennylane.typing import TensorLike

from qrnn_circuits.circuits.angles import Spectrum
from qrnn_circuits.neuron import Semantics, check_neuron_options

# Of hundreds of thousands of gates each, neurons would fill the memory.
MAX_ROTATIONS = 10_000


@dataclass(frozen=True)
class Realisation(ABC):
    """A way to build a quantum neuron as a circuit, with its options.

    Subclasses are frozen dataclasses: they are compared by value and can be hashed. Only
    ``semantics`` and :meth:`queue` are needed: the defaults are those of a unitary circuit without
    ancillas, and promise nothing of how near it comes. Known instances are
    :class:`~.postselect.Postselect`, :class:`~.repeat_until_success.RepeatUntilSuccess`,
    :class:`~.amplified.Amplified` and :class:`~.multiplexed.Multiplexed`. They queue
    neurons of order 1 and higher: those of order 0 are the same in all, namely
    :class:`~.unsharpened.Unsharpened`.

    Attributes:
        name: Under which it is registered. A class that sets none is named by where it can be
            imported from, as ``"module:class"``.
        semantics: What the circuit does to its target, ``"postselected"`` or ``"unitary"``; see
            :func:`qrnn_circuits.neuron.block_amplitudes`.
        exact: Whether it does exactly that, so that a simulator may apply the neuron's block in
            place of the circuit.
        postselects: Whether it postselects ancillas.
        measures: Whether it measures or resets ancillas, inside of the neuron.
        ancilla_label: What pictures write on its ancillas.

    Example:
        >>> from qrnn_circuits.circuits.realisations import RepeatUntilSuccess
        >>> realisation = RepeatUntilSuccess(attempts=2)
        >>> str(realisation), realisation.semantics, realisation.exact
        ('repeat_until_success,attempts=2', 'unitary', False)
        >>> realisation.ancillas(order=2)
        2
    """

    name: ClassVar[str]
    semantics: ClassVar[Semantics]
    exact: ClassVar[bool] = False
    postselects: ClassVar[bool] = False
    measures: ClassVar[bool] = False
    ancilla_label: ClassVar[str] = ""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "name" not in vars(cls):
            cls.name = f"{cls.__module__}:{cls.__qualname__}"
        if "queue" in vars(cls) and not hasattr(cls, "semantics"):
            raise TypeError(
                f"{cls.__qualname__}.semantics must say what queue does to its target, got "
                "nothing: write semantics = 'unitary' in the class, or 'postselected'"
            )

    def __str__(self) -> str:
        """The name and the options that are not the default ones, as ``"amplified,length=5"``."""
        changed = [
            f"{option.name}={value}"
            for option in fields(self)
            if (value := getattr(self, option.name)) != option.default
        ]
        return ",".join([self.name, *changed])

    @property
    def predictable(self) -> bool:
        """Whether the model predicts the share of shots in which the ancillas read 0."""
        return self.exact or not self.postselects

    def ancillas(self, order: int) -> int:
        """Number of ancilla wires, which start and end in 0.

        Args:
            order: Order of the neuron.
        """
        return 0

    def rotations(self, order: int) -> int:
        """How many times the circuit rotates by the polynomial, forward or backward.

        Args:
            order: Order of the neuron.
        """
        return 1

    def error(self, order: int) -> float | None:
        """How far the circuit may be from its semantics in operator norm, given success.

        Args:
            order: Order of the neuron.

        Returns:
            A bound; None where there is none, or nothing to bound.
        """
        return None

    def spectrum(
        self, coefficients: TensorLike, controls: int, *, order: int, degree: int
    ) -> Spectrum | None:
        """The parities of the controls by which the circuit rotates, for those that may be dropped.

        Args:
            coefficients: Of the polynomial, in radians, shape ``(P,)`` or ``(B, P)``.
            controls: Number m of control wires.
            order: Order of the neuron.
            degree: Degree of the polynomial.

        Returns:
            Parities and their angles, which are differentiable where the coefficients are; None
            where :meth:`queue` takes no ``parities``. Without ancillas they are those of the
            neuron's whole rotation; otherwise of what rotates the ancilla :meth:`rotations` times.
        """
        return None

    def check(self, *, order: int, controls: int) -> None:
        """Raises a ``ValueError`` where there is no such neuron, or it would fill the memory.

        Args:
            order: Order of the neuron, from 0 to ``MAX_ORDER``.
            controls: Number m of control wires.
        """
        check_neuron_options(order, self.semantics)
        rotations = self.rotations(order)
        if rotations > MAX_ROTATIONS:
            options = [option.name for option in fields(self)]
            given = " and ".join(f"{name} {getattr(self, name)}" for name in options)
            raise ValueError(
                f"realisation {self.name!r} of order {order} with {given} rotates by its "
                f"polynomial {rotations} times, which is more than the {MAX_ROTATIONS} that fit "
                f"into memory: choose a lower {' or '.join(['order', *options])}"
            )

    @abstractmethod
    def queue(
        self,
        coefficients: TensorLike,
        controls: Sequence[Hashable],
        target: Hashable,
        ancillas: Sequence[Hashable],
        *,
        order: int,
        degree: int,
        inverse: bool = False,
    ) -> None:
        """Queues the circuit: gates, mid-circuit measurements and conditioned gates.

        Args:
            coefficients: Of the polynomial, in radians, shape ``(P,)`` or ``(B, P)``.
            controls: The m control wires, in the order of the polynomial's variables.
            target: The wire that the neuron rotates.
            ancillas: As many wires as :meth:`ancillas` says; they start and end in 0.
            order: Order of the neuron.
            degree: Degree of the polynomial.
            inverse: Whether to rotate the other way.
        """
