"""What the devices share that run Qiskit circuits."""
