"""Forecasts a sine wave by nn.LSTM, and by each quantum layer in its place: one line is another.

    python examples/replace_lstm.py [--steps 200]

Prints the mean squared error of every layer on the last quarter of the wave, before and after.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from qrnn_circuits.layers import (
    QGRU,
    QLSTM,
    FastWeightProgrammer,
    QRNNLayer,
    RecurrentCircuitLayer,
)

WINDOW, HIDDEN = 5, 4

# The line that is another: input size, hidden size, and what is called batch_first everywhere.
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "nn.LSTM": lambda: nn.LSTM(1, HIDDEN, batch_first=True),
    "QRNNLayer": lambda: QRNNLayer(1, HIDDEN, batch_first=True),
    "QLSTM": lambda: QLSTM(1, HIDDEN, batch_first=True),
    "QLSTM, linear-enhanced": lambda: QLSTM(1, HIDDEN, batch_first=True, linear=True, qubits=3),
    "QGRU": lambda: QGRU(1, HIDDEN, batch_first=True),
    "FastWeightProgrammer": lambda: FastWeightProgrammer(1, HIDDEN, batch_first=True),
    "RecurrentCircuitLayer": lambda: RecurrentCircuitLayer(1, HIDDEN, batch_first=True),
    "RecurrentCircuitLayer, staggered": lambda: RecurrentCircuitLayer(
        1, HIDDEN, batch_first=True, staggered=True
    ),
}


def train(make_layer: Callable[[], nn.Module], steps: int) -> tuple[float, float]:
    """Trains a layer with a linear one behind it, and returns its test error before and after."""
    torch.manual_seed(0)
    layer = make_layer()
    head = nn.Linear(HIDDEN, 1)

    wave = torch.sin(0.4 * torch.arange(160.0))
    windows = wave.unfold(0, WINDOW + 1, 1)[:, :, None]
    training, test = windows[:120], windows[120:]

    def loss(sequences: torch.Tensor) -> torch.Tensor:
        output, _ = layer(sequences[:, :-1])
        return nn.functional.mse_loss(head(output[:, -1]), sequences[:, -1])

    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    before = loss(test).item()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(training).backward()
        optimizer.step()
    return before, loss(test).item()


def main() -> None:
    """Trains every layer in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200, help="optimiser steps of each layer")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'layer':32}  before   after    seconds")
    for name, make_layer in LAYERS.items():
        started = time.perf_counter()
        before, after = train(make_layer, arguments.steps)
        seconds = time.perf_counter() - started
        print(f"{name:32}  {before:.1e}  {after:.1e}  {seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
