import re
from pathlib import Path

import pytest

from qrnn_circuits.command_line.program import COMMANDS, load_command
from tools.site.command_reference import contents, page, write


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_of_its_command_with_its_help(name: str) -> None:
    command = load_command(name)
    written = page(name)

    for parameter in command.params:
        record = parameter.get_help_record(command.make_context(name, [], resilient_parsing=True))
        if record is not None:
            names, text = record
            assert f".. option:: {names}\n" in written
            plain = re.sub(r"\\([\\*`|_<>])", r"\1", written)
            assert " ".join(text.split()) in plain


def test_options_stand_in_the_groups_of_the_help() -> None:
    titles = re.findall(r"^(.+)\n-+$", page("train"), re.MULTILINE)

    assert titles[:3] == ["Arguments", "Options", "Network"]
    assert "Task options" in titles
    assert len(titles) == len(set(titles))


def test_pages_that_have_not_changed_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "jobs.rst").write_text("old", encoding="utf-8")
    write(tmp_path)

    assert (tmp_path / "jobs.rst").read_text(encoding="utf-8") == page("jobs")
    assert {path.name for path in before} == {*(f"{name}.rst" for name in COMMANDS), "contents.inc"}
    assert all(path.stat().st_mtime_ns == before[path] for path in before if path.stem != "jobs")


def test_the_contents_keep_the_order_of_the_help() -> None:
    assert re.findall(r"\(([\w-]+)\.rst\)", contents()) == list(COMMANDS)
