from typing import get_args

import pytest

from qrnn_circuits import choices, layers
from qrnn_circuits.cells import CELLS
from qrnn_circuits.forecaster import LAYERS
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS
from qrnn_circuits.settings.run_settings import FOR_FORECASTS, NOT_FOR_FORECASTS, settings
from qrnn_circuits.settings.task_options import description, option_fields
from qrnn_circuits.tasks import TASKS
from qrnn_circuits.tasks.series_generators import GENERATORS


def test_every_task_of_the_package_has_its_options_and_no_others() -> None:
    assert tuple(BUILT_IN_TASKS) == TASKS.names()
    for name, options in BUILT_IN_TASKS.items():
        task = TASKS.find(name)
        assert isinstance(task, type)
        assert issubclass(task, options)
        assert option_fields(task) == option_fields(options)


@pytest.mark.parametrize("name", BUILT_IN_TASKS)
def test_the_description_is_of_plain_sentences(name: str) -> None:
    text = description(BUILT_IN_TASKS[name])
    assert text.endswith(".")
    assert not {"`", "Attributes:", "Example:"} & {text, *text.split()}


def test_the_names_that_a_help_lists_are_those_that_there_are() -> None:
    assert CELLS.names() == choices.CELL_NAMES
    assert LAYERS.names() == choices.LAYER_NAMES
    assert tuple(GENERATORS) == choices.SERIES_NAMES
    assert layers.QRNNLayer is LAYERS.find("qrnn")


def test_what_only_some_tasks_use_are_settings() -> None:
    names = {field.name for field in settings()}
    assert {*FOR_FORECASTS, *NOT_FOR_FORECASTS} <= names
    assert not {*FOR_FORECASTS} & {*NOT_FOR_FORECASTS}


def test_every_word_that_a_setting_accepts_is_in_its_description() -> None:
    for field in settings():
        accepted = field.metadata["choices"] or ()
        shown = [word for word in accepted if word in field.metadata["help"]]
        assert len(shown) >= min(2, len(accepted)), field.name
    assert "stepwise" in get_args(choices.Strategy)
