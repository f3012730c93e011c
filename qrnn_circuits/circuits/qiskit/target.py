"""Where a circuit is to run: chips by name, Qiskit backends, or a bare set of gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from qrnn_circuits.circuits.qiskit.mid_circuit import in_forms_of, in_only_forms_of, without_resets
from qrnn_circuits.optional_packages import require_modules

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.transpiler import Target


_ADVICE = {
    "if_else": "the realisations 'postselect', 'amplified' and 'multiplexed' need none",
    "reset": (
        "outcomes of a network that are given, not sampled, need none; elsewhere measure a wire "
        "without reset=True, and where its outcome is postselected to 1, apply qml.X to it (a shot "
        "that is misread is not reset then)"
    ),
}


class UnsupportedTargetError(ValueError):
    """A target lacks instructions that a circuit needs.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> wide = QuantumCircuit(6)
        >>> resolve_target("fake_manila").transpile(wide)
        Traceback (most recent call last):
        qrnn_circuits.circuits.qiskit.target.UnsupportedTargetError: fake_manila has 5 qubits...
    """


@dataclass(frozen=True)
class Chip:
    """A resolved target.

    Attributes:
        name: What reports call it.
        target: Qiskit's description of it, None for a bare set of gates.
        basis: Names of its gates if it is a bare set, on qubits that are all connected, with every
            instruction that is no gate; else None.
    """

    name: str
    target: "Target | None"
    basis: tuple[str, ...] | None

    def missing(self, circuit: "QuantumCircuit") -> list[str]:
        """Instructions that are no gates, which the circuit needs and the target lacks."""
        if self.target is None:
            return []
        needed = {"if_else", "measure", "reset"} & set(self._adapted(circuit).count_ops())
        return sorted(needed - set(self.target.operation_names))

    def transpile(
        self, circuit: "QuantumCircuit", *, optimization_level: int = 3, seed: int = 0
    ) -> "QuantumCircuit":
        """Transpiles a circuit to this target.

        Measurements and resets inside of the circuit take IBM's instructions for that, where the
        target has them (``measure_2``, ``reset_2``). Where it has no reset, those that are not
        needed are left out, and others become conditions on what was measured.

        Args:
            circuit: The circuit.
            optimization_level: Qiskit's, from 0 to 3.
            seed: Of the transpiler's layout and routing.

        Raises:
            UnsupportedTargetError: If the target lacks an instruction, on some qubit or at all, or
                has too few qubits, or too few that are connected.
        """
        from qiskit import transpile
        from qiskit.transpiler.exceptions import TranspilerError

        if missing := self.missing(circuit):
            advice = [_ADVICE[name] for name in missing if name in _ADVICE]
            raise UnsupportedTargetError(
                f"{self.name} has no {' and no '.join(missing)}"
                + (f": {'; '.join(advice)}" if advice else "")
            )
        if self.target is None:
            # Control flow, measurement and reset need no entry in a basis.
            where: dict[str, Any] = {"basis_gates": [*(self.basis or ())]}
        else:
            qubits = self.target.num_qubits
            if qubits is not None and qubits < circuit.num_qubits:
                raise UnsupportedTargetError(
                    f"{self.name} has {qubits} qubits, the circuit needs {circuit.num_qubits}"
                )
            where = {"target": self.target}
        try:
            transpiled: QuantumCircuit = transpile(
                self._adapted(circuit),
                optimization_level=optimization_level,
                seed_transpiler=seed,
                **where,
            )
        except TranspilerError as error:
            reason = " ".join(str(error.message).split())
            raise UnsupportedTargetError(
                f"{self.name} must have gates that make up any other, connected qubits, and "
                f"measurements, resets and conditions on each of them; Qiskit says: {reason}"
            ) from None
        return transpiled if self.target is None else in_forms_of(transpiled, self.target)

    def _adapted(self, circuit: "QuantumCircuit") -> "QuantumCircuit":
        """The circuit without the resets that a target without any can do without."""
        if self.target is None:
            return circuit
        circuit = in_only_forms_of(circuit, self.target)
        if "reset" in self.target.operation_names:
            return circuit
        return without_resets(circuit, conditions="if_else" in self.target.operation_names)


def resolve_target(target: Any) -> Chip:  # noqa: ANN401
    """Finds a target.

    Args:
        target: The name of a fake backend of ``qiskit_ibm_runtime.fake_provider``, such as
            ``"fake_fez"``, which holds a snapshot of that chip's calibration data; a Qiskit
            backend; a ``Target``; or a list of gate names, for qubits that are all connected.

    Raises:
        ImportError: If Qiskit is not installed.
        TypeError: If the target is of no such type.
        ValueError: If there is no fake backend or no gate of a name.
    """
    require_modules("qiskit")
    from qiskit.transpiler import Target

    if isinstance(target, str):
        backend = fake_backend(target)
        return Chip(target, backend.target, None)
    if isinstance(target, Target):
        return Chip(target.description or "target", target, None)
    if isinstance(getattr(target, "target", None), Target):
        return Chip(target.name or type(target).__name__, target.target, None)
    if isinstance(target, Sequence) and target and all(isinstance(name, str) for name in target):
        from qiskit.circuit.library import get_standard_gate_name_mapping

        known = get_standard_gate_name_mapping()
        for name in target:
            if name not in known:
                raise ValueError(f"target must list names of Qiskit's gates, got {name!r}")
        return Chip(", ".join(target) + ", all to all", None, tuple(target))
    raise TypeError(
        f"target must be the name of a fake backend, a Qiskit backend, a Target or a list of gate "
        f"names, got {target!r}"
    )


def is_fake(name: str) -> bool:
    """Whether a chip's name, as :func:`fake_backend` takes it, is of no chip of IBM's service."""
    return name.lower().startswith("fake")


def fake_backend(name: str) -> Any:  # noqa: ANN401
    """A fake backend by name, such as ``"fake_fez"``.

    Raises:
        ImportError: If qiskit-ibm-runtime is not installed.
        ValueError: If there is no such backend.
    """
    require_modules("qiskit", "qiskit_ibm_runtime")
    from qiskit_ibm_runtime import fake_provider

    # Class names are FakeFez for fake_fez, FakeManilaV2 for fake_manila, and there is one
    # FakeFractionalBackend.
    classes = {
        attribute.removesuffix("V2").removesuffix("Backend").lower(): attribute
        for attribute in dir(fake_provider)
        if attribute.startswith("Fake") and attribute != "FakeProviderForBackendV2"
    }
    wanted = name.lower().replace("_", "")
    if wanted not in classes:
        near = get_close_matches(wanted.replace("ibm", "fake"), classes, n=3, cutoff=0.5)
        names = [f"fake_{near_name.removeprefix('fake')}" for near_name in near]
        raise ValueError(
            f"there is no backend {name!r} in qiskit_ibm_runtime.fake_provider"
            + (f"; close names are {', '.join(names)}" if names else "")
            + ". A real chip is given in Python, as the backend of QiskitRuntimeService."
        )
    return getattr(fake_provider, classes[wanted])()
