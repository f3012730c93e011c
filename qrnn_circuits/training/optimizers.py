"""The optimisers by the names that a run's configuration uses."""

import torch
from torch import optim

from qrnn_circuits.network import QRNN
from qrnn_circuits.training.config import RunConfig


def build_optimizer(config: RunConfig, model: QRNN) -> optim.Optimizer:
    """The optimiser that a configuration asks for, at PyTorch's other defaults.

    Adam takes its step in one fused kernel: its usual one takes longer than some backward passes.

    One step of L-BFGS is several evaluations of one batch, with a strong Wolfe line search.
    """
    optimizer = _plain_optimizer(config, model)
    if config.readout_learning_rate is not None:
        _scale_readout_steps(optimizer, model, config.readout_learning_rate / config.learning_rate)
    return optimizer


def _plain_optimizer(config: RunConfig, model: QRNN) -> optim.Optimizer:
    parameters, rate = model.parameters(), config.learning_rate
    match config.optimizer:
        case "adam":
            return optim.Adam(parameters, lr=rate, fused=True)
        case "sgd":
            return optim.SGD(parameters, lr=rate)
        case "rmsprop":
            return optim.RMSprop(parameters, lr=rate)
        case "lbfgs":
            return optim.LBFGS(
                parameters, lr=rate, history_size=config.history, line_search_fn="strong_wolfe"
            )
        case unknown:
            raise ValueError(f"optimizer must be adam, sgd, rmsprop or lbfgs, got {unknown!r}")


def _scale_readout_steps(optimizer: optim.Optimizer, model: QRNN, factor: float) -> None:
    """Scales what each step changes of the neurons onto lane wires.

    They are rows of one parameter with all others, and a learning rate is a whole parameter's. The
    steps of Adam, SGD and RMSprop are proportional to it, so that this is a rate of their own.
    """
    rows = model.cell.coefficients.detach()[-model.cell.lane :]
    before = torch.empty_like(rows)

    def remember(*_: object) -> None:
        before.copy_(rows)

    def scale(*_: object) -> None:
        torch.lerp(before, rows, factor, out=rows)

    optimizer.register_step_pre_hook(remember)
    optimizer.register_step_post_hook(scale)
