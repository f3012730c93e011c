"""Synthesis methods of the package's gates, offered to Qiskit's ``transpile``.

They are registered in the entry point group ``qiskit.synthesis``. Compiled circuits hold such gates
where ``to_qiskit(high_level=True)`` is asked for:

    >>> from qiskit import transpile
    >>> from qiskit.transpiler.passes import HLSConfig
    >>> from qrnn_circuits import QRNN, compile_circuit
    >>> model = QRNN(lane=1, workspace=2, order=0, semantics="unitary")
    >>> circuit = compile_circuit(model, inputs=[0]).to_qiskit(high_level=True)
    >>> counts = []
    >>> for method in ("parity", "textbook"):
    ...     config = HLSConfig(polynomial_ry=[method])
    ...     gates = transpile(circuit, basis_gates=["cx", "rz", "sx", "x"], hls_config=config)
    ...     counts.append(gates.count_ops()["cx"])
    >>> counts[0] < counts[1]
    True
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from qrnn_circuits.circuits.qiskit.gates import (
    PolynomialRYGate,
    QuantumNeuronGate,
    amplified_circuit,
)
from qrnn_circuits.circuits.realisations import Amplified
from qrnn_circuits.optional_packages import require_modules

require_modules("qiskit")
from qiskit import QuantumCircuit  # noqa: E402
from qiskit.circuit import Gate  # noqa: E402
from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPlugin  # noqa: E402


class _GateSynthesis(HighLevelSynthesisPlugin):  # type: ignore[misc]
    """What all methods share: they are offered every gate of a name, and take one class of them.

    Attributes:
        gate_class: The class.
    """

    gate_class: ClassVar[type[Gate]]

    def run(
        self,
        high_level_object: Any,  # noqa: ANN401
        coupling_map: Any = None,  # noqa: ANN401
        target: Any = None,  # noqa: ANN401
        qubits: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> QuantumCircuit | None:
        """Synthesises a gate of the class; anything else is declined."""
        if not isinstance(high_level_object, self.gate_class):
            return None
        return self.synthesise(high_level_object, options)

    def synthesise(self, gate: Any, options: Mapping[str, Any]) -> QuantumCircuit | None:  # noqa: ANN401
        """The circuit of a gate, by default its definition; None where the method cannot build it.

        Args:
            gate: Of the method's class.
            options: What the transpiler and the user say, by name.
        """
        return gate.definition


class ParityPolynomialRY(_GateSynthesis):
    """``polynomial_ry.parity`` and ``polynomial_ry.default``: a walk through the parities.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "parity" in manager.method_names("polynomial_ry")
        True
    """

    gate_class = PolynomialRYGate


class TextbookPolynomialRY(_GateSynthesis):
    """``polynomial_ry.textbook``: one multi-controlled RY for each monomial.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "textbook" in manager.method_names("polynomial_ry")
        True
    """

    gate_class = PolynomialRYGate

    def synthesise(
        self, gate: PolynomialRYGate, options: Mapping[str, Any]
    ) -> QuantumCircuit | None:
        """One multi-controlled RY for each monomial."""
        return gate.synthesised("textbook")


class MultiplexedQuantumNeuron(_GateSynthesis):
    """``quantum_neuron.multiplexed`` and ``quantum_neuron.default``: exact, without ancillas.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "multiplexed" in manager.method_names("quantum_neuron")
        True
    """

    gate_class = QuantumNeuronGate


class AmplifiedQuantumNeuron(_GateSynthesis):
    """``quantum_neuron.amplified``: amplitude amplification, to within the error of its length.

    The option ``length`` is odd. It needs ``order + 1`` clean ancillas, of order 0 none, which the
    transpiler finds among qubits that nothing has acted on yet; without them it declines.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "amplified" in manager.method_names("quantum_neuron")
        True
    """

    gate_class = QuantumNeuronGate

    def synthesise(
        self, gate: QuantumNeuronGate, options: Mapping[str, Any]
    ) -> QuantumCircuit | None:
        """The amplified circuit, if there are clean ancillas enough for it."""
        realisation = Amplified(options["length"]) if "length" in options else Amplified()
        needed = realisation.ancillas(gate.order)
        if options.get("num_clean_ancillas", 0) < needed:
            return None
        return amplified_circuit(gate, realisation)
