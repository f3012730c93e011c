import copy
import io

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
)

from qrnn_circuits.layers import QLSTM, QRNNLayer, RecurrentCircuitLayer
from qrnn_circuits.layers.hybrid import HybridLayer
from qrnn_circuits.numerical_errors import ParameterRangeError
from tests.layers.cases import Make, random

# Of the options of nn.RNN those that change shapes.
SHAPES = [
    {},
    {"batch_first": True},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]


@pytest.mark.parametrize("options", SHAPES)
@pytest.mark.parametrize("shape", [(3, 5, 2), (7, 2)])
def test_shapes_are_those_of_an_rnn(
    options: dict[str, bool], shape: tuple[int, ...], make_layer: Make
) -> None:
    reference = nn.RNN(2, 4, dtype=torch.float64, **options)
    inputs = random(*shape)

    layer = make_layer(**options)
    output, state = layer(inputs)
    expected_output, expected_state = reference(inputs)

    assert output.shape == expected_output.shape
    assert state.shape[:-1] == expected_state.shape[:-1]
    assert state.shape[-1] == layer.state_size


@pytest.mark.parametrize("options", SHAPES)
@pytest.mark.parametrize("device", [None, "qrnn.torch"])
def test_no_sequences_give_no_outputs(
    device: str | None, options: dict[str, bool], make_layer: Make
) -> None:
    shape = (0, 3, 2) if options.get("batch_first") else (3, 0, 2)
    reference = nn.RNN(2, 4, dtype=torch.float64, **options)
    layer = make_layer(**options)

    output, state = (layer.on(device) if device else layer)(torch.zeros(shape).double())
    expected, expected_state = reference(torch.zeros(shape).double())
    output.sum().backward()

    assert output.shape == expected.shape
    assert state.shape == (*expected_state.shape[:-1], layer.state_size)
    gradients = [parameter.grad for parameter in layer.parameters()]
    assert all(each is not None and not each.any() for each in gradients)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2}])
def test_a_sequence_in_two_parts_is_the_whole(options: dict[str, int], make_layer: Make) -> None:
    layer = make_layer(**options)
    inputs = random(6, 3, 2)

    whole, end = layer(inputs)
    first, state = layer(inputs[:4])
    second, again = layer(inputs[4:], state)

    assert torch.allclose(torch.cat((first, second)), whole, rtol=0, atol=1e-12)
    assert torch.allclose(again, end, rtol=0, atol=1e-12)


@pytest.mark.parametrize("reading", ["every", "last"])
@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_packed_sequences_are_those_of_each_alone(
    reading: str, enforce_sorted: bool, bidirectional: bool, make_layer: Make
) -> None:
    layer = make_layer(num_layers=2, bidirectional=bidirectional, reading=reading)
    lengths = [5, 3, 1] if enforce_sorted else [3, 1, 5]
    sequences = [random(length, 2) for length in lengths]

    output, state = layer(pack_sequence(sequences, enforce_sorted=enforce_sorted))

    if reading == "every":
        assert isinstance(output, PackedSequence)
        output = pad_packed_sequence(output)[0]
    for place, sequence in enumerate(sequences):
        alone, end = layer(sequence)
        assert torch.allclose(output[: len(alone), place], alone, rtol=0, atol=1e-12)
        assert torch.allclose(state[:, place], end, rtol=0, atol=1e-12)


def test_the_packing_is_that_of_an_rnn(make_layer: Make) -> None:
    packed = pack_sequence([random(2, 2), random(4, 2), random(2, 2)], enforce_sorted=False)
    output, _ = make_layer()(packed)
    expected, _ = nn.RNN(2, 4, dtype=torch.float64)(packed)

    assert output.data.shape == expected.data.shape
    assert output.batch_sizes.equal(expected.batch_sizes)
    assert output.sorted_indices.equal(expected.sorted_indices)
    assert output.unsorted_indices.equal(expected.unsorted_indices)


def test_the_backward_direction_is_a_forward_one_from_the_end(make_layer: Make) -> None:
    both = make_layer(bidirectional=True)
    one = make_layer()
    one.cells[0].load_state_dict(both.cells[1].state_dict())
    inputs = random(5, 2, 2)

    output, state = both(inputs)
    expected, end = one(inputs.flip(0))

    assert torch.allclose(output[..., 4:], expected.flip(0), rtol=0, atol=1e-12)
    assert torch.allclose(state[1], end[0], rtol=0, atol=1e-12)


def test_the_last_step_is_that_of_all(make_layer: Make) -> None:
    inputs = random(3, 5, 2)
    every, last = make_layer(batch_first=True), make_layer(batch_first=True, reading="last")

    (output, state), (expected, end) = last(inputs), every(inputs)
    assert torch.allclose(output, expected[:, -1:], rtol=0, atol=1e-14)
    assert torch.allclose(state, end, rtol=0, atol=1e-14)


def test_dropout_acts_between_layers_while_training(make_layer: Make) -> None:
    layer = make_layer(num_layers=2, dropout=0.5)
    inputs = random(3, 2, 2)

    assert not torch.equal(layer(inputs)[0], layer(inputs)[0])
    layer.eval()
    assert torch.equal(layer(inputs)[0], layer(inputs)[0])
    with pytest.warns(UserWarning, match="dropout=0.5 acts between layers"):
        make_layer(dropout=0.5)


def test_parameters_are_loaded_moved_copied_and_drawn_anew(make_layer: Make) -> None:
    layer, other = make_layer(), make_layer(generator=torch.Generator().manual_seed(9))
    inputs = random(3, 2, 2)
    expected = layer(inputs)[0]

    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(inputs)[0], expected)
    assert torch.equal(copy.deepcopy(layer)(inputs)[0], expected)
    assert layer.float()(inputs.float())[0].dtype == torch.float32
    other.reset_parameters(torch.Generator().manual_seed(2))
    assert not torch.equal(other(inputs)[0], expected)


def test_each_part_is_drawn_anew_by_a_call_without_arguments(make_layer: Make) -> None:
    layer, inputs = make_layer(), random(3, 2, 2)
    before = layer(inputs)[0]
    for part in layer.modules():
        if draw := getattr(part, "reset_parameters", None):
            draw()
    assert not torch.equal(layer(inputs)[0], before)


@pytest.mark.parametrize(
    ("options", "others"),
    [
        ({"num_layers": 2}, {"bidirectional": True}),
        ({"hidden_size": 4, "input_size": 2}, {"hidden_size": 2, "input_size": 4}),
    ],
)
def test_parameters_of_other_sizes_are_refused_also_where_shapes_agree(
    options: dict[str, int], others: dict[str, int], make_layer: Make
) -> None:
    saved = io.BytesIO()
    torch.save(make_layer(**options).state_dict(), saved)
    saved.seek(0)
    with pytest.raises(RuntimeError, match=r"it was saved with .*, but has"):
        make_layer(**others).load_state_dict(torch.load(saved, weights_only=True))


@pytest.mark.parametrize(
    ("layer", "options", "others"),
    [
        (QRNNLayer, {"order": 1}, {"order": 2}),
        (QRNNLayer, {"order": 1}, {"order": 1, "semantics": "postselected"}),
        (RecurrentCircuitLayer, {}, {"staggered": True}),
        (RecurrentCircuitLayer, {"memory": 3}, {"memory": 3, "readout": "populations"}),
    ],
)
def test_parameters_of_other_options_are_refused_unless_a_copy_tells_of_none(
    layer: Make, options: dict[str, object], others: dict[str, object]
) -> None:
    made, other = layer(2, 4, **options), layer(2, 4, **others)
    with pytest.raises(RuntimeError, match=r"was saved with .*, but has"):
        other.load_state_dict(made.state_dict(), strict=False)
    other.load_state_dict(dict(made.state_dict()))
    for one, loaded in zip(made.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, loaded)


def test_what_scripts_call_of_a_layer_of_pytorch_does_nothing(make_layer: Make) -> None:
    layer = make_layer()
    before = copy.deepcopy(layer.state_dict())
    layer.flatten_parameters()
    for name, parameter in layer.state_dict().items():
        assert torch.equal(parameter, before[name])
    assert "hidden_size=4" in repr(layer)


def test_repr_names_the_device_that_a_layer_runs_on(make_layer: Make) -> None:
    layer = make_layer()
    assert "shots" not in repr(layer)
    assert "device='qrnn.torch', shots=10" in repr(layer.on("qrnn.torch", shots=10))


def test_a_layer_without_memory_is_filled_by_loading(make_layer: Make) -> None:
    layer = make_layer()
    with torch.device("meta"):
        empty = make_layer()
    empty = empty.to_empty(device="cpu")
    empty.load_state_dict(layer.state_dict())

    assert torch.equal(empty(random(3, 2, 2))[0], layer(random(3, 2, 2))[0])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"dropout": 2.0}, "dropout must be a probability from 0 to 1, got 2.0"),
        ({"reading": "all"}, "reading must be"),
        ({"shots": 100}, "shots must not be given without a quantum device, but device is None"),
        ({"device": "qrnn.torch", "shots": 0}, "shots must be at least 1"),
        ({"dtype": torch.float16}, r"dtype must be torch.float32 or torch.float64, got"),
        ({"dtype": 0}, r"dtype must be torch.float32 or torch.float64, got 0"),
    ],
)
def test_options_out_of_range_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises(ValueError, match=problem):
        make_layer(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"input_size": 1.5}, "input_size must be an integer, got 1.5"),
        ({"num_layers": True}, "num_layers must be an integer, got True"),
        ({"dropout": "much"}, "dropout must be a number, got 'much'"),
        ({"bidirectional": "no"}, "bidirectional must be True or False, got 'no'"),
        ({"batch_first": 1}, "batch_first must be True or False, got 1"),
        ({"device": 3}, "device must be a PennyLane device, its name"),
        ({"device": "qrnn.torch", "shots": 1.5}, "shots must be an integer, got 1.5"),
        ({"generator": 3}, "generator must be a torch.Generator, got a int"),
    ],
)
def test_options_of_wrong_types_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises(TypeError, match=problem):
        make_layer(**options)


def test_sizes_of_numpy_are_sizes(make_layer: Make) -> None:
    layer = make_layer(num_layers=np.int64(2))
    assert layer(random(3, 2, 2))[1].shape[0] == 2
    assert type(layer.num_layers) is int


@pytest.mark.parametrize(
    ("inputs", "hx", "error", "problem"),
    [
        ([[0.0]], None, TypeError, "input must be a tensor .* got a list"),
        (torch.zeros(3, 2), None, TypeError, "got torch.float32"),
        (random(3, 2, 5), None, ValueError, r"got \(3, 2, 5\)"),
        (random(0, 2, 2), None, ValueError, r"at least one step, got \(0, 2, 2\)"),
        (random(3, 2, 2) * torch.inf, None, ValueError, "input must be finite"),
        (random(3, 2, 2), random(1, 3, 99), ValueError, r"hx must be a tensor of shape \(1, 2, "),
        (pack_sequence([random(3, 5)]), None, ValueError, "input_size 2"),
        (pack_sequence([random(3), random(2)]), None, ValueError, r"of shape \(T, 2\) each"),
        (random(3, 2, 2).to_sparse(), None, TypeError, "input must be a dense tensor"),
        (random(3, 2, 2).to("meta"), None, ValueError, "input must have numbers"),
    ],
)
def test_wrong_inputs_are_refused(
    inputs: Tensor, hx: Tensor | None, error: type[Exception], problem: str, make_layer: Make
) -> None:
    with pytest.raises(error, match=problem):
        make_layer()(inputs, hx)


def test_a_pair_of_states_is_refused_in_words(make_layer: Make) -> None:
    layer = make_layer()
    half = random(1, 2, layer.state_size)
    with pytest.raises(
        ValueError, match=r"got a tuple: a state is one tensor, also where nn\.LSTM"
    ):
        layer(random(3, 2, 2), (half, half))


def test_states_that_are_not_finite_are_refused(make_layer: Make) -> None:
    layer = make_layer()
    state = torch.full((1, 2, layer.state_size), torch.nan, dtype=torch.float64)
    with pytest.raises(ValueError, match="hx must be finite"):
        layer(random(3, 2, 2), state)


def test_angles_without_meaning_are_refused(make_layer: Make) -> None:
    layer = make_layer()
    inputs = random(3, 2, 2)
    if not isinstance(layer, HybridLayer):
        # A QLSTM and a QGRU take features by their arcus tangent, of any size.
        with pytest.raises(ParameterRangeError, match="features make of angles must be finite"):
            layer(inputs * 1e30)
    for value in (1e30, torch.nan):
        spoilt = copy.deepcopy(layer)
        with torch.no_grad():
            for parameter in spoilt.parameters():
                parameter[...] = value
        with pytest.raises(ParameterRangeError, match="must be finite and at most"):
            spoilt(inputs)


def test_values_that_are_not_finite_are_refused() -> None:
    layer = QLSTM(2, 3, linear=True)
    with torch.no_grad():
        next(p for name, p in layer.named_parameters() if "after" in name).fill_(torch.nan)
    with pytest.raises(ParameterRangeError, match="values of a layer"):
        layer(torch.rand(3, 2, 2))


def test_parameters_that_others_compute_are_taken_and_checked(make_layer: Make) -> None:
    class Halves(nn.Module):
        def forward(self, doubled: Tensor) -> Tensor:
            return doubled / 2

        def right_inverse(self, values: Tensor) -> Tensor:
            return 2 * values

    layer = make_layer(num_layers=2)
    inputs = random(3, 2, 2)
    expected = layer(inputs)[0]

    for module in list(layer.modules()):
        for name, _ in list(module.named_parameters(recurse=False)):
            register_parametrization(module, name, Halves())

    assert torch.allclose(layer(inputs)[0], expected, rtol=0, atol=1e-12)
    with torch.no_grad():
        next(layer.parameters()).fill_(torch.nan)
    with pytest.raises(ParameterRangeError):
        layer(inputs)


@pytest.mark.parametrize("packed", [False, True])
def test_mixed_precision_takes_in_what_it_has_narrowed(packed: bool, make_layer: Make) -> None:
    layer = make_layer(dtype=torch.float32)
    narrow = random(4, 3, 2).bfloat16()
    state = layer(narrow.float())[1].detach()
    expected, end = layer(narrow.float(), state)

    inputs = pack_padded_sequence(narrow, torch.tensor([4, 4, 4])) if packed else narrow
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, found_end = layer(inputs, state)

    if packed:
        found, _ = pad_packed_sequence(found)
    assert torch.equal(found, expected)
    assert torch.equal(found_end, end)
    with pytest.raises(TypeError, match=r"torch\.float32, or .*, got torch\.bfloat16"):
        layer(narrow)


def test_parameters_of_several_types_are_refused(make_layer: Make) -> None:
    layer = make_layer(num_layers=2)
    last = list(layer.parameters())[-1]
    last.data = last.data.float()
    with pytest.raises(TypeError, match=r"got torch\.float32 and torch\.float64"):
        layer(random(3, 2, 2))


def test_parameters_without_numbers_are_refused(make_layer: Make) -> None:
    layer = make_layer().to("meta")
    for inputs in (random(3, 2, 2), random(3, 2, 2).to("meta")):
        with pytest.raises(ValueError, match="parameters must have numbers"):
            layer(inputs)


def test_narrow_types_are_refused(make_layer: Make) -> None:
    layer = make_layer().half()
    with pytest.raises(TypeError, match=r"torch\.float32 or torch\.float64, got torch\.float16"):
        layer(random(3, 2, 2).half())
