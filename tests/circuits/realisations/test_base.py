import pytest

from qrnn_circuits.circuits.realisations.base import (
    REALISATIONS,
    SEMANTICS,
    Realisation,
    ancilla_count,
    check_realisation,
    check_semantics,
    default_realisation,
)
from qrnn_circuits.neuron import Semantics


@pytest.mark.parametrize(
    ("realisation", "counts"),
    [
        ("postselect", [1, 2, 3]),
        ("repeat_until_success", [1, 2, 3]),
        ("amplified", [2, 3, 4]),
        ("multiplexed", [0, 0, 0]),
    ],
)
def test_each_order_takes_an_ancilla(realisation: Realisation, counts: list[int]) -> None:
    assert [ancilla_count(realisation, order) for order in (1, 2, 3)] == counts


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_every_semantics_has_a_default_realisation(semantics: Semantics) -> None:
    check_semantics(default_realisation(semantics), semantics)


def test_realisations_of_other_semantics_are_refused_and_fitting_ones_named() -> None:
    for realisation in REALISATIONS:
        other: Semantics = "unitary" if SEMANTICS[realisation] == "postselected" else "postselected"
        with pytest.raises(ValueError, match=f"{realisation!r} gives neurons of") as error:
            check_semantics(realisation, other)
        assert f"'{default_realisation(other)}'" in str(error.value)


@pytest.mark.parametrize("length", [-3, 1, 2, 4, 6, 9])
def test_lengths_that_are_not_offered_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=rf"length must be odd, one of \(3, 5, 7\) .*got {length}"):
        check_realisation("amplified", order=1, controls=2, length=length)


@pytest.mark.parametrize("attempts", [-1, 0])
def test_at_least_one_attempt_is_made(attempts: int) -> None:
    with pytest.raises(ValueError, match=f"attempts must be at least 1, got {attempts}"):
        check_realisation("repeat_until_success", order=1, controls=2, attempts=attempts)


@pytest.mark.parametrize("order", [0, 7])
def test_orders_out_of_range_are_refused(order: int) -> None:
    with pytest.raises(ValueError, match=f"order must be between 1 and 6, got {order}"):
        check_realisation("postselect", order=order, controls=2)
    with pytest.raises(ValueError, match=f"order must be between 1 and 6, got {order}"):
        ancilla_count("postselect", order)


def test_an_unknown_realisation_is_refused_and_the_known_ones_named() -> None:
    for call in (
        lambda: check_realisation("dense", order=1, controls=2),  # type: ignore[arg-type]
        lambda: ancilla_count("dense", 1),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match=r"realisation must be one of.*got 'dense'") as error:
            call()
        assert all(name in str(error.value) for name in REALISATIONS)


def test_too_many_controls_for_a_table_of_angles_are_refused() -> None:
    check_realisation("multiplexed", order=1, controls=10)
    with pytest.raises(ValueError, match=r"at most 10 controls .*got 11: .*2\*\*controls"):
        check_realisation("multiplexed", order=1, controls=11)
    check_realisation("amplified", order=1, controls=11)


def test_circuits_beyond_memory_are_refused() -> None:
    check_realisation("amplified", order=3, controls=3, length=7)
    with pytest.raises(ValueError, match=r"order 4 with length 7 .* 38416 times.*more than"):
        check_realisation("amplified", order=4, controls=3, length=7)
    with pytest.raises(ValueError, match=r"order 6 with attempts 3 .* 46656 times.*more than"):
        check_realisation("repeat_until_success", order=6, controls=3, attempts=3)
    for realisation in ("postselect", "multiplexed"):
        check_realisation(realisation, order=6, controls=3)
