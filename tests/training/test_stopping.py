import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from qrnn_circuits.training import RunConfig, Validation
from qrnn_circuits.training.stopping import Standing

Tiny = Callable[..., RunConfig]


def figures(step: int, error: float, sampled_error: float = 0.5, loss: float = 1.0) -> Validation:
    return Validation(step, loss, error, sampled_error, log10_acceptance=-3.0)


def standing_after(*validations: Validation) -> Standing:
    standing = Standing()
    for validation in validations:
        standing = standing.after(validation)
    return standing


def test_the_best_has_the_smallest_sampled_error_then_the_smallest_error_then_is_first() -> None:
    first = figures(1, 0.2, 0.3)
    assert standing_after(first, figures(2, 0.1, 0.4)).best == first
    assert standing_after(first, figures(2, 0.2, 0.3, loss=0.1)).best == first
    less_error, less_sampled_error = figures(2, 0.1, 0.3), figures(3, 0.9, 0.2)
    assert standing_after(first, less_error).best == less_error
    assert standing_after(first, less_sampled_error).best == less_sampled_error


def test_a_run_retreats_from_markedly_worse_validations_but_not_from_a_plateau(tiny: Tiny) -> None:
    config = tiny(retreat=2)
    best, plateau, worse = (figures(1, 0.1, error) for error in (0.2, 0.24, 0.4))
    assert not standing_after(best, worse).calls_for_retreat(config)
    assert not standing_after(best, worse, plateau).calls_for_retreat(config)
    assert standing_after(best, plateau, worse).calls_for_retreat(config)
    assert not standing_after(best, worse, worse, worse).calls_for_retreat(config)
    assert standing_after(best, worse, worse, worse, worse).calls_for_retreat(config)
    assert not standing_after(best, worse, worse).calls_for_retreat(tiny())


def test_patience_counts_validations_since_the_best(tiny: Tiny) -> None:
    config = tiny(patience=2, steps=99)
    standing = standing_after(figures(1, 0.5), figures(2, 0.6), figures(3, 0.4), figures(4, 0.4))
    assert standing.without_improvement == 1
    assert standing.reason_to_stop(config, 4) is None
    reason = standing.after(figures(5, 0.5)).reason_to_stop(config, 5)
    assert reason == "2 validations brought no improvement (patience)"


def test_patience_does_not_end_a_run_before_the_best_of_its_trials_goes_on(tiny: Tiny) -> None:
    config = tiny(patience=2, restarts=1, restart_after=6, steps=24)
    standing = standing_after(figures(2, 0.1), figures(10, 0.2), figures(12, 0.2))
    assert standing.reason_to_stop(config, 12) is None
    assert str(standing.reason_to_stop(config, 13)).endswith("(patience)")


@pytest.mark.parametrize(
    ("limit", "reason"),
    [({"stop_loss": 0.5}, "loss reached 0.5"), ({"stop_error": 0.25}, "error reached 0.25")],
)
def test_a_limit_stops_a_run_once_it_is_reached(
    tiny: Tiny, limit: dict[str, float], reason: str
) -> None:
    config = tiny(**limit)
    above, at = figures(1, 0.26, loss=0.51), figures(2, 0.25, loss=0.5)
    assert standing_after(above).reason_to_stop(config, 1) is None
    assert reason in str(standing_after(above, at).reason_to_stop(config, 2))


def test_no_limit_stops_a_run_whose_small_rotations_are_still_to_be_pruned(tiny: Tiny) -> None:
    config = tiny(prune_tolerance=0.05, patience=1, stop_loss=0.5, steps=99)
    unpruned = standing_after(figures(1, 0.1, loss=0.4), figures(2, 0.1, loss=0.4))
    assert unpruned.without_improvement == 1
    assert unpruned.reason_to_stop(config, 2) is None
    first = replace(figures(3, 0.1, loss=0.6), pruned=True)
    assert unpruned.after(first).reason_to_stop(config, 3) is None
    for second, reason in ((first, "(patience)"), (replace(first, loss=0.4), "(stop_loss)")):
        told = unpruned.after(first).after(second).reason_to_stop(config, 4)
        assert str(told).endswith(reason)


def test_a_run_stops_after_its_last_step(tiny: Tiny) -> None:
    config = tiny(steps=12)
    assert Standing().reason_to_stop(config, 11) is None
    assert Standing().reason_to_stop(config, 12) == "all 12 steps are done"


@pytest.mark.parametrize("validations", [(), (figures(1, 0.2), figures(2, 0.3))])
def test_a_standing_comes_back_through_json(validations: tuple[Validation, ...]) -> None:
    standing = standing_after(*validations)
    assert Standing.from_json(json.loads(json.dumps(standing.to_json()))) == standing


@pytest.mark.parametrize("retreats", [-1, 1001, 2**31, 1.0])
def test_a_standing_of_more_retreats_than_a_learning_rate_outlives_is_refused(
    retreats: object,
) -> None:
    with pytest.raises((TypeError, ValueError), match="retreats must be"):
        Standing.from_json(Standing().to_json() | {"retreats": retreats})


@pytest.mark.parametrize("name", ["best", "last"])
@pytest.mark.parametrize("value", [0, False, "", [], {}])
def test_what_is_no_validation_is_refused_also_where_it_counts_as_false(
    name: str, value: object
) -> None:
    with pytest.raises(TypeError):
        Standing.from_json(Standing().to_json() | {name: value})
