import re
from base64 import b64decode

import pytest
from matplotlib.figure import Figure

from qrnn_circuits.execution.curve_chart import curve_figure
from qrnn_circuits.execution.run_report_page import picture


def test_a_picture_is_a_vector_graphic_in_its_address() -> None:
    kind, content = picture(Figure()).split(",")
    assert kind == "data:image/svg+xml;base64"
    text = b64decode(content).decode()
    assert text.rstrip().endswith("</svg>")
    assert not re.search(r"""(href|src)=["']http""", text)


def test_only_what_was_logged_is_drawn() -> None:
    curves = {"train/loss": [(1, 2.0), (2, 1.0)], "validation/error": [(2, 0.5)]}
    figure = curve_figure(curves)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "validation error"]
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]


@pytest.mark.parametrize(("least", "scale"), [(0.1, "log"), (0.0, "linear")])
def test_a_loss_is_on_a_logarithmic_scale_where_it_can_be(least: float, scale: str) -> None:
    (axes,) = curve_figure({"train/loss": [(1, 2.0), (2, least)]}).axes
    assert axes.get_yscale() == scale


def test_curves_are_told_apart_without_colour() -> None:
    names = ("validation/error", "validation/sampled_error")
    (axes,) = curve_figure({name: [(1, 0.5), (2, 0.4)] for name in names}).axes
    assert len({line.get_linestyle() for line in axes.lines}) == 2
