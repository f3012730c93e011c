"""The optimisers by the names that a run's configuration uses."""

from collections.abc import Iterable

from torch import nn, optim

from qrnn_circuits.training.config import RunConfig


def build_optimizer(config: RunConfig, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    """The optimiser that a configuration asks for, at PyTorch's other defaults.

    Adam takes its step in one fused kernel: its usual one takes longer than some backward passes.

    One step of L-BFGS is several evaluations of one batch, with a strong Wolfe line search.
    """
    rate = config.learning_rate
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
