"""Digits that a trained network draws, and whether they are recognised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log, sqrt
from pathlib import Path
from typing import Any

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from qrnn_circuits.checks import check_integer
from qrnn_circuits.execution.figure_files import write_figure
from qrnn_circuits.network import QRNNOutput
from qrnn_circuits.reproduction.measurements.digit_sheet import draw_sheet
from qrnn_circuits.reproduction.measurements.settings import check_options, read_settings
from qrnn_circuits.reproduction.measurements.training_runs import run_config, train
from qrnn_circuits.tasks import Batch, Digits
from qrnn_circuits.tasks.digits import parse_digits
from qrnn_circuits.training import TrainedRun
from qrnn_circuits.training.validation import validate

SHEET = "samples.png"
"""Name of the picture of the samples."""


@dataclass(frozen=True)
class GenerationSettings:
    """The settings of :func:`measure`.

    Attributes:
        recipe: Of the task ``digits``; by default the paper's.
        run: Fields of :class:`~qrnn_circuits.training.RunConfig` that differ from the recipe, with
            options of the task such as ``digits`` and ``data``; ``generate`` is always on.
        samples: How many of each digit are drawn.
        references: How many training digits the classifier knows.
        neighbours: How many nearest ones of them it asks.
    """

    recipe: str | None = "paper"
    run: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 100
    references: int = 4000
    neighbours: int = 5

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            TypeError: If one has the wrong type.
            ValueError: If one is not acceptable.
        """
        check_options("run", self.run)
        options = self.run.get("task_options", {})
        check_options("task_options of run", options)
        for name, needed in (("generate", True), ("labels", "digit")):
            if options.get(name, needed) != needed:
                raise ValueError(f"{name} must be {needed!r} to draw digits, got {options[name]!r}")
        check_integer("samples", self.samples, 1)
        check_integer("neighbours", self.neighbours, 1)
        check_integer("references", self.references, self.neighbours)


def measure(
    settings: Mapping[str, Any],
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Trains a network to draw digits, draws some and has them recognised.

    A digit is drawn pixel by pixel from its label alone. A classifier of k nearest neighbours,
    which compares images with training digits, then says which of the digits it is.

    Args:
        settings: Fields of :class:`GenerationSettings`.
        seed: Of the run and of the samples.
        folder: In which the run gets the folder ``run``, and the samples the picture
            :data:`SHEET`: the digits in ascending order from the left. A run that was interrupted
            goes on.
        progress: Is told what is being done.

    Returns:
        ``"loss"``: negative log-likelihood of a test digit's symbol, mean over all steps, in nats;
        ``"log10_acceptance"``: decimal logarithm of the share of runs of a drawing circuit in which
        nothing postselected fails, mean over the samples; ``"recognised"``: share of the samples
        that the classifier takes for the digit that was to be drawn, and ``"recognised_error"``,
        its binomial standard error; ``"classifier_error"``: share of the test digits that the
        classifier takes for another; ``"samples"``: how many in all; ``"sheet"``: :data:`SHEET`.

    Raises:
        FileNotFoundError: If the digits are missing.
        KeyboardInterrupt: If a signal interrupted the training; it can be gone on with.
        TrainingDiverged: If the loss is no longer finite.
        TypeError: If a setting has the wrong type.
        ValueError: If a setting is unknown or not acceptable.

    Example:
        >>> run = {"steps": 1, "workspace": 2, "degree": 2, "task_options": {"data": "embedded"}}
        >>> settings = {"recipe": None, "run": run, "samples": 3, "references": 50}
        >>> found = measure(settings, 0, Path("example"), lambda doing: None)
        >>> found["samples"], (Path("example") / found["sheet"]).exists()
        (6, True)
    """
    asked = read_settings(GenerationSettings, settings)
    options = {**asked.run.get("task_options", {}), "generate": True}
    layer = {**asked.run, "task_options": options}
    run = train(run_config("digits", asked.recipe, layer, seed), folder / "run", progress)
    task = run.task
    assert isinstance(task, Digits)
    progress("testing")
    tested = validate(run.model, task, task.test(), loss="nll", step=run.step)
    names = [str(digit) for digit in parse_digits(task.digits)]
    count = asked.samples * len(names)
    progress(f"drawing {count} digits")
    generator = torch.Generator().manual_seed(seed)
    labels, output = draw(run, count, generator)
    images = task.images(output.outcomes)
    figure = draw_sheet({name: images[labels == label].numpy() for label, name in enumerate(names)})
    write_figure(figure, folder / SHEET)
    classifier = KNeighborsClassifier(asked.neighbours)
    classifier.fit(*_pixels_and_labels(task, task.batch(asked.references, generator)))
    recognised = float(classifier.score(images.flatten(1).numpy(), labels.numpy()))
    kept = float(output.log_acceptance.logsumexp(0)) - log(count)
    return {
        "loss": tested.loss,
        "log10_acceptance": kept / log(10),
        "recognised": recognised,
        "recognised_error": sqrt(recognised * (1 - recognised) / count),
        "classifier_error": 1 - float(classifier.score(*_pixels_and_labels(task, task.test()))),
        "samples": count,
        "sheet": SHEET,
    }


def draw(run: TrainedRun, count: int, generator: torch.Generator) -> tuple[Tensor, QRNNOutput]:
    """Draws digits, of each label equally many as far as they divide.

    Args:
        run: A network that was trained to draw them.
        count: How many.
        generator: Source of randomness, a CPU generator.

    Returns:
        The labels, int64, shape ``(count,)``, and what the network predicted, with the drawn
        symbols as its outcomes.
    """
    prompt = run.task.prompt(count, generator)
    output = run.model.sample(
        prompt.inputs,
        prompt.outcomes,
        sampled=prompt.sampled,
        autoregressive=prompt.autoregressive,
        generator=generator,
    )
    return prompt.inputs[:, 0], output


def _pixels_and_labels(task: Digits, batch: Batch) -> tuple[Any, Any]:
    """Images ``(B, side**2)`` and labels ``(B,)`` of sequences to draw, as NumPy arrays."""
    return task.images(batch.outcomes).flatten(1).numpy(), batch.inputs[:, 0].numpy()
