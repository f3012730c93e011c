"""Many steps through transfer operators: one matrix for each symbol, built once a call."""
