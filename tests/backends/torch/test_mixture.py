from collections.abc import Callable, Sequence

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray

from qrnn_backends.torch.simulation import ExactBranches
from tests.backends import density
from tests.backends.density import Case, Result, Step

CPU = torch.device("cpu")
RESULTS = (
    Result("expval", ((1.0, "XZ"), (-0.5, "YI"))),
    Result("var", ((2.0, "ZX"),)),
    Result("probs", places=(1, 0)),
    Result("read", places=(0, 1)),
    Result("distribution", places=(1, 0)),
)


def steps(unread: int, postselect: int | None = None) -> tuple[Step, ...]:
    """So many measurements whose outcomes nothing uses, then two that are read."""
    repeated = [
        Step("RY", (0,), 0.9),
        Step("CRX", (0, 1), 0.6),
        Step("RX", (1,), -0.4),
        Step("CNOT", (1, 0)),
        Step("measure", (0,), reset=True),
        Step("RY", (1,), 0.3),
        Step("measure", (1,)),
    ]
    read = [
        Step("measure", (1,), postselect=postselect),
        Step("RY", (0,), 1.1, measured=(unread,), parity=0),
        Step("measure", (0,), reset=True),
        Step("CRX", (1, 0), 0.8),
    ]
    # The last two are the first ones of those that results ask for.
    return tuple((repeated * unread)[: 7 * (unread // 2)] + read)


def case(unread: int, postselect: int | None = None) -> Case:
    results = tuple(
        Result(result.kind, result.terms, tuple(place + unread for place in result.places))
        if result.kind in ("read", "distribution")
        else result
        for result in RESULTS
    )
    return Case(("b", "a"), steps(unread, postselect), results)


def vector(results: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(part) for part in results])


def joined(given: Case, device: str = "qrnn.torch") -> Callable[[torch.Tensor], torch.Tensor]:
    node = qml.QNode(
        lambda angles: density.queue(given.with_angles(list(angles))), qml.device(device)
    )
    return lambda angles: torch.cat([part.reshape(-1) for part in node(angles)])


@pytest.mark.parametrize("postselect", [None, 1])
def test_gradients_through_unread_measurements_are_those_of_density_matrices(
    postselect: int | None,
) -> None:
    # 2**6 branches of 4 amplitudes.
    given, step = case(6, postselect), 1e-5
    angles = np.array(given.angles)
    function = joined(given)
    found = function(torch.tensor(angles, requires_grad=True))
    right = vector(density.expected(given)[0])
    np.testing.assert_allclose(found.detach(), right, atol=1e-12)
    for direction in np.random.default_rng(3).normal(size=(3, len(angles))):
        moved = torch.tensor(angles), torch.tensor(direction)
        _, slope = torch.autograd.functional.jvp(function, *moved)
        up, down = (
            vector(density.expected(given.with_angles((angles + shift).tolist()))[0])
            for shift in (step * direction, -step * direction)
        )
        np.testing.assert_allclose(slope, (up - down) / (2 * step), atol=1e-7)


def test_second_derivatives_through_unread_measurements_are_those_of_first_ones() -> None:
    given, step = case(6), 1e-5
    angles = torch.tensor(given.angles, dtype=torch.float64)
    function = joined(given)

    def total(at: torch.Tensor) -> torch.Tensor:
        return function(at).square().sum()

    def first(at: torch.Tensor) -> torch.Tensor:
        at = at.clone().requires_grad_()
        return torch.autograd.grad(total(at), at)[0]

    for direction in torch.from_numpy(np.random.default_rng(3).normal(size=(3, len(angles)))):
        _, second = torch.autograd.functional.hvp(total, angles, direction)
        shift = step * direction
        expected = (first(angles + shift) - first(angles - shift)) / (2 * step)
        torch.testing.assert_close(second, expected, atol=1e-7, rtol=0)


def test_all_measurements_of_a_mixture_are_those_without_a_gradient() -> None:
    sparse = qml.SparseHamiltonian((qml.X(0) @ qml.Y(1)).sparse_matrix(), [0, 1])

    @qml.qnode(qml.device("qrnn.torch"))  # type: ignore[untyped-decorator]
    def circuit(angles: torch.Tensor) -> list[qml.measurements.MeasurementProcess]:
        for step in range(7):
            qml.RX(angles[0] + step, wires=0)
            qml.CRY(angles[1], wires=[0, 1])
            qml.measure(0, reset=step % 2 == 0)
        qml.RY(angles[1], wires=1)
        qml.CNOT([1, 0])
        return [
            qml.expval(sparse),
            qml.expval(qml.Projector([1, 0], [1, 0])),
            qml.expval(qml.Identity(1)),
            qml.var(qml.Hermitian(np.array([[1.0, 2 - 1j], [2 + 1j, -1.0]]), 1)),
            qml.probs(op=qml.Hadamard(1)),
            qml.probs(),
            qml.density_matrix([1]),
            qml.purity([1]),
            qml.vn_entropy([1]),
            qml.mutual_info([0], [1]),
        ]

    values = torch.tensor([[0.4, 1.3], [0.2, 0.9]], dtype=torch.float64)
    for angles in (values[0], values.T):
        alone = circuit(angles)
        with_gradient = circuit(angles.clone().requires_grad_())
        for right, found in zip(alone, with_gradient, strict=True):
            torch.testing.assert_close(found.detach(), right, atol=1e-10, rtol=0)


@pytest.mark.parametrize("wires", [2, 4])
def test_branches_of_a_gradient_are_density_matrices_from_where_those_are_smaller(
    wires: int,
) -> None:
    def circuit(angles: torch.Tensor) -> qml.measurements.ExpectationMP:
        for angle in angles:
            qml.RY(angle, wires=0)
            for wire in range(1, wires):
                qml.CRY(angle + wire, wires=[wire - 1, wire])
            qml.measure(0, reset=True)
        return qml.expval(qml.Z(wires - 1))

    angles = torch.linspace(0.1, 1, 40, dtype=torch.float64, requires_grad=True)
    branches = ExactBranches(qml.tape.make_qscript(circuit)(angles), torch.float64, CPU)
    branches.run()
    assert branches.mixed
    assert branches.state.numel() == 4**wires
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        qml.QNode(circuit, qml.device("qrnn.torch"))(angles)
    # 8 bytes of each number, at most two copies for each of 41 operations a wire.
    assert sum(kept.values()) < 8 * 2 * 41 * (wires + 1) * max(4**wires, 32 * 2**wires)
    assert branches._kept_numbers * 8 > sum(kept.values())


def test_what_backpropagation_keeps_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qrnn_backends.torch.simulation.MAX_KEPT_NUMBERS", 10_000)

    @qml.qnode(qml.device("qrnn.torch"), interface="torch")  # type: ignore[untyped-decorator]
    def circuit(angles: torch.Tensor) -> qml.measurements.ExpectationMP:
        for angle in angles:
            qml.RY(angle, wires=5)
        return qml.expval(qml.Z(5) @ qml.I(range(5)))

    angles = torch.zeros(100, dtype=torch.float64)
    assert circuit(angles) == 1
    with pytest.raises(ValueError, match=r"more than 10000 numbers of the 100 operations.*finite-"):
        circuit(angles.requires_grad_())
