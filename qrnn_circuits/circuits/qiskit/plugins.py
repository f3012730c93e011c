"""Synthesis methods of the package's gates, offered to Qiskit's ``transpile``.

They are registered in the entry point group ``qiskit.synthesis``. For example
``transpile(circuit, hls_config=HLSConfig(polynomial_ry=["textbook"]))``.
"""

from typing import Any

from qrnn_circuits.circuits.qiskit.gates import (
    PolynomialRYGate,
    QuantumNeuronGate,
    amplified_circuit,
)
from qrnn_circuits.circuits.realisations import Amplified
from qrnn_circuits.optional_packages import require_qiskit

require_qiskit()
from qiskit import QuantumCircuit  # noqa: E402
from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPlugin  # noqa: E402


class ParityPolynomialRY(HighLevelSynthesisPlugin):  # type: ignore[misc]
    """``polynomial_ry.parity`` and ``polynomial_ry.default``: a walk through the parities.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "parity" in manager.method_names("polynomial_ry")
        True
    """

    def run(
        self,
        high_level_object: Any,  # noqa: ANN401
        coupling_map: Any = None,  # noqa: ANN401
        target: Any = None,  # noqa: ANN401
        qubits: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> QuantumCircuit | None:
        """Synthesises a :class:`PolynomialRYGate`; anything else is declined."""
        if not isinstance(high_level_object, PolynomialRYGate):
            return None
        return high_level_object.synthesised("parity")


class TextbookPolynomialRY(HighLevelSynthesisPlugin):  # type: ignore[misc]
    """``polynomial_ry.textbook``: one multi-controlled RY for each monomial.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "textbook" in manager.method_names("polynomial_ry")
        True
    """

    def run(
        self,
        high_level_object: Any,  # noqa: ANN401
        coupling_map: Any = None,  # noqa: ANN401
        target: Any = None,  # noqa: ANN401
        qubits: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> QuantumCircuit | None:
        """Synthesises a :class:`PolynomialRYGate`; anything else is declined."""
        if not isinstance(high_level_object, PolynomialRYGate):
            return None
        return high_level_object.synthesised("textbook")


class MultiplexedQuantumNeuron(HighLevelSynthesisPlugin):  # type: ignore[misc]
    """``quantum_neuron.multiplexed`` and ``quantum_neuron.default``: exact, without ancillas.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "multiplexed" in manager.method_names("quantum_neuron")
        True
    """

    def run(
        self,
        high_level_object: Any,  # noqa: ANN401
        coupling_map: Any = None,  # noqa: ANN401
        target: Any = None,  # noqa: ANN401
        qubits: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> QuantumCircuit | None:
        """Synthesises a :class:`QuantumNeuronGate`; anything else is declined."""
        if not isinstance(high_level_object, QuantumNeuronGate):
            return None
        return high_level_object.definition


class AmplifiedQuantumNeuron(HighLevelSynthesisPlugin):  # type: ignore[misc]
    """``quantum_neuron.amplified``: amplitude amplification, to within the error of its length.

    The option ``length`` is odd. It needs ``order + 1`` clean ancillas, which the transpiler finds
    among qubits that nothing has acted on yet; without them it declines.

    Example:
        >>> from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPluginManager
        >>> manager = HighLevelSynthesisPluginManager()
        >>> "amplified" in manager.method_names("quantum_neuron")
        True
    """

    def run(
        self,
        high_level_object: Any,  # noqa: ANN401
        coupling_map: Any = None,  # noqa: ANN401
        target: Any = None,  # noqa: ANN401
        qubits: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> QuantumCircuit | None:
        """Synthesises a :class:`QuantumNeuronGate`; anything else is declined."""
        if not isinstance(high_level_object, QuantumNeuronGate):
            return None
        realisation = Amplified(options["length"]) if "length" in options else Amplified()
        needed = realisation.ancillas(high_level_object.order)
        if options.get("num_clean_ancillas", 0) < needed:
            return None
        return amplified_circuit(high_level_object, realisation)
