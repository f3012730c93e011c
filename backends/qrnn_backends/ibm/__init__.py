"""``qrnn.ibm``: IBM's chips, and local models of them."""
