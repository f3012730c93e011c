import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from qrnn_circuits import QRNN
from qrnn_circuits.tasks import Digits
from qrnn_circuits.tasks.digit_data import load_embedded
from qrnn_circuits.tasks.digits import parse_digits


@given(digits=st.sets(st.integers(0, 9), min_size=1))
def test_digits_are_read_back_from_their_list(digits: set[int]) -> None:
    assert parse_digits(",".join(map(str, digits))) == sorted(digits)


@pytest.mark.parametrize(
    ("text", "digits"), [("0-9", list(range(10))), ("8, 3-5", [3, 4, 5, 8]), ("7-7", [7])]
)
def test_ranges_of_digits_include_their_ends(text: str, digits: list[int]) -> None:
    assert parse_digits(text) == digits


@pytest.mark.parametrize("text", ["", "a", "0,", "10", "1-", "-1", "1-2-3", "²"])
def test_text_that_lists_no_digits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"digits must be like .*, got {text!r}"):
        parse_digits(text)


def test_backward_ranges_and_repeated_digits_are_refused() -> None:
    with pytest.raises(ValueError, match="runs backwards: '5-3'"):
        parse_digits("1,5-3")
    with pytest.raises(ValueError, match="must name each digit once, got '0-3,2'"):
        parse_digits("0-3,2")


def test_pixels_are_read_one_a_step_and_the_label_comes_last() -> None:
    task = Digits(digits="3,6")
    batch = task.test()
    digits = load_embedded().test.digits
    assert batch.inputs.shape == batch.outcomes.shape == (len(batch), 64)
    assert len(batch) == int(((digits == 3) | (digits == 6)).sum())
    assert not batch.outcomes[:, :-1].any()
    assert batch.outcomes[:, -1].tolist() == [0] * int((digits == 3).sum()) + [1] * int(
        (digits == 6).sum()
    )
    assert batch.scored[:, -1].all()
    assert not batch.scored[:, :-1].any()


@pytest.mark.parametrize("options", [{}, {"digits": "0-9", "labels": "even-odd"}])
def test_without_the_last_data_symbol_the_label_comes_one_step_earlier(
    options: dict[str, Any],
) -> None:
    whole, shorter = Digits(**options).test(), Digits(**options, omit_last=True).test()
    assert torch.equal(shorter.inputs, whole.inputs[:, :-1])
    assert torch.equal(shorter.outcomes[:, -1], whole.outcomes[:, -1])
    assert not shorter.outcomes[:, :-1].any()
    assert torch.equal(shorter.scored, whole.scored[:, 1:])


@pytest.mark.parametrize(
    "options", [{"generate": True}, {"digits": "0-9"}, {"reduce": "pca", "resolution": 1}]
)
def test_the_last_data_symbol_is_kept_where_the_label_would_not_follow_one(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="omit_last needs labels of one symbol after two"):
        Digits(**options, omit_last=True)


def test_digits_of_the_folder_that_the_environment_names_are_looked_for_when_they_are_read(
    reduced_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"reduce": "pca", "dims": 2, "resolution": 3}
    monkeypatch.delenv("QRNN_DATA_DIR", raising=False)
    task = Digits(**options, data="$QRNN_DATA_DIR")
    assert task.lane == 2
    with pytest.raises(FileNotFoundError, match=r"QRNN_DATA_DIR names, which is not set: set it"):
        task.test()
    expected = Digits(**options, data=str(reduced_folder)).test().inputs
    monkeypatch.setenv("HOME", str(reduced_folder.parent))
    for named in (str(reduced_folder), f"~/{reduced_folder.name}"):
        monkeypatch.setenv("QRNN_DATA_DIR", named)
        assert torch.equal(Digits(**options, data="$QRNN_DATA_DIR").test().inputs, expected)


@given(size=st.integers(1, 25), seed=st.integers(0, 99))
def test_each_digit_is_drawn_equally_often_as_far_as_the_batch_divides(
    size: int, seed: int
) -> None:
    batch = _TEN.batch(size, torch.Generator().manual_seed(seed))
    labels = 4 * batch.outcomes[:, -2] + batch.outcomes[:, -1]
    counts = labels.bincount(minlength=10)
    assert len(counts) == 10
    assert counts.max() - counts.min() <= 1


_TEN = Digits(digits="0-9")


def test_every_training_image_of_a_digit_is_drawn_at_times(generator: torch.Generator) -> None:
    task = Digits()
    drawn = {tuple(row) for row in task.batch(4000, generator).inputs.tolist()}
    train = load_embedded().train
    everything = {tuple(row) for row in train.features[train.digits < 2].tolist()}
    assert drawn == everything


@pytest.mark.parametrize(
    ("digits", "labels", "dims", "expected"),
    [
        ("0,1", "digit", 2, 1),
        ("0-3", "digit", 2, 1),
        ("0-4", "digit", 2, 2),
        ("0-9", "digit", 2, 2),
        ("0-9", "digit", 3, 2),
        ("0-7", "digit", 3, 1),
        ("0-9", "digit", 1, 4),
        ("0-9", "digit", 4, 1),
        ("0-9", "even-odd", 1, 1),
    ],
)
def test_labels_are_spelt_in_as_few_steps_as_hold_them(
    digits: str, labels: str, dims: int, expected: int, reduced_folder: Path
) -> None:
    task = Digits(
        digits=digits,
        labels=labels,  # type: ignore[arg-type]
        reduce="pca",
        dims=dims,
        resolution=3,
        data=str(reduced_folder),
    )
    batch = task.test()
    assert task.label_steps == expected
    assert len(task.class_names) == (task.classes if expected == 1 else 0)
    assert batch.inputs.shape == (len(batch), 3 + expected - 1)
    assert batch.scored.sum(1).eq(expected).all()
    # What the first label steps spell is an input of the later ones.
    assert torch.equal(batch.inputs[:, 3:], batch.outcomes[:, 2:-1])
    assert not batch.outcomes[:, :2].any()
    spelt = [
        int("".join(f"{symbol:0{dims}b}" for symbol in row[-expected:]), 2)
        for row in batch.outcomes.tolist()
    ]
    shown = sorted(i % 10 for i in range(30) if i % 10 in parse_digits(digits))
    assert spelt == [d % 2 if labels == "even-odd" else d for d in shown]


@pytest.mark.parametrize(
    ("digits", "labels", "dims", "wider"),
    [
        ("0,1", "digit", 2, 0),
        ("0-9", "digit", 1, 0),
        ("0-9", "digit", 2, 0),
        ("0-9", "digit", 2, 1),
        ("0-9", "even-odd", 2, 0),
    ],
)
@pytest.mark.parametrize("resolution", [1, 3])
def test_answers_are_exact_over_all_strings_of_label_symbols(
    digits: str,
    labels: str,
    dims: int,
    wider: int,
    resolution: int,
    reduced_folder: Path,
    make_model: Callable[..., QRNN],
) -> None:
    task = Digits(
        digits=digits,
        labels=labels,  # type: ignore[arg-type]
        reduce="pca",
        dims=dims,
        resolution=resolution,
        data=str(reduced_folder),
    )
    model = make_model(lane=task.lane + wider, workspace=2, degree=2)
    batch = task.test()
    data = batch.inputs[:, :resolution]
    strings, probabilities = [], []
    for string in itertools.product(range(2**model.cell.lane), repeat=task.label_steps):
        label = torch.tensor(string).repeat(len(batch), 1)
        inputs = torch.cat([data, label[:, :-1]], 1)
        outcomes = torch.cat([torch.zeros_like(data[:, 1:]), label], 1)
        log_probs = model(inputs, outcomes).log_probs.detach()[:, resolution - 1 :]
        strings.append(string)
        probabilities.append(log_probs.gather(2, label[..., None])[..., 0].sum(1).exp())
    joint = torch.stack(probabilities, 1)
    assert_close(joint.sum(1), torch.ones(len(batch), dtype=torch.float64))
    right = [strings.index(tuple(row[resolution - 1 :])) for row in batch.outcomes.tolist()]

    for chunk in (7, 500):
        answers = task.answers(model, batch, chunk)
        assert answers.correct.tolist() == joint.argmax(1).eq(torch.tensor(right)).tolist()
        assert_close(answers.probability, joint[torch.arange(len(batch)), right])


def test_answers_leave_the_global_random_state_alone(make_model: Callable[..., QRNN]) -> None:
    task = Digits(digits="0-4")
    model = make_model(lane=2, workspace=1)
    before = torch.get_rng_state()
    task.answers(model, task.batch(3, torch.Generator()))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_label_of_probability_zero_is_a_wrong_answer(
    reduced_folder: Path, make_model: Callable[..., QRNN]
) -> None:
    task = Digits(digits="0-9", reduce="pca", dims=2, resolution=1, data=str(reduced_folder))
    model = make_model(lane=2, workspace=1, degree=1)
    with torch.no_grad():  # every angle 0: the lane keeps reading 0
        for parameter in model.parameters():
            parameter.zero_()
    batch = task.test()
    answers = task.answers(model, batch)
    is_zero = batch.outcomes[:, -2:].eq(0).all(1)
    assert torch.equal(answers.correct, is_zero)
    assert torch.equal(answers.probability, is_zero.float().double())


def test_drawing_starts_from_the_class_and_predicts_each_pixel_from_the_last(
    generator: torch.Generator,
) -> None:
    task = Digits(digits="0,1", generate=True)
    reading = Digits(digits="0,1").test()
    batch = task.test()
    assert batch.inputs[:, 0].tolist() == reading.outcomes[:, -1].tolist()
    assert torch.equal(batch.outcomes, reading.inputs)
    assert torch.equal(batch.inputs[:, 1:], batch.outcomes[:, :-1])
    assert batch.scored.all()
    prompt = task.prompt(5, generator)
    assert prompt.inputs[:, 0].tolist() == [0, 1, 0, 1, 0]
    assert prompt.sampled.all()
    assert prompt.autoregressive


def test_a_prompt_asks_for_no_class_that_has_no_digits(generator: torch.Generator) -> None:
    task = Digits(digits="1,3", labels="even-odd", generate=True)
    assert task.prompt(3, generator).inputs[:, 0].tolist() == [1, 1, 1]


def test_answers_of_drawing_are_those_of_every_pixel(
    make_model: Callable[..., QRNN], generator: torch.Generator
) -> None:
    task = Digits(generate=True)
    model = make_model(lane=2, workspace=2)
    batch = task.batch(3, generator)
    log_probs = model(batch.inputs, batch.outcomes).log_probs.detach()
    expected = log_probs.gather(2, batch.outcomes[..., None]).exp().flatten()
    assert_close(task.answers(model, batch).probability, expected)


def test_drawn_symbols_are_described_as_the_image() -> None:
    task = Digits(generate=True)
    symbols = torch.full((1, 64), 3)
    symbols[0, 1] = 0  # row-major: row 0, column 1; column-major: row 1, column 0
    assert task.describe(symbols) == ["\n".join([".+......", "+.......", *["........"] * 6])]
    image = task.images(symbols)[0]
    assert image.shape == (8, 8)
    assert image.min() == 0.5
    assert image.sum() == 63


def test_images_are_read_back_from_the_inputs_of_reading() -> None:
    task = Digits(digits="0-9")
    images = task.images(task.test().inputs[:, : task.data_steps])
    assert set(images.unique().tolist()) == {0, 1}
    # The border of an 8x8 digit is mostly background.
    assert images[:, :, [0, -1]].mean() > 0.9 > images.mean()


def test_outcomes_of_reading_are_described_by_the_class_they_spell() -> None:
    ten = Digits(digits="0-9")
    pixels = [0] * 63
    outcomes = torch.tensor([[*pixels, 1, 3], [*pixels, 2, 1], [*pixels, 2, 2], [*pixels, 0, 4]])
    nothing = "none of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert ten.describe(outcomes) == ["7", "9", nothing, nothing]
    assert Digits(digits="3,6").describe(torch.tensor([[*pixels, 1]])) == ["6"]
    parity = Digits(digits="0-9", labels="even-odd")
    assert parity.describe(torch.tensor([[*pixels, 0], [*pixels, 1]])) == ["even", "odd"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"digits": "4"}, "digits must be of at least two classes"),
        ({"digits": "0,2", "labels": "even-odd"}, "digits must be of at least two classes"),
        ({"labels": "odd"}, "labels must be one of .*, got 'odd'"),
        ({"data": ""}, "data must be 'embedded', 'download' or a folder"),
        ({"digits": "0-4", "generate": True}, "generate takes at most 4 classes"),
        ({"deskewed": True}, "deskewed needs data to be a folder"),
        ({"deskewed": True, "data": "download"}, "deskewed needs data to be a folder"),
        ({"reduce": "tsne", "data": "."}, "reduce must be None or one of .*, got 'tsne'"),
        ({"reduce": "umap"}, "reduce needs data to be a folder"),
        ({"reduce": "pca", "data": "download"}, "reduce needs data to be a folder"),
        ({"dims": 2}, "dims needs reduce"),
        ({"resolution": 4}, "resolution needs reduce"),
        ({"jitter": 0.1}, "jitter needs reduce"),
        ({"reduce": "pca", "jitter": 1.5}, "jitter must be at most 1, got 1.5"),
        ({"reduce": "pca", "jitter": -0.1}, "jitter must be finite and at least 0, got -0.1"),
        ({"reduce": "umap", "dims": 1, "data": "."}, "dims must be from 2 to 4, got 1"),
        ({"reduce": "pca", "dims": 9, "data": "."}, "dims must be from 1 to 8, got 9"),
        ({"reduce": "pca", "resolution": 0, "data": "."}, "resolution must be from 1 to 8, got 0"),
        ({"reduce": "pca", "generate": True, "data": "."}, "generate works on pixels"),
        ({"reduce": "pca", "deskewed": True, "data": "."}, "deskewed works on pixels"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Digits(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["digits", "data", "generate", "deskewed"])
def test_options_of_another_type_are_refused(option: str) -> None:
    with pytest.raises(TypeError, match=f"{option} must be .*, got 1"):
        Digits(**{option: 1})  # type: ignore[arg-type]


def test_digits_that_the_data_lack_are_named(tmp_path: Path) -> None:
    contents = {}
    for suffix in ("train", "validate", "test"):
        contents[f"x_{suffix}"] = np.zeros((4, 2), np.uint8)
        contents[f"y_{suffix}"] = np.array([0, 0, 1, 1], np.uint8)
    np.savez(tmp_path / "mnist-umap-2.npz", **contents)  # type: ignore[arg-type]
    task = Digits(digits="0-2", reduce="umap", data=str(tmp_path))
    with pytest.raises(ValueError, match=r"digits \[2\] do not occur in the data"):
        task.test()


def test_the_published_pixel_task_has_a_hundred_steps_and_2115_test_images(
    data_folder: Path,
) -> None:
    task = Digits(data=str(data_folder))
    assert task.test().inputs.shape == (2115, 100)
    # Mean images of both digits: a ring and a bar.
    images = task.images(task.test().inputs)
    zero, one = images[:980].mean(0), images[980:].mean(0)
    assert zero[4:6, 4:6].mean() > 0.8 > 0.4 > one[4:6, 4:6].mean()
