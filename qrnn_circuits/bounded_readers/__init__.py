"""Readers of what others wrote, which take no more time and memory than its kind needs."""
