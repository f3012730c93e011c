"""Settings of runs and options of tasks, each written once, known without importing torch."""
