"""Exact simulation of many steps."""
