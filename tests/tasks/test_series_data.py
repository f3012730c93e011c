from pathlib import Path

import pytest
import torch

from qrnn_circuits.tasks import Forecast
from qrnn_circuits.tasks.series_data import read_table


def test_numbers_in_quotes_behind_blanks_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "quoted.csv"
    path.write_text('a, "b"\n' + "".join(f'{n}, "{n * n}"\n' for n in range(30)))
    task = Forecast(data=str(path), scaling="none")
    assert task.target_names == ("a", "b")
    assert torch.equal(task.test().inputs[..., 1], task.test().inputs[..., 0].square())


def test_numbers_of_rows_are_left_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "with_row_numbers.csv"
    path.write_text("\n".join([",rain", *(f"{2 * n},{n % 5}" for n in range(30))]))
    task = Forecast(data=str(path))
    assert task.target_names == ("rain",)
    assert task.found.endswith("; left out: 1")
    assert Forecast(data=str(path), columns="1").target_names == ("1",)


@pytest.mark.parametrize("names", [",rain", ","])
def test_other_numbers_without_a_name_are_called_by_their_place(names: str, tmp_path: Path) -> None:
    path = tmp_path / "unnamed.csv"
    path.write_text("\n".join([names, *(f"{n * n},{n % 5}" for n in range(30))]))
    assert Forecast(data=str(path)).target_names == ("1", names[1:] or "2")


def test_a_first_row_of_numbers_is_said_to_be_a_point(tmp_path: Path) -> None:
    path = tmp_path / "years.csv"
    path.write_text("\n".join(["2025,2026", *(f"{n},{n % 5}" for n in range(30))]))
    found = Forecast(data=str(path)).found
    assert found.startswith("31 points of 1, 2 (the first row is a point, since it holds numbers);")


@pytest.mark.parametrize(
    ("header", "row", "gap"),
    [
        ("rain,sun", "{0},{0}", ","),
        ("rain,sun", "{0},{0}", " , "),
        ("rain", "{0}", '""'),
        ("rain", "{0}", ""),
        ("rain", "{0}", "\n\n"),
    ],
)
def test_a_row_without_any_number_is_a_gap(header: str, row: str, gap: str, tmp_path: Path) -> None:
    path = tmp_path / "gap.csv"
    rows = [row.format(n % 5) for n in range(30)]
    path.write_text("\n".join([header, *rows[:10], gap, *rows[10:]]))
    with pytest.raises(ValueError, match="row 12 must have a finite number in column 'rain', got"):
        Forecast(data=str(path))
    path.write_text("\n".join([gap, header, *rows, gap, gap]))
    assert Forecast(data=str(path)).found.startswith("30 points of rain")


def test_a_gap_in_the_first_row_is_one_as_in_any_other(weather: Path) -> None:
    with pytest.raises(ValueError, match="row 2 must have a finite number in column 'sun', got no"):
        Forecast(data=str(weather))


def test_only_the_columns_and_points_that_are_asked_for_must_be_without_gaps(weather: Path) -> None:
    assert Forecast(data=str(weather), columns="rain").target_names == ("rain",)
    text = weather.read_text().replace(",,1,", ",1,1,").replace(",30,", ",nan,")
    weather.write_text(text)
    assert Forecast(data=str(weather), points=29).target_names == ("sun", "rain")
    with pytest.raises(ValueError, match=r"row 31 must have .* 'sun', got 'nan'"):
        Forecast(data=str(weather))


def test_numbers_of_columns_are_those_of_the_file(weather: Path) -> None:
    assert Forecast(data=str(weather), columns="3").target_names == ("rain",)
    with pytest.raises(ValueError, match="columns names the column 'day', which holds no number"):
        Forecast(data=str(weather), columns="1")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_semicolons_and_tabulators_separate_columns_as_commas_do(mark: str, ramp: Path) -> None:
    expected = Forecast(data=str(ramp)).test()
    ramp.write_text(ramp.read_text().replace(",", mark).replace("up", '"up, in m"'))
    task = Forecast(data=str(ramp))
    assert task.target_names == ("up, in m", "down")
    assert torch.equal(task.test().inputs, expected.inputs)


def test_a_comma_in_a_number_is_no_separator_where_semicolons_are(tmp_path: Path) -> None:
    path = tmp_path / "decimal.csv"
    path.write_text("0,5;1\n" + "1,25;2\n" * 20)
    assert Forecast(data=str(path), columns="2", scaling="none").target_names == ("2",)
    path.write_text("0,5;1,5\n" + "1,25;2,5\n" * 20)
    with pytest.raises(ValueError, match="there must be decimal points, and commas, semicolons"):
        Forecast(data=str(path))


@pytest.mark.parametrize("number", ["21,5", "-0,25", "1,000", "1,000.5", "1,234,567"])
@pytest.mark.parametrize("columns", [None, "rain"])
def test_a_column_of_numbers_with_commas_is_not_left_out_in_silence(
    number: str, columns: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "decimal.csv"
    path.write_text("day;rain;note\n" + "".join(f"{n};{number};a, b\n" for n in range(20)))
    with pytest.raises(ValueError, match=rf"column 'rain' has commas .* '{number}': write decimal"):
        Forecast(data=str(path), columns=columns)
    assert Forecast(data=str(path), columns="day").target_names == ("day",)


def test_a_date_with_underscores_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "months.csv"
    path.write_text("month,rain\n" + "2020_01,1.5\n2020_02,0\n" * 5)
    assert Forecast(data=str(path), window=1).target_names == ("rain",)


def test_a_table_of_many_columns_is_read_as_fast_as_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    row = ",".join(map(str, range(50_000)))
    header = ",".join(f"c{place}" for place in range(50_000))
    path.write_text("\n".join([header, row, row]))
    columns = read_table(path)
    assert columns.values.shape == (2, 50_000)
    assert columns.names[-1] == "c49999"
