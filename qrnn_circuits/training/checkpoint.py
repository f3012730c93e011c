"""Checkpoints: one safetensors file each, with all that a run needs to go on exactly."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from qrnn_circuits.atomic_files import write_atomically
from qrnn_circuits.bounded_readers.files import parse_json, read_bytes
from qrnn_circuits.checks import check_integer
from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.nesting import join, split
from qrnn_circuits.training.stopping import Standing

_FORMAT = 1
_METADATA_KEY = "qrnn-circuits"
# Bytes of a file, and of what is JSON in it: a thousand times what large networks need.
_LIMIT = 2**28
_HEADER_LIMIT = 2**24


class CheckpointError(Exception):
    """A checkpoint could not be written or read, or belongs to another network.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("last.safetensors").write_bytes(b"no checkpoint")
        >>> try:
        ...     read_checkpoint(Path("last.safetensors"))
        ... except CheckpointError as error:
        ...     print("last.safetensors" in str(error))
        True
    """


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    Attributes:
        config: Of the run.
        step: Optimiser steps taken.
        parameters: The ``state_dict()`` of the network.
        optimizer: The ``state_dict()`` of the optimiser.
        generator: State of the generator of batches, uint8.
        standing: What is known from the validations so far.

    Example:
        >>> from qrnn_circuits.training import RunConfig, RunFolder, Trainer
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> _ = Trainer.start(config, Path("run")).run()
        >>> model = config.build_model()
        >>> checkpoint = RunFolder(Path("run")).load("last", config, model)
        >>> checkpoint.step, checkpoint.differences(model)
        (2, [])
    """

    config: RunConfig
    step: int
    parameters: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    generator: Tensor
    standing: Standing

    def to_bytes(self) -> bytes:
        """The content of a checkpoint file.

        Tensors are stored as such; everything else is JSON in the file's metadata, so that a
        checkpoint is one file and cannot be half of one state and half of another.
        """
        tensors: dict[str, Tensor] = {}
        content = {
            "config": self.config.to_json(),
            "step": self.step,
            "standing": self.standing.to_json(),
            "parameters": split(dict(self.parameters), "parameters", tensors),
            "optimizer": split(dict(self.optimizer), "optimizer", tensors),
            "generator": split(self.generator, "generator", tensors),
        }
        text = json.dumps(content)
        header = {"format": _FORMAT, "sha256": _digest(text, tensors), "content": text}
        return safetensors.torch.save(tensors, {_METADATA_KEY: json.dumps(header)})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint":
        """Reads what :meth:`to_bytes` returned.

        Raises:
            CheckpointError: The data are truncated, changed, or no checkpoint.
        """
        try:
            text, tensors = _unpack(data)
            content = parse_json("it", text)
            joined: dict[str, Any] = {
                name: join(content[name], tensors)
                for name in ("parameters", "optimizer", "generator")
            }
            _check_joined(joined)
            check_integer("step", content["step"], 0)
            return cls(
                config=RunConfig.from_json(content["config"]),
                step=content["step"],
                standing=Standing.from_json(content["standing"]),
                **joined,
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise CheckpointError(f"its content is not understood: {error}") from error

    def differences(self, model: nn.Module) -> list[str]:
        """How the stored parameters differ from a network's in name, shape or type, in words."""
        own = {name: (tuple(t.shape), t.dtype) for name, t in model.state_dict().items()}
        stored = {name: (tuple(t.shape), t.dtype) for name, t in self.parameters.items()}
        return [
            f"{name} is {_describe(stored.get(name))} in the checkpoint and "
            f"{_describe(own.get(name))} in the network"
            for name in sorted(own.keys() | stored.keys())
            if own.get(name) != stored.get(name)
        ] + [
            f"{name} holds numbers in the checkpoint that are not finite"
            for name, tensor in self.parameters.items()
            if not tensor.isfinite().all()
        ]

    def load_parameters(self, model: nn.Module) -> None:
        """Copies the stored parameters into a network.

        Raises:
            CheckpointError: Their names, shapes or types differ; the message lists all that do.
        """
        if differences := self.differences(model):
            raise CheckpointError(f"the checkpoint is of another network: {'; '.join(differences)}")
        model.load_state_dict(self.parameters)


def build_storable(
    config: RunConfig, device: torch.device | None = None
) -> RecurrentNetwork | Forecaster:
    """Builds the untrained network of a run, where a checkpoint can hold it.

    Args:
        config: Of the run.
        device: Where the network lives, by default on the CPU.

    Raises:
        ValueError: It is too large, for which no memory is taken; or it cannot be built.
    """
    model = config.sketch()
    size = sum(tensor.nbytes for tensor in chain(model.parameters(), model.buffers()))
    if size > _LIMIT:
        raise ValueError(
            f"a network must have at most {_LIMIT:,} bytes, as a checkpoint of it, but this one "
            f"has {size:,}: choose a smaller one, such as one of fewer wires or values"
        )
    return config.build_model(device)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint file atomically.

    Raises:
        CheckpointError: It could not be written; whatever was at ``path`` is untouched.
    """
    data = checkpoint.to_bytes()
    if len(data) > _LIMIT:
        raise CheckpointError(
            f"a checkpoint must have at most {_LIMIT:,} bytes, but that of step {checkpoint.step} "
            f"has {len(data):,}: choose a smaller network, or another optimizer than lbfgs"
        )
    try:
        write_atomically(path, data)
    except OSError as error:
        message = f"the checkpoint of step {checkpoint.step} could not be written: {error}"
        if path.exists():
            message += f". The previous checkpoint at {path} is untouched"
        raise CheckpointError(message) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint file.

    Raises:
        CheckpointError: The file is missing, cannot be read, is truncated or corrupt.
    """
    try:
        return Checkpoint.from_bytes(read_bytes(path, _LIMIT))
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error


def _unpack(data: bytes) -> tuple[str, dict[str, Tensor]]:
    """The JSON text and the tensors of a file whose checksum is right.

    Raises:
        CheckpointError: The data are truncated, changed, or no checkpoint.
    """
    length = int.from_bytes(data[:8], "little")
    try:
        if length > _HEADER_LIMIT:
            raise ValueError(f"its header must have at most {_HEADER_LIMIT:,} bytes")
        # Copies, because torch aligns its own memory, and alignment can change the last bit.
        tensors = {name: t.clone() for name, t in safetensors.torch.load(data).items()}
        metadata = parse_json("its header", data[8 : 8 + length]).get("__metadata__", {})
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"it is truncated or no safetensors file ({len(data):,} bytes; {error})"
        ) from error
    if _METADATA_KEY not in metadata:
        raise CheckpointError("it is a safetensors file, but not a checkpoint of a run")
    header = parse_json("its metadata", metadata[_METADATA_KEY])
    if header["format"] != _FORMAT:
        raise CheckpointError(f"its format is {header['format']!r}; this version reads {_FORMAT}")
    text: str = header["content"]
    if header["sha256"] != _digest(text, tensors):
        raise CheckpointError("it is corrupt: its content does not match its checksum")
    return text, tensors


def _check_joined(joined: Mapping[str, Any]) -> None:
    """Raises a TypeError where something else is stored than a network, an optimiser and bytes."""
    parameters, optimizer, generator = joined.values()
    if not isinstance(parameters, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in parameters.items()
    ):
        raise TypeError("parameters must be tensors with names")
    if not isinstance(optimizer, dict):
        raise TypeError("optimizer must be a dict")
    if not isinstance(generator, Tensor) or generator.dtype != torch.uint8:
        raise TypeError("generator must be a tensor of bytes")


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _describe(parameter: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "missing" if parameter is None else f"{parameter[0]} {parameter[1]}"
