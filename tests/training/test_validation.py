from collections.abc import Callable
from math import log
from typing import Any

import pytest
import torch

from qrnn_circuits import QRNNOutput, RecurrentNetwork
from qrnn_circuits.loss import Loss
from qrnn_circuits.tasks import Batch
from qrnn_circuits.training import RunConfig
from qrnn_circuits.training.validation import validate
from tests.conftest import network_of, task_of

Tiny = Callable[..., RunConfig]


@pytest.mark.parametrize("kind", ["nll", "paper"])
def test_the_figures_of_many_chunks_are_those_of_the_whole_batch(tiny: Tiny, kind: Loss) -> None:
    config = tiny(dtype="float64", loss=kind)
    task, model = task_of(config), network_of(config)
    batch = task.batch(1100, torch.Generator().manual_seed(0))
    # An uneven number of scored steps in each chunk.
    scored = batch.scored & (torch.arange(1100) % 7 < torch.arange(1100) // 200)[:, None]
    batch = Batch(batch.inputs, batch.outcomes, scored)
    figures = validate(model, task, batch, loss=config.loss, step=3)

    output = model(batch.inputs, batch.outcomes)
    loss = model.loss(batch.inputs, batch.outcomes, batch.scored, kind=kind)
    answers = task.answers(model, batch)
    assert figures.step == 3
    assert figures.loss == pytest.approx(loss.item(), rel=1e-12)
    assert figures.error == answers.test_error
    assert figures.sampled_error == answers.sampled_error
    acceptance = output.log_acceptance.exp().mean().log().item() / log(10)
    assert figures.log10_acceptance == pytest.approx(acceptance, rel=1e-12)


def test_validation_leaves_no_gradient_behind(tiny: Tiny) -> None:
    config = tiny()
    task, model = task_of(config), network_of(config)
    validate(model, task, task.validation(), loss="nll", step=0)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("digits", ["0,1", "0-9"])
def test_digits_are_counted_as_the_task_counts_them(digits: str) -> None:
    config = RunConfig.resolve(
        "digits",
        {"task_options": {"digits": digits}, "workspace": 1, "degree": 1, "dtype": "float64"},
        {"weight_spread": 0.5},
    )
    task, model = task_of(config), network_of(config)
    batch = next(task.validation().chunks(60))
    figures = validate(model, task, batch, loss="nll", step=0)
    answers = task.answers(model, batch)
    assert figures.error == answers.test_error
    assert figures.sampled_error == pytest.approx(answers.sampled_error, rel=1e-6)


def test_validation_runs_the_network_once_over_each_sequence(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny()
    task, model = task_of(config), network_of(config)
    rows = []
    forward = RecurrentNetwork.forward

    def note(
        self: RecurrentNetwork,
        inputs: torch.Tensor,
        *arguments: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> QRNNOutput:
        rows.append(len(inputs))
        return forward(self, inputs, *arguments, **options)

    monkeypatch.setattr(RecurrentNetwork, "forward", note)
    validate(model, task, task.validation(), loss="nll", step=0)
    assert sum(rows) == len(task.validation())
