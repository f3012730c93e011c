"""Where the 2x2 blocks of a step's gates come from: given tables, or a cell, neuron by neuron.

A block ``[[c, -s], [s, c]]`` is kept as the complex number ``c + i s``: applied to a pair of real
amplitudes it is a complex product, and its inverse is the reciprocal. The blocks of a gate for one
input symbol are ``2**(W-1)`` complex numbers, one for each pattern of the other workspace wires, in
the order of the wires after the target and then those before it, or one for a rotation without
controls.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.angle_checks import check_parameters
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.gates import WorkspaceGate
from qrnn_circuits.neuron import block_amplitudes
from qrnn_circuits.polynomial_table import PolynomialTable, signs

# The blocks of a cell, and what is derived from them, are kept while they take no more than this.
MOST_KEPT_BYTES = 2**30


class SymbolGroup(NamedTuple):
    """Rows of a batch that go through the gates together.

    Attributes:
        symbols: The different input symbols that they have.
        row_symbols: The symbol of each row, int64, shape ``(b,)``, if there is more than one.
        rows: Which rows they are, int64, shape ``(b,)``, if there are others.
    """

    symbols: tuple[int, ...]
    row_symbols: Tensor | None
    rows: Tensor | None


class StepBlocks(ABC):
    """The blocks of the input and work stages of one step, in the order in which they act.

    Attributes:
        workspace: Number W of workspace wires.
        targets: Position of each gate's target among them.
        mixed: Whether a group may have several symbols.
    """

    workspace: int
    targets: list[int]
    mixed: bool

    @abstractmethod
    def block(self, gate: int, group: SymbolGroup) -> Tensor:
        """A gate's blocks, of a shape that broadcasts to ``(b, 2**(W-1))``."""

    @abstractmethod
    def back(self, gate: int, group: SymbolGroup) -> Tensor:
        """The inverses of a gate's blocks, which may not be finite, and their conjugates.

        Returns:
            A shape that broadcasts to ``(2, b, 2**(W-1))``.
        """

    @abstractmethod
    def log_conditions(self, symbols: tuple[int, ...]) -> list[float]:
        """Natural log of the condition number of each gate: its largest block norm by its smallest.

        That of the worst symbol, if there are several.
        """

    def log_scale(self, symbol: int) -> Tensor | float:
        """Natural log of a factor that the product of a step's blocks for this symbol lacks."""
        return 0.0

    @abstractmethod
    def add_gradient(self, gate: int, group: SymbolGroup, gradient: Tensor) -> None:
        """Adds to the gradient of a gate's blocks.

        Args:
            gate: Position of the gate.
            group: The rows.
            gradient: Of each row, shape ``(b, 2**(W-1))``: real parts that of ``c``, imaginary
                parts that of ``s``.
        """

    @abstractmethod
    def take_gradients(self) -> tuple[Tensor, ...]:
        """Gradients of the tensors that the blocks depend on; those start again from zero."""


class GivenBlocks(StepBlocks):
    """Blocks from tables; the gradients are those of ``cos`` and ``sin`` of each gate in turn."""

    mixed = True

    def __init__(self, gates: Sequence[WorkspaceGate]) -> None:
        """Takes the tables without their history.

        Args:
            gates: From :meth:`QRNNCell.step_gates`.
        """
        self.workspace = max(gate.cos.shape[1] for gate in gates).bit_length()
        self.targets = [gate.target for gate in gates]
        self._blocks = [
            _wires_before_last(torch.complex(gate.cos.detach(), gate.sin.detach()), gate.target)
            for gate in gates
        ]
        self._backs: dict[int, Tensor] = {}
        self._gradients: dict[int, Tensor] = {}
        self._log_conditions: list[list[float]] | None = None

    def block(self, gate: int, group: SymbolGroup) -> Tensor:
        """See :class:`StepBlocks`."""
        return _of_group(self._blocks[gate], group)

    def back(self, gate: int, group: SymbolGroup) -> Tensor:
        """See :class:`StepBlocks`."""
        if gate not in self._backs:
            self._backs[gate] = _back(self._blocks[gate])
        return _of_group(self._backs[gate], group)

    def log_conditions(self, symbols: tuple[int, ...]) -> list[float]:
        """See :class:`StepBlocks`."""
        if self._log_conditions is None:
            conditions = [_log_condition(_squared_norms(block)) for block in self._blocks]
            most = max(map(len, conditions))
            self._log_conditions = torch.stack([c.expand(most) for c in conditions]).tolist()
        return [max(row[symbol] for symbol in symbols) for row in self._log_conditions]

    def add_gradient(self, gate: int, group: SymbolGroup, gradient: Tensor) -> None:
        """See :class:`StepBlocks`."""
        block = self._blocks[gate]
        if gate not in self._gradients:
            self._gradients[gate] = torch.zeros_like(block)
        total = self._gradients[gate]
        if block.numel() == 1:
            total += gradient.sum()
        elif group.row_symbols is None or len(total) == 1:
            total[group.symbols[0] if len(total) > 1 else 0] += gradient.sum(0)
        else:
            total.index_add_(0, group.row_symbols, gradient)

    def take_gradients(self) -> tuple[Tensor, ...]:
        """See :class:`StepBlocks`."""
        gradients, self._gradients = self._gradients, {}
        result = []
        for gate, target in enumerate(self.targets):
            total = gradients.get(gate)
            if total is None:
                total = torch.zeros_like(self._blocks[gate])
            total = _wires_before_first(total, target)
            result += [total.real, total.imag]
        return tuple(result)


class _Gate(NamedTuple):
    """A neuron, with its row of the coefficients, or a rotation, with its row of theta.

    Attributes:
        target: Position of the target among the workspace wires.
        neuron: The neuron's row of the coefficients; None for a rotation.
        stage: The rotation's row of theta.
    """

    target: int
    neuron: int | None
    stage: int


class CellBlocks(StepBlocks):
    """Blocks from a cell's parameters, evaluated for one neuron and input symbol at a time.

    The blocks of a neuron for a symbol lack a common positive factor, see :meth:`log_scale`, so
    that the largest has norm 1. The gradients are those of the coefficients and of theta. Large
    tables are not kept but evaluated again: memory does not grow with the number of neurons.
    """

    mixed = False

    def __init__(self, cell: QRNNCell, symbols: Collection[int], dtype: torch.dtype) -> None:
        """Takes the cell's current parameters without their history.

        Args:
            cell: The cell.
            symbols: The different input symbols that occur.
            dtype: Type of the blocks.

        Raises:
            ParameterRangeError: If a parameter is not finite or too large for an angle.
        """
        check_parameters(cell)
        wires, neurons = cell.workspace, cell.workspace * (1 + cell.stages)
        self._coefficients = cell.coefficients.detach().to(dtype)
        self._theta = cell.theta.detach().to(dtype)
        self._gates: list[_Gate] = []
        for stage in range(1 + cell.stages):
            if stage > 0:
                self._gates += [_Gate(wire, None, stage - 1) for wire in range(wires)]
            self._gates += [_Gate(wire, stage * wires + wire, stage) for wire in range(wires)]
        self.workspace = wires
        self.targets = [gate.target for gate in self._gates]
        self._order, self._semantics = cell.order, cell.semantics
        self._table = PolynomialTable(wires - 1, cell.degree, cell.basis)
        self._patterns = cell.polynomial.patterns
        self._terms: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor]] = {}
        # Of each neuron and symbol: blocks, inverses, conjugates and gradients.
        kept = 4 * neurons * len(symbols) * 2**wires * self._coefficients.element_size()
        self._keep = kept <= MOST_KEPT_BYTES
        self._blocks: dict[tuple[int, int], Tensor] = {}
        self._backs: dict[tuple[int, int], Tensor] = {}
        self._gradients: dict[tuple[int, int], Tensor] = {}
        self._norms: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._log_scales: dict[int, Tensor] = {}
        self._totals: tuple[Tensor, Tensor] | None = None

    def block(self, gate: int, group: SymbolGroup) -> Tensor:
        """See :class:`StepBlocks`."""
        return self._block(gate, group.symbols[0])

    def back(self, gate: int, group: SymbolGroup) -> Tensor:
        """See :class:`StepBlocks`."""
        key = gate, group.symbols[0]
        if key in self._backs:
            return self._backs[key]
        back = _back(self._block(*key))
        if self._keep:
            self._backs[key] = back
        return back

    def log_conditions(self, symbols: tuple[int, ...]) -> list[float]:
        """See :class:`StepBlocks`."""
        (symbol,) = symbols
        conditions = iter(torch.stack([condition for _, condition in self._known(symbol)]).tolist())
        return [0.0 if gate.neuron is None else next(conditions) for gate in self._gates]

    def log_scale(self, symbol: int) -> Tensor:
        """See :class:`StepBlocks`; shape ``()``, float64."""
        if symbol not in self._log_scales:
            self._log_scales[symbol] = torch.stack([n.log() for n, _ in self._known(symbol)]).sum()
        return self._log_scales[symbol]

    def add_gradient(self, gate: int, group: SymbolGroup, gradient: Tensor) -> None:
        """See :class:`StepBlocks`."""
        key = gate, group.symbols[0]
        rotation = self._gates[gate].neuron is None
        gradient = gradient.sum().reshape(1) if rotation else gradient.sum(0)
        if not self._keep:
            self._absorb(*key, gradient)
        elif key in self._gradients:
            self._gradients[key] += gradient
        else:
            self._gradients[key] = gradient

    def take_gradients(self) -> tuple[Tensor, ...]:
        """See :class:`StepBlocks`."""
        while self._gradients:
            (gate, symbol), gradient = self._gradients.popitem()
            self._absorb(gate, symbol, gradient)
        totals, self._totals = self._totals, None
        return totals or (torch.zeros_like(self._coefficients), torch.zeros_like(self._theta))

    def _block(self, gate: int, symbol: int) -> Tensor:
        key = gate, symbol
        if key in self._blocks:
            return self._blocks[key]
        target, neuron, stage = self._gates[gate]
        if neuron is None:
            block = _rotation(self._theta[stage, target])
        else:
            cos, sin = self._amplitudes(self._coefficients[neuron], target, symbol)
            squares = cos * cos + sin * sin
            if key not in self._norms:
                self._norms[key] = squares.amax().double().sqrt(), _log_condition(squares)
            norm = self._norms[key][0].to(cos.dtype)
            block = torch.complex(cos / norm, sin / norm)
        if self._keep:
            self._blocks[key] = block
        return block

    def _absorb(self, gate: int, symbol: int, gradient: Tensor) -> None:
        """Turns a gradient of some blocks into one of the parameters."""
        if self._totals is None:
            self._totals = torch.zeros_like(self._coefficients), torch.zeros_like(self._theta)
        target, neuron, stage = self._gates[gate]
        with torch.enable_grad():
            if neuron is None:
                total = self._totals[1][stage, target]
                angle = self._theta[stage, target].clone().requires_grad_()
                (gradient,) = torch.autograd.grad(_rotation(angle), angle, gradient)
            else:
                total = self._totals[0][neuron]
                coefficients = self._coefficients[neuron].clone().requires_grad_()
                amplitudes = self._amplitudes(coefficients, target, symbol)
                norm = self._norms[gate, symbol][0].to(total.dtype)
                parts = (gradient.real / norm, gradient.imag / norm)
                (gradient,) = torch.autograd.grad(amplitudes, coefficients, parts)
        total += gradient

    def _amplitudes(self, coefficients: Tensor, target: int, symbol: int) -> tuple[Tensor, Tensor]:
        """A neuron's ``c`` and ``s`` for one symbol, in the order of the blocks."""
        places, values, cells = self._terms_of(target, symbol)
        angles = self._table.table(coefficients[places] * values, cells)
        return block_amplitudes(angles, self._order, self._semantics)

    def _terms_of(self, target: int, symbol: int) -> tuple[Tensor, Tensor, Tensor]:
        """The coefficients that count for a symbol: places, their factors, cells in the table."""
        key = target, symbol
        if key not in self._terms:
            others = self.workspace - 1
            of_lane = self._patterns >> others
            if self._table.basis == "monomials":
                values = (of_lane & ~symbol == 0).long()
            else:
                values = signs(of_lane & symbol)
            places = values.nonzero()[:, 0]
            patterns = self._patterns[places] & (1 << others) - 1
            # The wires before the target go behind the others.
            patterns = (patterns << target | patterns >> others - target) & (1 << others) - 1
            cells = self._table.cells(patterns).to(self._coefficients.device)
            factors = values[places].to(self._coefficients)
            self._terms[key] = places.to(cells.device), factors, cells
        return self._terms[key]

    def _known(self, symbol: int) -> list[tuple[Tensor, Tensor]]:
        """Each neuron's largest block norm, and log of its condition number."""
        neurons = [i for i, gate in enumerate(self._gates) if gate.neuron is not None]
        for gate in neurons:
            if (gate, symbol) not in self._norms:
                self._block(gate, symbol)
        return [self._norms[gate, symbol] for gate in neurons]


def _rotation(angle: Tensor) -> Tensor:
    return torch.complex((angle / 2).cos(), (angle / 2).sin()).reshape(1)


def _wires_before_last(table: Tensor, target: int) -> Tensor:
    """Moves the wires before the target behind the others, ``(rows, 2**(W-1))`` as before."""
    if table.shape[1] == 1:
        return table
    return table.reshape(len(table), 2**target, -1).mT.flatten(1)


def _wires_before_first(table: Tensor, target: int) -> Tensor:
    """Undoes :func:`_wires_before_last`."""
    if table.shape[1] == 1:
        return table
    return table.reshape(len(table), -1, 2**target).mT.flatten(1)


def _of_group(table: Tensor, group: SymbolGroup) -> Tensor:
    """A group's entries of ``(..., 2**I or 1, 2**(W-1) or 1)``."""
    if table.shape[-2] == 1:
        return table
    if group.row_symbols is None:
        return table.narrow(-2, group.symbols[0], 1)
    return table.index_select(-2, group.row_symbols)


def _back(block: Tensor) -> Tensor:
    """Inverses and conjugates, with one more dimension in front of the last two."""
    block = block if block.ndim > 1 else block[None]
    conjugate = block.conj().resolve_conj()
    squares = _squared_norms(block)
    inverse = torch.complex(block.real / squares, -block.imag / squares)
    return torch.stack((inverse, conjugate))


def _squared_norms(block: Tensor) -> Tensor:
    return block.real.square() + block.imag.square()


def _log_condition(squares: Tensor) -> Tensor:
    """Natural log of the largest by the smallest norm in the last dimension, float64."""
    smallest, largest = (bound.double().log() for bound in squares.aminmax(dim=-1))
    return (largest - smallest) / 2
