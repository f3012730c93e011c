import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from qrnn_circuits.job_store import JobStore

Qrnn = Callable[..., Result]

# 6 wires.
TOO_WIDE = (
    *("--device", "qrnn.aer", "--shots", 9999, "--steps", 2),
    *("--realisation", "amplified,length=3"),
)

MITIGATED = ("--mitigation", "m3", "--shots", 999, "--steps", 2)
CONDITIONS = (
    *("--device", "qrnn.aer", "--noise", "fake_fez"),
    *("--realisation", "repeat_until_success,attempts=2"),
)


def test_without_shots_the_answers_are_those_of_the_network(qrnn: Qrnn, trained: Path) -> None:
    result = qrnn("run", trained, "--device", "qrnn.torch", "--sequences", 3, "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["device"] == "qrnn.torch"
    assert figures["realisation"] == "multiplexed"
    assert figures["distance"] < 1e-9
    assert figures["accuracy"] == figures["exact_accuracy"]
    assert figures["seconds"] > 0
    assert [circuit["step"] for circuit in figures["circuits"]] == 3 * [1, 4]


def test_by_default_ten_sequences_are_run(qrnn: Qrnn, trained: Path) -> None:
    result = qrnn("run", trained, "--steps", 2, "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    rows = [circuit["sequence"] for circuit in figures["circuits"]]
    assert (figures["sequences"], len(rows), rows[0], rows[-1]) == (10, 10, 0, 1023)
    assert figures["accuracy_error"] > 0
    assert figures["sampled_accuracy"] == pytest.approx(figures["exact_sampled_accuracy"])
    text = qrnn("run", trained, "--steps", 2).stdout
    assert f"accuracy      {figures['accuracy']:.1%} ± {figures['accuracy_error']:.1%} of" in text


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer", "default.qubit"])
def test_with_shots_the_distance_stands_beside_the_noise(
    qrnn: Qrnn, trained: Path, device: str
) -> None:
    options = ("--shots", 3000, "--steps", 2, "--seed", 1, "--sequences", 1)
    result = qrnn("run", trained, "--device", device, *options, "--json")
    assert result.exit_code == 0, result.stderr
    (circuit,) = json.loads(result.stdout)["circuits"]
    assert 0 < circuit["distance"] < 3 * circuit["expected_noise"]
    assert abs(circuit["share_deviation"]) < 4
    assert circuit["kept"] < circuit["shots"] == 3000


def test_what_makes_answers_worthless_is_told_after_a_run_with_shots(
    qrnn: Qrnn, trained: Path
) -> None:
    arguments = ("run", trained, "--shots", 60, "--steps", 2, "--seed", 1)
    figures = json.loads(qrnn(*arguments, "--json").stdout)
    found = figures["findings"]
    # The network was hardly trained.
    assert found["guessing"] >= 0.5
    assert found["fewest_kept"] == min(circuit["kept"] for circuit in figures["circuits"])
    assert any(text.startswith("The accuracy of ") for text in found["texts"])
    words = " ".join(qrnn(*arguments).stdout.split())
    assert "single shots" in words
    for text in found["texts"]:
        assert text in words
    exact = json.loads(qrnn("run", trained, "--steps", 2, "--json").stdout)
    assert exact["findings"] is None


def test_a_seed_repeats_the_shots(qrnn: Qrnn, trained: Path) -> None:
    options = ("--device", "qrnn.torch", "--shots", 500, "--steps", 2, "--json")
    first, again, other = (
        json.loads(qrnn("run", trained, *options, "--seed", seed).stdout)["circuits"]
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("realisation", ["repeat_until_success,attempts=1", "amplified,length=3"])
def test_the_realisation_can_be_chosen(qrnn: Qrnn, trained: Path, realisation: str) -> None:
    result = qrnn("run", trained, "--realisation", realisation, "--steps", 2, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["realisation"] == realisation


def test_a_tolerance_moves_results_within_the_reported_bound(qrnn: Qrnn, trained: Path) -> None:
    result = qrnn("run", trained, "--tolerance", "0.03", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["tolerance"] == 0.03
    for circuit in figures["circuits"]:
        assert 0 < circuit["distance"] <= circuit["distribution_bound"]


def test_inputs_in_the_angles_give_the_exact_distributions(qrnn: Qrnn, trained: Path) -> None:
    result = qrnn("run", trained, "--encoding", "angles", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["encoding"] == "angles"
    assert figures["distance"] < 1e-9


def test_the_table_and_the_chart_are_for_people(qrnn: Qrnn, trained: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    result = qrnn("run", trained, "--device", "qrnn.torch", "--chart", chart)
    assert result.exit_code == 0, result.stderr
    assert "xor on qrnn.torch: multiplexed, 4 wires, exact" in result.stdout
    assert "wall time " in result.stdout
    assert "<svg" in chart.read_text()


def test_a_job_of_a_service_is_recorded_and_fetched(
    qrnn: Qrnn, trained: Path, store: JobStore
) -> None:
    options = ("--device", "qrnn.ibm", "--backend", "fake_manila", "--shots", 100, "--steps", 2)
    result = qrnn("run", trained, *options, "--sequences", 1, "--json")
    assert result.exit_code == 0, result.stderr
    (record,) = store.records()
    usage, waiting = result.stderr.splitlines()
    assert usage.startswith("usage    about ")
    assert f"qrnn results {record.id}" in waiting
    assert json.loads(result.stdout)["device"] == "qrnn.ibm (backend fake_manila)"
    again = json.loads(qrnn("results", record.id, "--json").stdout)
    assert again["circuits"] == json.loads(result.stdout)["circuits"]


def test_mitigation_is_applied_and_reported(qrnn: Qrnn, trained: Path) -> None:
    options = ("--device", "qrnn.aer", "--noise", "fake_manila", "--shots", 1000, "--steps", 2)
    seeded = (*options, "--sequences", 1, "--seed", 1)
    raw, mitigated = (
        json.loads(qrnn("run", trained, *seeded, *more, "--json").stdout)
        for more in ((), ("--mitigation", "m3"))
    )
    assert (raw["mitigation"], mitigated["mitigation"]) == (None, "m3")
    # The same shots, kept as they were read, and another distribution.
    assert mitigated["kept_share"] == raw["kept_share"] < 1
    (before,), (after,) = raw["circuits"], mitigated["circuits"]
    assert after["distribution"] != pytest.approx(before["distribution"], abs=1e-3)
    assert sum(after["distribution"]) == pytest.approx(1)
    result = qrnn("run", trained, *seeded, "--mitigation", "m3")
    assert "1,000 shots, mitigation m3" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "exit_code", "expected"),
    [
        (("--device", "qrnn.tourch"), 2, "close names are qrnn.torch"),
        (("--device", "default.qubit", "--backend", "ibm_fez"), 2, "takes no --backend"),
        (("--realisation", "postselect"), 2, "choose from ['multiplexed', "),
        (("--realisation", "fastest"), 2, "realisation must be one of "),
        (("--sequences", 2000), 2, "sequences must be from 1 to 1024, got 2000"),
        (("--steps", 1), 2, "steps must be at least 2, got 1"),
        (("--shots", 1), 2, "shots would keep about 100"),
        (("--chart", "chart.doc"), 2, "a chart must end in one of"),
        (("--device", "qrnn.ibm", "--backend", "fake_manila"), 1, "shots must be given on qrnn.ib"),
        ((*MITIGATED, "--device", "qrnn.torch"), 2, "'qrnn.torch' takes no --mitigation, got 'm3'"),
        ((*MITIGATED, "--device", "default.qubit"), 2, "takes no --mitigation, got 'm3'"),
        (
            (*MITIGATED, "--device", "qrnn.aer"),
            2,
            "mitigation must be None without noise, got 'm3'",
        ),
        ((*MITIGATED, *CONDITIONS), 1, "mitigation must be None for circuits with conditions"),
        (("--mitigation", "m3"), 2, "mitigation must be None without shots, got 'm3'"),
        (
            ("--device", "qrnn.aer", "--noise", "fake_fez", *MITIGATED, "--mitigation", "m4"),
            2,
            "mitigation must be one of m3, or module:attribute, got 'm4'",
        ),
        (
            (*TOO_WIDE, "--noise", "fake_manila"),
            2,
            "has 5 qubits, the circuit needs 6 with the realisation 'amplified'; realisations that "
            "fit there: multiplexed, repeat_until_success",
        ),
        (("--device", "default.gaussian"), 1, "not allowed on the device"),
    ],
)
def test_a_mistake_is_one_line(
    qrnn: Qrnn,
    trained: Path,
    store: JobStore,
    arguments: tuple[str | int, ...],
    exit_code: int,
    expected: str,
) -> None:
    result = qrnn("run", trained, *arguments)
    assert result.exit_code == exit_code
    assert expected in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert store.records() == []


def test_a_folder_without_a_run_is_a_usage_error(qrnn: Qrnn, tmp_path: Path) -> None:
    result = qrnn("run", tmp_path / "absent")
    assert result.exit_code == 2
    assert "there is no run in" in result.stderr
