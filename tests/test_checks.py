import pytest

from qrnn_circuits.checks import check_positive, errors_in


@pytest.mark.parametrize("value", [0, 0.0, -1, float("nan"), float("inf")])
def test_a_positive_number_is_finite_and_greater_than_zero(value: float) -> None:
    with pytest.raises(ValueError, match="rate must be"):
        check_positive("rate", value)


@pytest.mark.parametrize("kind", [TypeError, ValueError])
def test_an_error_of_a_place_is_of_its_kind_and_names_it(kind: type[Exception]) -> None:
    with pytest.raises(kind, match="file: reason") as caught, errors_in("file"):
        raise kind("reason")
    assert isinstance(caught.value.__cause__, kind)


def test_an_error_of_a_place_quotes_no_more_than_can_be_read() -> None:
    with pytest.raises(ValueError, match="file: unknown ab") as caught, errors_in("file"):
        raise ValueError(f"unknown {'ab' * 10**6}")
    assert len(str(caught.value)) < 4000
