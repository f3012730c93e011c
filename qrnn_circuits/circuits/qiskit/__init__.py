"""Circuits for Qiskit."""
