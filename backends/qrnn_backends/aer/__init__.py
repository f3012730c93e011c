"""``qrnn.aer``: dynamic circuits on Qiskit Aer."""
