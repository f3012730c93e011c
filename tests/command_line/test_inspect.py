import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import Result

from qrnn_circuits.execution.verdict import Category
from qrnn_circuits.tasks import Xor
from qrnn_circuits.tasks.xor import MARKER
from tests.running import TRAIN

Qrnn = Callable[..., Result]


@pytest.fixture
def run(qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path) -> Path:
    options = (*tiny, "--degree", "1", "--order", "1", "--semantics", "unitary")
    assert qrnn(*TRAIN, *options, "--out", tmp_path / "run").exit_code == 0
    return tmp_path / "run"


def test_json_is_one_object_with_all_realisations_of_the_semantics(qrnn: Qrnn, run: Path) -> None:
    result = qrnn("inspect", run, "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert [entry["realisation"] for entry in figures["realisations"]] == [
        "multiplexed",
        "repeat_until_success",
        "amplified",
    ]
    assert figures["target"] is None


def test_the_name_of_a_column_is_broken_between_its_words(qrnn: Qrnn, run: Path) -> None:
    result = qrnn("inspect", run, "--realisation", "all")
    assert result.exit_code == 0, result.stderr
    assert {"repeat_", "until_", "success"} <= {*result.stdout.partition("qubits")[0].split()}


def test_realisations_take_options_and_all_are_all_of_both_semantics(qrnn: Qrnn, run: Path) -> None:
    result = qrnn("inspect", run, "--json", "--realisation", "amplified,length=3")
    assert result.exit_code == 0, result.stderr
    (entry,) = json.loads(result.stdout)["realisations"]
    assert entry["realisation"] == "amplified,length=3"
    assert entry["error"] == pytest.approx(4.4e-2, rel=0.02)
    result = qrnn("inspect", run, "--json", "--realisation", "all")
    entries = json.loads(result.stdout)["realisations"]
    assert [entry["semantics"] for entry in entries] == ["postselected"] + 3 * ["unitary"]
    named = ("--realisation", "amplified,length=3", "--realisation", "multiplexed")
    result = qrnn("inspect", run, "--json", *named, "--realisation", "all")
    names = [entry["realisation"] for entry in json.loads(result.stdout)["realisations"]]
    all_ = {entry["realisation"] for entry in entries}
    assert names[:2] == ["amplified,length=3", "multiplexed"]
    assert len(names) == 5
    assert all_ < {*names}


def test_a_table_shows_counts_before_and_after_transpilation(qrnn: Qrnn, run: Path) -> None:
    arguments = ("inspect", run, "--realisation", "multiplexed", "--backend", "fake_fez")
    result = qrnn(*arguments)
    assert result.exit_code == 0, result.stderr
    (entry,) = json.loads(qrnn(*arguments, "--json").stdout)["realisations"]
    before, after = (entry[key]["two_qubit_gates"] for key in ("resources", "transpiled"))
    assert f"{before:,} -> {after:,}" in result.stdout
    assert "fidelity, about" in result.stdout
    assert "input stage" in result.stdout


def test_what_is_not_transpiled_for_its_many_gates_is_told_with_how_to_ask_for_it(
    qrnn: Qrnn, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["qrnn_circuits.command_line.inspect"], "_MOST_GATES", 0)
    result = qrnn("inspect", run, "--backend", "fake_fez")
    assert result.exit_code == 0, result.stderr
    note = "not transpiled, as it takes minutes for so many gates: --realisation"
    words = " ".join(result.stdout.split())
    assert f"{note} repeat_until_success --realisation amplified does so" in words
    assert words.count(" by stage") == 3
    assert words.count("transpiled with barriers") == 1
    named = qrnn("inspect", run, "--backend", "fake_fez", "--realisation", "amplified,length=3")
    assert note not in " ".join(named.stdout.split())


def test_gate_names_steps_and_outcomes_can_be_chosen(qrnn: Qrnn, run: Path) -> None:
    result = qrnn(
        *("inspect", run, "--realisation", "multiplexed", "--realisation", "postselect"),
        *("--backend", "cx,rz,sx,x", "--inputs", "1,2", "--outcomes", "3", "--json"),
    )
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["inputs"] == [1, 2]
    assert figures["outcomes"] == [3, None]
    assert figures["target"] == "cx, rz, sx, x, all to all"
    assert len(figures["realisations"]) == 2


def test_inputs_in_the_angles_take_fewer_gates(qrnn: Qrnn, run: Path) -> None:
    arguments = ("inspect", run, "--realisation", "multiplexed", "--inputs", "0,1")
    counts = {}
    for encoding in ("lane", "angles"):
        figures = json.loads(qrnn(*arguments, "--encoding", encoding, "--json").stdout)
        assert figures["encoding"] == encoding
        counts[encoding] = figures["realisations"][0]["resources"]["two_qubit_gates"]
    assert counts["angles"] < counts["lane"]
    table = qrnn(*arguments, "--encoding", "angles").stdout
    assert "inputs are in the angles of neurons, not on the lane" in " ".join(table.split())


def test_a_tolerance_drops_gates_and_reports_its_bound(qrnn: Qrnn, run: Path) -> None:
    arguments = ("inspect", run, "--realisation", "multiplexed", "--json")
    (whole,) = json.loads(qrnn(*arguments).stdout)["realisations"]
    figures = json.loads(qrnn(*arguments, "--tolerance", "0.5").stdout)
    (entry,) = figures["realisations"]
    assert figures["tolerance"] == 0.5
    assert whole["distribution_bounds"] == [0]
    assert 0 < entry["distribution_bounds"][0] <= 1
    assert entry["resources"]["two_qubit_gates"] < whole["resources"]["two_qubit_gates"]
    table = qrnn(*arguments[:-1], "--tolerance", "0.5").stdout
    assert "moved by dropping, TVD" in table


def test_a_test_sequence_is_inspected_and_judged_on_a_chip(qrnn: Qrnn, run: Path) -> None:
    arguments = ("inspect", run, "--sequence", 3, "--steps", 4, "--backend", "fake_fez")
    result = qrnn(*arguments, "--realisation", "multiplexed", "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    test = Xor(length=6).test()
    assert figures["sequence"] == 3
    assert figures["inputs"] == test.inputs[3, :2].tolist()
    assert figures["outcomes"] == [MARKER, None]
    (entry,) = figures["realisations"]
    verdict = entry["verdict"]
    assert verdict["category"] in get_args(Category)
    assert verdict["right"] == test.outcomes[3, 1]
    assert verdict["fidelity"] == entry["estimate"]["fidelity"]
    assert verdict["acceptance"] == entry["acceptance"]
    text = qrnn(*arguments, "--realisation", "multiplexed").stdout
    words = " ".join(text.split())
    assert "Verdict on step 1 of test sequence 3" in words
    assert f"multiplexed {verdict['text']}" in words


def test_a_verdict_on_given_inputs_says_so(qrnn: Qrnn, run: Path) -> None:
    arguments = ("inspect", run, "--realisation", "all", "--backend", "fake_fez")
    words = " ".join(qrnn(*arguments).stdout.split())
    assert "Verdict on 1 step(s) with the given inputs, which may be no sequence" in words
    # Postselected neurons do not compute this network.
    assert "postselect works" not in words
    assert "Verdict" not in qrnn("inspect", run).stdout


def test_the_picture_is_written(qrnn: Qrnn, run: Path) -> None:
    path = run / "step.svg"
    result = qrnn("inspect", run, "--realisation", "postselect", "--draw", path)
    assert result.exit_code == 0, result.stderr
    assert "<svg" in path.read_text()
    assert f"The picture of the last step is in {path}." in result.stdout


def test_a_pruned_network_is_told_how_its_circuit_gets_shorter(qrnn: Qrnn, run: Path) -> None:
    note, pruned = "--tolerance 0.05 leaves them out", "pretrained:xor-chip"
    assert note in qrnn("inspect", pruned).stdout
    assert note not in qrnn("inspect", pruned, "--tolerance", "0.05").stdout
    assert note not in qrnn("inspect", run).stdout
    page = run / "page.html"
    qrnn("report", pruned, "--out", page)
    assert note in page.read_text()
    told = qrnn("compare", pruned, "pretrained:xor-chip").stdout
    assert f"A, B: rotations were pruned in training: {note}" in " ".join(told.split())


def test_without_qiskit_the_command_says_how_to_install_it(
    qrnn: Qrnn, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "qiskit", None)
    result = qrnn("inspect", run)
    assert result.exit_code == 2
    assert 'pip install "qrnn-circuits[qiskit]"' in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--backend", "fake_fex"), "there is no backend 'fake_fex'"),
        (("--inputs", "one"), "inputs must be whole numbers from 0 to 3 separated by commas"),
        (("--sequence", "0", "--inputs", "1"), "must be left out with sequence 0"),
        (("--sequence", "1024"), "sequence must be from 0 to 1023, got 1024"),
        (("--steps", "2"), "name one by --sequence"),
        (
            ("--inputs", "4"),
            "inputs must be whole numbers from 0 to 3 separated by commas, got '4'",
        ),
        (("--inputs", ""), "inputs must be whole numbers from 0 to 3 separated by commas, got ''"),
        (("--realisation", "amplified,length=4"), "length must be odd"),
        (("--realisation", "best"), "best"),
        (("--draw", "absent/step.png"), "absent"),
        (("--draw", "step.txt"), "txt"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    qrnn: Qrnn, run: Path, arguments: tuple[str, ...], expected: str
) -> None:
    result = qrnn("inspect", run, *arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""
