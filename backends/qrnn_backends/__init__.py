"""PennyLane devices that run QRNN circuits."""
