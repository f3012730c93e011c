from pathlib import Path

import pytest

from qrnn_circuits.execution.figure_files import check_chart_path


@pytest.mark.parametrize(
    ("name", "message"),
    [("chart.doc", "a chart must end in one of"), ("no/chart.png", "no folder")],
)
def test_a_chart_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        check_chart_path(tmp_path / name)
