import pytest

from qrnn_circuits.optional_packages import require_qiskit


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    require_qiskit("qiskit")
    with pytest.raises(
        ImportError, match=r'absent_module .* pip install "qrnn-circuits\[qiskit\]"'
    ):
        require_qiskit("qiskit", "absent_module")
