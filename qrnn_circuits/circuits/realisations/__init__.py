"""The ways to build a quantum neuron as a circuit."""
