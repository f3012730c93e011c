"""Which runs wait in a sweep's journal."""

from itertools import islice
from typing import TYPE_CHECKING

from qrnn_circuits.training.sweeps.space import Choices, SweepSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study


def enqueue(study: "Study", space: SweepSpace, trials: int | None) -> None:
    """Adds the runs that the sweep is to have and has not.

    Raises:
        ValueError: There are more already.
    """
    import optuna

    waiting = optuna.trial.TrialState.WAITING
    there = len(study.get_trials(deepcopy=False))
    if not space.is_grid:
        if trials is not None and trials < there:
            raise ValueError(f"trials must be at least the {there} of this sweep, got {trials}")
        for _ in range(there, trials or there):
            study.add_trial(optuna.create_trial(state=waiting))
        return
    distributions: dict[str, BaseDistribution] = {
        name: optuna.distributions.CategoricalDistribution(values.values)
        for name, values in space.varied.items()
        if isinstance(values, Choices)
    }
    for settings in islice(space.grid(), there, None):
        study.add_trial(
            optuna.create_trial(state=waiting, params=settings, distributions=distributions)
        )
