from typing import Any

import pytest

pytest.importorskip("qiskit_ibm_runtime")

from qrnn_backends.ibm.options import sampler_options


def test_options_are_qiskits() -> None:
    from qiskit_ibm_runtime import SamplerOptions

    options = sampler_options(
        {
            "dynamical_decoupling": {"enable": True, "sequence_type": "XY4"},
            "twirling": {"enable_gates": True, "enable_measure": True, "num_randomizations": 8},
            "execution": {"init_qubits": True},
            "environment": {"job_tags": ["mine"]},
        }
    )
    accepted = SamplerOptions(**options)
    assert accepted.dynamical_decoupling.sequence_type == "XY4"
    assert accepted.twirling.num_randomizations == 8


def test_the_usage_limit_is_told_to_the_service_unless_the_user_does() -> None:
    assert sampler_options(None) == {}
    assert sampler_options(None, 2.5) == {"max_execution_time": 3}
    assert sampler_options({"max_execution_time": 60}, 2.5) == {"max_execution_time": 60}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dynamical_decouplin": {}}, "close names are dynamical_decoupling"),
        ({"twirling": {"enable_gate": True}}, r"close names are twirling\.enable_gates"),
        ({"resilience": {}}, "no option 'resilience'; there are "),
        ({"twirling": True}, "option 'twirling' must be a dictionary, got True"),
        ({"twirling": {"num_randomizations": 0}}, "must be >=1"),
        ({"dynamical_decoupling": {"sequence_type": "YY"}}, "'XX', 'XpXm' or 'XY4'"),
        ({"execution": {"meas_type": "kerneled"}}, "must be 'classified', got 'kerneled'"),
        ({"simulator": {"seed_simulator": 1}}, "must not hold 'simulator'"),
    ],
)
def test_what_the_sampler_does_not_take_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sampler_options(options)


def test_twirled_measurements_are_not_mitigated() -> None:
    options = {"twirling": {"enable_measure": True}}
    with pytest.raises(ValueError, match=r"None with twirling\.enable_measure, got 'm3'"):
        sampler_options(options, mitigation="m3")
    assert sampler_options({"twirling": {"enable_gates": True}}, mitigation="m3")


def test_options_must_be_a_dictionary() -> None:
    with pytest.raises(TypeError, match="options must be a dictionary, got 'twirling'"):
        sampler_options("twirling")  # type: ignore[arg-type]
