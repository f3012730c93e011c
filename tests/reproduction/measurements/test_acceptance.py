import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from qrnn_circuits.reproduction.measurements.acceptance import measure
from qrnn_circuits.training import load_run
from tests.dense import DenseCell

SMALL: dict[str, Any] = {
    "workspace": 2,
    "degree": 2,
    "dtype": "float64",
    "steps": 40,
    "validate_every": 10,
    "learning_rate": 0.05,
    "task_options": {"length": 6},
}


def measured(folder: Path, **run: Any) -> dict[str, Any]:  # noqa: ANN401
    return measure({"run": SMALL | run}, 0, folder, lambda doing: None)


def test_the_last_acceptance_is_that_of_dense_matrices(tmp_path: Path) -> None:
    found = measured(tmp_path, steps=1, order=1, task_options={"length": 3})
    run = load_run(tmp_path / "run", "last")
    cell = run.model.cell
    dense = DenseCell(
        lane=cell.lane,
        workspace=cell.workspace,
        stages=cell.stages,
        order=cell.order,
        degree=cell.degree,
        semantics=cell.semantics,
        coefficients=cell.neuron_coefficients.detach().numpy(),
        theta=cell.theta.detach().numpy(),
    )
    batch = run.task.validation()
    pairs = zip(batch.inputs.tolist(), batch.outcomes.tolist(), strict=True)
    counts = Counter((tuple(inputs), tuple(outcomes)) for inputs, outcomes in pairs)
    total = sum(count * dense.run(*sequence)[1] for sequence, count in counts.items())
    ((step, _, log10_acceptance),) = found["curve"]
    assert step == 1
    assert found["log10_acceptance"] == log10_acceptance
    assert log10_acceptance == pytest.approx(math.log10(total / len(batch)), abs=1e-5)


def test_a_weight_on_the_acceptance_keeps_more_shots(tmp_path: Path) -> None:
    without = measured(tmp_path / "without")
    weighted = measured(tmp_path / "with", acceptance_weight=1.0)
    assert [step for step, *_ in without["curve"]] == [10, 20, 30, 40]
    assert weighted["curve"][-1][2] > without["curve"][-1][2] + 0.5
    json.dumps(weighted, allow_nan=False)


def test_a_curve_has_at_most_sixty_points(tmp_path: Path) -> None:
    curve = measured(tmp_path, steps=70, validate_every=1)["curve"]
    assert len(curve) == 60
    assert (curve[0][0], curve[-1][0]) == (1, 70)


def test_a_run_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="run must be a table of options, got 3"):
        measure({"run": 3}, 0, tmp_path, lambda doing: None)
