"""``qrnn sample``: draws sequences from a trained network."""

from typing import Annotated

import typer

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.networks import load_network
from qrnn_circuits.command_line.options import (
    CheckpointChoice,
    CheckpointOption,
    RunArgument,
    check_seed,
)
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.waiting import clear, doing


def sample(
    folder: RunArgument,
    count: Annotated[int, typer.Option(min=1, max=2**20, help="How many sequences to draw.")] = 1,
    seed: Annotated[
        int, typer.Option(callback=check_seed, help="Of prompts and measurements.")
    ] = 0,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
) -> None:
    """Draw sequences from a trained network, one measurement at a time.

    Of tasks that predict each next symbol, a sequence is the first symbol, which is given, and what
    the network goes on with. Of tasks with random inputs it is these, and below each what the step
    tells. Of labels after sequences of yours it is a test sequence and the class that is drawn for
    it; of digits the class alone.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with run_errors(), usage_errors():
        run = load_network(folder, checkpoint).of_symbols()
        prompt = run.task.prompt(count, generator)
    with run_errors():
        doing(f"drawing {count:,} sequence(s)")
        output = run.model.sample(
            prompt.inputs,
            prompt.outcomes,
            sampled=prompt.sampled,
            autoregressive=prompt.autoregressive,
            generator=generator,
        )
    texts = [plain(text).plain for text in run.task.describe_sample(prompt, output.outcomes)]
    clear()
    # What has many lines is kept apart from the next.
    typer.echo(("\n\n" if any("\n" in text for text in texts) else "\n").join(texts))
