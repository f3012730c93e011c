import pytest
import typer

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.training import RankError, Ranks


@pytest.mark.parametrize(
    ("rank", "error", "exit_code", "is_told"),
    [
        (0, ValueError("degree"), 2, True),
        (1, ValueError("degree"), 2, False),
        (0, RankError("lost"), 1, True),
        (1, RankError("lost"), 1, True),
    ],
)
def test_of_several_processes_the_first_tells_what_all_know(
    capsys: pytest.CaptureFixture[str], rank: int, error: Exception, exit_code: int, is_told: bool
) -> None:
    ranks = Ranks(rank, 2)
    with pytest.raises(typer.Exit) as ending, run_errors(ranks), usage_errors(ranks):
        raise error
    assert ending.value.exit_code == exit_code
    assert capsys.readouterr().err == (f"Error: {error}\n" if is_told else "")
