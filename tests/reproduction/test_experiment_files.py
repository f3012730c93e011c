import re
from collections.abc import Callable
from pathlib import Path

import pytest

from qrnn_circuits.reproduction.charts import draw
from qrnn_circuits.reproduction.experiment import TRAINING, in_order
from qrnn_circuits.reproduction.experiment_files import (
    experiment_names,
    read_experiment,
    read_experiment_file,
)
from qrnn_circuits.reproduction.jobs import run_config
from qrnn_circuits.reproduction.measurements import MEASUREMENTS

Write = Callable[..., Path]


def test_a_grid_has_a_case_for_each_combination_of_its_values(experiment_file: Write) -> None:
    text = '[grid]\n"task_options.length" = [4, 5, 6]'
    published = 'case = "length=4,learning_rate=0.1"'
    path = experiment_file(("[grid]", text), ('case = "learning_rate=0.1"', published))
    experiment = read_experiment_file(path)
    assert len(experiment.cases) == 3 * 2
    assert experiment.runs == 3 * 2 * 2
    case = experiment.cases[-1]
    assert case.name == "length=6,learning_rate=0.1"
    assert case.settings["task_options"] == {"length": 6}
    assert case.settings["learning_rate"] == 0.1
    assert case.settings["steps"] == 4


def test_named_cases_set_what_the_base_settings_do_not(experiment_file: Write) -> None:
    added = '[[cases]]\nname = "large"\nseeds = 1\nsettings = { task_options = { length = 9 } }\n'
    added += '[[cases]]\nname = "small"\n'
    path = experiment_file(('case = "learning_rate=0.1"', 'case = "large,learning_rate=0.1"'))
    path.write_text(path.read_text() + added)
    experiment = read_experiment_file(path)
    lengths = {case.entry: case.settings["task_options"]["length"] for case in experiment.cases}
    assert lengths == {"large": 9, "small": 4}
    assert experiment.runs == 2 * 1 + 2 * 2


def test_quick_takes_what_its_table_says_and_the_rest_from_the_experiment(
    experiment_file: Write,
) -> None:
    experiment = read_experiment_file(experiment_file(), quick=True)
    (case,) = experiment.cases
    assert (case.seeds, case.settings["steps"], case.settings["learning_rate"]) == (1, 2, 0.1)
    assert case.settings["workspace"] == 2
    assert experiment.minutes == 0.01


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minutes = 0.1", "minuts = 0.1", "unknown key 'minuts'"),
        ("minutes = 0.1", "minutes = '1'", "minutes must be of type float, got '1'"),
        ("minutes = 0.1\n", "", "the experiment lacks"),
        ("seeds = 2", "seeds = 0", "seeds must be at least 1, got 0"),
        ("seeds = 2", "seeds = 2\nneeds_data = 'cifar'", "needs_data must be one of mnist"),
        ("minutes = 0.01", "minutes = 0.01\nrepeat = 2", "unknown key 'repeat' of quick"),
        ("minutes = 0.01", "minutes = 0.01\ncases = ['small']", "unknown case 'small'"),
        ('label = "test error"', 'lable = "x"', "unknown key 'lable' of a quantity"),
        ('case = "learning_rate=0.1"', 'case = "rate"', "of an unknown case 'rate'"),
        ("value = 0.25", "value = 0.25\nyear = 2020", "unknown key 'year' of a published figure"),
        ("[0.01, 0.1]", "[]", "learning_rate of the grid must be a list"),
        ("[0.01, 0.1]", "[0.1, 0.1]", "a name of its own"),
        ("[0.01, 0.1]", "['../up']", "names a folder"),
        ("seeds = 2", "seeds = 2\nrows_by = ['order']", "rows_by names no key of the grid"),
        ('kind = "scan"', 'type = "scan"', "unknown key 'type' of a chart"),
        ("[settings]", "[settings", "is not a TOML file"),
    ],
)
def test_what_is_not_acceptable_is_refused_by_name(
    experiment_file: Write, old: str, new: str, message: str
) -> None:
    path = experiment_file((old, new))
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_experiment_file(path)
    assert str(path) in str(caught.value)


def test_an_unknown_experiment_is_refused_with_a_close_name() -> None:
    with pytest.raises(ValueError, match="'dnaa'; did you mean dna"):
        read_experiment("dnaa")


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", experiment_names())
def test_every_setting_of_every_experiment_is_acceptable(name: str, quick: bool) -> None:
    experiment = read_experiment(name, quick=quick)
    assert experiment.quantities
    if experiment.measurement == TRAINING:
        for case in experiment.cases:
            if not experiment.needs_data:
                run_config(case.settings).build_model()
    else:
        assert experiment.measurement in MEASUREMENTS.names()
    for settings in experiment.charts:
        assert draw(settings, [(experiment, {})]) is None
        assert set(settings.beside) <= set(experiment_names())


def test_all_take_less_than_six_hours_and_quick_less_than_a_quarter_of_one() -> None:
    for quick, limit in ((False, 360), (True, 15)):
        found = [read_experiment(name, quick=quick) for name in experiment_names()]
        assert sum(each.minutes for each in found) <= limit
        assert [each.minutes for each in in_order(found)] == sorted(each.minutes for each in found)
