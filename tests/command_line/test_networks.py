import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from qrnn_circuits.job_store import JobStore
from qrnn_circuits.training import pretrained_figures, pretrained_names

Qrnn = Callable[..., Result]

XOR = "pretrained:xor-chip"


def test_a_network_of_the_package_is_evaluated_sampled_inspected_and_run(qrnn: Qrnn) -> None:
    figures = json.loads(qrnn("evaluate", XOR, "--json").stdout)
    assert figures == pytest.approx(pretrained_figures("xor-chip")["figures"], abs=1e-6)
    assert len(qrnn("sample", XOR, "--count", "2").stdout.split("\n\n")) == 2
    inspected = json.loads(qrnn("inspect", XOR, "--json").stdout)
    assert inspected["realisations"]
    report = json.loads(qrnn("run", XOR, "--steps", "6", "--sequences", "2", "--json").stdout)
    assert report["circuits"]


@pytest.mark.parametrize("command", ["evaluate", "sample", "inspect", "run"])
def test_a_name_of_the_package_without_its_prefix_is_refused_by_the_whole_name(
    qrnn: Qrnn, command: str
) -> None:
    result = qrnn(command, "xor-chip")
    assert result.exit_code == 2
    assert result.stderr.endswith("that comes with the package is pretrained:xor-chip\n")


def test_a_job_remembers_the_name_of_the_network(
    qrnn: Qrnn, store: JobStore, no_account: None
) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    options = [
        "--backend",
        "fake_manila",
        "--shots",
        "20",
        "--steps",
        "2",
        "--sequences",
        "1",
        "--json",
    ]
    result = qrnn("submit", XOR, *options)
    assert result.exit_code == 0, result.output
    assert store.records()[0].context["folder"] == XOR


@pytest.mark.parametrize("command", ["evaluate", "sample", "inspect", "run"])
def test_an_unknown_name_is_one_line_with_the_known_ones(qrnn: Qrnn, command: str) -> None:
    result = qrnn(command, "pretrained:nothing")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert all(name in line for name in pretrained_names())


def test_there_is_no_other_checkpoint(qrnn: Qrnn) -> None:
    result = qrnn("evaluate", XOR, "--checkpoint", "last")
    assert result.exit_code == 2
    assert "checkpoint must be best for pretrained:xor-chip" in result.stderr


def test_digits_that_are_not_here_are_asked_for_and_the_network_is_inspected(qrnn: Qrnn) -> None:
    name = "pretrained:mnist01"
    for command in ("evaluate", "sample"):
        result = qrnn(command, name)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert "QRNN_DATA_DIR" in line
        assert "--data FOLDER" in line
    assert qrnn("inspect", name, "--realisation", "multiplexed", "--json").exit_code == 0
