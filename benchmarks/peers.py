"""Times other simulators of quantum circuits on the same cell and sequences, and checks them.

Each row is one simulator at one size: the log-likelihood of a batch of random sequences, and its
gradient in all parameters of the network. Before anything is timed, both must equal this package's
to 1e-6. Neurons have unitary semantics, which need no ancillas and no postselection of them: the
least that any simulator can be asked for. Everything runs in double precision; this package and the
other take turns in one process, and medians are compared.

A neuron reaches a simulator in one of two forms:

- ``gates``: ``2**m`` RY and as many CNOT gates for m controls, the circuit that a chip would run.
- ``multiplexers``: one operation of ``2**m`` blocks, whose matrix is worked out for the simulator
  beforehand. Aer has it natively; the others take it as one matrix on all wires.

The files of ``benchmarks/simulators`` say how else each simulator is run at its best: in batches
where it can, with circuits that are built or compiled once where that is possible. The first calls,
which include compiling, are in the last column and do not count in the medians.

A size at which a process has not finished within the limit, imports and compilation included, is
over the limit, and larger sizes are not tried. With the default limit this takes up to an hour on
two cores. Prints Markdown.

    pip install -e ".[peers]"
    python -m benchmarks.peers [--limit 120] [--only default.qubit Aer]
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.simulators.aer import aer
from benchmarks.simulators.circuit import Form, StepCircuit, step_angles, step_circuit
from benchmarks.simulators.deepquantum import deepquantum
from benchmarks.simulators.likelihood import Simulator, UnsupportedError
from benchmarks.simulators.pennylane_devices import default_qubit, lightning_qubit
from benchmarks.simulators.tensorcircuit import tensorcircuit
from benchmarks.tables import print_head, print_row
from qrnn_circuits import QRNN, Initialisation

TOLERANCE = 1e-6
# Calls of this package for each call of the other; one more comes first to warm the caches up.
OWN_CALLS = 3


@dataclass(frozen=True)
class Peer:
    """A simulator and how it gets the neurons.

    Attributes:
        name: As it is printed.
        form: How a neuron is written.
        make: Prepares the simulator for a circuit.
        has_gradient: Whether it can differentiate.
    """

    name: str
    form: Form
    make: Callable[[StepCircuit], Simulator]
    has_gradient: bool = True


PEERS = (
    Peer("default.qubit", "gates", default_qubit),
    Peer("default.qubit", "multiplexers", default_qubit),
    Peer("lightning.qubit", "gates", lightning_qubit),
    Peer("Aer", "multiplexers", aer, has_gradient=False),
    Peer("DeepQuantum", "gates", deepquantum),
    Peer("DeepQuantum", "multiplexers", deepquantum),
    Peer("TensorCircuit-NG", "gates", tensorcircuit),
    Peer("TensorCircuit-NG", "multiplexers", tensorcircuit),
)

# Modules of the extra "peers".
MODULES = {"DeepQuantum": ("deepquantum",), "TensorCircuit-NG": ("jax", "tensorcircuit")}


@dataclass(frozen=True)
class Size:
    """A cell and a batch.

    Attributes:
        workspace: Number W of workspace wires.
        lane: Number I of lane wires.
        stages: Number of work stages.
        degree: Degree of the neurons' polynomials.
        batch: Number B of sequences.
        steps: Number T of steps.
    """

    workspace: int
    lane: int
    stages: int
    degree: int
    batch: int
    steps: int

    @property
    def cell(self) -> str:
        """W, I, stages and degree."""
        return f"{self.workspace}, {self.lane}, {self.stages}, {self.degree}"

    @property
    def shape(self) -> str:
        """B and T."""
        return f"{self.batch}, {self.steps}"

    def at_least(self, other: "Size") -> bool:
        """Whether it is nowhere smaller."""
        return all(mine >= its for mine, its in zip(astuple(self), astuple(other), strict=True))


SIZES = (
    Size(2, 1, 1, 2, batch=1, steps=2),
    Size(2, 1, 1, 2, batch=8, steps=10),
    Size(3, 2, 1, 2, batch=8, steps=4),
    Size(4, 2, 1, 3, batch=8, steps=36),
    Size(5, 3, 1, 3, batch=8, steps=10),
    Size(5, 3, 2, 3, batch=2, steps=20),
    Size(5, 3, 1, 3, batch=128, steps=50),
    Size(6, 2, 2, 3, batch=160, steps=6),
    Size(8, 2, 2, 2, batch=8, steps=20),
    Size(8, 2, 2, 2, batch=100, steps=100),
)

Answer = tuple[float, list[Tensor] | None]
Likelihood = Callable[[QRNN, Tensor, Tensor, bool], Answer]
"""The log-likelihood of all outcomes and, where it is wanted, its gradient in the parameters."""


class Timing(NamedTuple):
    """Seconds of one call.

    Attributes:
        other: The simulator, median.
        own: This package, median.
        first: The simulator's first call.
    """

    other: float
    own: float
    first: float


def own_likelihood(model: QRNN, inputs: Tensor, outcomes: Tensor, gradient: bool) -> Answer:
    """By this package."""
    with torch.set_grad_enabled(gradient):
        value = -outcomes.numel() * model.loss(inputs, outcomes)
    if not gradient:
        return value.item(), None
    return value.item(), list(torch.autograd.grad(value, list(model.parameters())))


def peer_likelihood(peer: Peer, model: QRNN) -> Likelihood:
    """By a simulator, prepared for this size of network."""
    simulator = peer.make(step_circuit(model, peer.form))

    def likelihood(model: QRNN, inputs: Tensor, outcomes: Tensor, gradient: bool) -> Answer:
        with torch.set_grad_enabled(gradient):
            angles = step_angles(model, peer.form)
        value, slope = simulator(angles.detach(), inputs, outcomes, gradient)
        if slope is None:
            return value, None
        return value, list(torch.autograd.grad(angles, list(model.parameters()), slope))

    return likelihood


def check(own: Answer, other: Answer) -> None:
    """Compares values and gradients.

    Raises:
        ValueError: If they differ.
    """
    own_values, other_values = (
        torch.cat([torch.tensor([value]), *(part.flatten() for part in gradient or [])])
        for value, gradient in (own, other)
    )
    error = float((own_values - other_values).abs().max())
    if not error <= TOLERANCE:
        raise ValueError(f"the simulator must agree to {TOLERANCE:g}, but is off by {error:g}")


def measure(peer: Peer, size: Size, repeats: int, enough: float, results: Connection) -> None:
    """Sends a :class:`Timing` of the forward pass and then one of the gradient, or why not.

    Args:
        peer: The simulator.
        size: Of the network and the batch.
        repeats: Number of timed calls.
        enough: Seconds after which no further call is made.
        results: Where the results go.
    """
    start = time.perf_counter()
    # PennyLane makes torch tensors of the numbers that devices return.
    torch.set_default_dtype(torch.float64)
    generator = torch.Generator().manual_seed(0)
    model = QRNN(
        lane=size.lane,
        workspace=size.workspace,
        stages=size.stages,
        degree=size.degree,
        semantics="unitary",
        initialisation=Initialisation(0.5, 0.5, 0.5),
        generator=generator,
        dtype=torch.float64,
    )
    shape = (size.batch, size.steps)
    inputs, outcomes = (torch.randint(2**size.lane, shape, generator=generator) for _ in range(2))

    def timed(likelihood: Likelihood, gradient: bool) -> tuple[float, Answer]:
        begin = time.perf_counter()
        answer = likelihood(model, inputs, outcomes, gradient)
        return time.perf_counter() - begin, answer

    likelihood = peer_likelihood(peer, model)
    for gradient in (False, True)[: 1 + peer.has_gradient]:
        try:
            first, answer = timed(likelihood, gradient)
        except UnsupportedError as error:
            results.send(str(error))
            return
        check(own_likelihood(model, inputs, outcomes, gradient), answer)
        own: list[float] = []
        other: list[float] = []
        while len(other) < repeats and (not other or time.perf_counter() - start < enough):
            other.append(timed(likelihood, gradient)[0])
            calls = [timed(own_likelihood, gradient)[0] for _ in range(1 + OWN_CALLS)]
            own += calls[1:]
        results.send(Timing(statistics.median(other), statistics.median(own), first))


def limited(
    peer: Peer, size: Size, repeats: int, limit: float, memory: int, results: Connection
) -> None:
    """Measures with at most so many bytes of memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        measure(peer, size, repeats, limit / 2, results)
    except (MemoryError, RuntimeError) as error:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "memory" in text or "alloc" in text:
            results.send("out of memory")
        else:
            raise


def measured(
    peer: Peer, size: Size, arguments: argparse.Namespace
) -> tuple[list[Timing], str | None]:
    """Measures in a process of its own.

    Returns:
        The timings, and what came in place of the next one.

    Raises:
        RuntimeError: If the process failed.
    """
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(
        target=limited,
        args=(peer, size, arguments.repeats, arguments.limit, arguments.memory << 30, sending),
    )
    end = time.monotonic() + arguments.limit
    process.start()
    sending.close()
    timings: list[Timing] = []
    try:
        while receiving.poll(max(0, end - time.monotonic())):
            result = receiving.recv()
            if isinstance(result, str):
                return timings, result
            timings.append(result)
    except EOFError:
        process.join()
        code = process.exitcode or 0
        if code > 0:
            raise RuntimeError(f"{peer.name} ({peer.form}) failed at {size}: see above") from None
        return timings, f"signal {-code}" if code else None
    finally:
        process.kill()
        process.join()
    return timings, "over the limit"


def cells(peer: Peer, timings: list[Timing], missing: str | None) -> list[str]:
    """The columns of a row after the simulator's name."""
    columns = []
    for timing in timings:
        columns += [
            f"{1e3 * timing.other:,.2f}",
            f"{1e3 * timing.own:,.2f}",
            f"{timing.other / timing.own:,.3g}x",
        ]
    if len(timings) == 1 and not peer.has_gradient:
        missing = "has none"
    if missing is not None:
        columns += [missing, "", ""]
    columns += [""] * (6 - len(columns))
    return [*columns, f"{sum(timing.first for timing in timings):.2f}" if timings else ""]


def main() -> None:
    """Prints the table, each row as soon as it is known, and the smallest ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = sorted({peer.name for peer in PEERS})
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--limit", type=float, default=120, help="seconds for each row")
    parser.add_argument("--memory", type=int, default=12, help="GiB for each row")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="only the first so many")
    arguments = parser.parse_args()
    absent = sorted(
        module
        for name in arguments.only
        for module in MODULES.get(name, ())
        if find_spec(module) is None
    )
    if absent:
        raise SystemExit(
            f"{', '.join(absent)} not installed: pip install -e '.[peers]', or choose others "
            "with --only"
        )
    columns = ["W, I, stages, degree", "B, T", "simulator", "neurons as"]
    for name in ("forward", "gradient"):
        columns += [f"{name} [ms]", "this package [ms]", "ratio"]
    columns.append("first calls [s]")
    print_head(columns, texts=4)
    over: list[tuple[Peer, Size]] = []
    smallest: dict[tuple[str, str], tuple[float, str]] = {}
    for size in SIZES[: arguments.sizes]:
        for peer in PEERS:
            if peer.name not in arguments.only:
                continue
            timings: list[Timing] = []
            missing: str | None = "not tried"
            if not any(peer == other and size.at_least(least) for other, least in over):
                timings, missing = measured(peer, size, arguments)
                if not timings:
                    over.append((peer, size))
            row = [size.cell, size.shape, peer.name, peer.form, *cells(peer, timings, missing)]
            print_row(row)
            for name, timing in zip(("forward", "gradient"), timings, strict=False):
                found = (timing.other / timing.own, f"{peer.name} at {size.cell}; {size.shape}")
                key = (peer.form, name)
                smallest[key] = min(found, smallest.get(key, found))
    print()
    for (form, name), (ratio, where) in sorted(smallest.items()):
        print(f"{form}, {name}: smallest ratio {ratio:,.3g} ({where})")


if __name__ == "__main__":
    main()
