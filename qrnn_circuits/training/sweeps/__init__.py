"""Sweeps: many runs of one task, shared by any number of processes."""
