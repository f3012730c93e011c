"""The folder of a run: its configuration, its two checkpoints and its TensorBoard logs."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, get_args

from torch import nn, optim

from qrnn_circuits.atomic_files import remove_leftovers, write_json
from qrnn_circuits.bounded_readers.files import parse_json, read_bytes
from qrnn_circuits.checks import errors_in
from qrnn_circuits.choices import PRETRAINED
from qrnn_circuits.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.folder_lock import (
    FolderLock,
    RunInUseError,
    check_empty,
    check_folder,
    contents,
)
from qrnn_circuits.training.optimizer_states import state_differences

CheckpointName = Literal["best", "last"]
# Bytes of a configuration, a thousand times what one has.
_CONFIG_LIMIT = 2**20


class RunFolder:
    """Paths and files of one run.

    Attributes:
        path: The folder.

    Example:
        >>> folder = RunFolder(Path("runs/xor"))
        >>> folder.is_started, folder.checkpoint_path("best").name
        (False, 'best.safetensors')
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock: FolderLock | None = None

    @property
    def config_path(self) -> Path:
        """The run's configuration, for people to read and for commands to go by."""
        return self.path / "config.json"

    def checkpoint_path(self, name: CheckpointName) -> Path:
        """Where a checkpoint lies."""
        return self.path / f"{name}.safetensors"

    @property
    def is_started(self) -> bool:
        """Whether a run got as far as its configuration, or something else lies here."""
        return bool(contents(self.path))

    @property
    def has_checkpoints(self) -> bool:
        """Whether the run has saved anything yet."""
        return any(self.checkpoint_path(name).exists() for name in get_args(CheckpointName))

    def step(self) -> int:
        """Optimiser steps that the run has taken, by its last checkpoint.

        Raises:
            CheckpointError: The last checkpoint cannot be read.
        """
        last = self.checkpoint_path("last")
        return read_checkpoint(last).step if last.exists() else 0

    def create(self, config: RunConfig, best: Checkpoint | None = None) -> None:
        """Makes the folder of a new run.

        Args:
            config: Of the run.
            best: Its best checkpoint, where it was trained elsewhere.

        Raises:
            CheckpointError: The checkpoint could not be written.
            FileExistsError: The folder is not empty.
            NotADirectoryError: It is a file.
            OSError: It cannot be written.
            RunInUseError: Another process is making a run in it.
        """
        check_folder(self.path)
        self._check_new(best)
        self.path.mkdir(parents=True, exist_ok=True)
        with self.owned():
            self._check_new(best)
            remove_leftovers(self.path)
            # With the configuration alone, a run would begin from random parameters.
            if best is not None:
                self.save("best", best)
            self.write_config(config)

    def _check_new(self, best: Checkpoint | None) -> None:
        """Raises where the folder holds more than what a killed process has left of this run."""
        path = self.checkpoint_path("best")
        if best is not None and contents(self.path) == {path}:
            data = best.to_bytes()
            with suppress(OSError, ValueError):
                if read_bytes(path, len(data)) == data:
                    return
        check_empty(self.path)

    @contextmanager
    def owned(self, step: int | None = None, config: RunConfig | None = None) -> Iterator[None]:
        """Keeps all other processes that would write to the run out of its folder.

        The operating system ends the ownership of a process that is killed; one that is suspended
        keeps it.

        Args:
            step: Where the run was when it was read, if it has been.
            config: What the run goes on with, if it does.

        Raises:
            CheckpointError: The last checkpoint or the configuration cannot be read, or the folder
                of a run that was read cannot be written.
            OSError: The folder cannot be written.
            RunInUseError: Another process owns the folder, or has gone on with the run.
        """
        try:
            self._lock = FolderLock(self.path)
        except OSError as error:
            if step is None:
                raise
            raise self._unwritable(error) from error
        try:
            self._check_step(step)
            if config is not None:
                self._keep_config(config)
            yield
        finally:
            self._lock.release()
            self._lock = None

    def _unwritable(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.path} cannot be written: {error}")

    def _keep_config(self, config: RunConfig) -> None:
        try:
            if config != self.read_config():
                self.write_config(config)
        except OSError as error:
            raise self._unwritable(error) from error

    def _check_step(self, step: int | None) -> None:
        stored = step if step is None else self.step()
        if stored != step:
            raise RunInUseError(
                f"the run in {self.path} is at step {stored}, not at step {step} as when it "
                "was read: another process has gone on with it, so resume it once more"
            )

    def _check_owned(self) -> None:
        """Raises RunInUseError where the folder has been taken from its owner."""
        if self._lock is not None:
            self._lock.check()

    def write_config(self, config: RunConfig) -> None:
        """Writes ``config.json`` atomically.

        Raises:
            OSError: It cannot be written.
            RunInUseError: The folder was owned, and is another's now.
        """
        self._check_owned()
        write_json(self.config_path, config.to_json())

    def read_config(self) -> RunConfig:
        """Reads ``config.json``.

        Raises:
            FileNotFoundError: There is no run in the folder.
            TypeError: A value in the file has the wrong type.
            ValueError: The file is not what :meth:`write_config` writes.
        """
        try:
            content = read_bytes(self.config_path, _CONFIG_LIMIT)
        except (FileNotFoundError, NotADirectoryError):
            inside = sorted(self.path.glob(f"*/{self.config_path.name}"))
            way_out = f"; name one of the runs in it, such as {inside[0].parent}" if inside else ""
            if self.path.name.startswith(PRETRAINED):
                name = self.path.name.removeprefix(PRETRAINED)
                way_out = f"; load_pretrained({name!r}) brings the network of the package"
            raise FileNotFoundError(
                f"there is no run in {self.path}: it has no config.json{way_out}"
            ) from None
        values = parse_json(str(self.config_path), content)
        if not isinstance(values, dict):
            raise ValueError(f"{self.config_path} must hold a JSON object, got {values!r}")
        with errors_in(self.config_path):
            return RunConfig.from_json(values)

    def check(self, config: RunConfig) -> None:
        """Checks that a run can go on from what it has saved, before its network takes memory.

        Raises:
            CheckpointError: The last checkpoint cannot be used.
        """
        if self.has_checkpoints:
            self.read("last", config)

    def recover(
        self, config: RunConfig, model: nn.Module, optimizer: optim.Optimizer
    ) -> Checkpoint | None:
        """Reads what a run goes on from, and makes good what a kill left undone in its folder.

        Args:
            config: Of the run, perhaps of more or fewer steps than before.
            model: Its network.
            optimizer: That of the run.

        Returns:
            The last checkpoint, or ``None`` where there is none yet.

        Raises:
            CheckpointError: It cannot be used.
            OSError: The folder cannot be written.
            RunInUseError: Another process owns the folder.
            ValueError: The run is past the steps of the configuration.
        """
        with self.owned():
            remove_leftovers(self.path)
            if not self.has_checkpoints:
                return None
            checkpoint = self.load("last", config, model, optimizer)
            if config.steps < checkpoint.step:
                raise ValueError(
                    f"steps must be at least the {checkpoint.step} that this run has taken, got "
                    f"{config.steps}"
                )
            best, step = checkpoint.standing.best, checkpoint.step
            if best is not None and best.step == step and not self.holds_best(step):
                # The run was killed after it wrote the last checkpoint and before the best one.
                self.save("best", checkpoint)
            return checkpoint

    def save(self, name: CheckpointName, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint.

        Raises:
            CheckpointError: It could not be written; the one before is untouched.
            RunInUseError: The folder was owned, and is another's now.
        """
        self._check_owned()
        write_checkpoint(self.checkpoint_path(name), checkpoint)

    def holds_best(self, step: int) -> bool:
        """Whether the best checkpoint can be read and is of this step."""
        try:
            return read_checkpoint(self.checkpoint_path("best")).step == step
        except CheckpointError:
            return False

    def load(
        self,
        name: CheckpointName,
        config: RunConfig,
        model: nn.Module,
        optimizer: optim.Optimizer | None = None,
    ) -> Checkpoint:
        """Reads a checkpoint and copies its parameters into the network.

        Args:
            name: ``"best"`` or ``"last"``.
            config: What :meth:`read_config` returned.
            model: A network of this configuration.
            optimizer: One that is to go on from the stored state, which is checked for that.

        Raises:
            CheckpointError: The checkpoint is missing, truncated, corrupt, or of another run; the
                message says so, and how to use the other checkpoint if that one is good.
        """
        checkpoint = self.read(name, config, model, optimizer)
        checkpoint.load_parameters(model)
        return checkpoint

    def read(
        self,
        name: CheckpointName,
        config: RunConfig,
        model: nn.Module | None = None,
        optimizer: optim.Optimizer | None = None,
    ) -> Checkpoint:
        """Reads a checkpoint, as :meth:`load` does, but copies nothing.

        Args:
            name: ``"best"`` or ``"last"``.
            config: What :meth:`read_config` returned.
            model: A network of this configuration; by default one without memory for its numbers,
                as that of others' settings may need more than there is.
            optimizer: One that is to go on from the stored state, which is checked for that.

        Raises:
            CheckpointError: The checkpoint cannot be used, see :meth:`load`.
        """
        model = model or config.sketch()
        try:
            return self._read(name, config, model, optimizer)
        except CheckpointError as error:
            raise CheckpointError(f"{error}. {self._alternative(name, config, model)}") from error

    def _read(
        self,
        name: CheckpointName,
        config: RunConfig,
        model: nn.Module,
        optimizer: optim.Optimizer | None = None,
    ) -> Checkpoint:
        path = self.checkpoint_path(name)
        checkpoint = read_checkpoint(path)
        differences = checkpoint.differences(model)
        differences += [
            f"{field} is {theirs!r} in the checkpoint and {ours!r} in {self.config_path}"
            for field, theirs, ours in checkpoint.config.contradictions(config)
        ]
        if optimizer is not None:
            differences += state_differences(checkpoint.optimizer, optimizer)
            try:
                config.batch_generator().set_state(checkpoint.generator)
            except RuntimeError as error:
                differences.append(f"generator has another state in the checkpoint: {error}")
        if differences:
            raise CheckpointError(f"{path} is of another run: {'; '.join(differences)}")
        return checkpoint

    def _alternative(self, name: CheckpointName, config: RunConfig, model: nn.Module) -> str:
        other: CheckpointName = "last" if name == "best" else "best"
        path = self.checkpoint_path(other)
        if not path.exists():
            return f"There is no {path} either"
        try:
            checkpoint = self._read(other, config, model)
        except CheckpointError as error:
            return f"The other checkpoint cannot be used either: {error}"
        folder = shlex.quote(str(self.path))
        advice = (
            f"{path} of step {checkpoint.step} still loads: use it with "
            f"`qrnn evaluate {folder} --checkpoint {other}`"
        )
        if name == "last" and not checkpoint.optimizer:
            advice += "; training cannot go on from it, as it was done elsewhere"
        elif name == "last":
            source, target = (
                shlex.quote(str(self.checkpoint_path(which))) for which in (other, name)
            )
            advice += (
                f", or go on from it with `cp {source} {target} && {self.resume_command(config)}`"
            )
        return advice

    def resume_command(self, config: RunConfig) -> str:
        """The command that goes on with the run."""
        return f"qrnn train {shlex.quote(config.task)} --out {shlex.quote(str(self.path))} --resume"
