import pytest
import torch

from qrnn_circuits.tasks import Quotes
from qrnn_circuits.tasks.quotes import ALPHABET, CONSONANTS, LINES


def text(symbols: torch.Tensor) -> list[str]:
    return ["".join(ALPHABET[s] for s in row) for row in symbols.tolist()]


def test_the_alphabet_fills_the_lane() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 2 ** Quotes().lane
    assert set(CONSONANTS) == set("abcdefghijklmnopqrstuvwxyz") - set("aeiou")


def test_inputs_and_outcomes_are_the_lines_and_the_lines_a_letter_later() -> None:
    batch = Quotes().test()
    for line, inputs, outcomes in zip(LINES, text(batch.inputs), text(batch.outcomes), strict=True):
        whole = inputs[0] + outcomes
        assert whole.rstrip(" ") == f"{line}\n"
        assert inputs == whole[:-1]


def test_advice_conditions_exactly_the_consonants() -> None:
    batch = Quotes().test()
    for outcomes, scored in zip(text(batch.outcomes), batch.scored.tolist(), strict=True):
        for letter, is_scored in zip(outcomes, scored, strict=True):
            assert is_scored == (letter not in CONSONANTS)


def test_without_advice_every_step_is_scored() -> None:
    batch = Quotes(advice=False).test()
    assert batch.scored.all()
    assert torch.equal(batch.outcomes, Quotes().test().outcomes)


def test_each_line_is_told_by_its_first_letter(generator: torch.Generator) -> None:
    prompt = Quotes().prompt(len(LINES), generator)
    assert len(set(prompt.inputs[:, 0].tolist())) == len(LINES)
    assert prompt.autoregressive


def test_lines_are_described_without_their_padding() -> None:
    task = Quotes()
    assert task.describe(task.test().outcomes) == [f"{line[1:]}/" for line in LINES]


def test_advice_that_is_no_bool_is_refused() -> None:
    with pytest.raises(TypeError, match="advice must be True or False, got 'yes'"):
        Quotes(advice="yes")  # type: ignore[arg-type]
