import argparse
import re
import runpy
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
import typer
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from qrnn_circuits.cells import CELLS
from qrnn_circuits.circuits.realisations import REALISATIONS
from qrnn_circuits.command_line import app
from qrnn_circuits.command_line.program import COMMANDS, load_command
from qrnn_circuits.forecaster import LAYERS
from qrnn_circuits.tasks import TASKS
from qrnn_circuits.training import RunConfig, Trainer
from tests.rvqe import checkpoint

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_LINKS = [*DOCUMENTS, *sorted({*ROOT.glob("*.md")} - {*DOCUMENTS})]


def name_of(value: Path | str | list[str]) -> str:
    """The name of a test's parameter."""
    if isinstance(value, Path):
        return value.relative_to(ROOT).as_posix()
    return value if isinstance(value, str) else " ".join(value)[:60]


def trained_run() -> None:
    """The run that a reader has trained by a command of the document."""
    settings = {"workspace": 2, "degree": 1, "steps": 1, "task_options": {"length": 4}}
    Trainer.start(RunConfig.resolve("xor", settings, recipe="none"), Path("runs/xor")).run()


def published_checkpoint() -> None:
    """A file as the published code writes it."""
    torch.save(checkpoint(1), "checkpoint.tar")


PREPARED = {"first_network.md": trained_run, "pretrained.md": published_checkpoint}
"""What a reader of a document has before its Python blocks."""


@pytest.mark.filterwarnings("default")  # as for a reader
@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_the_python_code_of_a_document_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block after block in one namespace, in an empty folder, with an empty store of jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QRNN_JOBS", str(tmp_path / "jobs.sqlite"))
    # What a document registers, no other test finds.
    for registry in (CELLS, LAYERS, REALISATIONS, TASKS):
        monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    if path.name in PREPARED:
        PREPARED[path.name]()
    # Where a document puts `<!--- skip: next -->`, the next block is not for tests.
    document = Sybil([PythonCodeBlockParser(), SkipParser()]).parse(path)

    for example in document.examples():
        example.evaluate()


def files_to_write() -> Iterator[tuple[str, str, str]]:
    """Every block that a document has its reader put into a file: document, module and code."""
    named = r"In a file `(\w+)\.py`:\n\n```python\n(.*?)^```$"
    for path in DOCUMENTS:
        for module, code in re.findall(named, path.read_text(), re.MULTILINE | re.DOTALL):
            yield name_of(path), module, code


@pytest.mark.parametrize(("document", "module", "code"), list(files_to_write()), ids=name_of)
def test_a_file_that_a_document_has_written_stands_alone(
    document: str, module: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for registry in (CELLS, LAYERS, REALISATIONS, TASKS):
        monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    Path(f"{module}.py").write_text(code)
    found = runpy.run_path(f"{module}.py", run_name=module)
    classes = re.findall(rf"\b{module}:(\w+)", (ROOT / document).read_text())
    assert classes
    assert set(classes) <= found.keys()
    # Nothing is trained while a module is imported.
    assert [path.name for path in tmp_path.iterdir()] == [f"{module}.py"]


def shell_commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of a block without a language, with the name of its document."""
    for path in DOCUMENTS:
        for language, block in re.findall(
            r"^```(\w*)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL
        ):
            if language:
                continue
            for line in block.replace("\\\n", " ").splitlines():
                words = line.removeprefix("$ ").split(" #")[0]
                if words.startswith(("qrnn ", "make ", "python ", "torchrun ")):
                    yield name_of(path), shlex.split(words)


@pytest.mark.parametrize(("document", "words"), list(shell_commands()), ids=name_of)
def test_the_shell_commands_of_a_document_exist_with_their_options(
    document: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *arguments = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(arguments) <= set(targets)
        return
    if "-m" in arguments:
        place = arguments.index("-m") + 1
        if arguments[place] != "qrnn_circuits":
            check_module(arguments[place], arguments[place + 1 :], monkeypatch)
            return
        arguments = arguments[place + 1 :]
    # Raises a usage error where an option or an argument is not known.
    group = typer.main.get_command(app)
    with group.make_context("qrnn", list(arguments)) as context:
        name, command, rest = group.resolve_command(context, list(arguments))  # type: ignore[attr-defined]
        command.make_context(name, rest, parent=context)


def commands_in_sentences() -> Iterator[tuple[str, list[str]]]:
    """Every command between backticks, with words such as N and DIR in place of values."""
    for path in DOCUMENTS:
        for words in re.findall(r"`((?:qrnn|python -m) [^`]+)`", path.read_text()):
            yield name_of(path), words.replace('"', "").split()


@pytest.mark.parametrize(("document", "words"), list(commands_in_sentences()), ids=name_of)
def test_the_options_of_a_command_in_a_sentence_exist(
    document: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[0] == "python":
        check_module(words[2], words[3:], monkeypatch)
        return
    command = load_command(words[1]) if words[1] in COMMANDS else typer.main.get_command(app)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert options_among(words) <= known


def check_module(module: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that a program exists and knows its options, without running it any further."""

    def parse_args(parser: argparse.ArgumentParser, *_: object) -> None:
        assert options_among(words) <= {*parser._option_string_actions}
        raise SystemExit

    assert find_spec(module)
    if options_among(words):
        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        with pytest.raises(SystemExit):
            import_module(module).main()


def options_among(words: list[str]) -> set[str]:
    """The options that a command line names."""
    return {word.partition("=")[0] for word in words if word.startswith("--")}


def test_the_commands_of_every_kind_are_found() -> None:
    programs = {words[0] for _, words in shell_commands()}
    assert programs >= {"qrnn", "make", "torchrun"}
    assert len(list(shell_commands())) > 20


def headings(path: Path) -> set[str]:
    """The places of a document that a link may name: its headings, as code hosts write them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", WITH_LINKS, ids=name_of)
def test_no_link_of_a_document_is_dead(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        parts = urlsplit(target)
        if parts.scheme:
            # Other hosts cannot be asked from here.
            assert parts.scheme == "https", target
            assert "." in parts.netloc, target
            continue
        linked = path.parent / parts.path if parts.path else path
        assert linked.exists(), f"{target} leads nowhere"
        if parts.fragment:
            assert parts.fragment in headings(linked), f"{target} names no heading"
