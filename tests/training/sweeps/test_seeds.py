from pathlib import Path

import pytest

from qrnn_circuits.training import SeedResult
from qrnn_circuits.training.sweeps.seeds import SeedSpread, medians
from qrnn_circuits.training.validation import Validation


def result(seed: int, error: float, *, diverged: bool = False) -> SeedResult:
    best = Validation(
        step=1, loss=2 * error, error=error, sampled_error=error, log10_acceptance=0.0
    )
    return SeedResult(seed, Path(f"seed-{seed}"), 1, best, "", None, diverged)


def test_a_seed_that_diverged_is_the_worst_whatever_it_had_reached_before() -> None:
    results = [result(0, 0.0, diverged=True), result(1, 0.3), result(2, 0.1)]
    assert medians(results) == {"loss": 0.6, "error": 0.3, "sampled_error": 0.3}
    assert SeedSpread.of(results) == SeedSpread(0.1, None, 1)


def test_there_is_no_median_where_a_diverged_seed_is_in_the_middle() -> None:
    results = [result(0, 0.1), result(1, 0.2, diverged=True)]
    assert medians(results) is None
    assert SeedSpread.of(results) == SeedSpread(0.1, None, 1)


@pytest.mark.parametrize("name", ["best", "worst", "diverged"])
def test_a_note_that_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"a trial has {name} '0.1'"):
        SeedSpread.read({name: "0.1"})
