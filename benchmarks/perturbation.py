"""Initial parameters moved a little, in place of another machine, which rounds otherwise."""

from dataclasses import dataclass

import torch

from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.training import RunConfig

PERTURBATION = 1e-6


@dataclass(frozen=True, kw_only=True)
class PerturbedConfig(RunConfig):
    """Settings of a run of which every trial begins with its parameters moved.

    They are moved by normal numbers of standard deviation :data:`PERTURBATION`.
    """

    def build_model(
        self, device: torch.device | None = None, *, trial: int = 0
    ) -> RecurrentNetwork | Forecaster:
        """The untrained network, moved.

        Args:
            device: Where it lives, by default on the CPU.
            trial: Number of the trial.
        """
        model = super().build_model(device, trial=trial)
        generator = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(noise.to(parameter.device), alpha=PERTURBATION)
        return model
