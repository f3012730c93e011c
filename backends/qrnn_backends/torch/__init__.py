"""``qrnn.torch``: dynamic circuits on statevectors in torch."""
