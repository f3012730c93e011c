from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qrnn_circuits.training import (
    Ranks,
    RunConfig,
    TrainedRun,
    Trainer,
    evaluate_forecast,
    load_run,
)
from qrnn_circuits.training.forecast_evaluation import in_own_units
from qrnn_circuits.training.gradient import DataParallelLoss
from qrnn_circuits.training.validation import forecasts, normalised_error, root_mean_squares
from tests.two_processes import Pair

SETTINGS = {
    "cell": "rnn",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "steps": 6,
    "batch_size": 16,
    "validate_every": 2,
    "checkpoint_every": 3,
    "task_options": {"series": "damped-oscillation", "points": 80},
}


def config(**changes: Any) -> RunConfig:  # noqa: ANN401
    return RunConfig.resolve("forecast", SETTINGS, changes)


@pytest.fixture
def run(tmp_path: Path) -> TrainedRun[Any, Any]:
    Trainer.start(config(), tmp_path / "run").run()
    return load_run(str(tmp_path / "run"), "last")


@given(
    arrays.arrays(np.float64, (7, 2), elements=st.floats(-5, 5)),
    arrays.arrays(np.float64, (7, 2), elements=st.floats(-5, 5, allow_subnormal=False)),
)
def test_the_normalised_error_is_one_of_the_mean_and_none_of_the_truth(
    noise: np.ndarray, values: np.ndarray
) -> None:
    targets = torch.from_numpy(values + np.arange(7)[:, None] * 30)
    mean = targets.mean(0).expand(7, 2)
    assert normalised_error(targets, targets) == 0
    assert normalised_error(mean, targets) == pytest.approx(1)
    found = targets + torch.from_numpy(noise)
    each = np.square(noise).mean(0) / np.var(targets.numpy(), axis=0)
    assert normalised_error(found, targets) == pytest.approx(np.sqrt(each.mean()))
    # It does not depend on units.
    scaled = normalised_error(1000 * found - 7, 1000 * targets - 7)
    assert scaled == pytest.approx(normalised_error(found, targets), abs=1e-9)


@pytest.mark.parametrize("constant", [0.1, 1 / 3, 1e6 + 0.1])
def test_errors_of_a_constant_count_as_they_are(constant: float) -> None:
    targets = torch.full((39, 1), constant, dtype=torch.float64)
    assert normalised_error(targets + 2, targets) == pytest.approx(2)


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_a_root_mean_square_is_found_in_any_unit(unit: float) -> None:
    errors = torch.tensor([[3.0, 0.0, -1.0], [4.0, 0.0, 1.0]], dtype=torch.float64)
    found = root_mean_squares(errors * unit) / unit
    np.testing.assert_allclose(found, [12.5**0.5, 0, 1])


def test_figures_are_those_of_the_forecasts_in_scaled_and_own_units(
    run: TrainedRun[Any, Any],
) -> None:
    result = evaluate_forecast(run)
    batch = run.task.test()
    with torch.no_grad():
        found = run.model(batch.inputs).double()
    errors = (found - batch.targets).numpy()
    assert result.windows == len(batch)
    assert result.mean_squared_error == pytest.approx(np.square(errors).mean())
    spans = np.array(run.task.contents["span"])
    own = np.sqrt(np.square(errors * spans).mean(0))
    assert list(result.root_mean_squared_errors) == ["position", "velocity"]
    np.testing.assert_allclose(list(result.root_mean_squared_errors.values()), own)
    last, truth = batch.inputs[:, -1].numpy(), batch.targets.numpy()
    each = np.square(last - truth).mean(0) / truth.var(0)
    assert result.persistence == pytest.approx(np.sqrt(each.mean()))
    own_units = in_own_units(run, forecasts(run.model, batch))
    np.testing.assert_allclose(own_units.found - own_units.truth, errors * spans, atol=1e-12)


def test_the_last_value_is_that_of_each_column_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "columns.csv"
    rows = [f"{time},{time % 3},{time % 7 * 10}" for time in range(60)]
    path.write_text("\n".join(["time,short,long", *rows]))
    found = {}
    for targets in ("long", "short,long", "long,short"):
        options = {"data": str(path), "targets": targets, "horizon": 7}
        trained = RunConfig.resolve("forecast", {"cell": "rnn"}, {"task_options": options})
        run = TrainedRun[Any, Any](trained, trained.build_task(), trained.build_model(), 0)
        found[targets] = evaluate_forecast(run).persistence
    assert found["long"] == 0
    assert found["short,long"] == pytest.approx(found["long,short"])
    assert found["short,long"] != pytest.approx(0, abs=0.1)


def test_what_is_not_known_has_no_last_value() -> None:
    options = {"task_options": {"series": "narma5", "points": 60}}
    trained = config(**options)
    run = TrainedRun[Any, Any](trained, trained.build_task(), trained.build_model(), 0)
    assert evaluate_forecast(run).persistence is None


@pytest.mark.parametrize("cell", ["rnn", "qrnn"])
def test_a_resumed_forecast_goes_through_the_same_weights(cell: str, tmp_path: Path) -> None:
    changes = {"cell": cell, **({"workspace": 2} if cell == "qrnn" else {})}
    whole = Trainer.start(config(**changes), tmp_path / "whole")
    whole.run()
    Trainer.start(config(**changes, steps=4), tmp_path / "parts").run()
    resumed = Trainer.resume(tmp_path / "parts", {"steps": 6})
    resumed.run()
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)


def _gradient(ranks: Ranks) -> tuple[float, list[torch.Tensor]]:
    settings = config(dtype="float64")
    model = settings.build_model()
    batch = settings.build_task().batch(5, torch.Generator().manual_seed(0))
    shared = DataParallelLoss(model, "nll", ranks)
    found = shared.backward(shared.share(batch, torch.device("cpu")), None)
    return found.loss.item(), [p.grad for p in model.parameters() if p.grad is not None]


def test_two_processes_share_the_windows_of_a_batch(on_both: Pair) -> None:
    expected_loss, expected = _gradient(Ranks())
    for loss, gradients in on_both(_gradient):
        assert loss == pytest.approx(expected_loss, rel=1e-13)
        for found, right in zip(gradients, expected, strict=True):
            torch.testing.assert_close(found, right, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lane": 2}, "lane is for tasks of symbols, got 2 for a forecast"),
        ({"loss": "paper"}, "loss is for tasks of symbols"),
        ({"acceptance_weight": 0.1}, "acceptance_weight is for tasks of symbols"),
        ({"prune_tolerance": 0.1}, "prune_tolerance is for tasks of symbols"),
        ({"workspace": 3}, "the cell 'rnn' takes no workspace, got 3"),
        ({"cell": "qlstm,depth"}, "options of cell must look like name=value, got 'depth'"),
        ({"cell": "qlstm,deepness=2"}, "cell 'qlstm': .*'deepness'; its options are"),
        ({"cell": "xor"}, "cell must be one of qrnn, qlstm, .* got 'xor'"),
        ({"hidden_size": 0}, "hidden_size must be from 1 to 16384, got 0"),
    ],
)
def test_settings_that_a_forecast_has_no_use_for_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes).build_model()


def test_options_of_a_cell_may_follow_its_name() -> None:
    made = config(cell="qlstm,depth=2,qubits=3,linear=True", hidden_size=4)
    assert made.cell == "qlstm"
    assert made.cell_options == {"depth": 2, "qubits": 3, "linear": True}
    assert RunConfig.from_json(made.to_json()) == made


def test_a_forecast_has_no_symbols(run: TrainedRun[Any, Any]) -> None:
    with pytest.raises(ValueError, match="forecasts real values, and has no symbols"):
        run.of_symbols()
