import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qiskit_ibm_runtime")

from qiskit import QuantumCircuit

from qrnn_backends.ibm.options import (
    check_circuits,
    check_repetition_delay,
    executed_shots,
    sampler_options,
    with_time_limit,
)
from qrnn_backends.ibm.sampler import preferred_sampler, sampler_for, server_side_sampler


def conditional() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    return circuit


def fractional() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.rzz(0.3, 0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def measured_twice() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.measure(0, 1)
    return circuit


@pytest.mark.parametrize("kind", [preferred_sampler(), server_side_sampler()])
def test_options_are_qiskits(kind: Any) -> None:  # noqa: ANN401
    options = sampler_options(
        {
            "dynamical_decoupling": {"enable": True, "sequence_type": "XY4"},
            "twirling": {"enable_gates": True, "enable_measure": True, "num_randomizations": 8},
            "execution": {"init_qubits": True},
            "environment": {"job_tags": ["mine"]},
        }
    )
    accepted = kind.options(**options)
    assert accepted.dynamical_decoupling.sequence_type == "XY4"
    assert accepted.twirling.num_randomizations == 8


def test_the_usage_limit_is_told_to_the_service_unless_the_user_does() -> None:
    assert with_time_limit(sampler_options(None), None, 1.0) == {}
    assert with_time_limit({}, 2.5, 1.0) == {"max_execution_time": 3}
    assert with_time_limit({}, 60, 0.25) == {"max_execution_time": 15}
    assert with_time_limit({"max_execution_time": 60}, 2.5, 1.0) == {"max_execution_time": 60}


@pytest.mark.parametrize("kind", [preferred_sampler(), server_side_sampler()])
def test_options_are_taken_as_objects_of_either_sampler(kind: Any) -> None:  # noqa: ANN401
    options = kind.options()
    assert sampler_options(options) == {}
    options.twirling.enable_gates = True
    options.dynamical_decoupling.sequence_type = "XY4"
    options.max_execution_time = 7
    assert sampler_options(options) == {
        "twirling": {"enable_gates": True},
        "dynamical_decoupling": {"sequence_type": "XY4"},
        "max_execution_time": 7,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dynamical_decouplin": {}}, "close names are dynamical_decoupling"),
        ({"twirling": {"enable_gate": True}}, r"close names are twirling\.enable_gates"),
        ({"resilience": {}}, "no option 'resilience'; there are "),
        ({"twirling": True}, "option 'twirling' must be a dictionary, got True"),
        (
            {"twirling": {"num_randomizations": 0}},
            r"does not take option 'twirling\.num_randomizations': .*equal to 1, got 0 or .*'auto'",
        ),
        ({"default_shots": "many"}, "does not take option 'default_shots': .*got 'many'"),
        ({"dynamical_decoupling": {"sequence_type": "YY"}}, "'XX', 'XpXm' or 'XY4'"),
        ({"execution": {"meas_type": "kerneled"}}, "must be 'classified', got 'kerneled'"),
        ({"execution": {"init_qubits": False}}, "'execution.init_qubits' must be True"),
        ({"simulator": {"seed_simulator": 1}}, "must not hold 'simulator'"),
    ],
)
def test_what_the_sampler_does_not_take_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        sampler_options(options)
    assert "\n" not in str(caught.value)


def test_twirled_measurements_are_not_mitigated() -> None:
    options = {"twirling": {"enable_measure": True}}
    with pytest.raises(ValueError, match=r"None with twirling\.enable_measure, got 'm3'"):
        sampler_options(options, mitigation="m3")
    assert sampler_options({"twirling": {"enable_gates": True}}, mitigation="m3")


def test_values_are_those_that_the_sampler_makes_of_them() -> None:
    given = {
        "twirling": {"enable_gates": "false", "num_randomizations": "8"},
        "dynamical_decoupling": {"enable": "off"},
    }
    options = sampler_options(given)
    assert options == {
        "twirling": {"enable_gates": False, "num_randomizations": 8},
        "dynamical_decoupling": {"enable": False},
    }
    check_circuits(options, [conditional()], [10])
    assert sampler_for(options, [conditional()]).name == "executor_sampler.Sampler"


@pytest.mark.parametrize("kind", [preferred_sampler(), server_side_sampler()])
def test_groups_are_taken_as_objects_of_either_sampler(kind: Any) -> None:  # noqa: ANN401
    group = kind.options().twirling
    group.enable_gates = True
    assert sampler_options({"twirling": group}) == {"twirling": {"enable_gates": True}}
    assert sampler_options({"twirling": kind.options().twirling}) == {"twirling": {}}
    with pytest.raises(ValueError, match="'twirling' must be a dictionary, got <class"):
        sampler_options({"twirling": type(group)})


def test_a_time_limit_among_the_options_of_the_environment_is_one() -> None:
    options = {"environment": {"max_execution_time": 30}}
    assert with_time_limit(options, 60, 1.0) == options
    assert with_time_limit({"environment": {"private": True}}, 60, 1.0)["max_execution_time"] == 60


def test_a_time_limit_of_none_does_not_lift_the_usage_limit() -> None:
    options = sampler_options({"max_execution_time": None, "environment": {"log_level": "ERROR"}})
    assert with_time_limit(options, 60, 1.0)["max_execution_time"] == 60


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"max_execution_time": 0}, 0),
        ({"max_execution_time": -5}, -5),
        ({"environment": {"max_execution_time": 0}}, 0),
    ],
)
def test_time_limits_that_the_client_would_not_send_are_refused(
    options: dict[str, Any], limit: int
) -> None:
    with pytest.raises(ValueError, match=f"must be at least 1 second, got {limit}: "):
        sampler_options(options)


@pytest.mark.parametrize("delay", [-1.0, np.inf, np.nan])
def test_delays_between_shots_that_are_no_time_are_refused(delay: float) -> None:
    with pytest.raises(ValueError, match="rep_delay' must be a number of seconds from 0 on, got"):
        sampler_options({"execution": {"rep_delay": delay}})


def test_delays_between_shots_are_in_the_range_of_the_chip() -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    def backend(**other: object) -> Any:  # noqa: ANN401
        chip = FakeManilaV2().configuration()
        vars(chip).update(other)
        return SimpleNamespace(name="fake_manila", configuration=lambda: chip)

    for delay in (None, 0.0, 250e-6, 500e-6):
        check_repetition_delay({"execution": {"rep_delay": delay}}, backend())
    # Qiskit rounds a range that a chip has in microseconds.
    rounded = backend(rep_delay_range=(np.nextafter(1e-6, 1), np.nextafter(500e-6, 0)))
    for delay in (1e-6, 500e-6):
        check_repetition_delay({"execution": {"rep_delay": delay}}, rounded)
    options = {"execution": {"rep_delay": 1e-3}}
    with pytest.raises(ValueError, match=r"from 0 to 0\.0005 seconds on fake_manila, got 0\.001"):
        check_repetition_delay(options, backend())
    with pytest.raises(ValueError, match="left out on fake_manila, which has one delay only"):
        check_repetition_delay(options, backend(dynamic_reprate_enabled=False))


def test_options_must_be_a_dictionary() -> None:
    with pytest.raises(TypeError, match=r"options must be a dictionary or .*, got 'twirling'"):
        sampler_options("twirling")


def test_twirling_runs_the_documented_number_of_shots() -> None:
    from qiskit_ibm_runtime.executor.calculate_twirling_shots import calculate_twirling_shots

    assert executed_shots({}, 77) == executed_shots({"twirling": {"num_randomizations": 3}}, 77)
    for shots in (1, 63, 64, 65, 1000, 5000):
        for randomizations in ("auto", 1, 7, 32):
            for each in ("auto", 1, 64, 100):
                numbers = {
                    "num_randomizations": randomizations,
                    "shots_per_randomization": each,
                }
                expected = np.prod(calculate_twirling_shots(shots, randomizations, each))
                for enabled in ("enable_gates", "enable_measure"):
                    twirling = {enabled: True, **numbers}
                    assert executed_shots({"twirling": twirling}, shots) == expected


def test_decoupling_is_refused_for_circuits_with_conditions_alone() -> None:
    options = {"dynamical_decoupling": {"enable": True}}
    check_circuits(options, [fractional()], [10])
    message = r"'dynamical_decoupling\.enable' must be False .*got True: .*leave it out, or use"
    with pytest.raises(ValueError, match=message):
        check_circuits(options, [fractional(), conditional()], [10, 10])


def test_gate_twirling_is_refused_for_circuits_with_fractional_gates_alone() -> None:
    options = {"twirling": {"enable_gates": True}}
    check_circuits(options, [measured_twice()], [10])
    check_circuits({"twirling": {"enable_measure": True}}, [fractional()], [10])
    message = r"'twirling\.enable_gates' must be False .*\(rzz\), got True: .*leave it out, or give"
    with pytest.raises(ValueError, match=message):
        check_circuits(options, [fractional()], [10])


def test_gate_twirling_is_refused_for_gates_inside_of_conditions_that_it_would_twirl() -> None:
    options = {"twirling": {"enable_gates": True}}
    check_circuits(options, [conditional()], [10])
    circuit = conditional()
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.cz(0, 1)
    check_circuits({"twirling": {"enable_measure": True}}, [circuit], [10])
    message = r"'twirling\.enable_gates' must be False .*inside of conditions \(cz\), got True"
    with pytest.raises(ValueError, match=message) as caught:
        check_circuits(options, [conditional(), circuit], [10, 10])
    assert "\n" not in str(caught.value)


def test_fractional_gates_inside_of_conditions_are_seen() -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(0.3, 0)
    with pytest.raises(ValueError, match=r"for circuits with fractional gates \(rx\), got True"):
        check_circuits({"twirling": {"enable_gates": True}}, [circuit], [10])


def test_twirling_to_fewer_shots_than_are_asked_for_is_refused() -> None:
    twirling = {"enable_gates": True, "num_randomizations": 3, "shots_per_randomization": 10}
    check_circuits({"twirling": twirling}, [measured_twice()], [30])
    with pytest.raises(ValueError, match="at least the number of shots, 31, got 30"):
        check_circuits({"twirling": twirling}, [measured_twice()], [31])


def test_the_executors_sampler_is_taken_where_it_takes_the_circuits() -> None:
    gates, measurements = (
        {"twirling": {name: True}} for name in ("enable_gates", "enable_measure")
    )
    for options, circuit, name in (
        ({}, conditional(), "executor_sampler.Sampler"),
        (gates, measured_twice(), "executor_sampler.Sampler"),
        (gates, conditional(), "SamplerV2"),
        (measurements, measured_twice(), "SamplerV2"),
        (measurements, fractional(), "executor_sampler.Sampler"),
    ):
        assert sampler_for(options, [circuit]).name == name


def test_without_the_executors_sampler_the_other_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from qiskit_ibm_runtime import SamplerV2

    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime.executor_sampler", None)
    assert preferred_sampler().sampler is SamplerV2
    with pytest.raises(ValueError, match="SamplerV2 has no option 'twirlin'; close names are twir"):
        sampler_options({"twirlin": {}})
    with pytest.raises(ValueError, match=r"does not take option 'twirling\.num_randomizations'"):
        sampler_options({"twirling": {"num_randomizations": 0}})


def test_what_only_the_other_sampler_takes_is_refused_where_a_job_needs_it() -> None:
    options = {"twirling": {"enable_gates": True, "group": "local_pauli"}}
    assert sampler_options(options) == options
    check_circuits(options, [measured_twice()], [10])
    with pytest.raises(ValueError, match=r"SamplerV2 has no option 'twirling\.group'"):
        check_circuits(options, [conditional()], [10])
