"""The quantum neuron: a rotation of one wire, sharpened by its order, that other wires control."""

from dataclasses import dataclass
from math import pi
from typing import get_args

import torch
from torch import Tensor, nn

from qrnn_circuits.angle_checks import check_parameters
from qrnn_circuits.checks import as_integer, check_choice, check_number, plain
from qrnn_circuits.choices import Semantics as Semantics
from qrnn_circuits.polynomial import BooleanPolynomial
from qrnn_circuits.random_parameters import draw_normal
from qrnn_circuits.saved_options import SavedOptions
from qrnn_circuits.tensors import check_finite, check_tensor, check_type, real_type
from qrnn_circuits.tracing import RestrictedModule, renew_parameters

# From order 7 on, squares of the smallest block amplitudes are not normal float32 numbers.
MAX_ORDER = 6
# Beyond, the amplitudes of many trained networks underflow within a single step.
MOST_ORDER_IN_FLOAT32 = {"postselected": 4, "unitary": 5}


@dataclass(frozen=True)
class Initialisation:
    """Standard deviations of the normally distributed initial parameters, in radians.

    Sharpened neurons start half way between both ends of their activation. Neurons of order 0 start
    near the identity, so that a state lasts over many steps.

    Attributes:
        bias_spread: Of the biases, around pi/2 and by default 0.1; of order 0, around 0 and by
            default 0.05.
        weight_spread: Of the other polynomial coefficients, around 0, by default 0; of order 0, by
            default 0.02.
        theta_spread: Of the angles of the work stages' own rotations, around 0.

    Example:
        Two neurons of two controls:

        >>> Initialisation(bias_spread=0.0).coefficients((2, 3), order=1)
        tensor([[1.5708, 0.0000, 0.0000],
                [1.5708, 0.0000, 0.0000]], dtype=torch.float64)
    """

    bias_spread: float | None = None
    weight_spread: float | None = None
    theta_spread: float = 0.01

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None or name == "theta_spread":
                object.__setattr__(self, name, check_number(name, plain(value)))

    def coefficients(
        self,
        shape: tuple[int, ...],
        order: int,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Draws polynomial coefficients.

        Args:
            shape: Their shape, the bias first in the last dimension.
            order: Order of the neurons.
            generator: Source of randomness, a CPU generator.
            device: Where they are to live in the end; for ``"meta"`` none are drawn.

        Returns:
            Of the given shape, float64, on the CPU or the device ``"meta"``.
        """
        centre, bias_spread, weight_spread = (pi / 2, 0.1, 0.0) if order else (0.0, 0.05, 0.02)
        if self.bias_spread is not None:
            bias_spread = self.bias_spread
        if self.weight_spread is not None:
            weight_spread = self.weight_spread
        values = weight_spread * draw_normal(shape, generator, device)
        values[..., 0] = centre + bias_spread * draw_normal(shape[:-1], generator, device)
        return values

    def theta(
        self,
        shape: tuple[int, ...],
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Draws angles of the work stages' own rotations.

        Args:
            shape: Their shape.
            generator: Source of randomness, a CPU generator.
            device: Where they are to live in the end; for ``"meta"`` none are drawn.

        Returns:
            Of the given shape, float64, on the CPU or the device ``"meta"``.
        """
        return self.theta_spread * draw_normal(shape, generator, device)


def initialisation_of(given: Initialisation | None) -> Initialisation:
    """The given spreads, or by default the usual ones; a ``TypeError`` where they are none."""
    if given is not None and not isinstance(given, Initialisation):
        raise TypeError(
            f"initialisation must be an Initialisation, got a {type(given).__name__}: take "
            "Initialisation(bias_spread=0.1), for instance"
        )
    return given or Initialisation()


def check_neuron_options(order: int, semantics: str) -> int:
    """Raises a ``ValueError`` where no neuron of this order or semantics exists.

    Returns:
        The order, which is an integer, or a ``TypeError`` is raised.
    """
    order = as_integer("order", order, -(2**63))
    if not 0 <= order <= MAX_ORDER:
        raise ValueError(f"order must be between 0 and {MAX_ORDER}, got {order}")
    check_choice("semantics", semantics, get_args(Semantics))
    return order


def type_of_states(order: int, semantics: str, dtype: torch.dtype) -> torch.dtype:
    """The type in which states go through such neurons, whose parameters are of a given type."""
    return torch.float64 if order > MOST_ORDER_IN_FLOAT32[semantics] else dtype


def block_amplitudes(angles: Tensor, order: int, semantics: Semantics) -> tuple[Tensor, Tensor]:
    """The entries of the neuron's real 2x2 block ``[[c, -s], [s, c]]``.

    ``c = cos(phi/2)**(2**order)`` and ``s = sin(phi/2)**(2**order)``, after Cao, Guerreschi and
    Aspuru-Guzik, arXiv:1711.11240. For ``"unitary"`` both are divided by ``sqrt(c*c + s*s)``, which
    gives a rotation by ``f`` with ``tan(f/2) = tan(phi/2)**(2**order)``. Order 0 is the rotation
    ``RY(phi)`` itself in both.

    Args:
        angles: ``phi`` in radians, any shape.
        order: From 0 to ``MAX_ORDER``.
        semantics: ``"postselected"`` or ``"unitary"``.

    Returns:
        ``c`` and ``s``, each of the shape of ``angles``. Both are at least 0, but of order 0 they
        have the signs of the cosine and sine. For ``"postselected"``, ``c*c + s*s`` is the
        probability that every ancilla reads 0; of order 0 there is none, and it is 1.
    """
    half = angles / 2
    cos, sin = half.cos(), half.sin()
    if order == 0:
        return cos, sin
    for _ in range(order):
        cos, sin = cos * cos, sin * sin
    if semantics == "unitary":
        norm = (cos * cos + sin * sin).sqrt()
        return cos / norm, sin / norm
    return cos, sin


def apply_blocks(state: Tensor, cos: Tensor, sin: Tensor, target: int) -> Tensor:
    """Applies one block ``[[c, -s], [s, c]]`` to the target wire for each pattern of the others.

    Args:
        state: Amplitudes, shape ``(*lead, 2**n, R)``: n wires, the first the most significant, and
            R columns that are all treated alike.
        cos: ``c`` for each pattern of the n - 1 other wires, broadcastable to
            ``(*lead, 2**(n-1), R)``.
        sin: ``s`` for each of these patterns, of the shape of ``cos``.
        target: Position of the target wire, from 0 to n - 1.

    Returns:
        The new amplitudes, of the shape of ``state``.
    """
    before = 2**target

    def split(blocks: Tensor) -> Tensor:
        patterns = blocks.shape[-2]
        middle = (1, 1) if patterns == 1 else (before, patterns // before)
        return blocks.reshape(*blocks.shape[:-2], *middle, blocks.shape[-1])

    zero, one = state.unflatten(-2, (before, 2, -1)).unbind(-3)
    cos, sin = split(cos), split(sin)
    return torch.stack((cos * zero - sin * one, sin * zero + cos * one), -3).reshape(state.shape)


class QuantumNeuron(SavedOptions, RestrictedModule):
    """One quantum neuron of trainable coefficients.

    The rotation angle is a Boolean polynomial ``phi`` of the controls, sharpened by the order
    (Bausch, arXiv:2006.14619, section 3). See :func:`block_amplitudes` for the two semantics.

    Attributes:
        polynomial: The :class:`BooleanPolynomial` of the angle.
        coefficients: Its trainable coefficients, shape ``(P,)``, the bias first.
        order: How often the activation is sharpened; 0 for the rotation by ``phi`` itself.
        semantics: ``"postselected"`` or ``"unitary"``.

    Example:
        A neuron with angle ``phi = pi/2 + 0.6 * x`` sharpens it away from ``pi/2``:

        >>> neuron = QuantumNeuron(1, order=1, degree=1)
        >>> with torch.no_grad():
        ...     _ = neuron.coefficients.copy_(torch.tensor([pi / 2, 0.6]))
        ...     neuron.angles(), neuron.activation(), neuron.success_probability()
        (tensor([1.5708, 2.1708]), tensor([1.5708, 2.5988]), tensor([0.5000, 0.6594]))
    """

    def __init__(
        self,
        controls: int,
        *,
        order: int = 2,
        degree: int = 2,
        semantics: Semantics = "postselected",
        initialisation: Initialisation | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draws the initial coefficients.

        Args:
            controls: Number of control wires m, at least 1.
            order: From 0 to ``MAX_ORDER``.
            degree: Degree of the polynomial, from 1 to ``controls``.
            semantics: ``"postselected"`` or ``"unitary"``.
            initialisation: Spreads of the initial coefficients.
            generator: Source of randomness, a CPU generator.
            device: Where the coefficients live.
            dtype: Their type, float32 or float64; by default torch's default type.

        Raises:
            ValueError: If an option is out of range.
        """
        super().__init__()
        self.order = check_neuron_options(order, semantics)
        self.polynomial = BooleanPolynomial(as_integer("controls", controls, 1), degree)
        self.semantics: Semantics = semantics
        home = device or torch.get_default_device()
        initial = initialisation_of(initialisation).coefficients(
            (self.polynomial.size,), order, generator, home
        )
        self.coefficients = nn.Parameter(initial.to(real_type(dtype)))
        check_parameters(self)
        self.to(home)

    def angles(self) -> Tensor:
        """The polynomial ``phi`` for each control pattern, in radians, shape ``(2**m,)``."""
        renew_parameters(self)
        check_parameters(self)
        return self.polynomial.table(self.coefficients)

    def activation(self) -> Tensor:
        """The angle ``f`` with ``tan(f/2) = tan(phi/2)**(2**order)``, shape ``(2**m,)``.

        It is in [0, pi]; of order 0 it is ``phi``, to a multiple of 4 pi.
        """
        cos, sin = block_amplitudes(self.angles(), self.order, "postselected")
        return 2 * torch.atan2(sin, cos)

    def success_probability(self) -> Tensor:
        """Probability that every ancilla reads 0, for each control pattern, shape ``(2**m,)``.

        Of order 0, which has no ancilla, it is 1.
        """
        if self.order == 0:
            return torch.ones_like(self.angles())
        cos, sin = block_amplitudes(self.angles(), self.order, self.semantics)
        return cos * cos + sin * sin

    def forward(self, state: Tensor, target: int) -> Tensor:
        """Applies the neuron to a state.

        Args:
            state: Real amplitudes of m + 1 wires, shape ``(B, 2**(m+1))``, the first wire the most
                significant. The controls are all wires but the target, in wire order.
            target: Position of the target wire, from 0 to m.

        Returns:
            Shape ``(B, 2**(m+1))``. With ``"postselected"`` semantics it is not normalised: its
            squared norm is the probability that every ancilla reads 0.

        Raises:
            TypeError: If the state is no tensor of the coefficients' type, or the target is no
                integer.
            ValueError: If the shape or the target does not fit the number of controls, or an
                amplitude is not finite.
        """
        wires = self.polynomial.variables + 1
        target = as_integer("target", target, 0, wires - 1)
        dtype = self.coefficients.dtype
        check_type("state", state, dtype, f"a tensor of the coefficients' type, {dtype}")
        check_tensor("state", state, self.coefficients)
        if state.ndim != 2 or state.shape[1] != 2**wires:
            raise ValueError(f"state must have shape (B, {2**wires}), got {tuple(state.shape)}")
        check_finite("state", state)
        cos, sin = block_amplitudes(self.angles(), self.order, self.semantics)
        return apply_blocks(state.T, cos[:, None], sin[:, None], target).T

    def sizes(self) -> dict[str, int | str]:
        """Controls, degree, order and semantics."""
        return {
            "controls": self.polynomial.variables,
            "degree": self.polynomial.degree,
            "order": self.order,
            "semantics": self.semantics,
        }

    def extra_repr(self) -> str:
        """Shows the options in ``repr``."""
        return f"order={self.order}, semantics={self.semantics!r}"
