import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.tasks import Forecast, SeriesBatch, series_data, user_file
from qrnn_circuits.tasks.forecast import ScaledBy


def parts(task: Forecast) -> tuple[SeriesBatch, SeriesBatch, SeriesBatch]:
    return task.training(), task.validation(), task.test()


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (4, 1), (3, 5)])
def test_a_target_lies_one_horizon_behind_the_last_point_of_its_window(
    ramp: Path, window: int, horizon: int
) -> None:
    task = Forecast(data=str(ramp), window=window, horizon=horizon, scaling="none")
    for batch in parts(task):
        assert batch.inputs.shape[1:] == (window, 2)
        steps = batch.inputs[:, :, 0]
        assert torch.equal(steps[:, 1:], steps[:, :-1] + 1)
        assert torch.equal(batch.targets[:, 0], steps[:, -1] + horizon)
        assert torch.equal(batch.targets[:, 1], 100 - 2 * batch.targets[:, 0])


def test_parts_follow_each_other_in_time_and_hold_every_window_once(ramp: Path) -> None:
    task = Forecast(data=str(ramp), scaling="none")
    times = torch.cat([batch.targets[:, 0] for batch in parts(task)])
    assert times.tolist() == list(range(4, 40))
    assert [len(batch) for batch in parts(task)] == [22, 7, 7]


def test_the_scaling_goes_by_the_points_of_the_training_alone(ramp: Path) -> None:
    task = Forecast(data=str(ramp))
    training = task.training()
    seen = torch.cat([training.inputs.flatten(0, 1), training.targets])
    assert torch.equal(seen.amin(0), torch.zeros(2).double())
    assert torch.equal(seen.amax(0), torch.ones(2).double())
    assert task.test().targets[:, 0].max() > 1
    both = Forecast(data=str(ramp), scaling="all")
    assert both.test().targets[-1].tolist() == [1, 0]


@pytest.mark.parametrize("targets", [None, "up,down", "down", "2,1"])
@pytest.mark.parametrize("scaling", ["training", "all", "none"])
def test_a_column_that_is_known_and_forecast_is_scaled_once(
    ramp: Path, scaling: ScaledBy, targets: str | None
) -> None:
    task = Forecast(data=str(ramp), window=3, horizon=5, targets=targets, scaling=scaling)
    test, places = task.test(), task.known_targets
    assert places is not None
    assert [task.contents["inputs"][place] for place in places] == list(task.target_names)  # type: ignore[index]
    ahead = test.inputs[5:, -1, places]
    assert torch.equal(ahead, test.targets[: len(ahead)])


def test_a_column_that_is_known_alone_is_scaled_by_the_training_windows_alone(ramp: Path) -> None:
    inputs = Forecast(data=str(ramp), targets="down", horizon=5).training().inputs
    assert inputs[..., 0].amax() == 1
    assert inputs[..., 1].amin() > 0


@pytest.mark.parametrize("scaling", ["training", "all", "none"])
def test_unscaled_targets_are_those_of_the_file(ramp: Path, scaling: ScaledBy) -> None:
    task = Forecast(data=str(ramp), scaling=scaling)
    found = task.unscaled(task.test().targets)
    up = torch.arange(33.0, 40.0).double()
    torch.testing.assert_close(found, torch.stack((up, 100 - 2 * up), 1))


def test_columns_are_chosen_by_name_or_number(ramp: Path) -> None:
    task = Forecast(data=str(ramp), columns="up", targets="2", scaling="none")
    assert (task.features, task.target_names) == (1, ("down",))
    assert not task.forecasts_its_inputs
    batch = task.test()
    assert torch.equal(batch.targets[:, 0], 100 - 2 * (batch.inputs[:, -1, 0] + 1))


@pytest.mark.parametrize("name", ["columns", "targets"])
@pytest.mark.parametrize("value", [("up", "2"), 2])
def test_columns_that_are_no_string_are_told_how_to_be_one(
    name: str, value: object, ramp: Path
) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a string, names or numbers of columns wi"):
        Forecast(data=str(ramp), **{name: value})  # type: ignore[arg-type]


def test_a_driven_series_is_forecast_from_what_drives_it() -> None:
    task = Forecast(series="narma5", scaling="none", window=8)
    batch = task.training()
    assert (task.features, task.target_names) == (1, ("y",))
    assert batch.inputs.max() < 0.5 < batch.targets.max()
    # The second term of the recurrence makes the average follow its noise.
    product = (batch.inputs[:, -1] * batch.inputs[:, -5]).flatten()
    assert np.corrcoef(product, batch.targets[:, 0])[0, 1] > 0.5


def test_a_batch_has_no_window_twice_and_at_most_all(ramp: Path) -> None:
    task = Forecast(data=str(ramp), scaling="none")
    generator = torch.Generator().manual_seed(0)
    assert len(set(task.batch(10, generator).targets[:, 0].tolist())) == 10
    everything = task.batch(1000, generator)
    assert sorted(everything.targets[:, 0].tolist()) == task.training().targets[:, 0].tolist()


def test_a_task_is_built_from_what_is_kept_of_it_without_its_file(ramp: Path) -> None:
    task = Forecast(data=str(ramp), targets="down")
    kept = json.loads(json.dumps(task.contents))
    ramp.unlink()
    again = Forecast(data=str(ramp), targets="down", contents=kept)
    assert (again.features, again.target_names) == (2, ("down",))
    assert again.unscaled(torch.zeros(1, 1)).item() == task.contents["low"][0]  # type: ignore[index]
    with pytest.raises(FileNotFoundError, match="there is no file"):
        again.test()


def test_another_file_than_the_one_of_the_run_is_refused(ramp: Path) -> None:
    kept = Forecast(data=str(ramp)).contents
    ramp.write_text(ramp.read_text().replace("39,", "38,"))
    with pytest.raises(ValueError, match=r"is not what the run began with: its checksum was"):
        Forecast(data=str(ramp), contents=kept).test()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "series or data must say what to forecast, got neither: give --series"),
        ({"series": "henon", "data": "a.csv"}, "series or data must say .* got both"),
        ({"series": "hennon"}, "series must be one of henon, .* got 'hennon'"),
        ({"series": "bessel", "columns": "x"}, "columns is for columns of a file, got 'x'"),
        ({"data": "a.csv", "series_seed": 3}, "series_seed is for a generated series, got 3"),
        ({"series": "bessel", "window": 0}, "window must be at least 1, got 0"),
        ({"series": "bessel", "horizon": -1}, "horizon must be at least 1, got -1"),
        ({"series": "bessel", "points": 2}, "points must be from 3 to 1000000, got 2"),
        ({"series": "bessel", "points": 20, "window": 25}, "must fit into the series of 20 points"),
        ({"series": "bessel", "scaling": "some"}, "scaling must be one of training, all, none"),
        ({"series": "bessel", "test_share": 0.9}, "must leave a window for training, validation"),
        ({"series": "bessel", "test_share": 1e308}, "must leave a window for training, validation"),
        ({"series": "bessel", "test_share": 0}, "must leave a window for training, validation"),
        ({"series": "bessel", "points": 10**6, "window": 500}, "window must be shorter, or points"),
        ({"series": "bessel", "contents": {}}, "contents must be a table of inputs, targets"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Forecast(**options)


GOOD = "\n".join(f"{t},{t * t}" for t in range(30))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "data must be a .csv file of numbers, but .* is empty"),
        ("a,b\n", {}, "has no row of numbers"),
        ("a,a\n1,2\n", {}, "names two columns 'a'"),
        ("a,b\n1,2\n3\n", {}, "row 3 must have 2 columns, as the first one, got 1"),
        ("a,b\n1,2\n3,nan\n", {}, "row 3 must have a finite number in column 'b', got 'nan'"),
        ("a,b\n1,2\n3,\n", {}, "row 3 must have a finite number in column 'b', got nothing"),
        ("a,b\n1,2\n3,x\n", {}, "row 3 must have a finite number in column 'b', got 'x'"),
        ("a,b\n1,inf\n3,4\n", {}, "row 2 must have a finite number in column 'b', got 'inf'"),
        ("a,b\nx,y\nz,w\n", {}, "has no column of numbers"),
        ("a,b\n1,2\n3,4_0\n", {}, "row 3 must have a finite number in column 'b', got '4_0'"),
        ('a,b\n1,2\n"3,4\n', {}, "is not CSV: unexpected end of data"),
        (GOOD, {"columns": "3"}, "columns names no column '3'; known are 1, 2"),
        (GOOD, {"columns": "1,1"}, "columns must name every column once, got '1,1'"),
        (GOOD, {"targets": "y"}, "targets names no column 'y'"),
        ("1,7\n2,7\n" * 15, {}, "column '2' cannot be scaled .* 7 .* leave it out by columns"),
        ("a,a,b\n1,2,3\n" * 30, {"columns": "b,a"}, "names two columns 'a': give each a name of"),
        ("a,a,b\n1,2,3\n" * 30, {"columns": "1", "targets": "2"}, "names two columns 'a'"),
        ("a\x1b[2J,b\n1,2\n", {}, r"control character in the name of a column, 'a\\x1b\[2J'"),
        (GOOD, {"columns": "1" * 5000}, "columns names no column '1111"),
        ("1,-1e308\n2,1e308\n" * 15, {}, "column '2' cannot be scaled .* its range overflows"),
    ],
)
def test_a_file_that_is_no_series_is_refused_in_one_line(
    text: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        Forecast(data=str(path), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("late", "scaling"),
    [
        ("1,{}", "training"),
        ("{},1", "training"),
        ("1e300,1", "none"),
        ("-1e300,1", "none"),
    ],
)
def test_values_whose_squares_no_network_can_add_are_refused_before_training(
    late: str, scaling: ScaledBy, tmp_path: Path
) -> None:
    path = tmp_path / "late.csv"
    # Their range in the training is tiny, so that what comes later is scaled to infinity.
    first = [f"{n % 3 * 1e-300},{n % 4 * 1e-300}" for n in range(30)]
    path.write_text("\n".join(["a,b", *first, *[late.format(n) for n in range(10)]]))
    with pytest.raises(
        ValueError, match=r"column '.' must be at most 1e\+15 in size when it is sc"
    ):
        Forecast(data=str(path), scaling=scaling)


def test_a_file_of_too_many_numbers_or_lines_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "series.csv"
    path.write_text(GOOD)
    monkeypatch.setattr(series_data, "_MOST_VALUES", 58)
    with pytest.raises(ValueError, match=r"must have at most 58 numbers, but has more$"):
        Forecast(data=str(path))
    monkeypatch.setattr(user_file, "_MOST_LINES", 29)
    with pytest.raises(ValueError, match=r"must have at most 29 lines, but has more$"):
        Forecast(data=str(path))


def test_columns_without_any_number_are_left_out_and_named(weather: Path) -> None:
    weather.write_text(weather.read_text().replace(",,1,", ",1,1,"))
    task = Forecast(data=str(weather))
    assert task.target_names == ("sun", "rain")
    sizes = "{}, {} and {}".format(*map(len, parts(task)))
    assert task.found == (
        f"30 points of sun, rain; windows to train on, validate by and test by: {sizes}; "
        "left out: day"
    )


def test_a_column_that_is_only_forecast_is_not_called_left_out(weather: Path) -> None:
    weather.write_text(weather.read_text().replace(",,1,", ",1,1,"))
    task = Forecast(data=str(weather), columns="sun", targets="rain")
    assert task.found.startswith("30 points of sun, to forecast rain; ")
    assert task.found.endswith("; left out: day")


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(30, 60),
    st.floats(0.05, 0.4),
    st.floats(0.05, 0.4),
)
def test_shares_are_those_asked_for_to_one_window(
    window: int, horizon: int, points: int, validation: float, test: float
) -> None:
    task = Forecast(
        series="bessel",
        window=window,
        horizon=horizon,
        points=points,
        validation_share=validation,
        test_share=test,
    )
    count = points - window - horizon + 1
    sizes = [len(batch) for batch in parts(task)]
    assert sum(sizes) == count
    assert abs(sizes[1] - validation * count) <= 1
    assert abs(sizes[2] - test * count) <= 0.5 + 1e-9
