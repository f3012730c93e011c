"""The ``qrnn`` command."""

from qrnn_circuits.command_line.app import app, start

__all__ = ["app", "start"]
