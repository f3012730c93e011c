import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.simulation.transfer.products import OperatorSequences, operator_sequences

SYMBOLS = 3


def spelled(
    sequences: OperatorSequences, operator: int, symbols: int
) -> list[tuple[int | None, int]]:
    """The steps of an operator, each an outcome before it, which the first lacks, and an input."""
    if operator < symbols:
        return [(None, operator)]
    number = operator - symbols
    for products in sequences.products:
        if number < len(products.left):
            first, *rest = spelled(sequences, products.right[number], symbols)
            return [
                *spelled(sequences, products.left[number], symbols),
                (int(products.outcome[number]), first[1]),
                *rest,
            ]
        number -= len(products.left)
    raise AssertionError(f"there is no operator {operator}")


@st.composite
def batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    inputs, outcomes = rng.integers(0, SYMBOLS, (2, *shape))
    read = rng.random(shape) < draw(st.sampled_from([0, 0.1, 0.5, 1]))
    read[:, -1] = True
    return inputs, outcomes, read


# Of many symbols, most do not occur.
@pytest.mark.parametrize("symbols", [SYMBOLS, 100])
@given(batch=batches(), least=st.integers(1, 4))
def test_the_operators_of_a_sequence_spell_its_steps_and_stop_where_it_is_read(
    symbols: int, batch: tuple[np.ndarray, np.ndarray, np.ndarray], least: int
) -> None:
    inputs, outcomes, read = batch
    sequences = operator_sequences(
        inputs, outcomes, read, symbols, lambda counts, length: counts >= least
    )
    ends = []
    for row, length in enumerate(sequences.lengths):
        steps: list[tuple[int | None, int]] = []
        row_ends = [0]
        for time in range(length):
            first, *rest = spelled(sequences, sequences.operators[time, row], symbols)
            steps += [(int(sequences.outcomes[time, row]), first[1]), *rest]
            row_ends.append(len(steps))
        ends.append(row_ends)
        before = [symbols, *outcomes[row, :-1]]
        assert steps == list(zip(before, inputs[row], strict=True))
    found = np.zeros_like(read)
    for time, row, step in zip(
        sequences.read_time, sequences.read_row, sequences.read_step, strict=True
    ):
        assert ends[row][time] == step + 1
        found[row, step] = True
    assert (found == read).all()
    assert (np.diff(sequences.read_time * len(inputs) + sequences.read_row) > 0).all()


def test_a_long_run_of_one_symbol_takes_the_logarithm_of_its_steps() -> None:
    inputs = np.zeros((2, 64), dtype=np.int64)
    read = np.zeros((2, 64), dtype=bool)
    read[:, -1] = True
    sequences = operator_sequences(
        inputs, inputs, read, SYMBOLS, lambda counts, length: np.ones(len(counts), dtype=bool)
    )
    assert len(sequences.operators) == 1
    # The first step has no outcome before it: it starts a second chain of products.
    assert sum(len(products.left) for products in sequences.products) <= 2 * 6
