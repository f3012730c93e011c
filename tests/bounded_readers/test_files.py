import errno
import json
import os
from pathlib import Path

import pytest

from qrnn_circuits.bounded_readers.files import (
    SETTINGS_LIMIT,
    check_nesting,
    open_file,
    parse_json,
    read_bytes,
    read_toml,
)


def nested(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


def test_a_file_is_read_up_to_its_limit_and_refused_above(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    assert read_bytes(path, 100) == bytes(100)
    with pytest.raises(ValueError, match=r"file must have at most 99 bytes .* but has 100"):
        read_bytes(path, 99)


def test_a_sparse_file_of_10_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 10**10)
    with pytest.raises(ValueError, match=r"has 10,000,000,000: name another file"):
        read_bytes(path, 2**20)


def test_a_file_that_tells_no_size_is_read_no_further_than_the_limit() -> None:
    path = Path("/proc/self/smaps")
    if not path.exists():
        pytest.skip("this system has no such file")
    with pytest.raises(ValueError, match="must have at most 10 bytes, but has more"):
        read_bytes(path, 10)


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=f"file must be a regular file, but is {kind}"):
        read_bytes(path, 100)


def test_a_missing_file_is_an_error_of_the_system_and_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "missing", 100)
    with pytest.raises(ValueError, match="must be a regular file, but is a folder"):
        read_bytes(tmp_path, 100)


@pytest.mark.parametrize("depth", [65, 300, 5000, 100_000])
def test_a_text_that_nests_too_deep_is_refused(tmp_path: Path, depth: int) -> None:
    text = "[" * depth + "]" * depth
    with pytest.raises(ValueError, match=r"settings is not.* at most 64 levels deep"):
        parse_json("settings", text)
    path = tmp_path / "settings.toml"
    path.write_text(f"seed = {text}")
    accepted = r"at most 64 levels deep|at most 65,536 bytes"
    with pytest.raises(ValueError, match=rf"settings\.toml .*({accepted})"):
        read_toml(path)


def test_what_nests_63_levels_is_accepted() -> None:
    value = nested(63)
    assert parse_json("value", json.dumps(value)) == value


@pytest.mark.parametrize("text", [str(2**63), str(-(2**63) - 1), "9" * 4000, "9" * 5000])
def test_integers_beyond_64_bits_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^settings (must have integers of at most 64|is not JSON)"
    ):
        parse_json("settings", f'{{"seed": [{text}]}}')
    path = tmp_path / "settings.toml"
    path.write_text(f"seed = {text}")
    with pytest.raises(ValueError, match=r"settings\.toml (must have integers|is not a TOML file)"):
        read_toml(path)


def test_integers_of_64_bits_are_accepted_and_larger_ones_where_they_are_wanted() -> None:
    assert parse_json("value", str(2**63 - 1)) == 2**63 - 1
    assert parse_json("value", str(2**80), bits=None) == 2**80
    check_nesting("value", {"a": (2**63 - 1, True, None)})


@pytest.mark.parametrize("text", ["a" + ".a" * 1001 + " = 1", "seed = \n", "\udcff", "a" * 70_000])
def test_what_is_no_file_of_settings_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=r"settings\.toml (is not a TOML file|must have at most)"):
        read_toml(path)


def test_a_message_is_one_short_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not JSON") as caught:
        parse_json("settings", "{" + "\n" * 100 + "x" * SETTINGS_LIMIT)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "c": 2, "a": 1}}]'])
def test_json_that_gives_a_name_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"settings is not JSON: it gives 'a' more than once"):
        parse_json("settings", text)
    assert parse_json("settings", '[{"a": 1}, {"a": 1}]') == [{"a": 1}, {"a": 1}]


def test_toml_may_begin_with_the_mark_of_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("steps = 3\r\n", encoding="utf-8-sig")
    assert read_toml(path) == {"steps": 3}


def test_what_fails_while_a_file_is_read_names_it(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("1")
    with (
        pytest.raises(OSError, match=r"Input/output error: '.*data\.csv'"),
        open_file(path, 10),
    ):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
