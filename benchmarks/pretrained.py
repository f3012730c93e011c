"""Makes the networks that come with the package, and tells their figures.

Trains each by its recipe with a few seeds in run folders, unless they are there already, chooses
the seed with the smallest sampled validation error, tests it, and writes ``NAME.safetensors`` and
``NAME.json`` to ``qrnn_circuits/training/pretrained``. Prints a row of Markdown for each. Networks
for MNIST need the folder of its prepared files in the variable QRNN_DATA_DIR.

    python -m benchmarks.pretrained --runs DIR [--names xor-chip mnist01] [--seeds 3]
"""

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.settings import TEN_BY_UMAP
from qrnn_circuits.atomic_files import write_atomically
from qrnn_circuits.settings.built_in_tasks import DATA_VARIABLE, VARIABLE_FOLDER
from qrnn_circuits.training import (
    RunConfig,
    RunFolder,
    Trainer,
    evaluate,
    load_pretrained,
    load_run,
    pretrained_figures,
)
from qrnn_circuits.training.checkpoint import read_checkpoint, write_checkpoint
from qrnn_circuits.training.pretrained import FOLDER, without_training

_MNIST = {"data": VARIABLE_FOLDER}
# Task, recipe and options of the task.
NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "memorise": ("memorise", "default", {}),
    "letters": ("letters", "default", {}),
    "xor-chip": ("xor", "chip", {}),
    "dna-chip": ("dna", "chip", {}),
    "digits01": ("digits", "default", {"data": "embedded"}),
    "digits01-chip": ("digits", "chip", {"data": "embedded", "reduce": "pca"}),
    "mnist01": ("digits", "default", {"digits": "0,1", **_MNIST}),
    "mnist36": ("digits", "default", {"digits": "3,6", **_MNIST}),
    "mnist-umap": ("digits", "default", {**TEN_BY_UMAP, **_MNIST}),
}


def train(name: str, seed: int, folder: Path) -> None:
    """Trains one seed, goes on with it, or leaves it where it is finished."""
    task, recipe, options = NETWORKS[name]
    if options.get("data") == VARIABLE_FOLDER:
        options = options | {"data": str(Path(os.environ[DATA_VARIABLE]).absolute())}
    if RunFolder(folder).is_started:
        trainer = Trainer.resume(folder)
    else:
        settings = {"seed": seed, "task_options": options}
        trainer = Trainer.start(RunConfig.resolve(task, settings, recipe=recipe), folder)
    trainer.run()


def command(name: str, seed: int) -> str:
    """The command that trains one seed."""
    task, recipe, options = NETWORKS[name]
    words = ["qrnn", "train", task, "--recipe", recipe, "--seed", str(seed)]
    for option, value in options.items():
        words += [f"--{option}", str(value)]
    return f"{shlex.join(words)} --out DIR".replace(f"'{VARIABLE_FOLDER}'", VARIABLE_FOLDER)


def make(name: str, folders: dict[int, Path]) -> None:
    """Writes the network of the best seed, and its figures.

    Args:
        name: Of the network.
        folders: Of its runs, by seed.
    """

    def rank(seed: int) -> tuple[float, float]:
        best = read_checkpoint(RunFolder(folders[seed]).checkpoint_path("best")).standing.best
        assert best is not None
        return best.sampled_error, best.error

    seed = min(folders, key=rank)
    stored = NETWORKS[name][2].get("data")
    checkpoint = read_checkpoint(RunFolder(folders[seed]).checkpoint_path("best"))
    kept = without_training(checkpoint, {} if stored is None else {"data": stored})
    figures = {
        "command": command(name, seed),
        "seeds": len(folders),
        "figures": evaluate(load_run(folders[seed])).to_json(),
    }
    FOLDER.mkdir(exist_ok=True)
    write_checkpoint(FOLDER / f"{name}.safetensors", kept)
    text = json.dumps(figures, indent=2) + "\n"
    write_atomically(FOLDER / f"{name}.json", text.encode())


def row(name: str) -> str:
    """A network and its figures as a row of a table."""
    made = pretrained_figures(name)
    test_error, sampled_error, *_, (unit, count) = made["figures"].items()
    cell = load_pretrained(name).model.cell
    sizes = ", ".join(f"{text} {cell.sizes()[text]}" for text in ("workspace", "stages", "order"))
    parameters = sum(parameter.numel() for parameter in cell.parameters())
    cells = [
        f"`{name}`",
        NETWORKS[name][0],
        f"{parameters:,}",
        sizes,
        f"{test_error[1]:.2%}",
        f"{sampled_error[1]:.2%}",
        f"{count:,} {unit.replace('_', ' ')}",
        str(made["seeds"]),
    ]
    return tables.row(cells)


def main() -> None:
    """Makes the networks that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True, help="folder of the run folders")
    parser.add_argument("--names", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    arguments = parser.parse_args()
    heads = ["name", "task", "parameters", "network", "test error", "sampled error", "on", "seeds"]
    tables.print_head(heads)
    for name in arguments.names:
        folders = {seed: arguments.runs / f"{name}-{seed}" for seed in range(arguments.seeds)}
        for seed, folder in folders.items():
            train(name, seed, folder)
        make(name, folders)
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
