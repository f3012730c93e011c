"""Sweeps: many runs of one task, shared by any number of processes.

Optuna keeps the books: which runs there are, their settings, states and results, and for ranges
which values to try next. Its journal is one append-only file, which machines can share where a
SQLite database on a network file system cannot be relied on, and which Optuna's own tools read;
Ray would need a cluster that is up. Who works on a run is told by a lock: a run that was killed is
free at once, with no heartbeat to miss, and goes on after its last checkpoint.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from qrnn_circuits.checks import check_choice
from qrnn_circuits.optional_packages import require_modules
from qrnn_circuits.training.checkpoint import build_storable
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.ensemble import SeedResult
from qrnn_circuits.training.ensemble_folder import checked_seeds
from qrnn_circuits.training.progress import Progress
from qrnn_circuits.training.results import TrainingDiverged, TrainingResult
from qrnn_circuits.training.sweeps.checks import (
    MOST_RUNS,
    check_drawing,
    check_machine,
    check_notes,
    check_seeds,
    check_settings,
    check_space,
)
from qrnn_circuits.training.sweeps.queue import enqueue
from qrnn_circuits.training.sweeps.seeds import SeedSpread, medians
from qrnn_circuits.training.sweeps.space import Choices, SweepSpace
from qrnn_circuits.training.sweeps.store import (
    STUDY,
    held_lock,
    journal_exists,
    missing,
    open_journal,
    readable_journal,
    sweep_errors,
)
from qrnn_circuits.training.sweeps.trial_runs import trial_run, trial_runs

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Sampler = Literal["tpe", "random"]
TrialState = Literal["waiting", "running", "interrupted", "complete", "fail"]

_DESCRIPTION = "description"
_INTERRUPTED = "interrupted"
# Of the best validation, which a journal notes of a run.
_FIGURES = ("step", "loss", "error", "sampled_error")


@dataclass(frozen=True)
class SweepTrial:
    """One run of a sweep.

    Attributes:
        number: From 0.
        folder: Of the run.
        settings: The values of the settings that vary; empty until they are drawn.
        state: ``"waiting"``; ``"running"``, or killed; ``"interrupted"``, to go on;
            ``"complete"``; ``"fail"``: it diverged, or there is no such network.
        step: Of the best validation, by sampled error; ``None`` where a trial has several seeds,
            whose other figures are the medians over the best validations of the seeds.
        loss: Of that validation.
        error: Of that validation.
        sampled_error: Of that validation: what a sweep minimises.
        reason: Why the run is over, as a clause for the user.
        spread: How the seeds of the trial differ, where the sweep has several.

    Example:
        >>> from pathlib import Path
        >>> settings = {"steps": 1, "workspace": 2, "degree": 1, "seed": [0, 1]}
        >>> space = SweepSpace("memorise", settings)
        >>> first, _ = Sweep.open(Path("sweep"), space).trials()
        >>> first.settings, first.state
        ({'seed': 0}, 'waiting')
    """

    number: int
    folder: Path
    settings: Mapping[str, Any]
    state: TrialState
    step: int | None
    loss: float | None
    error: float | None
    sampled_error: float | None
    reason: str | None
    spread: SeedSpread | None = None


class Sweep:
    """The sweep in a folder, seen from one of the processes that work on it.

    Attributes:
        folder: Of the sweep; each run has a folder in it.
        space: What varies.
        seeds: Those that every trial trains together, or ``None`` where a trial is one run.

    Example:
        >>> from pathlib import Path
        >>> settings = {"steps": 1, "workspace": 2, "degree": 1, "seed": [0, 1]}
        >>> space = SweepSpace("memorise", settings)
        >>> sweep = Sweep.open(Path("sweep"), space)
        >>> with sweep.take() as trial:
        ...     result = sweep.run(trial)
        ...
        >>> [trial.settings["seed"] for trial in sweep.trials()]
        [0, 1]
    """

    def __init__(self, folder: Path) -> None:
        """Opens a sweep that :meth:`open` has begun."""
        import optuna

        if not journal_exists(folder):
            raise missing(folder)
        self.folder = folder
        self._storage = open_journal(folder)
        with readable_journal(folder):
            self._study = optuna.load_study(study_name=STUDY, storage=self._storage)
            description = self._study.user_attrs[_DESCRIPTION]
            recipe, seeds = description.get("recipe"), description.get("seeds")
            self.space = SweepSpace(description["task"], description["settings"], recipe)
            self.seeds = None if seeds is None else tuple(checked_seeds(seeds))
            check_choice("sampler", description["sampler"], get_args(Sampler))
            self._sampler: Sampler = description["sampler"]
            self._check_trials()

    @classmethod
    def open(
        cls,
        folder: Path,
        space: SweepSpace | None = None,
        *,
        trials: int | None = None,
        sampler: Sampler | None = None,
        seeds: Iterable[int] | None = None,
    ) -> "Sweep":
        """Begins a sweep, or joins the one in the folder.

        Args:
            folder: Of the sweep.
            space: What varies; not needed to join a sweep, and if given the same as its own.
            trials: Number of runs, where there are ranges; more can be asked for later. Where there
                are lists only, all their combinations are run.
            sampler: Where there are ranges, ``"tpe"`` looks around the best runs so far (Bergstra
                et al., NeurIPS 2011), ``"random"`` does not. By default the one that the sweep
                began with, and ``"tpe"`` to begin one.
            seeds: Every trial trains a network for each, together, and is judged by the median of
                their sampled errors. By default those that the sweep began with, if any.

        Raises:
            FileExistsError: The folder holds something else.
            FileNotFoundError: There is no sweep in the folder, or the task's data are missing.
            ImportError: Optuna is not installed.
            OSError: The folder cannot be written.
            SweepError: The journal cannot be written.
            TypeError: A setting has the wrong type.
            ValueError: A setting is not acceptable, there is no such device, or the folder holds
                another sweep.
        """
        require_modules("optuna")
        import optuna

        # It tells of every run that ends.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if sampler is not None:
            check_choice("sampler", sampler, get_args(Sampler))
        numbers = None if seeds is None else checked_seeds(seeds)
        is_known = journal_exists(folder)
        if not is_known:
            if space is None:
                raise missing(folder)
            check_space(space, trials, sampler, numbers)
        with held_lock(folder, "sweep"):
            study = optuna.create_study(
                study_name=STUDY, storage=open_journal(folder), load_if_exists=True
            )
            with readable_journal(folder):
                is_described = _DESCRIPTION in study.user_attrs
            if not is_described:
                if space is None:
                    raise FileNotFoundError(
                        f"the sweep in {folder} was killed as it began: say again what it varies"
                    )
                if is_known:
                    check_space(space, trials, sampler, numbers)
                settings: dict[str, Any] = {"task": space.task, "settings": dict(space.settings)}
                settings |= {} if space.recipe is None else {"recipe": space.recipe}
                settings |= {} if numbers is None else {"seeds": numbers}
                study.set_user_attr(_DESCRIPTION, {**settings, "sampler": sampler or "tpe"})
            sweep = cls(folder)
            if space is not None and (differences := sweep.space.differences(space)):
                raise ValueError(
                    f"{folder} holds another sweep: {'; '.join(differences)}. Name another folder"
                )
            check_seeds(numbers, sweep.seeds)
            check_drawing(sweep.space, trials, sampler)
            if sampler not in (None, sweep._sampler):
                raise ValueError(
                    f"sampler must be {sweep._sampler!r}, with which this sweep began, got "
                    f"{sampler!r}"
                )
            enqueue(study, sweep.space, trials)
        check_machine(sweep.space)
        return sweep

    def _check_trials(self) -> None:
        """Raises a TypeError or ValueError where the journal holds other runs than a sweep's."""
        grid = [*islice(self.space.grid(), MOST_RUNS)] if self.space.is_grid else None
        # Seeds have their best validations at different steps.
        names = [n for n in (*_FIGURES, "reason") if n != "step" or self.seeds is None]
        for trial in self._study.get_trials(deepcopy=False):
            told = self._describe(trial)
            check_settings(self.space, told.number, told.settings, grid)
            notes = {name: getattr(told, name) for name in names}
            check_notes(told.number, told.state, notes, trial.values)

    def trials(self) -> list[SweepTrial]:
        """All runs, in order of their numbers."""
        return [self._describe(trial) for trial in self._study.get_trials(deepcopy=False)]

    @contextmanager
    def take(self) -> Iterator[SweepTrial | None]:
        """Takes on the first run that is not over and that no other process works on.

        No other process takes it while this is entered.

        Yields:
            The run, or ``None`` if there is none to take.

        Raises:
            SweepError: The journal or a lock could not be written.
        """
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state.is_finished():
                continue
            with held_lock(self.folder, f"trial-{trial.number:04d}", wait=False) as held:
                # It may have ended since the list was read.
                if held and not self._frozen(trial.number).state.is_finished():
                    self._begin(trial.number)
                    yield self._describe(self._frozen(trial.number))
                    return
        yield None

    def run(self, trial: SweepTrial, progress: Progress | None = None) -> TrainingResult | None:
        """Starts or resumes a run that was taken on, and writes down how it ended.

        Returns:
            The result, which names a signal where the run was interrupted and is to go on later;
            ``None`` where the run has failed.

        Raises:
            CheckpointError: A checkpoint could not be written or read, or the folder holds a run of
                other settings; the run can go on later.
            LogError: The log could not be written; the run can go on later.
            SweepError: The journal or the run could not be written, or the task's data are missing;
                the run can go on later.
        """
        config = self._config(trial)
        if config is None:
            return None
        with sweep_errors(self.folder):
            trainer = trial_run(trial.folder, config)
        try:
            result = trainer.run(progress)
        except TrainingDiverged as error:
            self._fail(trial, error)
            return None
        best = result.standing.best
        if result.signal is not None:
            self._note(trial.number, _INTERRUPTED, True)
        elif best is not None:
            for name in _FIGURES:
                self._note(trial.number, name, getattr(best, name))
            self._note(trial.number, "reason", result.reason)
            self._study.tell(trial.number, best.sampled_error)
        return result

    def run_seeds(
        self, trial: SweepTrial, progress: Progress | None = None
    ) -> list[SeedResult] | None:
        """Starts or resumes the seeds of a trial that was taken on, as :meth:`run` does one run.

        Returns:
            The results, which name a signal where the trial was interrupted and is to go on later;
            ``None`` where its settings are not acceptable.

        Raises:
            CheckpointError: A checkpoint could not be written or read; the trial can go on later.
            LogError: A log could not be written; the trial can go on later.
            SweepError: The journal or a run could not be written, or the task's data are missing;
                the trial can go on later.
            ValueError: The sweep has no seeds.
        """
        if self.seeds is None:
            raise ValueError(f"the sweep in {self.folder} has no seeds: call run")
        config = self._config(trial)
        if config is None:
            return None
        with sweep_errors(self.folder):
            runs = trial_runs(trial.folder, config, self.seeds)
        results = runs.run(progress)
        if any(result.signal is not None for result in results):
            self._note(trial.number, _INTERRUPTED, True)
            return results
        spread = SeedSpread.of(results)
        for name, value in asdict(spread).items():
            if value is not None:
                self._note(trial.number, name, value)
        figures = medians(results)
        if figures is None:
            self._fail(trial, f"{spread.diverged} of its {len(results)} seeds diverged: no median")
            return results
        for name, figure in figures.items():
            self._note(trial.number, name, figure)
        reason = f"{len(results)} seeds are done, of which {spread.diverged} diverged"
        self._note(trial.number, "reason", reason)
        self._study.tell(trial.number, figures["sampled_error"])
        return results

    def _config(self, trial: SweepTrial) -> RunConfig | None:
        """The configuration of a run; None if there is no such network, which is written down."""
        try:
            config = self.space.config(trial.settings)
            build_storable(config)
        except (TypeError, ValueError) as error:
            self._fail(trial, error)
            return None
        return config

    def _begin(self, number: int) -> None:
        """Notes that a run is worked on, and draws its settings where they are not drawn yet."""
        from optuna import samplers
        from optuna.trial import Trial, TrialState

        frozen = self._frozen(number)
        if frozen.state == TrialState.WAITING:
            self._storage.set_trial_state_values(self._id(number), TrialState.RUNNING)
        elif frozen.user_attrs.get(_INTERRUPTED):
            self._note(number, _INTERRUPTED, False)
        if frozen.params.keys() == self.space.varied.keys():
            return
        # One seed for each run, lest all processes draw the same.
        seed = int(np.random.SeedSequence((0, number)).generate_state(1)[0])
        if self._sampler == "tpe":
            self._study.sampler = samplers.TPESampler(seed=seed)
        else:
            self._study.sampler = samplers.RandomSampler(seed=seed)
        drawn = Trial(self._study, self._id(number))
        for name, values in self.space.varied.items():
            if isinstance(values, Choices):
                drawn.suggest_categorical(name, values.values)
            elif isinstance(values.low, int):
                drawn.suggest_int(name, values.low, int(values.high), log=values.log)
            else:
                drawn.suggest_float(name, values.low, values.high, log=values.log)

    def _fail(self, trial: SweepTrial, error: Exception | str) -> None:
        from optuna.trial import TrialState

        self._note(trial.number, "reason", str(error))
        self._study.tell(trial.number, state=TrialState.FAIL)

    def _note(self, number: int, name: str, value: object) -> None:
        self._storage.set_trial_user_attr(self._id(number), name, value)

    def _id(self, number: int) -> int:
        study = self._storage.get_study_id_from_name(STUDY)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

    def _frozen(self, number: int) -> "FrozenTrial":
        return self._storage.get_trial(self._id(number))

    def _describe(self, trial: "FrozenTrial") -> SweepTrial:
        interrupted = trial.user_attrs.get(_INTERRUPTED) and not trial.state.is_finished()
        state: Any = "interrupted" if interrupted else trial.state.name.lower()
        settings = {name: trial.params[name] for name in self.space.varied if name in trial.params}
        return SweepTrial(
            number=trial.number,
            folder=self.folder / f"trial-{trial.number:04d}",
            settings=settings,
            state=state,
            **{name: trial.user_attrs.get(name) for name in (*_FIGURES, "reason")},
            spread=None if self.seeds is None else SeedSpread.read(trial.user_attrs),
        )
