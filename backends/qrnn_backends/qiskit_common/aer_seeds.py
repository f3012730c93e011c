"""Random numbers of their own for the circuits of one run of Aer.

Where Aer runs shots one by one, shot ``s`` of circuit ``c`` has the seed ``seed + 2113 c + s``: of
more shots than that, some are those of the circuit before. Seeds follow from the first circuit's
on purpose (https://github.com/Qiskit/qiskit-aer/pull/1512).
"""

SEEDS_OF_A_CIRCUIT = 2113
"""Up to how many shots circuits that follow each other in a run share none."""
