"""``qrnn.aer``: a PennyLane device that runs dynamic circuits on Qiskit Aer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.devices import ExecutionConfig
from pennylane.devices.default_qubit import accepted_analytic_measurement
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.ops import MidMeasure
from pennylane.tape import QuantumScript
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import Result

from qrnn_backends.aer.exact import distributions, exact_results
from qrnn_backends.aer.sampling import readout_matrices, sample, sample_kept
from qrnn_backends.aer.simulation import ChipSimulation, DirectSimulation, Simulation
from qrnn_backends.circuit_checks import check_measured, check_shots
from qrnn_backends.mitigation import Correction, Mitigation, check_mitigation
from qrnn_backends.qiskit_common.chip_model import chip_model
from qrnn_backends.qiskit_common.preprocess import resolve_config, sampled_circuits
from qrnn_backends.qiskit_common.program import Program, flattened, programs
from qrnn_backends.readout import NoShotsKeptError
from qrnn_backends.seeds import random_generator
from qrnn_backends.torch.acceptance import predicted_share
from qrnn_circuits.optional_packages import require_modules

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel

# Aer's methods that compute an operator instead of running a circuit.
_NO_RUN = ("unitary", "superop")
# Methods that give a state, so that every measurement of PennyLane's can be computed from it.
_STATE_METHODS = ("automatic", "statevector", "matrix_product_state")
# Methods that give density matrices, which mid-circuit measurements with noise take.
_MATRIX_METHODS = ("automatic", "density_matrix")

# Aer has a text for each, which stays until all are read.
_BYTES_OF_A_SHOT = 192


@simulator_tracking
@single_tape_support
class AerDevice(qml.devices.Device):  # type: ignore[misc]
    """Runs tapes on Qiskit Aer: mid-circuit measurements, resets and conditions as they are.

    All tapes of a batch run at once, as far as their shots fit into memory; ``tracker`` counts such
    ``runs``, one for each different number of shots, since Aer has one number for all circuits of a
    run. Tapes that differ in their angles only are transpiled once. Shots that a postselected
    measurement rules out are dropped, or drawn again with ``postselect_mode="fill-shots"``;
    ``tracker`` counts the ``kept_shots`` of each tape.

    Without shots and noise, results are computed from the final state, and mid-circuit measurements
    take a wire each. With noise, they are the limit of many shots, from one density matrix for each
    pattern that may have been read before.

    Gradients come from PennyLane's parameter-shift rule, with all its tapes in one run. It does not
    hold for postselected circuits and is refused there.

    Args:
        wires: Number of wires or their labels; by default those of each tape.
        shots: Deprecated by PennyLane for ``qml.set_shots``.
        seed: A seed or generator for reproducible samples. Equal devices give equal samples for an
            equal sequence of batches.
        noise: None; the name of a fake backend such as ``"fake_fez"``, to transpile circuits to
            that chip, where gates that undo each other are cancelled unless barriers part them, and
            run them with its noise; or a ``NoiseModel``, to write circuits in its gates. The qubits
            of a noise model are the device's wires in order; without ``wires`` they are the tape's,
            if these are integers, or else all of the tape's in order.
        method: Aer's simulation method, such as ``"statevector"`` or ``"matrix_product_state"``.
        mitigation: None; or ``"m3"``, or what
            :func:`~qrnn_backends.mitigation.resolve_mitigation` takes, which corrects
            probabilities, expectation values and variances from shots for the readout errors of the
            noise, before postselection. Samples, counts, circuits with conditions and results
            without shots are refused.

    Raises:
        ImportError: If Qiskit or Aer is not installed, or a package that ``mitigation`` needs.
        TypeError: If ``noise`` or ``mitigation`` is of another type.
        ValueError: If there is no such method, backend or mitigation, the chip has fewer qubits
            than ``wires``, there is no noise to mitigate, or ``noise`` has errors that no circuit
            would have: of instructions that Aer does not run, or of the readout of several qubits.

    Example:
        >>> import pennylane as qml
        >>> @qml.qnode(qml.device("qrnn.aer"))
        ... def circuit(angle):
        ...     qml.RY(angle, wires=0)
        ...     first = qml.measure(0, reset=True)
        ...     qml.cond(first, qml.X)(1)
        ...     return qml.probs(wires=1)
        >>> circuit(np.pi / 2).round(6)
        array([0.5, 0.5])
    """

    name = "qrnn.aer"

    def __init__(
        self,
        wires: Any = None,  # noqa: ANN401
        shots: Any = None,  # noqa: ANN401
        seed: "int | np.random.Generator | None" = None,
        noise: "str | NoiseModel | None" = None,
        method: str = "automatic",
        mitigation: str | Mitigation | None = None,
    ) -> None:
        self._mitigation = check_mitigation(mitigation, noisy=noise is not None)
        super().__init__(wires=wires, shots=shots)
        self._generator = random_generator(seed)
        self._simulation = _simulation(noise, method, 0 if wires is None else len(self.wires))

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        """Checks how a circuit is to be run; gradients are PennyLane's."""
        return resolve_config(
            config or ExecutionConfig(), self.name, circuit, self.wires, ("hw-like", "fill-shots")
        )

    def preprocess_transforms(
        self, execution_config: ExecutionConfig | None = None
    ) -> CompilePipeline:
        """The transforms after which a tape is one circuit."""
        config = execution_config or self.setup_execution_config()
        exact = accepted_analytic_measurement if self._gives_states else None
        return sampled_circuits(config, self.name, self.wires, exact)

    def execute(
        self,
        circuits: Sequence[QuantumScript],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[Result, ...]:
        """Runs preprocessed tapes.

        Raises:
            NoShotsKeptError: If postselection keeps no shot of a tape.
            SimulationError: If Aer fails, for instance for want of memory.
            MitigationError: If the correction of readout errors fails.
            ValueError: If a tape measures nothing, its shots do not fit into memory, or one without
                shots has mid-circuit measurements that the method or the noise does not take, or
                too many; a circuit does not fit onto the chip, or mitigation does not take a tape.
        """
        check_measured(circuits)
        config = execution_config or ExecutionConfig()
        fill_shots = config.mcm_config.postselect_mode == "fill-shots"
        groups: dict[int | None, list[int]] = {}
        for place, tape in enumerate(circuits):
            groups.setdefault(tape.shots.total_shots, []).append(place)
        results: dict[int, Result] = {}
        for shots, places in groups.items():
            tapes = [circuits[place] for place in places]
            if shots is not None:
                found = self._sampled(tapes, shots, fill_shots=fill_shots)
            else:
                exact = partial(exact_results, self._simulation)
                found = (exact if self._gives_states else self._expected)(tapes)
                self._count_run()
            results.update(zip(places, found, strict=True))
        return tuple(results[place] for place in range(len(circuits)))

    @property
    def _gives_states(self) -> bool:
        return not self._simulation.noisy and self._simulation.method in _STATE_METHODS

    def _programs(self, tapes: Sequence[QuantumScript]) -> list[Program]:
        return programs(tapes, self.wires, self._simulation.placed)

    def _sampled(
        self, tapes: Sequence[QuantumScript], shots: int, *, fill_shots: bool
    ) -> list[Result]:
        if fill_shots and self._mitigation is not None:
            raise ValueError(
                "postselect_mode must be 'hw-like' with mitigation, which corrects shots before "
                "they are dropped, got 'fill-shots'"
            )
        batch = self._programs(tapes)
        corrections: list[Correction | None] = [None] * len(batch)
        if self._mitigation is not None:
            corrections = [
                partial(self._mitigation.corrected, matrices=matrices)
                for matrices in readout_matrices(self._simulation, batch)
            ]
        drawn = self._drawn(batch, shots, sample_kept if fill_shots else sample)
        results = []
        for tape, program, values, correction in zip(tapes, batch, drawn, corrections, strict=True):
            readout = program.readout
            if self.tracker.active:
                self.tracker.update(kept_shots=int(readout.kept(values).sum()))
                self.tracker.record()
            try:
                results.append(readout.results(values, correction))
            except NoShotsKeptError:
                # With the predicted share, the message says how many shots it takes.
                readout = replace(readout, predicted_share=predicted_share(tape))
                results.append(readout.results(values, correction))
        return results

    def _drawn(
        self, batch: Sequence[Program], shots: int, draw: Callable[..., list[NDArray[np.uint8]]]
    ) -> Iterator[NDArray[np.uint8]]:
        """The bits of each program, in as few runs as fit into memory."""
        bits = max(program.circuit.num_clbits for program in batch)
        size = check_shots(shots, bits, self.name, _BYTES_OF_A_SHOT) // shots
        for start in range(0, len(batch), size):
            seed = int(self._generator.integers(2**31))
            drawn = draw(self._simulation, batch[start : start + size], shots, seed)
            self._count_run()
            yield from drawn

    def _count_run(self) -> None:
        if self.tracker.active:
            self.tracker.update(runs=1)
            self.tracker.record()

    def _expected(self, tapes: Sequence[QuantumScript]) -> list[Result]:
        if self._mitigation is not None:
            raise ValueError(
                f"mitigation must be None without shots, got {self._mitigation.name!r}: give shots"
            )
        if self._simulation.method not in _MATRIX_METHODS:
            # The other methods draw one of the errors at random.
            measured = any(
                isinstance(operation, MidMeasure)
                for tape in tapes
                for operation in flattened(tape.operations)
            )
            if measured or self._simulation.noisy:
                what = "mid-circuit measurement" if measured else "noise"
                raise ValueError(
                    f"without shots, {self._simulation.name} runs no {what} with method "
                    f"{self._simulation.method!r}: give shots, or take one of "
                    f"{', '.join(map(repr, _MATRIX_METHODS))}"
                )
        batch = self._programs(tapes)
        tables = distributions(self._simulation, batch)
        return [
            program.readout.expected(table) for program, table in zip(batch, tables, strict=True)
        ]


def _simulation(noise: Any, method: str, wires: int) -> Simulation:  # noqa: ANN401
    require_modules("qiskit", "qiskit_aer")
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel

    methods = [name for name in AerSimulator().available_methods() if name not in _NO_RUN]
    if method not in methods:
        near = get_close_matches(str(method), methods)
        hint = f"; close names are {', '.join(near)}" if near else ""
        raise ValueError(f"method must be one of Aer's {methods}, got {method!r}{hint}")
    if isinstance(noise, str):
        chip = chip_model(noise)
        if wires > chip.target.num_qubits:
            raise ValueError(
                f"wires must be at most the {chip.target.num_qubits} qubits of {chip.name}, got "
                f"{wires}"
            )
        return ChipSimulation(method, chip)
    if noise is not None and not isinstance(noise, NoiseModel):
        raise TypeError(
            f"noise must be None, the name of a fake backend or a NoiseModel of Aer, got "
            f"{noise!r}; of a backend, take NoiseModel.from_backend(backend)"
        )
    return DirectSimulation(method, noise)
