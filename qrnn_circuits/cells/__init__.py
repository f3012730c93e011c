"""Recurrent cells: one step of a network each."""
