import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from qrnn_circuits import QRNN, UNREAD
from qrnn_circuits.checks import check_bool, check_integer
from qrnn_circuits.tasks import TASKS, Answers, Batch, Digits, Dna, Quotes, Task, Xor
from qrnn_circuits.tasks.recipes import read_recipes
from qrnn_circuits.tasks.task import draw_evenly, spell
from qrnn_circuits.training.config import RunConfig


def options(task: Task) -> dict[str, object]:
    assert dataclasses.is_dataclass(task)
    return dataclasses.asdict(task)


@pytest.fixture(params=sorted({*TASKS.names()} - {"forecast"}))
def task(request: pytest.FixtureRequest, needed_options: Callable[[str], dict[str, Any]]) -> Task:
    made = TASKS.make(request.param, **needed_options(request.param))
    assert isinstance(made, Task)
    return made


def assert_same(first: Batch, second: Batch) -> None:
    for field in dataclasses.fields(Batch):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name))


def test_sequences_are_symbols_of_the_tasks_lane(task: Task, generator: torch.Generator) -> None:
    for batch in (task.batch(7, generator), task.validation(), task.test()):
        for symbols in (batch.inputs, batch.outcomes):
            assert symbols.dtype == torch.int64
            assert symbols.shape == (len(batch), symbols.shape[1])
            assert symbols.min() >= 0
            assert symbols.max() < 2**task.lane
        assert batch.inputs.shape == batch.outcomes.shape == batch.scored.shape
        assert batch.scored.dtype == torch.bool
        assert batch.scored.any(1).all()
    assert len(task.batch(7, generator)) == 7


def test_validation_and_test_are_the_same_at_every_call_and_for_an_equal_task(task: Task) -> None:
    twin = type(task)(**options(task))
    assert twin == task
    for split in ("validation", "test"):
        assert_same(getattr(task, split)(), getattr(task, split)())
        assert_same(getattr(task, split)(), getattr(twin, split)())


def test_a_batch_is_decided_by_the_generator(task: Task, generator: torch.Generator) -> None:
    first = task.batch(5, generator)
    assert_same(first, task.batch(5, torch.Generator().manual_seed(0)))
    later = [task.batch(5, generator).inputs for _ in range(5)]
    assert any(not torch.equal(first.inputs, inputs) for inputs in later)


def test_options_survive_json(task: Task) -> None:
    assert type(task)(**json.loads(json.dumps(options(task)))) == task


def test_every_recipe_makes_a_run(task: Task) -> None:
    for recipe, settings in read_recipes(type(task)).items():
        if "refused" not in settings:
            assert RunConfig.resolve(task, recipe=recipe).lane == task.lane


@pytest.mark.parametrize(
    ("task", "recipe"),
    [
        ("digits", "paper-embedded"),
        ("letters", "chip"),
        ("quotes", "paper"),
        ("quotes", "chip"),
        ("sequences", "paper"),
        ("sequences", "chip"),
    ],
    indirect=["task"],
)
def test_a_refused_recipe_says_why_in_the_words_of_its_file(task: Task, recipe: str) -> None:
    settings = read_recipes(type(task))[recipe]
    assert list(settings) == ["refused"]
    with pytest.raises(ValueError, match=re.escape(f"{task.name}: {settings['refused']}")):
        RunConfig.resolve(task, recipe=recipe)


def test_every_task_has_or_refuses_recipes_for_learning_the_paper_and_a_chip(task: Task) -> None:
    own = task.default_recipe
    names = read_recipes(type(task)).keys()
    assert own in names
    assert names & {"paper", f"paper-{own}"}
    assert names & {"chip", f"chip-{own}"}


def test_a_recipe_that_a_task_does_not_have_is_refused(task: Task) -> None:
    with pytest.raises(ValueError, match=f"recipe must be one of .*none for {task.name}"):
        RunConfig.resolve(task, recipe="best")


@pytest.mark.parametrize("wider", [0, 1])
def test_a_network_goes_on_from_the_prompt_and_is_described(
    task: Task, wider: int, make_model: Callable[..., QRNN], generator: torch.Generator
) -> None:
    model = make_model(lane=task.lane + wider, workspace=2)
    prompt = task.prompt(3, generator)
    output = model.sample(
        prompt.inputs,
        prompt.outcomes,
        sampled=prompt.sampled,
        autoregressive=prompt.autoregressive,
        generator=generator,
    )
    texts = task.describe(output.outcomes)
    assert len(texts) == 3
    assert all(texts)


@pytest.mark.parametrize("size", [0, -1])
def test_batches_and_prompts_of_no_sequences_are_refused(
    task: Task, size: int, generator: torch.Generator
) -> None:
    with pytest.raises(ValueError, match=f"size must be at least 1, got {size}"):
        task.batch(size, generator)
    with pytest.raises(ValueError, match=f"must be at least 1, got {size}"):
        task.prompt(size, generator)


@pytest.mark.parametrize("name", ["memorise", "xor"])
def test_answers_are_the_networks_distributions_at_the_scored_steps(
    name: str, make_model: Callable[..., QRNN], generator: torch.Generator
) -> None:
    task = TASKS.make(name, length=7)
    assert isinstance(task, Task)
    model = make_model(lane=task.lane, workspace=2)
    batch = task.batch(5, generator)
    probabilities = model(batch.inputs, batch.outcomes).log_probs.exp().detach()
    correct, probability = [], []
    for b in range(5):
        for t in range(7):
            if batch.scored[b, t]:
                right = int(batch.outcomes[b, t])
                correct.append(int(probabilities[b, t].argmax()) == right)
                probability.append(float(probabilities[b, t, right]))

    for chunk in (1, 2, 500):
        answers = task.answers(model, batch, chunk)
        assert answers.correct.tolist() == correct
        assert_close(answers.probability, torch.tensor(probability, dtype=torch.float64))
        assert not answers.probability.requires_grad


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Xor, {"length": 9}), (Dna, {"length": 5}), (Quotes, {}), (Digits, {"digits": "0-9"})],
)
def test_reading_only_scored_steps_leaves_the_others_unread(
    kind: type[Any], options: dict[str, object]
) -> None:
    task, scored_only = kind(**options), kind(**options, reading="scored")
    for every, few in (
        (task.validation(), scored_only.validation()),
        (task.test(), scored_only.test()),
        (
            task.batch(6, torch.Generator().manual_seed(0)),
            scored_only.batch(6, torch.Generator().manual_seed(0)),
        ),
    ):
        assert torch.equal(every.inputs, few.inputs)
        assert torch.equal(every.scored, few.scored)
        assert torch.equal(few.outcomes, every.outcomes.masked_fill(~every.scored, UNREAD))
    with pytest.raises(ValueError, match="reading must be one of every, scored, got 'all'"):
        kind(**options, reading="all")


def test_unread_steps_are_spelt_as_underscores() -> None:
    assert spell(torch.tensor([[UNREAD, 0, UNREAD, 1]]), "ab") == ["_a_b"]


def test_answers_refuse_a_chunk_of_no_sequences(
    task: Task, make_model: Callable[..., QRNN], generator: torch.Generator
) -> None:
    model = make_model(lane=task.lane, workspace=1, degree=1)
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        task.answers(model, task.batch(2, generator), 0)


def test_errors_of_answers_are_those_of_a_proportion() -> None:
    answers = Answers(torch.tensor([True, True, True, False]), torch.tensor([0.75, 0.5, 1.0, 0.25]))
    assert answers.count == 4
    assert answers.test_error == 0.25
    assert answers.sampled_error == 0.375
    assert answers.standard_error == pytest.approx((0.25 * 0.75 / 4) ** 0.5)


def test_chunks_of_a_batch_are_the_batch_in_order() -> None:
    inputs = torch.arange(10).reshape(5, 2)
    batch = Batch(inputs, inputs + 1, inputs > 3)
    chunks = list(batch.chunks(2))
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    joined = (
        torch.cat([getattr(chunk, field.name) for chunk in chunks])
        for field in dataclasses.fields(Batch)
    )
    assert_same(Batch(*joined), batch)


@given(kinds=st.integers(1, 9), size=st.integers(1, 40), seed=st.integers(0, 99))
def test_even_draws_differ_by_at_most_one(kinds: int, size: int, seed: int) -> None:
    drawn = draw_evenly(kinds, size, torch.Generator().manual_seed(seed))
    counts = drawn.bincount(minlength=kinds)
    assert drawn.shape == (size,)
    assert counts.shape == (kinds,)
    assert counts.max() - counts.min() <= 1


def test_even_draws_leave_each_kind_out_at_times(generator: torch.Generator) -> None:
    assert {int(draw_evenly(3, 1, generator)) for _ in range(40)} == {0, 1, 2}


def test_symbols_beyond_the_alphabet_are_spelt_as_numbers() -> None:
    assert spell(torch.tensor([[0, 1, 2], [1, 1, 0]]), "ab") == ["ab<2>", "bba"]


@pytest.mark.parametrize("value", [1.0, "1", True, None])
def test_integers_are_required_to_be_integers(value: object) -> None:
    with pytest.raises(TypeError, match="length must be an integer, got"):
        check_integer("length", value, 1)


@pytest.mark.parametrize("value", [0, 5])
def test_integers_are_required_to_be_in_range(value: int) -> None:
    with pytest.raises(ValueError, match=f"dims must be from 1 to 4, got {value}"):
        check_integer("dims", value, 1, 4)


def test_switches_are_required_to_be_bools() -> None:
    with pytest.raises(TypeError, match="advice must be True or False, got 1"):
        check_bool("advice", 1)


def test_the_test_error_is_the_very_quotient() -> None:
    # A run that is to stop at an error of 1 % stops at 10 of 1,000.
    correct = torch.arange(1000) >= 10
    assert Answers(correct, correct.double()).test_error == 0.01
