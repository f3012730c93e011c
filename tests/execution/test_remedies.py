from collections.abc import Callable
from typing import Any

import pytest

from qrnn_circuits import QRNN
from qrnn_circuits.circuits import Multiplexed, Postselect
from qrnn_circuits.circuits.realisations import Realisation
from qrnn_circuits.execution.remedies import alternatives, dropping, fewer_gates, keeping_shots
from qrnn_circuits.tasks import Digits, Xor


def test_only_settings_that_would_change_anything_are_named(
    make_model: Callable[..., QRNN],
) -> None:
    large = make_model(lane=2, workspace=3, stages=2, order=2, degree=2)
    small = make_model(lane=2, workspace=1, stages=0, order=0, degree=1)
    assert fewer_gates(Xor(), large) == [
        "--reading scored",
        "--order 0",
        "a lower --degree",
        "fewer --stages",
        "a smaller --workspace",
        "a shorter --length",
    ]
    assert fewer_gates(Xor(reading="scored"), small) == ["a shorter --length"]
    assert "a shorter --length" not in fewer_gates(Digits(), large)
    assert keeping_shots(Xor(), large, Postselect()) == [
        "--semantics unitary",
        "--reading scored",
        "--acceptance-weight",
    ]
    assert keeping_shots(Xor(reading="scored"), large, Multiplexed()) == ["--acceptance-weight"]
    assert keeping_shots(Xor(), small, Postselect())[0] == "--reading scored"


def test_a_tolerance_is_named_where_nothing_is_dropped_that_could_be() -> None:
    class Whole(Realisation):
        semantics = "unitary"

        def queue(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
            """Needs none here."""

    assert dropping(Multiplexed(), 0.0) == ["a --tolerance that drops small rotations"]
    assert dropping(Multiplexed(), 0.05) == dropping(Whole(), 0.0) == []


@pytest.mark.parametrize(
    ("options", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")],
)
def test_alternatives_are_written_in_words(options: list[str], text: str) -> None:
    assert alternatives(options) == text
