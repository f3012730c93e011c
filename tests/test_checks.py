import pytest

from qrnn_circuits.checks import check_positive


@pytest.mark.parametrize("value", [0, 0.0, -1, float("nan"), float("inf")])
def test_a_positive_number_is_finite_and_greater_than_zero(value: float) -> None:
    with pytest.raises(ValueError, match="rate must be"):
        check_positive("rate", value)
