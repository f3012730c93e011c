"""Options of Qiskit Runtime's samplers, under their own names."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from itertools import chain
from math import ceil, inf
from typing import TYPE_CHECKING, Any

from qrnn_backends.ibm.sampler import (
    SamplerKind,
    preferred_sampler,
    sampler_for,
    server_side_sampler,
)
from qrnn_backends.qiskit_common.instructions import instructions

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# IBM's gates for any angle, which a chip has if it is opened with use_fractional_gates.
_FRACTIONAL = {"rx", "rzz"}
_ROUNDING = 1e-9


def sampler_options(
    options: Any,  # noqa: ANN401
    mitigation: str | None = None,
) -> dict[str, Any]:
    """Checks options for the sampler.

    Args:
        options: None; a mapping, with nested mappings or Qiskit's objects for groups: for example
            ``{"dynamical_decoupling": {"enable": True}, "twirling": {"enable_gates": True}}``; or
            the options of ``qiskit_ibm_runtime.executor_sampler.Sampler`` or of ``SamplerV2`` as
            objects.
        mitigation: Of readout errors, by the device.

    Returns:
        The options as dictionaries, with the values that Qiskit makes of those given.

    Raises:
        ImportError: If qiskit-ibm-runtime is not installed.
        TypeError: If ``options`` is none of these.
        ValueError: If there is no option of a name, a value is not acceptable, a time is of less
            than a second or negative, results would not be bits, shots would not start from 0, or
            measurements are twirled, but to be mitigated.
    """
    if options is None:
        return {}
    kind = preferred_sampler()
    if not isinstance(options, Mapping):
        for known in (kind, server_side_sampler()):
            if isinstance(options, known.options):
                options = _changed(options, known.options())
                break
        else:
            raise TypeError(
                "options must be a dictionary or options of Qiskit Runtime's sampler, got "
                f"{options!r}"
            )
    accepted = check_accepted(_with_mappings(options), kind)
    _check_times(accepted)
    if "simulator" in accepted:
        raise ValueError("options must not hold 'simulator': the device's noise and seed decide")
    if accepted.get("execution", {}).get("meas_type", "classified") != "classified":
        raise ValueError(
            "execution.meas_type must be 'classified', got "
            f"{accepted['execution']['meas_type']!r}: the device reads bits"
        )
    if not accepted.get("execution", {}).get("init_qubits", True):
        raise ValueError(
            "option 'execution.init_qubits' must be True: wires are 0 where a circuit starts, and "
            "without it they are what the shot before has left"
        )
    if mitigation is not None and accepted.get("twirling", {}).get("enable_measure"):
        raise ValueError(
            f"mitigation must be None with twirling.enable_measure, got {mitigation!r}: the chip's "
            "calibration data are of measurements that are not twirled"
        )
    return accepted


def with_time_limit(
    options: Mapping[str, Any], max_usage: float | None, share: float
) -> dict[str, Any]:
    """Options by which the service stops a job, unless they say when already.

    Args:
        options: Of the sampler.
        max_usage: Seconds that a batch may take; None for any.
        share: Of the job in the batch.
    """
    if max_usage is None or any(_time_limits(options).values()):
        return dict(options)
    return dict(options) | {"max_execution_time": max(1, ceil(max_usage * share))}


def _time_limits(options: Mapping[str, Any]) -> dict[str, int | None]:
    """What the options say of when the service stops a job, by their names."""
    return {
        "max_execution_time": options.get("max_execution_time"),
        "environment.max_execution_time": options.get("environment", {}).get("max_execution_time"),
    }


def _check_times(options: Mapping[str, Any]) -> None:
    for name, limit in _time_limits(options).items():
        if limit is not None and limit < 1:
            raise ValueError(
                f"option {name!r} must be at least 1 second, got {limit}: Qiskit Runtime would not "
                "send it, and the job would have no limit; leave it out for none"
            )
    delay = repetition_delay(options)
    if delay is not None and not 0 <= delay < inf:
        raise ValueError(
            f"option 'execution.rep_delay' must be a number of seconds from 0 on, got {delay}"
        )


def repetition_delay(options: Mapping[str, Any]) -> float | None:
    """Seconds between one shot and the next, if the options say how many."""
    delay: float | None = options.get("execution", {}).get("rep_delay")
    return delay


def check_repetition_delay(options: Mapping[str, Any], backend: Any) -> None:  # noqa: ANN401
    """Refuses a delay between shots that a chip fails to run, once the job has waited.

    Args:
        options: Of the sampler.
        backend: Qiskit Runtime's backend.

    Raises:
        ValueError: If the delay is out of the chip's range, or the chip has one delay only.
    """
    delay = repetition_delay(options)
    if delay is None:
        return
    chip = backend.configuration()
    if not getattr(chip, "dynamic_reprate_enabled", False):
        raise ValueError(
            f"option 'execution.rep_delay' must be left out on {backend.name}, which has one delay "
            f"only, got {delay}"
        )
    least, most = getattr(chip, "rep_delay_range", None) or (0.0, inf)
    # Qiskit has it from microseconds, with rounding.
    if not least * (1 - _ROUNDING) <= delay <= most * (1 + _ROUNDING):
        raise ValueError(
            f"option 'execution.rep_delay' must be from {least:g} to {most:g} seconds on "
            f"{backend.name}, got {delay}"
        )


def executed_shots(options: Mapping[str, Any], shots: int) -> int:
    """How often a circuit of some shots is run.

    With twirling that is the product of ``twirling.num_randomizations`` and
    ``twirling.shots_per_randomization``; shots that were not asked for are dropped.
    """
    twirling = options.get("twirling", {})
    if not (twirling.get("enable_gates") or twirling.get("enable_measure")):
        return shots
    randomizations = twirling.get("num_randomizations", "auto")
    each = twirling.get("shots_per_randomization", "auto")
    if each == "auto" and randomizations == "auto":
        each = max(64, ceil(shots / 32))
    elif each == "auto":
        each = ceil(shots / randomizations)
    if randomizations == "auto":
        randomizations = ceil(shots / each)
    return int(randomizations * each)


def check_circuits(
    options: Mapping[str, Any], circuits: "Sequence[QuantumCircuit]", shots: Sequence[int]
) -> None:
    """Refuses options that the service refuses with some circuits.

    Args:
        options: Of the sampler.
        circuits: Of a job, on the chip's qubits.
        shots: Of these circuits.

    Raises:
        ValueError: If decoupling is enabled for circuits with conditions, or gate twirling for
            circuits with fractional gates or with two-qubit gates inside of conditions; if twirling
            runs fewer shots than are asked for; or if the circuits need a sampler that has no
            option of a name.
    """
    found = list(chain.from_iterable(map(instructions, circuits)))
    names = {instruction.name for instruction, _ in found}
    if options.get("dynamical_decoupling", {}).get("enable") and "if_else" in names:
        raise ValueError(
            "option 'dynamical_decoupling.enable' must be False for circuits with conditions, got "
            "True: the service refuses both together; leave it out, or use circuits without "
            "conditions, such as those of the realisations 'postselect', 'amplified' and "
            "'multiplexed'"
        )
    twirling = options.get("twirling", {})
    conditioned = {
        instruction.name
        for instruction, inside in found
        if inside and len(instruction.qubits) > 1 and instruction.name != "barrier"
    }
    if twirling.get("enable_gates") and conditioned:
        raise ValueError(
            "option 'twirling.enable_gates' must be False for circuits with gates on two qubits "
            f"inside of conditions ({', '.join(sorted(conditioned))}), got True: only gates "
            "outside can be twirled; leave it out, or use conditions on gates of one qubit"
        )
    if twirling.get("enable_gates") and (fractional := sorted(_FRACTIONAL & names)):
        raise ValueError(
            "option 'twirling.enable_gates' must be False for circuits with fractional gates "
            f"({', '.join(fractional)}), got True: the service refuses both together; leave it "
            "out, or give a backend that was opened without use_fractional_gates"
        )
    for asked in sorted(set(shots), reverse=True):
        if (run := executed_shots(options, asked)) < asked:
            raise ValueError(
                "options 'twirling.num_randomizations' times 'twirling.shots_per_randomization' "
                f"must be at least the number of shots, {asked}, got {run}: leave one of them out"
            )
    check_accepted(options, sampler_for(options, circuits))


def check_accepted(options: Mapping[str, Any], kind: SamplerKind) -> dict[str, Any]:
    """Refuses what a sampler does not take as options.

    Returns:
        The options that are given, with the sampler's values: what it takes for numbers and truth
        values may be text.

    Raises:
        ValueError: If there is no option of a name, or a value is not acceptable.
    """
    from pydantic import ValidationError

    _check_names(options, kind.options(), "", kind)
    try:
        accepted = kind.options(**options)
    except ValidationError as error:
        raise ValueError(_in_one_line(error, kind)) from None
    return _given(options, accepted)


def _in_one_line(error: Any, kind: SamplerKind) -> str:  # noqa: ANN401
    """What is wrong with options, for each of them what is accepted."""
    reasons: dict[str, list[str]] = {}
    for entry in error.errors(include_url=False):
        path, accepted = [], kind.options()
        for name in map(str, entry["loc"]):
            # What follows names the alternatives of a type.
            if name in _names(accepted):
                path.append(name)
                accepted = getattr(accepted, name)
        text = " ".join(f"{entry['msg']}, got {entry['input']!r}".split())
        reasons.setdefault(".".join(path), []).append(text)
    return "; ".join(
        f"{kind.name} does not take option {path!r}: {' or '.join(dict.fromkeys(texts))}"
        for path, texts in reasons.items()
    )


def _check_names(
    options: Mapping[str, Any],
    accepted: Any,  # noqa: ANN401
    group: str,
    kind: SamplerKind,
) -> None:
    """Checks names by the fields of Qiskit's own classes."""
    names = _names(accepted)
    for name, value in options.items():
        if name not in names:
            near = get_close_matches(str(name), names, n=3)
            raise ValueError(
                f"{kind.name} has no option {f'{group}{name}'!r}; "
                + ("close names are " if near else "there are ")
                + ", ".join(group + near_name for near_name in near or names)
            )
        inner = getattr(accepted, name)
        if _names(inner):
            if not isinstance(value, Mapping):
                raise ValueError(f"option {group + name!r} must be a dictionary, got {value!r}")
            _check_names(value, inner, f"{group}{name}.", kind)


def _changed(options: Any, default: Any) -> dict[str, Any]:  # noqa: ANN401
    """What differs from the defaults."""
    found = {}
    for name in _names(default):
        value, usual = getattr(options, name), getattr(default, name)
        if value != usual:
            found[name] = _changed(value, usual) if _names(usual) else value
    return found


def _with_mappings(options: Mapping[Any, Any]) -> dict[Any, Any]:
    """The same with mappings in place of objects for groups."""
    return {
        name: _changed(value, type(value)()) if _names(value) else value
        for name, value in options.items()
    }


def _given(options: Mapping[str, Any], accepted: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a sampler's options have under the names that are given."""
    found = {}
    for name, value in options.items():
        inner = getattr(accepted, name)
        found[name] = _given(value, inner) if _names(inner) else inner
    return found


def _names(group: Any) -> list[str]:  # noqa: ANN401
    """Names of the options in a group, of either sampler; none for what is no group."""
    if hasattr(type(group), "model_fields"):
        return list(type(group).model_fields)
    if is_dataclass(group) and not isinstance(group, type):
        return [field.name for field in fields(group) if not field.name.startswith("_")]
    return []
