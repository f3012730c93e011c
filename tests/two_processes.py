"""Two processes that exchange tensors through gloo, as those that torchrun starts."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

import torch

from qrnn_circuits.training import RunConfig, joined_ranks


def serve(rank: int, port: int, jobs: Any, answers: Any) -> None:  # noqa: ANN401
    """Joins the other process, and calls what it is sent until that is ``None``."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    with joined_ranks() as ranks:
        while (job := jobs.get()) is not None:
            function, arguments = job
            try:
                answers.put(function(ranks, *arguments))
            except Exception as error:
                answers.put(error)


class Pair:
    """Two processes that call the functions they are sent; new ones where one has died."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self.processes: list[Any] = []

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._queues = [(self._context.Queue(), self._context.Queue()) for _ in range(2)]
        self.processes = [
            self._context.Process(target=serve, args=(rank, port, *queues), daemon=True)
            for rank, queues in enumerate(self._queues)
        ]
        for process in self.processes:
            process.start()

    def send(self, job: object) -> None:
        for jobs, _ in self._queues:
            jobs.put(job)

    def answer(self, rank: int) -> Any:  # noqa: ANN401
        return self._queues[rank][1].get(timeout=60)

    def __call__(self, function: Callable[..., object], *arguments: object) -> list[Any]:
        """The two results, or raised exceptions."""
        if not self.processes or not all(process.is_alive() for process in self.processes):
            self.start()
        self.send((function, arguments))
        return [self.answer(rank) for rank in range(2)]


def generic(config: RunConfig) -> RunConfig:
    """The same run from weights that are far from all symmetries.

    Where symmetry makes a gradient zero, Adam scales its rounding error up a hundred million times.
    """
    changes = {"dtype": "float64", "weight_spread": 0.3, "theta_spread": 0.3}
    return RunConfig.from_json(config.to_json() | changes)
