import pytest

from qrnn_circuits.training import RunConfig


def test_recommended_learning_rates_are_left_out_where_they_do_not_fit() -> None:
    pixels = {"task_options": {"data": "folder"}}
    recommended = RunConfig.resolve("digits", pixels)
    plain = RunConfig(task="xor")
    assert recommended.readout_learning_rate is not None
    assert recommended.decay != plain.decay
    given = RunConfig.resolve("digits", pixels, {"learning_rate": 0.003})
    assert given.readout_learning_rate is None
    assert given.decay == recommended.decay
    for optimizer in ("sgd", "lbfgs"):
        other = RunConfig.resolve("digits", pixels, {"optimizer": optimizer})
        assert other.readout_learning_rate is None
        assert (other.learning_rate, other.decay) == (plain.learning_rate, plain.decay)


def test_recommended_learning_rates_go_with_their_optimizer() -> None:
    sines = {"task_options": {"series": "sines"}}
    recommended = RunConfig.resolve("forecast", sines)
    assert recommended.optimizer == "lbfgs"
    assert RunConfig.resolve("forecast", sines, {"optimizer": "lbfgs"}) == recommended
    other = RunConfig.resolve("forecast", sines, {"optimizer": "adam"})
    assert other.learning_rate == RunConfig(task="xor").learning_rate != recommended.learning_rate


@pytest.mark.parametrize(
    ("task", "options", "most"), [("forecast", {"series": "sines"}, 2), ("digits", {}, 3)]
)
def test_a_recommended_degree_fits_a_smaller_workspace(
    task: str, options: dict[str, object], most: int
) -> None:
    settings = {"task_options": options | ({"data": "embedded"} if task == "digits" else {})}
    assert RunConfig.resolve(task, settings).degree > most
    smaller = RunConfig.resolve(task, settings, {"workspace": 2})
    assert smaller.degree == most
    smaller.build_model()
    with pytest.raises(ValueError, match="degree must be"):
        RunConfig.resolve(task, settings, {"workspace": 2, "degree": most + 1}).build_model()


def test_a_recommended_degree_stays_where_more_lane_wires_make_up_for_the_workspace() -> None:
    settings = {"task_options": {"data": "embedded"}}
    wider = RunConfig.resolve("digits", settings, {"workspace": 2, "lane": 3})
    assert wider.degree == RunConfig.resolve("digits", settings).degree


def test_recommended_restarts_are_left_out_of_a_run_that_is_too_short_for_them() -> None:
    recommended = RunConfig.resolve("letters")
    assert recommended.restart_after is not None
    trials = (recommended.restarts + 1) * recommended.restart_after
    whole = RunConfig.resolve("letters", {"steps": trials})
    assert (whole.restarts, whole.restart_after) == (
        recommended.restarts,
        recommended.restart_after,
    )
    shorter = RunConfig.resolve("letters", {"steps": trials - 1})
    assert (shorter.restarts, shorter.restart_after) == (0, None)


def test_recommended_spreads_of_sharpened_neurons_are_not_for_those_of_order_0() -> None:
    assert RunConfig.resolve("digits", recipe="drawing").bias_spread == 0.5
    assert RunConfig.resolve("digits", {"order": 1}, recipe="drawing").bias_spread == 0.5
    config = RunConfig.resolve("digits", {"order": 0}, recipe="drawing")
    assert config.bias_spread is None
    given = RunConfig.resolve("digits", {"order": 0, "bias_spread": 0.2}, recipe="drawing")
    assert given.bias_spread == 0.2


@pytest.mark.parametrize("cell", ["fast-weights", "recurrent-circuit", "recurrent-circuit,depth=2"])
def test_a_layer_of_as_many_wires_as_values_is_of_a_size_that_can_be_simulated(cell: str) -> None:
    options = {"task_options": {"series": "sines"}, "cell": cell}
    assert RunConfig.resolve("forecast", options).hidden_size == 4
    assert RunConfig.resolve("forecast", options, {"hidden_size": 3}).hidden_size == 3
    assert RunConfig.resolve("forecast", options | {"cell": "qrnn"}).hidden_size == 8
