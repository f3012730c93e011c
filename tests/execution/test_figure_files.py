from pathlib import Path

import pytest
from matplotlib.figure import Figure

from qrnn_circuits.execution.figure_files import check_chart_path, figure_bytes, write_figure


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chart.doc", "a chart must end in one of"),
        ("chart.pgf", "takes xelatex, which is not installed, .* take .pdf"),
        ("no/chart.png", "no folder"),
    ],
)
def test_a_chart_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        check_chart_path(tmp_path / name)


def test_an_ending_may_be_written_in_capitals(tmp_path: Path) -> None:
    check_chart_path(tmp_path / "chart.PNG")
    write_figure(Figure(), tmp_path / "chart.PNG")
    assert (tmp_path / "chart.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_names_of_any_script_are_drawn_without_a_warning(tmp_path: Path, ending: str) -> None:
    figure = Figure()
    figure.subplots().set_title("温度")
    write_figure(figure, tmp_path / f"chart.{ending}")
    assert (tmp_path / f"chart.{ending}").stat().st_size


@pytest.mark.parametrize("ending", ["png", "svg", "SVG", "pdf"])
def test_equal_figures_are_equal_files_on_another_day(
    ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for seconds in ("1000000000", "2000000000"):
        # What matplotlib takes for the time.
        monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
        figure = Figure()
        axes = figure.subplots()
        axes.plot([0, 1], clip_path=axes.patch)
        files.append(figure_bytes(figure, ending))
    assert files[0] == files[1]
