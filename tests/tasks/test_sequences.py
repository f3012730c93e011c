import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from qrnn_circuits import PADDING, QRNN, UNREAD
from qrnn_circuits.tasks import Sequences

MakeTask = Callable[..., Sequences]

LINES = ("abc", "ca", "bbbb", "acab")
LABELLED = ("abc\tyes", "ca\tno", "b\tno", "acab\tyes")


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """A task of lines of text, all of which are in every part unless something else is said."""

    def make(*lines: str, **options: object) -> Sequences:
        path = tmp_path / "lines.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        shares: dict[str, Any] = {"validation_share": 0, "test_share": 0}
        return Sequences(**({"data": str(path)} | shares | options))

    return make


def test_every_step_predicts_the_next_symbol_and_padding_follows(make_task: MakeTask) -> None:
    task = make_task(*LINES)
    batch = task.test()
    for row, line in enumerate(LINES):
        symbols, steps = ["abc".index(letter) for letter in line], len(line) - 1
        assert batch.inputs[row, :steps].tolist() == symbols[:-1]
        assert batch.outcomes[row, :steps].tolist() == symbols[1:]
        assert (batch.outcomes[row, steps:] == PADDING).all()
        assert batch.scored[row].tolist() == [step < steps for step in range(3)]


@pytest.mark.parametrize("reading", ["scored", "every"])
def test_the_step_that_reads_the_last_symbol_predicts_the_label(
    reading: str, make_task: MakeTask
) -> None:
    task = make_task(*LABELLED, target="label", reading=reading)
    batch = task.test()
    before = UNREAD if reading == "scored" else 0
    for row, (length, label) in enumerate([(3, 1), (2, 0), (1, 0), (4, 1)]):
        expected = [before] * (length - 1) + [label] + [PADDING] * (4 - length)
        assert batch.outcomes[row].tolist() == expected
        assert batch.scored[row].nonzero()[:, 0].tolist() == [length - 1]
    assert task.describe(batch.outcomes) == ["yes", "no", "no", "yes"]
    assert task.answer_unit == "sequences"
    assert list(task.class_names) == ["no", "yes"]
    assert list(make_task(*LINES).class_names) == []


def test_a_drawn_label_stands_behind_the_sequence_that_it_is_of(
    make_task: MakeTask, generator: torch.Generator, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("a,b,c,label\n0,2,1,yes\n3,,,no\n")
    for task, expected in (
        (make_task(*LABELLED, target="label"), {line.replace("\t", ": ") for line in LABELLED}),
        (make_task(data=str(tmp_path / "a.csv"), target="label"), {"0 2 1: yes", "3: no"}),
    ):
        prompt = task.prompt(60, generator)
        assert set(task.describe_sample(prompt, prompt.outcomes)) == expected


def test_a_batch_is_no_longer_than_its_longest_sequence(
    make_task: MakeTask, generator: torch.Generator
) -> None:
    task = make_task(*LINES)
    for _ in range(10):
        batch = task.batch(2, generator)
        assert batch.scored.any(0).all()


def test_a_text_is_cut_into_pieces_of_some_steps(make_task: MakeTask) -> None:
    task = make_task("abcab", "cabca", length=3)
    batch = task.test()
    text = "abcab\ncabca\n"
    assert task.describe(batch.outcomes) == [text[1:4], text[4:7], text[7:10], text[10:]]
    assert task.describe(batch.inputs[:, :1]) == [text[0], text[3], text[6], text[9]]


def test_the_end_of_a_text_that_is_cut_is_the_test(make_task: MakeTask) -> None:
    text = "ab" * 10 + "cd" * 2 + "ef" * 2
    shares = {"validation_share": 4 / 29, "test_share": 5 / 29}
    task = make_task(text, length=4, **shares)
    assert set("".join(task.describe(task.validation().inputs))) <= set("cd")
    assert set("".join(task.describe(task.test().outcomes))) <= set("ef\n")


@pytest.mark.parametrize(
    ("symbols", "classes", "lane"), [(2, 2, 1), (3, 2, 2), (4, 5, 3), (2, 4, 2), (9, 2, 4)]
)
def test_the_lane_takes_the_alphabet_and_the_classes(
    symbols: int, classes: int, lane: int, make_task: MakeTask
) -> None:
    text = "".join(chr(ord("a") + number) for number in range(symbols))
    assert make_task(text).lane == (symbols - 1).bit_length()
    lines = [f"{text}\t{number}" for number in range(classes)]
    assert make_task(*lines, target="label").lane == lane


def test_a_network_is_asked_once_a_sequence_for_its_label(
    make_task: MakeTask, make_model: Callable[..., QRNN]
) -> None:
    task = make_task(*LABELLED, target="label")
    model = make_model(lane=task.lane, workspace=2)
    answers = task.answers(model, task.test(), chunk=3)
    for row, line in enumerate(LABELLED):
        text, label = line.split("\t")
        inputs = torch.tensor([["abc".index(letter) for letter in text]])
        outcomes = torch.full_like(inputs, UNREAD)
        outcomes[0, -1] = right = ["no", "yes"].index(label)
        log_probs = model(inputs, outcomes).log_probs[0, -1]
        assert answers.probability[row].item() == pytest.approx(log_probs[right].exp().item())
        assert bool(answers.correct[row]) == (int(log_probs.argmax()) == right)


def test_a_task_is_built_from_its_options_without_the_file_and_prompts(
    make_task: MakeTask, generator: torch.Generator
) -> None:
    task = make_task(*LINES)
    options = dataclasses.asdict(task)
    Path(task.data).unlink()
    twin = Sequences(**options)
    assert twin == task
    assert twin.lane == 2
    prompt = twin.prompt(20, generator)
    assert set(prompt.inputs[:, 0].tolist()) == {0, 1, 2}
    assert prompt.inputs.shape == (20, 3)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*lines.txt: name it by --data"):
        twin.test()


def test_a_file_that_has_changed_is_refused(make_task: MakeTask) -> None:
    options = dataclasses.asdict(make_task(*LINES))
    Path(options["data"]).write_text("abc\nother\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"lines.txt is not the file that the run began with"):
        Sequences(**options).test()


@pytest.mark.parametrize(
    ("name", "value"),
    [("alphabet", 7 * ["x" * 999]), ("classes", "x" * 9999), ("checksum", "9" * 9999)],
)
def test_what_is_wrong_with_recorded_contents_is_told_in_a_short_line(
    name: str, value: object, make_task: MakeTask
) -> None:
    options = dataclasses.asdict(make_task(*LINES))
    options["contents"] |= {name: value}
    with pytest.raises((TypeError, ValueError)) as caught:
        Sequences(**options).test()
    assert len(str(caught.value)) < 1000


def test_numbers_are_described_apart(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("1,2,11\n2,1\n", encoding="utf-8")
    task = Sequences(data=str(path), validation_share=0, test_share=0)
    assert [text.split() for text in task.describe(task.test().outcomes)] == [["2", "11"], ["1"]]
    assert task.lane == 4


def test_too_few_sequences_for_three_parts_are_refused(make_task: MakeTask) -> None:
    task: dict[str, Any] = {"validation_share": None, "test_share": None}
    with pytest.raises(ValueError, match=r"got 2 sequence\(s\): give more of them, length to cut"):
        make_task("ab", "ba", **task)
    with pytest.raises(ValueError, match="got 5 symbols: give more"):
        make_task("abab", length=2, **task)
    assert len(make_task("ab", "ba", "bb", **task).test()) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"data": ""}, ValueError, "data must name a file of text, .csv or .npz: give --data FILE"),
        ({"data": 1}, TypeError, "data must be a string, got 1"),
        ({"target": "last"}, ValueError, "target must be one of next, label, got 'last'"),
        ({"reading": "all"}, ValueError, "reading must be one of every, scored, got 'all'"),
        ({"length": 0}, ValueError, "length must be at least 1, got 0"),
        ({"target": "label", "length": 3}, ValueError, "length is for target='next', got 3"),
        ({"validation_share": 0.6, "test_share": 0.4}, ValueError, "got 0.6 and 0.4"),
        ({"test_share": -1}, ValueError, "test_share must be finite and at least 0, got -1"),
        ({"contents": {"symbols": 2}}, ValueError, "contents must be a table of alphabet, "),
        ({"contents": ["alphabet"]}, ValueError, "contents must be a table of alphabet, "),
    ],
)
def test_an_option_that_is_not_acceptable_is_refused(
    options: dict[str, object], error: type[Exception], message: str, make_task: MakeTask
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        make_task(*LABELLED, **options)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alphabet", "ab"),
        ("alphabet", 1),
        ("symbols", 1),
        ("classes", "x"),
        ("classes", [1]),
        ("starts", []),
        ("starts", [7]),
        ("longest", 0),
        ("checksum", None),
    ],
)
def test_contents_that_were_changed_by_hand_are_refused(
    name: str, value: object, make_task: MakeTask
) -> None:
    options = dataclasses.asdict(make_task(*LINES))
    options["contents"][name] = value
    with pytest.raises((TypeError, ValueError), match=name):
        Sequences(**options)


def test_test_sequences_that_are_trained_on_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    rows = ["0,1,train", "1,1,train", "0,1,validation", "0,1,test", "1,0,test", "0,1,test"]
    path.write_text("\n".join(["a,b,split", *rows]))
    assert Sequences(data=str(path)).found.endswith("; 2 of those to test by are also trained on")
    path.write_text("\n".join(row.rpartition(",")[0] for row in rows))
    alone = Sequences(data=str(path), validation_share=0, test_share=0)
    assert "also" not in alone.found
