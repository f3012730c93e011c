import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from qrnn_circuits.tasks import Digits, Task, Xor
from qrnn_circuits.tasks.recipes import choose_recipe, read_recipes


def task_with_recipes(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> type[Task]:
    """A task whose module lies in a folder, with these recipes."""
    (folder / "recipes").mkdir()
    (folder / "recipes" / "xor.toml").write_text(text)
    module = SimpleNamespace(__file__=str(folder / "module.py"))
    monkeypatch.setitem(sys.modules, "module_of_a_test", module)
    return type("Own", (Xor,), {"__module__": "module_of_a_test"})


def test_a_recipe_that_names_another_has_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_with_recipes('chip = "default"\n[default]\nsteps = 7', tmp_path, monkeypatch)
    assert read_recipes(task) == {"chip": {"steps": 7}, "default": {"steps": 7}}


@pytest.mark.parametrize(
    "text", ['chip = "best"', 'chip = "chip"', "chip = 3", f'chip = "{"x" * 5000}"']
)
def test_a_recipe_that_names_no_table_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_with_recipes(text, tmp_path, monkeypatch)
    with pytest.raises(
        ValueError, match=r"chip in .* must be a table of settings or the name"
    ) as caught:
        read_recipes(task)
    assert len(str(caught.value)) < 1000


def test_an_entry_of_a_recipe_that_is_no_setting_is_refused_in_the_name_of_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_with_recipes("[default]\nreading = 'scored'", tmp_path, monkeypatch)
    with pytest.raises(ValueError, match="recipe 'default' of xor: unknown setting 'reading'"):
        choose_recipe(task())


def test_why_a_recipe_is_refused_is_told_in_a_short_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'[default]\nrefused = "{"why " * 5000}"'
    task = task_with_recipes(text, tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=r"recipe 'default' is refused for xor: why") as caught:
        choose_recipe(task())
    assert len(str(caught.value)) < 1000


def test_a_task_chooses_among_recipes_of_one_purpose_by_its_default() -> None:
    recipes = read_recipes(Digits)
    assert choose_recipe(Digits(), "chip") == recipes["chip-embedded"] == recipes["embedded"]
    reduced = Digits(reduce="pca")
    assert choose_recipe(reduced, "chip") == recipes["chip-embedded-coordinates"]
    assert choose_recipe(reduced, "paper") == recipes["paper-coordinates"]
    prepared = Digits(reduce="pca", data="$QRNN_DATA_DIR")
    assert choose_recipe(prepared, "chip") == recipes["chip-coordinates"] != recipes["coordinates"]
