import copy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from torch.nn.utils.rnn import pack_sequence

from qrnn_circuits import QGRU, QuantumReservoir, RecurrentCircuitLayer
from tests.layers.cases import LAYERS, Make, maker, random
from tests.layers.register_circuits import register_outputs

Values = NDArray[np.float64]


def default(**options: object) -> QuantumReservoir:
    generator = torch.Generator().manual_seed(0)
    return QuantumReservoir(generator=generator, **options)  # type: ignore[arg-type]


def small(**options: object) -> QuantumReservoir:
    layer = QGRU(2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return QuantumReservoir(layer, **options)  # type: ignore[arg-type]


def uniform(*shape: int, seed: int = 0) -> Values:
    return np.random.default_rng(seed).uniform(size=shape)


def test_features_are_the_outputs_of_the_layer_which_takes_no_gradient(make_layer: Make) -> None:
    layer = make_layer()
    series = uniform(5, 2)
    expected = layer(torch.tensor(series)[:, None])[0][:, 0].detach().numpy()

    reservoir = QuantumReservoir(layer)
    assert np.allclose(reservoir.transform(series), expected, rtol=0, atol=1e-12)
    assert not any(parameter.requires_grad for parameter in reservoir.parameters())


def test_features_of_the_default_are_those_of_circuits_with_fresh_wires() -> None:
    reservoir = default(input_size=2)
    series = uniform(3, 2)
    assert isinstance(reservoir.layer, RecurrentCircuitLayer)
    expected = register_outputs(reservoir.layer, torch.tensor(series)).numpy()

    assert expected.shape == (3, 64)
    assert np.allclose(reservoir.transform(series), expected, rtol=0, atol=1e-8)


def test_the_default_forgets_how_it_began_and_not_what_it_was_fed_last() -> None:
    reservoir = default()
    one, other = uniform(400, 1, seed=1) / 10, uniform(400, 1, seed=2) / 10
    other[100:] = one[100:]
    features = reservoir.transform(np.stack((one, other)))
    assert isinstance(features, np.ndarray)
    apart = np.abs(features[0] - features[1]).max(-1)

    assert apart[100] > 1e-3
    assert apart[-1] < 1e-6


@pytest.mark.parametrize("name", LAYERS)
def test_layers_forget_that_reset_or_overwrite_a_part_of_their_state(name: str) -> None:
    one, other = uniform(300, 2, seed=1), uniform(300, 2, seed=2)
    other[100:] = one[100:]
    features = QuantumReservoir(maker(LAYERS[name])()).transform(np.stack((one, other)))
    assert isinstance(features, np.ndarray)
    apart = np.abs(features[0] - features[1])[-20:].max()

    if name in ("QRNNLayer", "fast-weight programmer"):
        assert apart > 1e-3
    else:
        assert apart < 1e-6


@pytest.mark.parametrize("window", [None, 3])
def test_a_series_in_two_parts_is_the_whole(window: int | None, make_layer: Make) -> None:
    reservoir = QuantumReservoir(make_layer(num_layers=2), window=window)
    series = uniform(7, 2)
    whole = reservoir.transform(series)
    reservoir.reset()
    parts = [reservoir.transform(part) for part in (series[:1], series[1:5], series[5:])]

    assert np.allclose(np.concatenate(parts), whole, rtol=0, atol=1e-12)


def test_features_of_a_window_are_those_of_a_series_that_begins_there(make_layer: Make) -> None:
    layer = make_layer()
    series = uniform(6, 2)
    features = QuantumReservoir(layer, window=3).transform(series)
    for step in range(6):
        alone = QuantumReservoir(layer).transform(series[max(0, step - 2) : step + 1])
        assert np.allclose(features[step], alone[-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
@pytest.mark.parametrize("readout", [None, Ridge(), LinearRegression()])
def test_predictions_have_the_shape_of_the_targets(shape: tuple[int, ...], readout: object) -> None:
    batch, targets = uniform(3, 5, 2), uniform(3, 5, *shape)
    reservoir = small(readout=readout).fit(batch, targets)
    assert np.shape(reservoir.predict(batch)) == targets.shape
    assert np.shape(reservoir.on("default.qubit").predict(batch)) == targets.shape
    assert np.shape(small(readout=readout).fit(batch[0], targets[0]).predict(batch[0])) == (
        targets[0].shape
    )


def test_a_nested_tensor_is_a_list_of_series() -> None:
    series = [torch.tensor(uniform(steps, 2)) for steps in (5, 3)]
    targets = [each.sum(1, keepdim=True) for each in series]
    nested = torch.nested.nested_tensor(series, layout=torch.jagged)
    wanted = torch.nested.nested_tensor(targets, layout=torch.jagged)
    found = small().fit(nested, wanted).predict(nested)
    expected = small().fit(series, targets).predict(series)
    assert [rows.shape for rows in found] == [(5, 1), (3, 1)]
    assert all(map(np.array_equal, found, expected))


def test_an_array_of_any_library_is_one_of_numpy() -> None:
    inputs, targets = uniform(9, 2), uniform(9)
    # A memoryview has dimensions and numbers, and is no array of NumPy, as a table of pandas.
    views: list[Any] = [inputs.data, targets.data]
    found = small().fit(*views).predict(views[0])
    assert np.array_equal(found, small().fit(inputs, targets).predict(inputs))


@pytest.mark.parametrize("window", [None, 2])
def test_series_of_a_batch_and_of_a_list_are_those_of_each_alone(window: int | None) -> None:
    batch = uniform(2, 5, 2)
    unequal: list[Values | torch.Tensor] = [batch[0, :3], torch.tensor(batch[1])]
    together = small(window=window).transform(batch)
    listed = small(window=window).transform(unequal)
    assert isinstance(together, np.ndarray)
    assert together.shape == (2, 5, 3)
    for place, series in enumerate(batch):
        alone = small(window=window).transform(series)
        assert np.allclose(together[place], alone, rtol=0, atol=1e-12)
        assert np.allclose(listed[place], alone[: len(listed[place])], rtol=0, atol=1e-12)
    assert len(listed[0]) == 3


@pytest.mark.parametrize("several", [False, True])
def test_predictions_are_those_of_the_normal_equations(several: bool) -> None:
    series, targets = uniform(40, 2), uniform(40, 2, seed=1)
    if not several:
        targets = targets[:, 0]
    reservoir = small(readout=Ridge(alpha=0.1)).fit(series[:30], targets[:30], washout=5)
    found = reservoir.predict(series[30:])

    features = np.asarray(small().transform(series))
    seen, wanted = features[5:30], targets[5:30]
    centred = seen - seen.mean(0)
    weights = np.linalg.solve(
        centred.T @ centred + 0.1 * np.eye(3), centred.T @ (wanted - wanted.mean(0))
    )
    expected = (features[30:] - seen.mean(0)) @ weights + wanted.mean(0)

    assert isinstance(found, np.ndarray)
    assert found.shape == targets[30:].shape
    assert np.allclose(found, expected, rtol=0, atol=1e-10)


def test_several_series_are_fitted_as_their_steps_are_without_washouts() -> None:
    series = [uniform(9, 2), uniform(6, 2, seed=1)]
    targets = [uniform(9, seed=2), uniform(6, seed=3)]
    reservoir = small(readout=Ridge(alpha=0.1)).fit(series, targets, washout=2)
    features = [np.asarray(small().transform(one)) for one in series]
    expected = Ridge(alpha=0.1).fit(
        np.concatenate([rows[2:] for rows in features]),
        np.concatenate([rows[2:] for rows in targets]),
    )
    reservoir.reset()
    for found, rows in zip(reservoir.predict(series), features, strict=True):
        assert np.allclose(found, expected.predict(rows), rtol=0, atol=1e-12)


def test_a_readout_of_products_tells_products() -> None:
    layer = RecurrentCircuitLayer(1, 3, staggered=True, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    series = uniform(400, 1)
    cosines = np.cos(np.pi * series[:, 0])
    targets = np.roll(cosines, 1) * np.roll(cosines, 2)

    errors = []
    for readout in (Ridge(), make_pipeline(PolynomialFeatures(2), Ridge(alpha=1e-8))):
        reservoir = QuantumReservoir(layer, readout=readout)
        reservoir.fit(series[:300], targets[:300], washout=20)
        errors.append(np.abs(reservoir.predict(series[300:]) - targets[300:]).max())
    assert errors[0] > 0.1
    assert errors[1] < 1e-8


def test_a_fit_begins_anew() -> None:
    series, targets = uniform(20, 2), uniform(20, seed=1)
    reservoir = small()
    first = reservoir.fit(series, targets).predict(series[:5])
    again = reservoir.fit(series, targets).predict(series[:5])
    assert np.array_equal(first, again)


@pytest.mark.parametrize("window", [None, 2])
def test_a_reservoir_on_a_device_begins_anew_where_its_own_series_goes_on(
    window: int | None, make_layer: Make
) -> None:
    reservoir = QuantumReservoir(make_layer(), window=window)
    series = uniform(5, 2)
    first = reservoir.transform(series[:3])
    assert np.allclose(reservoir.on("qrnn.torch").transform(series[:3]), first, rtol=0, atol=1e-10)
    goes_on = reservoir.transform(series[3:])
    reservoir.reset()
    assert np.allclose(reservoir.transform(series)[3:], goes_on, rtol=0, atol=1e-10)


@pytest.mark.parametrize("window", [None, 2])
def test_an_exact_device_gives_the_same_features(window: int | None, make_layer: Make) -> None:
    reservoir = QuantumReservoir(make_layer(), window=window)
    series = uniform(3, 2)
    found = reservoir.on("qrnn.torch").transform(series)
    assert np.allclose(found, reservoir.transform(series), rtol=0, atol=1e-10)


def test_a_fitted_readout_goes_along_to_a_device() -> None:
    series, targets = uniform(60, 1) / 10, uniform(60, seed=1)
    generator = torch.Generator().manual_seed(0)
    layer = RecurrentCircuitLayer(
        1, 4, readout="populations", generator=generator, dtype=torch.float64
    )
    reservoir = QuantumReservoir(layer, window=2, readout=Ridge(alpha=1))
    reservoir.fit(series, targets)
    on_device = reservoir.on("qrnn.aer", shots=4000)
    reservoir.reset()
    expected = reservoir.predict(series[:5])

    found = [on_device.predict(part) for part in (series[:3], series[3:5])]
    assert not np.array_equal(np.concatenate(found), expected)
    assert np.allclose(np.concatenate(found), expected, rtol=0, atol=0.05)

    on_device.fit(series[:4], -targets[:4])
    reservoir.reset()
    assert np.array_equal(reservoir.predict(series[:5]), expected)


def test_a_series_goes_on_on_a_device_where_the_state_is_known() -> None:
    series = uniform(4, 2)
    on_device = small().on("qrnn.torch")
    parts = [on_device.transform(part) for part in (series[:2], series[2:])]
    assert np.allclose(np.concatenate(parts), small().transform(series), rtol=0, atol=1e-10)

    forgetful = default().on("qrnn.torch")
    forgetful.transform(series[:1, :1])
    with pytest.raises(ValueError, match=r"which does not tell the state .*window=20"):
        forgetful.transform(series[1:2, :1])
    forgetful.reset()
    forgetful.transform(series[1:2, :1])


def test_as_a_module_it_is_the_layer_with_gradients_to_the_inputs(make_layer: Make) -> None:
    layer = make_layer()
    inputs = random(4, 2, 2).requires_grad_()
    expected, end = layer(inputs)
    weights = random(*expected.shape)
    wanted = torch.autograd.grad((expected * weights).sum(), inputs)[0]

    reservoir = QuantumReservoir(layer)
    output, state = reservoir(inputs)
    again, _ = reservoir(inputs, torch.zeros_like(state) + reservoir(inputs[:1])[1])
    assert torch.allclose(output, expected, rtol=0, atol=1e-14)
    assert torch.equal(state, end)
    assert not torch.equal(again, output)
    (output * weights).sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad, wanted)
    assert all(parameter.grad is None for parameter in reservoir.parameters())


def test_features_have_no_dropout_and_leave_the_options_of_the_layer(make_layer: Make) -> None:
    layer = make_layer(num_layers=2, dropout=0.5, reading="last")
    series = uniform(4, 2)
    one, other = QuantumReservoir(layer), QuantumReservoir(copy.deepcopy(layer))
    assert np.array_equal(one.transform(series), other.transform(series))
    assert (layer.training, layer.reading, layer.batch_first) == (True, "last", False)


@pytest.mark.parametrize(
    ("make", "error", "problem"),
    [
        (
            lambda: QuantumReservoir(3),  # type: ignore[arg-type]
            TypeError,
            "layer must be a RecurrentLayer, .* got a int",
        ),
        (
            lambda: QuantumReservoir(QGRU(1, 2), input_size=1),
            ValueError,
            "input_size and generator must not be given with a layer",
        ),
        (
            lambda: QuantumReservoir(QGRU(1, 2, bidirectional=True)),
            ValueError,
            "layer must not be bidirectional",
        ),
        (lambda: QuantumReservoir(window=0), ValueError, "window must be at least 1"),
        (lambda: QuantumReservoir(readout="ridge"), TypeError, "readout must be a regression"),
        (lambda: QuantumReservoir().on("qrnn.torch", shots=0), ValueError, "shots must be"),
        (lambda: small().predict(uniform(3, 2)), NotFittedError, "predict must come after fit"),
    ],
)
def test_options_out_of_range_are_refused(
    make: "object", error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("inputs", "targets", "washout", "error", "problem"),
    [
        (uniform(5), uniform(5), 0, ValueError, r"got a series of shape \(5,\): take inputs\[:"),
        (uniform(5, 3), uniform(5), 0, ValueError, r"inputs must be a series of shape \(T, 2\)"),
        (uniform(0, 2), uniform(0), 0, ValueError, "at least one step"),
        (uniform(2, 2, 5, 2), uniform(5), 0, ValueError, r"got a series of shape \(2, 5, 2\)"),
        ([], [], 0, ValueError, "at least one series"),
        (pack_sequence([torch.ones(5, 2)]), uniform(1, 5), 0, TypeError, r"take .*unpack_sequence"),
        (["ab"], uniform(1, 5), 0, TypeError, "inputs must be arrays of real"),
        ([[[1.0, 2.0], [3.0]]], uniform(1, 2), 0, TypeError, "inputs must be arrays of real"),
        (uniform(5, 2) + 1j, uniform(5), 0, TypeError, "inputs must be .* got complex ones"),
        (torch.ones(5, 2) + 1j, uniform(5), 0, TypeError, "inputs must be .* got complex ones"),
        (np.ma.masked_less(uniform(5, 2), 0.5), uniform(5), 0, ValueError, "or masked values"),
        (uniform(5, 2) * np.inf, uniform(5), 0, ValueError, "inputs must be finite"),
        (uniform(5, 2), uniform(5) * np.nan, 0, ValueError, "targets must be finite"),
        (uniform(5, 2), uniform(4), 0, ValueError, r"as many steps as inputs, \[5\], got .*\(4,\)"),
        (uniform(5, 2), np.float64(1), 0, ValueError, r"got shapes \[\(\)\]"),
        (uniform(5, 2), uniform(5, 1, 1), 0, ValueError, r"got shapes \[\(5, 1, 1\)\]"),
        (uniform(2, 5, 2), uniform(5), 0, ValueError, r"inputs, \[5, 5\], got shapes \[\(5,\)\]"),
        (uniform(2, 5, 2), [uniform(5), uniform(5, 1)], 0, ValueError, "targets must be of shape"),
        (uniform(5, 2), uniform(5), 5, ValueError, "washout must leave steps to fit, but is 5"),
        (uniform(5, 2), uniform(5), -1, ValueError, "washout must be at least 0, got -1"),
        (uniform(5, 2), uniform(5), 1.5, TypeError, "washout must be an integer, got 1.5"),
    ],
)
def test_wrong_series_are_refused(
    inputs: Values, targets: Values, washout: int, error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        small().fit(inputs, targets, washout=washout)


def test_another_number_of_series_does_not_go_on() -> None:
    for window in (None, 2):
        reservoir = small(window=window).fit(uniform(3, 5, 2), uniform(3, 5))
        with pytest.raises(ValueError, match=r"must be 3 series as before, .* got 1: call reset"):
            reservoir.predict(uniform(4, 2))
        reservoir.reset()
        reservoir.predict(uniform(4, 2))


def test_a_series_that_runs_backwards_is_its_copy() -> None:
    inputs, targets = uniform(9, 2)[::-1], uniform(9)[::-1]
    found, expected = (
        small().fit(*given).predict(given[0])
        for given in ((inputs, targets), (inputs.copy(), targets.copy()))
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("window", [None, 3])
def test_a_series_goes_on_where_the_layer_has_another_type(window: int | None) -> None:
    reservoir, other = (small(window=window).fit(uniform(5, 2), uniform(5)) for _ in range(2))
    found, expected = reservoir.float().predict(uniform(4, 2)), other.predict(uniform(4, 2))
    assert np.allclose(found, expected, rtol=0, atol=1e-5)


def test_loaded_parameters_leave_no_readout_of_others() -> None:
    reservoir = small().fit(uniform(5, 2), uniform(5))
    other = QuantumReservoir(QGRU(2, 3, dtype=torch.float64)).fit(uniform(5, 2), uniform(5))
    other.load_state_dict(reservoir.state_dict())
    with pytest.raises(NotFittedError, match="predict must come after fit"):
        other.predict(uniform(4, 2))
    assert np.array_equal(other.transform(uniform(4, 2)), small().transform(uniform(4, 2)))
