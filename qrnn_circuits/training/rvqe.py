"""Networks trained with the code that was published with Bausch, arXiv:2006.14619, as runs.

That code (github.com/rumschuettel/rvqe) saves by ``torch.save`` the parameters of each neuron, its
weights ``φ`` and its bias ``θ``, the angles ``θs`` of each stage, and the options of its command.
It has the wires in the order of this package and acts on them in the same order, but:

- a neuron's controls are the workspace wires and then the lane wires, here lane wires come first;
- the constant ``initial_bias`` is added to each ``θ``, and no coefficient stands for the empty set;
- what a step predicts is the symbol of the next one, so that the last input is never shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.angle_checks import largest_angle
from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.bounded_readers.pickles import Pickled
from qrnn_circuits.bounded_readers.tensors import TorchFile, read_torch_file
from qrnn_circuits.checks import check_integer, errors_in
from qrnn_circuits.network import QRNN
from qrnn_circuits.settings.built_in_tasks import VARIABLE_FOLDER
from qrnn_circuits.training.checkpoint import Checkpoint
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.run_folder import RunFolder
from qrnn_circuits.training.stopping import Standing

# The paper has at most twelve, and some thousands of parameters.
_MOST_WIRES = 16
_MOST_PARAMETERS = 2**20
_PAIR = re.compile(r"mnist(?P<first>[0-9])(?P<second>[0-9])(?P<deskewed>-ds)?")
_UMAP = re.compile(r"mnist-umap-d4-r(?P<resolution>[2-8])")
# Tasks whose sequences are one step shorter than what the published code calls their length.
_SHORTENED = {"simple-seq": "memorise", "elman-xor": "xor", "elman-letter": "letters"}


@dataclass(frozen=True)
class RvqeNetwork:
    """A network of the published code.

    Attributes:
        model: The network, postselected, in float64.
        dataset: What the published code calls that which it was trained on.
        length: Symbols of a sequence, where they are generated.
        step: Optimiser steps, which the published code calls epochs.

    Example:
        >>> model = QRNN(lane=2, workspace=3, dtype=torch.float64)
        >>> network = RvqeNetwork(model, dataset="elman-xor", length=37, step=5)
        >>> network.config().task, network.config().task_options["length"]
        ('xor', 36)
    """

    model: QRNN
    dataset: str
    length: int
    step: int

    def config(self) -> RunConfig:
        """The settings of a run with this network and the task it was trained on.

        Raises:
            ValueError: The package has no such task.
        """
        task, options = self._task()
        settings = {**self.model.cell.sizes(), "dtype": "float64", "task_options": options}
        return RunConfig.resolve(task, settings, recipe="none")

    def _task(self) -> tuple[str, dict[str, Any]]:
        if self.dataset in _SHORTENED:
            return _SHORTENED[self.dataset], {"length": self.length - 1}
        options: dict[str, Any] = {"data": VARIABLE_FOLDER, "omit_last": True}
        if found := _PAIR.fullmatch(self.dataset):
            options |= {"digits": f"{found['first']},{found['second']}"}
            return "digits", options | {"deskewed": found["deskewed"] is not None}
        if self.dataset == "mnist-even-odd":
            return "digits", options | {"digits": "0-9", "labels": "even-odd"}
        if found := _UMAP.fullmatch(self.dataset):
            options |= {"digits": "0-9", "reduce": "umap", "dims": 4}
            return "digits", options | {"resolution": int(found["resolution"])}
        known = ", ".join(
            [*_SHORTENED, "mnist01", "mnist36-ds", "mnist-even-odd", "mnist-umap-d4-r2"]
        )
        raise ValueError(
            f"the network was trained on {brief(self.dataset)!r}, of which there is no task here "
            f"as there is of {known} and the like: use it in Python, "
            "qrnn_circuits.training.read_rvqe(FILE).model"
        )


def read_rvqe(path: Path | str) -> RvqeNetwork:
    """Reads a checkpoint of the published code, and runs nothing of what is in it.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        ValueError: It is no such checkpoint, or is corrupt.

    Example:
        >>> _ = Path("notes.tar").write_bytes(b"no checkpoint")
        >>> read_rvqe("notes.tar")
        Traceback (most recent call last):
        ValueError: notes.tar cannot be read as a file of torch.save: ...
    """
    stored = read_torch_file(Path(path))
    try:
        return _network(stored)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no checkpoint of github.com/rumschuettel/rvqe: {brief(error)}"
        ) from None


def import_rvqe(path: Path | str, folder: Path | str) -> RunFolder:
    """Makes the folder of a run from a checkpoint of the published code.

    Args:
        path: The file.
        folder: Of the run, which is made.

    Raises:
        FileExistsError: The folder is not empty.
        FileNotFoundError: There is no such file.
        OSError: A file cannot be read or written.
        ValueError: The file is no such checkpoint, or there is no task for its network.

    Example:
        >>> import_rvqe("absent.tar", "run")
        Traceback (most recent call last):
        FileNotFoundError: [Errno 2] No such file or directory: 'absent.tar'
    """
    network = read_rvqe(path)
    with errors_in(path):
        config = network.config()
    run = RunFolder(Path(folder))
    parameters = network.model.state_dict()
    nothing = torch.empty(0, dtype=torch.uint8)
    run.create(config, Checkpoint(config, network.step, parameters, {}, nothing, Standing()))
    return run


def _network(stored: TorchFile) -> RvqeNetwork:
    content = stored.content
    if not isinstance(content, dict):
        raise TypeError("it must hold a dict")
    options = content.get("_original_args")
    values = options.state if isinstance(options, Pickled) else None
    parameters = content.get("model_state_dict")
    if not isinstance(values, dict) or not isinstance(parameters, Pickled):
        raise TypeError("it must hold _original_args and model_state_dict")
    sizes: dict[str, Any] = {
        name: _integer(values, name) for name in ("workspace", "stages", "order", "degree")
    }
    bias, most = values.get("initial_bias"), largest_angle(torch.float64)
    # An integer may be too large for a float.
    if not isinstance(bias, int | float) or isinstance(bias, bool) or not abs(bias) < most:
        raise TypeError(f"its options must say initial_bias, a number of less than {most:.3g}")
    dataset = values.get("dataset")
    if not isinstance(dataset, str):
        raise TypeError("its options must say dataset, a string")
    # The first prefix is that of DistributedDataParallel, and missing where a network was alone.
    named = {
        str(name).removeprefix("module.").removeprefix("cell."): tensor
        for name, tensor in parameters.items.items()
    }
    if len(named) < len(parameters.items):
        raise ValueError("it has a parameter twice, with and without the prefix module.cell.")
    sizes["lane"] = _lane(named, sizes)
    sizes["degree"] = min(sizes["degree"], sizes["lane"] + sizes["workspace"] - 1)
    found = _tensors(stored, named, sizes)
    model = QRNN(**sizes, dtype=torch.float64)
    model.load_state_dict(_parameters(found, sizes, bias))
    if not all(tensor.isfinite().all() for tensor in model.state_dict().values()):
        raise ValueError("it has parameters that are not finite")
    return RvqeNetwork(
        model, dataset, _integer(values, "sentence_length"), _integer(content, "epoch", least=0)
    )


def _integer(values: Mapping[Any, Any], name: str, least: int = 1) -> int:
    value = values.get(name)
    if not isinstance(value, int):
        # What is nested may be too deep to be shown.
        shown = repr(value) if isinstance(value, str | float) else type(value).__name__
        raise TypeError(f"{name} must be an integer, got {shown}")
    check_integer(name, value, least, 2**31)
    return value


def _lane(named: Mapping[str, object], sizes: Mapping[str, int]) -> int:
    """The number of lane wires, each of which has a neuron, where the sizes are not too large."""
    lane = sum(re.fullmatch(r"output_layer\.\d+\.θ", name) is not None for name in named)
    if not lane or lane + sizes["workspace"] > _MOST_WIRES:
        raise ValueError(
            f"it must have at least 1 lane wire and at most {_MOST_WIRES} wires in all, got {lane} "
            f"and a workspace of {sizes['workspace']}"
        )
    if sizes["stages"] > len(named):
        raise ValueError(f"it has fewer parameters than its {sizes['stages']} stages")
    return lane


def _neurons(sizes: Mapping[str, int]) -> list[str]:
    """Names of the neurons in the order in which they act, those onto the lane last."""
    workspace = range(sizes["workspace"])
    names = [f"input_layer.{wire}" for wire in workspace]
    names += [f"kernel_layer.{s}.{1 + wire}" for s in range(sizes["stages"]) for wire in workspace]
    return names + [f"output_layer.{wire}" for wire in range(sizes["lane"])]


def _tensors(
    stored: TorchFile, named: Mapping[str, object], sizes: Mapping[str, int]
) -> dict[str, Tensor]:
    """All parameters, each of the shape that the sizes ask for."""
    controls = sizes["lane"] + sizes["workspace"] - 1
    weights = sum(comb(controls, size) for size in range(1, sizes["degree"] + 1))
    neurons = _neurons(sizes)
    # Tensors of a forged file may share their numbers.
    if len(neurons) * weights > _MOST_PARAMETERS:
        raise ValueError(
            f"it must have at most {_MOST_PARAMETERS:,} parameters, but has {weights:,} for each "
            f"of {len(neurons):,} neurons"
        )
    shapes: dict[str, tuple[int, ...]] = {}
    for name in neurons:
        shapes |= {f"{name}.φ": (weights,), f"{name}.θ": ()}
    shapes |= {f"kernel_layer.{s}.0.θs": (sizes["workspace"],) for s in range(sizes["stages"])}
    if unknown := sorted(named.keys() - shapes.keys()):
        raise ValueError(f"its parameter {unknown[0]} is unknown")
    found = {}
    for name, shape in shapes.items():
        if name not in named:
            raise ValueError(f"its parameter module.cell.{name} is missing")
        found[name] = stored.tensor(named[name]).double()
        if found[name].shape != shape:
            raise ValueError(
                f"its parameter module.cell.{name} must have the shape {shape}, got "
                f"{tuple(found[name].shape)}"
            )
    return found


def _parameters(
    found: Mapping[str, Tensor], sizes: Mapping[str, int], bias: float
) -> dict[str, Tensor]:
    """The parameters under the names of this package."""
    lane, workspace, stages = sizes["lane"], sizes["workspace"], sizes["stages"]
    # A neuron onto a wire of the lane has one control fewer there.
    orders = [_order(lane - less, lane + workspace - 1, sizes["degree"]) for less in (0, 1)]
    rows = []
    for number, name in enumerate(_neurons(sizes)):
        order = orders[number >= workspace * (1 + stages)]
        constant = (found[f"{name}.θ"] + bias)[None]
        rows.append(torch.cat((constant, found[f"{name}.φ"][order])))
    coefficients = torch.stack(rows)
    theta = [found[f"kernel_layer.{stage}.0.θs"] for stage in range(stages)]
    return {
        "cell.coefficients": coefficients[:-lane],
        "cell.readout_coefficients": coefficients[-lane:],
        "cell.theta": torch.stack(theta),
    }


def _order(lane: int, controls: int, degree: int) -> list[int]:
    """Where the published code has the weight of each monomial but the empty one.

    Args:
        lane: How many of the controls are lane wires, which are the first here and the last there.
        controls: Number of controls.
        degree: Of the polynomial.
    """
    monomials = [s for size in range(1, degree + 1) for s in combinations(range(controls), size)]
    places = {monomial: place for place, monomial in enumerate(monomials)}
    return [places[tuple(sorted((i - lane) % controls for i in s))] for s in monomials]
