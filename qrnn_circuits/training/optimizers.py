"""The optimisers by the names that a run's configuration uses."""

from typing import Any

from torch import optim

from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.training.config import RunConfig


def build_optimizer(config: RunConfig, model: RecurrentNetwork | Forecaster) -> optim.Optimizer:
    """The optimiser that a configuration asks for, at PyTorch's other defaults.

    Adam takes its step in one fused kernel: its usual one takes longer than some backward passes.
    One step of L-BFGS is several evaluations of one batch, with a strong Wolfe line search.

    Args:
        config: Of the run.
        model: The network.

    Returns:
        An optimiser with a parameter group for each learning rate, which ``"initial_lr"`` keeps.

    Raises:
        ValueError: If nothing is trained, or if ``readout_learning_rate`` is set for a cell that
            tells no parameters of its readout apart.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(
            f"cell must have a parameter that is trained, got {config.cell!r} with none: what it "
            "learns must be an nn.Parameter, not a plain tensor"
        )
    rate = config.learning_rate
    groups: list[dict[str, Any]] = [{"params": list(model.parameters()), "initial_lr": rate}]
    if config.readout_learning_rate is not None and isinstance(model, RecurrentNetwork):
        by_name = model.cell.parameter_groups()
        if "readout" not in by_name:
            raise ValueError(
                f"readout_learning_rate is for cells with a parameter group 'readout', which a "
                f"{type(model.cell).__name__} has not, got {config.readout_learning_rate}"
            )
        groups = [
            {
                "params": parameters,
                "initial_lr": config.readout_learning_rate if name == "readout" else rate,
            }
            for name, parameters in by_name.items()
        ]
    for group in groups:
        group["lr"] = group["initial_lr"]
    match config.optimizer:
        case "adam":
            return optim.Adam(groups, lr=rate, fused=True)
        case "sgd":
            return optim.SGD(groups, lr=rate)
        case "rmsprop":
            return optim.RMSprop(groups, lr=rate)
        case "lbfgs":
            return optim.LBFGS(
                groups, lr=rate, history_size=config.history, line_search_fn="strong_wolfe"
            )
        case unknown:
            raise ValueError(f"optimizer must be adam, sgd, rmsprop or lbfgs, got {unknown!r}")
