"""What share of the shots a network keeps while it is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qrnn_circuits.reproduction.measurements.curves import thinned
from qrnn_circuits.reproduction.measurements.settings import check_options, read_settings
from qrnn_circuits.reproduction.measurements.training_runs import run_config, train
from qrnn_circuits.training import evaluate, read_scalars

MOST_POINTS = 60
"""Of a curve."""


@dataclass(frozen=True)
class AcceptanceSettings:
    """The settings of :func:`measure`.

    Attributes:
        task: Name of a task of symbols.
        recipe: Of the task; by default the paper's, which conditions every step.
        run: Fields of :class:`~qrnn_circuits.training.RunConfig` that differ from the recipe, such
            as ``acceptance_weight``, ``steps`` and ``task_options``.
    """

    task: str = "xor"
    recipe: str | None = "paper"
    run: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks that ``run`` is a table.

        Raises:
            TypeError: If it is something else.
        """
        check_options("run", self.run)


def measure(
    settings: Mapping[str, Any],
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Trains a network and follows its loss and its acceptance over the validations.

    Args:
        settings: Fields of :class:`AcceptanceSettings`.
        seed: Of the run.
        folder: In which the run gets the folder ``run``; one that was interrupted goes on.
        progress: Is told each validation.

    Returns:
        ``"curve"``: of at most :data:`MOST_POINTS` validations the optimiser step, the loss, and
        the decimal logarithm of the mean share of shots that a circuit of all steps keeps;
        ``"log10_acceptance"``: that of the last validation; ``"test_error"`` and
        ``"sampled_error"``: of the best checkpoint on the test set.

    Raises:
        KeyboardInterrupt: If a signal interrupted the training; it can be gone on with.
        TrainingDiverged: If the loss is no longer finite.
        TypeError: If a setting has the wrong type.
        ValueError: If a setting is unknown or not acceptable.

    Example:
        >>> run = {"steps": 2, "workspace": 2, "degree": 2, "task_options": {"length": 3}}
        >>> found = measure({"run": run}, 0, Path("example"), lambda doing: None)
        >>> [(step, log10_acceptance < 0) for step, _, log10_acceptance in found["curve"]]
        [(2, True)]
    """
    asked = read_settings(AcceptanceSettings, settings)
    config = run_config(asked.task, asked.recipe, asked.run, seed)
    place = folder / "run"
    trained = train(config, place, progress)
    kept = dict(read_scalars(place, "validation/log10_acceptance"))
    losses = read_scalars(place, "validation/loss")
    figures = evaluate(trained)
    curve = [[step, loss, kept[step]] for step, loss in losses]
    return {
        "curve": thinned(curve, MOST_POINTS),
        "log10_acceptance": curve[-1][2],
        "test_error": figures.test_error,
        "sampled_error": figures.sampled_error,
    }
