import pytest

from tests.fuzz.attack import attack
from tests.fuzz.targets import Targets

pytest.importorskip("optuna")
pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

SEEDS = 6
# Commands take longer than the reading of a file.
QUICK = ("npz", "members", "idx", "recipes", "rvqe", "sequences")


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Targets:
    return Targets(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", Targets.NAMES)
def test_every_input_is_read_or_refused_in_one_line(targets: Targets, name: str) -> None:
    for seed in range(SEEDS * (5 if name in QUICK else 1)):
        attack(getattr(targets, name), seed)
