"""The report on all experiments: one Markdown page with tables, charts and raw results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from qrnn_circuits.atomic_files import write_atomically
from qrnn_circuits.execution.figure_files import write_figure
from qrnn_circuits.reproduction.charts import draw
from qrnn_circuits.reproduction.experiment import Experiment
from qrnn_circuits.reproduction.results import RunResult, lines_of, read_results
from qrnn_circuits.reproduction.runner import Runs, results_path, stored_runs
from qrnn_circuits.reproduction.tables import (
    Row,
    chosen_text,
    published_text,
    quartiles_text,
    rows_of,
    seeds_text,
    shown,
    standard_error_names,
)

_DOTS_PER_INCH = 100
_DIGITS = 6
_KEPT = ("validation_sampled_error", "validation_error")
_BEGINNING = """\
# The paper, reproduced

Every experiment of J. Bausch, *Recurrent Quantum Neural Networks*, NeurIPS 2020,
[arXiv:2006.14619](https://arxiv.org/abs/2006.14619), and some beyond it, run again. This page and
its pictures are written by `qrnn reproduce --report --markdown FILE` from the raw results, which
lie beside it; nothing in the tables is written by hand.

*Median* and *quartiles* are over the finished seeds; one that never reaches what the figure is
about counts as infinitely large, and a dash says that the median or quartile is among these.
*Chosen* is the figure of the one seed with the smallest sampled
validation error, with its standard error over the test set. *Seeds* are
those finished of those planned. The *test error* is the share of answers whose most probable
symbol is wrong, the *sampled error* what a single measurement gets wrong; both are over the whole
test set. *Time* is the median wall-clock time of a seed, an equal share where several are trained
together, on a machine with two cores that others used too.
"""


@dataclass(frozen=True)
class Page:
    """A page, and what lies beside it.

    Attributes:
        text: Markdown.
        pictures: Name of the file and the figure of each chart.
        copies: Name of the file and the content of each picture that a measurement has left.
        missing: Names of those that measurements have left elsewhere.
        results: The results of each experiment, stripped of what the page does not use.

    Example:
        >>> make_page([], {}, Path("out"), "reproduction").pictures
        {}
    """

    text: str
    pictures: Mapping[str, Any]
    copies: Mapping[str, bytes]
    missing: Sequence[str]
    results: Mapping[str, Sequence[RunResult]]


def make_page(
    experiments: Sequence[Experiment], done: Mapping[str, Runs], out: Path, beside: str
) -> Page:
    """Writes the report on the experiments that have results.

    Args:
        experiments: In the order of the report.
        done: The finished runs of each, by case and seed.
        out: Folder in which measurements have left pictures, or that of a page.
        beside: Name of the folder beside the page for pictures and results.
    """
    kept = {
        each.name: {key: stripped(run, each) for key, run in done[each.name].items()}
        for each in experiments
        if done.get(each.name)
    }
    by_name = {each.name: each for each in experiments}
    parts, pictures, copies, missing = [_BEGINNING], {}, {}, []
    for experiment in experiments:
        if experiment.name not in kept:
            continue
        names = []
        for number, settings in enumerate(experiment.charts):
            others = [name for name in settings.beside if name in kept]
            shown_names = [experiment.name, *others]
            drawn = draw(settings, [(by_name[name], kept[name]) for name in shown_names])
            if drawn is not None:
                name = f"{experiment.name}-{number + 1}.png"
                pictures[name] = drawn
                names.append(f"![{settings.y_label}]({beside}/{name})")
        measured = {case for case, _ in kept[experiment.name]}
        for name, (case, content) in _left_pictures(experiment, out).items():
            if content is not None:
                copies[name] = content
                names.append(f"![{case}]({beside}/{name})")
            elif case in measured:
                missing.append(name)
        parts.append(_section(experiment, kept[experiment.name], names, beside))
    results = {name: [runs[key] for key in sorted(runs)] for name, runs in kept.items()}
    return Page("\n".join(parts), pictures, copies, missing, results)


def _left_pictures(experiment: Experiment, out: Path) -> dict[str, tuple[str, bytes | None]]:
    """Case and content, if it is there, of each picture of measurements, by name in the page."""
    found: dict[str, tuple[str, bytes | None]] = {}
    for case in experiment.cases:
        for picture in experiment.pictures:
            name = f"{experiment.name}-{case.name}-{picture}".replace(",", "").replace(" ", "-")
            paths = [*sorted((out / experiment.name / case.name).glob(f"seed-*/{picture}"))]
            there = next((path for path in (*paths, out / name) if path.is_file()), None)
            found[name] = case.name, None if there is None else there.read_bytes()
    return found


def write_report(experiments: Sequence[Experiment], out: Path, file: Path) -> Sequence[str]:
    """Writes the report, and beside it a folder with its pictures and raw results.

    Args:
        experiments: In the order of the report.
        out: Folder of the results.
        file: The page, such as ``reproduction.md``; the folder is ``reproduction`` then.

    Returns:
        Names of the pictures of measurements that the page lacks, since they are not in ``out``.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If a result is not acceptable or there is none, the file does not end in
            ``.md``, or the rounded results would take the place of those in ``out``.
    """
    if file.suffix != ".md":
        raise ValueError(f"markdown must be a file that ends in .md, got {file}")
    done = {each.name: stored_runs(each, out) for each in experiments}
    if not any(done.values()):
        raise ValueError(
            f"out must be a folder with results of {', '.join(done)}, but {out} has none, and the "
            f"page {file} would be empty: name another folder, or run the experiments first"
        )
    page = make_page(experiments, done, out, file.stem)
    folder = file.with_suffix("")
    if folder.resolve() == out.resolve():
        for name, runs in page.results.items():
            if read_results(results_path(out, name)) != runs:
                raise ValueError(
                    f"markdown must have another name than the folder {out} of the results, whose "
                    f"place their rounded copies would take, got {file}"
                )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file, page.text.encode())
    for name, drawn in page.pictures.items():
        write_figure(drawn, folder / name, dpi=_DOTS_PER_INCH, metadata={"Software": None})
    for name, content in page.copies.items():
        write_atomically(folder / name, content)
    for name, runs in page.results.items():
        write_atomically(folder / f"{name}.jsonl", lines_of(runs))
    return page.missing


def stripped(run: RunResult, experiment: Experiment) -> RunResult:
    """A result without what the report does not use, its numbers rounded to six digits.

    Args:
        run: The result.
        experiment: Of the run.

    Example:
        >>> from qrnn_circuits.reproduction.experiment_files import read_experiment
        >>> run = RunResult("dna", "length=5", 0, {}, {"test_error": 1 / 3, "reason": "stop_loss"})
        >>> stripped(run, read_experiment("dna")).figures
        {'test_error': 0.333333}
    """
    names = {quantity.name for quantity in experiment.quantities} | set(_KEPT)
    names |= {error for name in names for error in standard_error_names(name)}
    for settings in experiment.charts:
        names |= {settings.quantity, settings.x}
    figures = {name: _rounded(value) for name, value in run.figures.items() if name in names}
    return replace(run, figures=figures)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def _section(experiment: Experiment, runs: Runs, pictures: Sequence[str], beside: str) -> str:
    seconds = [run.seconds for run in runs.values() if run.seconds is not None]
    spent = timedelta(seconds=round(sum(seconds)))
    told = f"{len(runs)} of {experiment.runs} runs are finished"
    if seconds:
        told += f"; {len(seconds)} of them, which were not interrupted, took {spent} of one core"
    diverged = sum(run.diverged for run in runs.values())
    if diverged:
        told += f"; {diverged} diverged"
    lines = [
        f"## {experiment.title}",
        "",
        experiment.question,
        "",
        f"All cases: `{_set_up(experiment)}`.",
        "",
        *_table(list(rows_of(experiment, runs))),
        "",
        *(line for picture in pictures for line in (picture, "")),
    ]
    sources = dict.fromkeys(f"{each.source}{_note(each.note)}" for each in experiment.published)
    if sources:
        lines += [f"Published: {'; '.join(sources)}.", ""]
    if experiment.remarks:
        lines += [experiment.remarks, ""]
    lines += [
        f"{told}. By `qrnn reproduce {experiment.name}`, raw results in "
        f"[{experiment.name}.jsonl]({beside}/{experiment.name}.jsonl).",
        "",
    ]
    return "\n".join(lines)


def _note(note: str) -> str:
    return f" ({note})" if note else ""


def _table(rows: Sequence[Row]) -> Iterator[str]:
    rows = [row for row in rows if row.done]
    published = any(row.published is not None for row in rows)
    chosen = any(row.chosen is not None for row in rows)
    heads = ["case", "figure", *(["published"] if published else []), "median", "quartiles"]
    heads += [*(["chosen"] if chosen else []), "seeds", "time [s]"]
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join(['---'] * 2 + ['---:'] * (len(heads) - 2))} |"
    above = ""
    for row in rows:
        same, above = row.case == above, row.case
        cells = ["" if same else row.case, row.quantity.label]
        cells += [published_text(row)] if published else []
        cells += [shown(row.median, row.quantity), quartiles_text(row)]
        cells += [chosen_text(row)] if chosen else []
        seconds = "" if same or row.seconds is None else f"{row.seconds:.3g}"
        cells += ["" if same and row.reached == row.done else seeds_text(row), seconds]
        yield f"| {' | '.join(cells)} |"


def _set_up(experiment: Experiment) -> str:
    """The settings that all cases have."""
    first, *others = (case.settings for case in experiment.cases)
    common = {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }
    return ", ".join(f"{name} {value}" for name, value in _flat(common))


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value
