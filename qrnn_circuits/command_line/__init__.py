"""The ``qrnn`` command."""

from qrnn_circuits.command_line.app import app

__all__ = ["app"]
