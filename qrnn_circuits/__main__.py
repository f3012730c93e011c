"""``python -m qrnn_circuits``: the ``qrnn`` command, as ``torchrun -m`` starts it."""

from qrnn_circuits.command_line import start

start()
