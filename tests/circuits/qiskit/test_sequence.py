from collections.abc import Callable
from math import exp, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit, qasm3, transpile
from qiskit.primitives import BitArray
from torch import nn
from torch.nn.utils import prune, weight_norm

from qrnn_circuits import QRNN
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.realisations import (
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
)
from qrnn_circuits.circuits.sequence import compile_circuit
from tests.circuits.known_warnings import TREE_TRAVERSAL
from tests.circuits.lanes import aer_counts, lane_shares, model_distribution, within_error

MakeModel = Callable[..., QRNN]

pytestmark = TREE_TRAVERSAL


@pytest.mark.parametrize(
    ("sizes", "inputs", "outcomes"),
    [
        ({"workspace": 2, "stages": 1, "order": 0}, [1, 0], [1, None]),
        ({"workspace": 1, "stages": 0, "order": 1}, [1], [1]),
        ({"workspace": 1, "stages": 0, "order": 2}, [0], [None]),
        ({"workspace": 2, "stages": 0, "order": 1}, [1], [0]),
        ({"workspace": 1, "stages": 0, "order": 1}, [1, 0], [1, None]),
    ],
)
def test_aer_keeps_the_predicted_share_of_postselected_shots(
    sizes: dict[str, int],
    inputs: list[int],
    outcomes: list[int | None],
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, degree=1, **sizes)
    circuit = compile_circuit(model, inputs, outcomes)
    shots = 20_000
    kept = circuit.kept(aer_counts(circuit.to_qiskit(), shots))
    with torch.no_grad():
        output = model.sample(
            torch.tensor([inputs]),
            torch.tensor([[outcome or 0 for outcome in outcomes]]),
            sampled=torch.tensor([[outcome is None for outcome in outcomes]]),
        )
    acceptance = exp(output.log_acceptance.item())
    error = sqrt(acceptance * (1 - acceptance) / shots)
    assert abs(sum(kept.values()) / shots - acceptance) < 4 * error


@pytest.mark.parametrize(
    ("realisation", "sizes"),
    [
        (Postselect(), {"workspace": 2, "stages": 0, "order": 1}),
        (Postselect(), {"workspace": 2, "stages": 1, "order": 0}),
        (Multiplexed(), {"workspace": 2, "stages": 1, "order": 2}),
        (Amplified(7), {"workspace": 1, "stages": 1, "order": 1}),
        # The input neuron's control is in a basis state, and the readout is diagonal in that of
        # the output neuron. At most 2**-10 of the weight fails every attempt.
        (RepeatUntilSuccess(10), {"workspace": 1, "stages": 0, "order": 1}),
    ],
)
def test_aer_reads_the_distribution_of_the_model(
    realisation: Realisation,
    sizes: dict[str, int],
    make_model: MakeModel,
) -> None:
    shots = 20_000
    model = make_model(lane=1, degree=1, semantics=realisation.semantics, seed=3, **sizes)
    steps: list[tuple[list[int], list[int]]] = [([1], [])]
    if not isinstance(realisation, RepeatUntilSuccess):
        # After a step its workspace is a superposition.
        steps.append(([1, 0], [0]))
    neurons = len(model.cell.neuron_coefficients)
    for inputs, outcomes in steps:
        circuit = compile_circuit(model, inputs, outcomes, realisation=realisation)
        measured, kept = lane_shares(circuit, len(inputs) - 1, shots)
        bias = 0.0
        if isinstance(realisation, Amplified):
            # Success is off by twice the error, once for each neuron that acts.
            bias = 2 * realisation.error(1) * neurons * len(inputs)
        if isinstance(realisation, RepeatUntilSuccess):
            bias = 2.0**-realisation.attempts
        expected = model_distribution(model, inputs, outcomes)
        assert within_error(measured, expected, kept, bias)


def test_attempts_that_fail_weigh_the_patterns_as_the_branches_say(make_model: MakeModel) -> None:
    model = make_model(
        lane=1, workspace=1, stages=0, order=1, degree=1, semantics="unitary", seed=3
    )
    circuit = compile_circuit(model, [1], realisation=RepeatUntilSuccess(1))
    cell = model.cell
    with torch.no_grad():
        phi = cell.polynomial.table(cell.neuron_coefficients)
        success = (phi / 2).cos() ** 4 + (phi / 2).sin() ** 4
        rotation = torch.atan2((phi / 2).sin() ** 2, (phi / 2).cos() ** 2)
        # The first neuron's control reads the input, 1; the second's reads the workspace.
        workspace = torch.stack((rotation[0, 1].cos() ** 2, rotation[0, 1].sin() ** 2))
        weights = workspace * success[1]
        ones = (weights * rotation[1].sin() ** 2).sum() / weights.sum()
    exact = np.array([1 - ones.item(), ones.item()])
    (distribution,) = circuit.qnode()()
    assert np.allclose(np.asarray(distribution.detach()), exact, atol=1e-10)
    assert np.abs(exact - model_distribution(model, [1], [])).max() > 1e-3
    measured, kept = lane_shares(circuit, 0, 100_000)
    assert within_error(measured, exact, kept)


@pytest.mark.parametrize(
    "realisation", [Postselect(), RepeatUntilSuccess(2), Amplified(3), Multiplexed()]
)
def test_one_transpiled_symbolic_circuit_serves_every_parameter_set(
    realisation: Realisation, make_model: MakeModel
) -> None:
    def circuit_of(model: QRNN, symbolic: bool) -> CompiledCircuit:
        return compile_circuit(model, [1, 0], [1], realisation=realisation, symbolic=symbolic)

    sizes: dict[str, Any] = {"lane": 1, "workspace": 1, "order": 1, "degree": 1}
    sizes |= {"semantics": realisation.semantics}
    models = [make_model(seed=seed, **sizes) for seed in range(2)]
    symbolic = circuit_of(models[0], symbolic=True)
    circuit = symbolic.to_qiskit()
    transpiled = transpile(circuit, basis_gates=["cx", "ry", "rz", "sx"], optimization_level=1)
    assert transpiled.num_parameters == circuit.num_parameters > 0
    for model in models:
        values = symbolic.parameter_values(model)
        numeric = circuit_of(model, symbolic=False).to_qiskit()
        bound = circuit.assign_parameters(values)
        assert angles(bound) == pytest.approx(angles(numeric), abs=1e-12)
        shots = 2000
        measured = aer_counts(transpiled.assign_parameters(values), shots)
        expected = aer_counts(numeric, shots)
        # The same seed draws the same shots but for rounding.
        differ = sum(abs(measured.get(k, 0) - expected.get(k, 0)) for k in measured | expected)
        assert differ <= 0.1 * shots


@pytest.mark.parametrize("order", [0, 1])
def test_values_of_parameters_bind_a_symbolic_circuit_with_barriers(
    order: int, make_model: MakeModel
) -> None:
    options: dict[str, Any] = {"lane": 1, "workspace": 1, "order": order, "degree": 1}
    model = make_model(semantics="unitary", **options)
    symbolic = compile_circuit(model, [1, 0], [1], symbolic=True)
    bound = symbolic.to_qiskit(barriers=True).assign_parameters(symbolic.parameter_values())
    numeric = compile_circuit(model, [1, 0], [1]).to_qiskit()
    assert angles(bound) == pytest.approx(angles(numeric), abs=1e-12)


def angles(circuit: QuantumCircuit) -> list[float]:
    """Those of all gates, also inside of conditions."""
    found = []
    for item in circuit.data:
        if item.operation.name == "if_else":
            found += angles(item.operation.blocks[0])
        else:
            found += [float(angle) for angle in item.operation.params]
    return found


def test_symbolic_coefficients_are_the_models_and_shared_by_all_steps(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, workspace=2, order=2, degree=2).float()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    circuit = compile_circuit(model, [1, 0, 1], [1, 1], symbolic=True)
    names = {parameter.name for parameter in circuit.to_qiskit().parameters}
    coefficients = {f"coefficients[{place}]" for place in range(model.cell.coefficients.numel())}
    coefficients |= {f"readout_coefficients[{place}]" for place in range(4)}
    assert names == coefficients | {"theta[0]", "theta[1]"}
    values = {parameter.name: value for parameter, value in circuit.parameter_values().items()}
    assert values["coefficients[5]"] == model.cell.coefficients[1, 1].item()
    assert values["theta[1]"] == model.cell.theta[0, 1].item()


def test_symbolic_coefficients_of_parities_are_shared_by_the_circuit_of_another_network(
    make_model: MakeModel,
) -> None:
    models = [
        make_model(lane=1, workspace=2, order=0, degree=2, basis="parities", seed=seed)
        for seed in range(2)
    ]
    symbolic = compile_circuit(models[0], [1, 0], [1], symbolic=True)
    bound = symbolic.to_qiskit().assign_parameters(symbolic.parameter_values(models[1]))
    numeric = compile_circuit(models[1], [1, 0], [1]).to_qiskit()
    assert angles(bound) == pytest.approx(angles(numeric), abs=1e-12)


def test_symbolic_parameters_of_equal_neurons_are_not_mixed_up(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    other = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary", seed=5)
    with torch.no_grad():
        model.cell.coefficients.fill_(0.7)
        model.cell.readout_coefficients.fill_(0.7)
    symbolic = compile_circuit(model, [1], symbolic=True)
    bound = symbolic.to_qiskit().assign_parameters(symbolic.parameter_values(other))
    numeric = compile_circuit(other, [1]).to_qiskit()
    assert angles(bound) == pytest.approx(angles(numeric), abs=1e-12)


@pytest.mark.parametrize("realisation", [Postselect(), RepeatUntilSuccess(2), Amplified(3)])
def test_openqasm_3_parses_back(realisation: Realisation, make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics=realisation.semantics)
    circuit = compile_circuit(model, [1, 0], realisation=realisation)
    parsed = qasm3.loads(circuit.to_openqasm3())
    original = circuit.to_qiskit()
    assert parsed.count_ops() == original.count_ops()
    assert [r.name for r in parsed.qregs] == [r.name for r in original.qregs]
    assert {r.name: len(r) for r in parsed.cregs} == {r.name: len(r) for r in original.cregs}
    assert angles(parsed) == pytest.approx(angles(original), abs=1e-9)


def test_kept_shots_are_those_with_quiet_flags_and_the_right_outcomes(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=2, workspace=1, order=1, degree=1)
    circuit = compile_circuit(model, [1, 2], [2, None])
    qiskit = circuit.to_qiskit()
    outcome = next(register for register in qiskit.cregs if register.name == "outcome")
    places = [qiskit.find_bit(bit).index for bit in outcome]

    def text(bits: str, flag: str = "0") -> str:
        written = [flag] * qiskit.num_clbits
        for place, bit in zip(places, bits, strict=True):
            written[place] = bit
        return "".join(reversed(written))

    counts = {text("1001"): 3, text("1011"): 4, text("0001"): 5, text("1001", flag="1"): 6}
    assert circuit.kept(counts) == {(2, 1): 3, (2, 3): 4}
    with pytest.raises(TypeError, match=r"counts must be of bit strings.*got 9"):
        circuit.kept({9: 3})  # type: ignore[dict-item] # as get_int_counts() has them
    with pytest.raises(ValueError, match=r"counts must be of the circuit's \d+ classical bits"):
        circuit.kept({"01": 1})
    hexadecimal = f"{1:#0{qiskit.num_clbits}x}"  # as data()["counts"] of a result has them
    with pytest.raises(TypeError, match=r"counts must be of bit strings.*got '0x0*1'"):
        circuit.kept({hexadecimal: 1})
    with pytest.raises(TypeError, match=r"join_data\(\)\.get_counts\(\) .* got a BitArray"):
        circuit.kept(BitArray.from_counts(counts, qiskit.num_clbits))


def test_barriers_name_steps_and_stages(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    circuit = compile_circuit(model, [0, 0]).to_qiskit(barriers=True)
    labels = [item.operation.label for item in circuit.data if item.operation.name == "barrier"]
    stages = ["input stage", "work stage 1", "output stage", "read lane"]
    assert labels == [f"{step}: {stage}" for step in (0, 1) for stage in stages][1:]


def test_circuits_follow_a_model_that_is_trained(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2, semantics="unitary")
    circuit = compile_circuit(model, [0, 1])
    symbolic = compile_circuit(model, [0, 1], symbolic=True)
    before, parameters = circuit.to_qiskit(), symbolic.to_qiskit()
    assert circuit.to_qiskit() == before
    for parameter in model.parameters():
        parameter.data += 0.1
    after = circuit.to_qiskit()
    assert after == compile_circuit(model, [0, 1]).to_qiskit() != before
    # The parameters of a symbolic circuit that was made before take the new values.
    bound = parameters.assign_parameters(symbolic.parameter_values())
    assert angles(bound) == pytest.approx(angles(after))


def halved(cell: nn.Module) -> None:
    prune.l1_unstructured(cell, "coefficients", amount=0.5)


def normed(cell: nn.Module) -> None:
    weight_norm(cell, "coefficients")


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("hook", [halved, normed])
@pytest.mark.parametrize("symbolic", [False, True])
def test_circuits_follow_parameters_that_hooks_of_torch_compute(
    hook: Callable[[nn.Module], None], symbolic: bool, make_model: MakeModel
) -> None:
    model, plain = (make_model(lane=1, workspace=2, order=0).float() for _ in range(2))
    hook(model.cell)
    circuit = compile_circuit(model, [0, 1], symbolic=symbolic)
    node = compile_circuit(model, [0, 1], [0]).qnode("qrnn.torch")
    for _ in range(2):
        node()[0][1].backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1)
        found, probabilities = circuit.to_qiskit(), node()[0]
        if symbolic:
            found = found.assign_parameters(circuit.parameter_values())
        model(*torch.zeros(2, 1, 1, dtype=torch.int64))  # computes the parameters
        with torch.no_grad():
            for name, parameter in plain.cell.named_parameters():
                parameter.copy_(getattr(model.cell, name))
        expected = compile_circuit(plain, [0, 1])
        assert angles(found) == pytest.approx(angles(expected.to_qiskit()), abs=1e-6)
        expected = compile_circuit(plain, [0, 1], [0])
        assert torch.allclose(probabilities, expected.qnode("qrnn.torch")()[0], rtol=0, atol=1e-6)


def test_a_circuit_follows_a_model_that_is_pruned_later(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2, order=0)
    circuit = compile_circuit(model, [0, 1])
    for _ in range(2):
        before = angles(circuit.to_qiskit())
        halved(model.cell)
        expected = angles(compile_circuit(model, [0, 1]).to_qiskit())
        assert angles(circuit.to_qiskit()) == expected != before


def test_values_for_a_symbolic_circuit_are_those_of_models_pruned_as_it_is(
    make_model: MakeModel,
) -> None:
    models = [make_model(lane=1, workspace=2, order=0, seed=seed) for seed in range(3)]
    for model in models[:2]:
        halved(model.cell)
    for compiled, other in ((0, 1), (0, 2), (2, 0)):
        symbolic = compile_circuit(models[compiled], [0], symbolic=True)
        assert symbolic.parameter_values()
        with pytest.raises(ValueError, match="model must have the parameters of the compiled"):
            symbolic.parameter_values(models[other])


def test_a_model_whose_parameters_have_a_history_has_a_circuit(make_model: MakeModel) -> None:
    class Circuit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")

        def forward(self) -> QuantumCircuit:
            return compile_circuit(self.model, [0]).to_qiskit()

    module = Circuit()
    doubled = {name: 2 * parameter for name, parameter in module.named_parameters()}
    found = torch.func.functional_call(module, doubled, ())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2)
    assert angles(found) == pytest.approx(angles(module()), abs=1e-12)
