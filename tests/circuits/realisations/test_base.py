import pickle
from typing import Any

import numpy as np
import pytest
import torch

from qrnn_circuits.circuits.realisations import (
    REALISATIONS,
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
    realisation_of,
)
from qrnn_circuits.neuron import Semantics


@pytest.mark.parametrize(
    ("realisation", "counts"),
    [
        (Postselect(), [1, 2, 3]),
        (RepeatUntilSuccess(), [1, 2, 3]),
        (Amplified(), [2, 3, 4]),
        (Multiplexed(), [0, 0, 0]),
    ],
)
def test_each_order_takes_an_ancilla(realisation: Realisation, counts: list[int]) -> None:
    assert [realisation.ancillas(order) for order in (1, 2, 3)] == counts


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_every_semantics_has_a_default_realisation(semantics: Semantics) -> None:
    default = realisation_of(None, semantics)
    assert default.exact
    assert realisation_of(default.name, semantics) == default


def test_realisations_of_other_semantics_are_refused_and_fitting_ones_named() -> None:
    for name in REALISATIONS.names():
        postselected = REALISATIONS.make(name).semantics == "postselected"
        other: Semantics = "unitary" if postselected else "postselected"
        with pytest.raises(ValueError, match=f"{name!r} gives neurons of") as error:
            realisation_of(name, other)
        assert f"'{realisation_of(None, other).name}'" in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("amplified", Amplified(7), "amplified"),
        ("amplified,length=5", Amplified(5), "amplified,length=5"),
        ("amplified,length=7", Amplified(), "amplified"),
        ("repeat_until_success,attempts=2", RepeatUntilSuccess(2), None),
        (f"{Amplified.__module__}:Amplified,length=3", Amplified(3), "amplified,length=3"),
        ("multiplexed", Multiplexed(), None),
    ],
)
def test_a_realisation_is_written_as_the_text_that_names_it(
    text: str, expected: Realisation, written: str | None
) -> None:
    realisation = REALISATIONS.resolve(text)
    assert realisation == expected
    assert str(realisation) == (written or text)
    assert REALISATIONS.resolve(str(realisation)) == realisation


def test_realisations_are_values() -> None:
    assert len({Amplified(5), Amplified(5), Amplified(), Postselect(), Multiplexed()}) == 4
    assert pickle.loads(pickle.dumps(Amplified(5))) == Amplified(5)


@pytest.mark.parametrize("length", [-3, 1, 2, 4, 6, 9])
def test_lengths_that_are_not_offered_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=rf"length must be odd, one of \(3, 5, 7\) .*got {length}"):
        Amplified(length)


@pytest.mark.parametrize("attempts", [-1, 0])
def test_at_least_one_attempt_is_made(attempts: int) -> None:
    with pytest.raises(ValueError, match=f"attempts must be at least 1, got {attempts}"):
        RepeatUntilSuccess(attempts)


@pytest.mark.parametrize("number", [np.int64(3), torch.tensor(3)])
def test_integers_of_other_libraries_are_taken_as_those_of_python(number: Any) -> None:  # noqa: ANN401
    assert str(RepeatUntilSuccess(number)) == str(RepeatUntilSuccess(3))
    assert str(Amplified(number)) == "amplified,length=3"
    assert type(Amplified(number).length) is int


def test_a_length_that_is_no_integer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"length must be odd, .* got 3\.0"):
        Amplified(3.0)  # type: ignore[arg-type]


def test_half_an_attempt_is_refused() -> None:
    with pytest.raises(TypeError, match=r"attempts must be an integer, got 2\.5"):
        RepeatUntilSuccess(2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [-1, 7])
def test_orders_out_of_range_are_refused(order: int) -> None:
    with pytest.raises(ValueError, match=f"order must be between 0 and 6, got {order}"):
        Postselect().check(order=order, controls=2)


def test_an_unknown_realisation_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(ValueError, match=r"realisation must be one of.*got 'dense'") as error:
        realisation_of("dense", "unitary")
    assert all(name in str(error.value) for name in REALISATIONS.names())
    given: Any = 3
    with pytest.raises(TypeError, match="realisation must be a Realisation or a name, got 3"):
        realisation_of(given, "unitary")


def test_too_many_controls_for_a_table_of_angles_are_refused() -> None:
    Multiplexed().check(order=1, controls=10)
    with pytest.raises(ValueError, match=r"at most 10 controls .*got 11: .*2\*\*controls"):
        Multiplexed().check(order=1, controls=11)
    Amplified().check(order=1, controls=11)


def test_circuits_beyond_memory_are_refused() -> None:
    Amplified(7).check(order=3, controls=3)
    with pytest.raises(ValueError, match=r"order 4 with length 7 .* 38416 times.*more than"):
        Amplified(7).check(order=4, controls=3)
    with pytest.raises(ValueError, match=r"order 6 with attempts 3 .* 46656 times.*more than"):
        RepeatUntilSuccess(3).check(order=6, controls=3)
    for realisation in (Postselect(), Multiplexed()):
        realisation.check(order=6, controls=3)
