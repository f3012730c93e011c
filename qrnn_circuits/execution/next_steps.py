"""What to try next with a trained network, in plain sentences."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qrnn_circuits.circuits.realisations import realisation_of
from qrnn_circuits.execution.remedies import alternatives, fewer_gates, keeping_shots
from qrnn_circuits.tasks import BaseTask, Forecast
from qrnn_circuits.tasks.recipes import choose_recipe, read_recipes
from qrnn_circuits.training import Evaluation, ForecastEvaluation, RunConfig, RunFolder, TrainedRun

FEW_KEPT = 0.01
"""With a smaller share of kept shots a circuit wants another network."""
LEAST_FALL = 0.02
"""By this share the last quarter's least loss is below that before, where a loss still falls."""
LEAST_RISE = 0.25
"""By this share of its whole fall a validation loss has risen again, where a network overfits."""
GOOD_ERROR = 0.001
"""With a smaller error there is nothing to train for."""
UNSHARP = 0.02
"""By so much a measurement errs more often than the most probable answer, where it matters."""


@dataclass(frozen=True)
class NextStep:
    """Something to try.

    Attributes:
        text: Why, and what it may lead to.
        command: What to type; empty where the text says it.
    """

    text: str
    command: str = ""


def next_steps(
    run: TrainedRun[Any, Any],
    place: Path,
    figures: Evaluation | ForecastEvaluation,
    curves: Mapping[str, Sequence[tuple[int, float]]],
    *,
    least_kept: float | None = None,
) -> tuple[NextStep, ...]:
    """Says what to try next, the most urgent first.

    Args:
        run: The trained network and its task.
        place: Folder of the run, or ``pretrained:NAME``.
        figures: Of the test set.
        curves: What was logged, by name.
        least_kept: Least share of the shots that a circuit of a test sequence keeps, if known.

    Example:
        >>> from qrnn_circuits.training import load_pretrained
        >>> figures = Evaluation(0.0, 0.001, 0.0, 100, "scored_steps")
        >>> place = Path("pretrained:xor-chip")
        >>> steps = next_steps(load_pretrained("xor-chip"), place, figures, {}, least_kept=1.0)
        >>> steps[0].command
        'qrnn inspect pretrained:xor-chip --sequence 0 --backend fake_fez'
    """
    steps = _on_training(run, place, figures, curves.get("validation/loss", ()))
    if isinstance(figures, ForecastEvaluation):
        return (*steps, *_on_forecasts(run, figures))
    if figures.beats_guessing is False:
        return tuple(steps)
    if least_kept is not None and least_kept < FEW_KEPT:
        steps.append(NextStep(_keeping(run, least_kept)))
    if figures.sampled_error - figures.test_error > UNSHARP:
        steps.append(
            NextStep(
                f"One measurement of an answer is wrong in {figures.sampled_error:.1%}, the most "
                f"probable answer in {figures.test_error:.1%}: on a device take the most frequent "
                "of several kept shots.",
                f"qrnn run {shlex.quote(str(place))} --device qrnn.aer --shots 1000",
            )
        )
    shorter = alternatives(fewer_gates(run.task, run.model))
    advice = f" Networks with {shorter} take fewer gates." if shorter else ""
    steps.append(
        NextStep(
            f"Whether a chip can answer is told before anything runs there.{advice}",
            f"qrnn inspect {shlex.quote(str(place))} --sequence 0 --backend fake_fez",
        )
    )
    return tuple(steps)


def still_falls(losses: Sequence[tuple[int, float]]) -> bool:
    """Whether a validation loss was still falling when the run ended.

    Example:
        >>> still_falls([(step, 1 / step) for step in range(1, 9)])
        True
        >>> still_falls([(step, 1.0) for step in range(1, 9)])
        False
    """
    values = [value for _, value in losses]
    if len(values) < 2:
        return False
    quarter = max(1, len(values) // 4)
    earlier, last = min(values[:-quarter]), min(values[-quarter:])
    return earlier - last > LEAST_FALL * abs(earlier)


def rises_since(losses: Sequence[tuple[int, float]]) -> int | None:
    """The step since which a validation loss has risen again; None where it has not.

    Example:
        >>> rises_since([(1, 2.0), (2, 1.0), (3, 1.5), (4, 1.6)])
        2
        >>> rises_since([(1, 2.0), (2, 1.0), (3, 1.0), (4, 1.1)]) is None
        True
    """
    values = [value for _, value in losses]
    quarter = len(values) // 4
    if not quarter:
        return None
    least = min(values)
    rise = sum(values[-quarter:]) / quarter - least
    return losses[values.index(least)][0] if rise > LEAST_RISE * (values[0] - least) > 0 else None


def _on_training(
    run: TrainedRun[Any, Any],
    place: Path,
    figures: Evaluation | ForecastEvaluation,
    losses: Sequence[tuple[int, float]],
) -> list[NextStep]:
    config = run.config
    if isinstance(figures, Evaluation) and figures.sampled_error < GOOD_ERROR:
        return []
    if still_falls(losses):
        text = "The validation loss was still falling when the run ended: more steps may help."
        return [_longer(config, place, text, 2 * config.steps)]
    if isinstance(figures, Evaluation) and figures.beats_guessing is False:
        return [NextStep(_learning_at_all(run))]
    since = rises_since(losses)
    if since is not None:
        text = (
            f"The validation loss has risen since step {since:,}: the network learns its training "
            "data by heart. More data or a smaller network would help, more steps would not."
        )
        return [NextStep(text)]
    name, recipe = _recipe_of(run)
    usual = recipe.get("steps", 0)
    if losses and config.steps < usual:
        text = f"The recipe {name} trains for {usual:,} steps, this run for {config.steps:,}."
        return [_longer(config, place, text, usual)]
    return []


def _learning_at_all(run: TrainedRun[Any, Any]) -> str:
    config, usual = run.config, _recipe(run.task)
    rate = usual.get("learning_rate", config.learning_rate)
    ways = [
        "another --learning-rate"
        + (f" (the recipe of the task has {rate:g})" if rate != config.learning_rate else ""),
        *(["--decay cosine"] if config.decay == "none" else []),
        *(["--restarts 3 --restart-after 200"] if not config.restarts else []),
        "a larger --workspace",
    ]
    return (
        "The answers are no better than guessing the most frequent one, so that no device can do "
        f"anything with this network: train a new run with {alternatives(ways)}."
    )


def _longer(config: RunConfig, place: Path, text: str, steps: int) -> NextStep:
    """How to come to more steps."""
    if config.contradictions(dataclasses.replace(config, steps=steps)):
        return NextStep(
            f"{text} The settings of this run are laid out over its {config.steps:,} steps, so "
            f"begin a new one with --steps {steps}."
        )
    return NextStep(text, f"{RunFolder(place).resume_command(config)} --steps {steps}")


def _recipe(task: BaseTask, name: str | None = None) -> dict[str, Any]:
    """The settings of a recipe; none where the task has no such recipe."""
    try:
        return choose_recipe(task, name)
    except ValueError:
        return {}


def _recipe_of(run: TrainedRun[Any, Any]) -> tuple[str, dict[str, Any]]:
    """The task's own recipe, else the first by the run's optimiser: steps of others differ."""
    recipes = read_recipes(type(run.task))
    for name in (run.task.default_recipe, *recipes):
        recipe = recipes.get(name)
        if recipe and recipe.get("optimizer", RunConfig.optimizer) == run.config.optimizer:
            return name, recipe
    return "none", {}


def _keeping(run: TrainedRun, least_kept: float) -> str:
    model = run.model
    ways = keeping_shots(run.task, model, realisation_of(None, model.cell.semantics))
    if _recipe(run.task, "chip"):
        ways.insert(0, "--recipe chip")
    return (
        f"A circuit of a test sequence keeps a share of {least_kept:.2g} of its shots, so that a "
        f"device would give few answers or none: train with {alternatives(ways)}."
    )


def _on_forecasts(run: TrainedRun[Forecast, Any], figures: ForecastEvaluation) -> list[NextStep]:
    last = figures.persistence
    if last is not None and figures.normalised_error >= last:
        return [
            NextStep(
                "The forecasts are no better than the last known value: train for more --steps, "
                "give more of the past by --window, or take a larger --hidden-size."
            )
        ]
    return [
        NextStep(
            "A plain recurrent network of the same size shows what the quantum one is worth: train "
            "a new run with --cell lstm and the same data, and compare the normalised errors."
        )
        if run.config.cell not in ("rnn", "gru", "lstm")
        else NextStep(
            "A quantum network on the same data shows what this one is worth: train a new run with "
            "--cell qrnn, and compare the normalised errors."
        )
    ]
