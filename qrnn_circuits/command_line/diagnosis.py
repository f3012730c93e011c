"""What an installation has and lacks, found without importing torch, PennyLane or Qiskit."""

import json
import os
import platform
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import qrnn_circuits
from qrnn_circuits.bounded_readers.files import full_path
from qrnn_circuits.job_store import DamagedRecord, JobStatus, JobStore, JobStoreError
from qrnn_circuits.optional_packages import EXTRAS

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_PACKAGE = "qrnn-circuits"
DEVICES = {"qrnn.torch": None, "qrnn.aer": "qiskit", "qrnn.ibm": "qiskit"}
"""The devices of this package, each with the extra that it needs."""
_PLUG_INS = {
    "qrnn_circuits.tasks": "task",
    "qrnn_circuits.cells": "cell",
    "qrnn_circuits.layers": "layer",
    "qrnn_circuits.realisations": "realisation",
    "qrnn_circuits.measurements": "measurement",
    "qrnn_backends.mitigations": "mitigation",
}
"""Groups of the entry points by which other packages add names, and what these stand for."""
_CHANNELS = ("ibm_quantum_platform", "ibm_cloud", "ibm_quantum", "local")
_ACCOUNTS = Path(".qiskit") / "qiskit-ibm.json"
_LARGEST_FILE = 2**20


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis.

    Attributes:
        subject: What was looked at.
        state: What was found.
        way_out: What to do about it, if it is a problem.
    """

    subject: str
    state: str
    way_out: str | None = None


def packages() -> Iterator[Finding]:
    """The versions of Python, of this package and of those that it needs.

    An extra of which no module is installed is no problem, one of which only a part is, is one.
    """
    from packaging.requirements import Requirement

    yield Finding("Python", platform.python_version())
    yield Finding(_PACKAGE, qrnn_circuits.__version__)
    try:
        needed = [Requirement(text) for text in requires(_PACKAGE) or []]
    except PackageNotFoundError:
        yield Finding(_PACKAGE, "not installed", f"pip install {_PACKAGE}")
        return
    for extra in (None, *sorted({*EXTRAS.values()})):
        own = [entry for entry in needed if _is_of(entry, extra)]
        lacking = [entry.name for entry in own if _version(entry.name) is None]
        install = f'pip install "{_PACKAGE}[{extra}]"' if extra else f"pip install {_PACKAGE}"
        if extra and own and not _is_begun(extra):
            yield Finding(", ".join(lacking), f"not installed, optional: {install}")
            continue
        for entry in own:
            found = _version(entry.name)
            if found is None:
                yield Finding(entry.name, "not installed", install)
            elif not entry.specifier.contains(found, prereleases=True):
                yield Finding(entry.name, found, f"must be {entry.specifier}: {install} --upgrade")
            else:
                yield Finding(entry.name, found)


def devices(*, load: bool = False) -> Iterator[Finding]:
    """Whether PennyLane finds the devices of this package, and what they need is installed.

    Args:
        load: Whether to load them as well, which takes seconds.
    """
    known = {point.name for point in entry_points(group="pennylane.plugins")}
    for name, extra in DEVICES.items():
        install = f'"{_PACKAGE}[{extra}]"' if extra else _PACKAGE
        if name not in known:
            way_out = f"pip install --force-reinstall --no-deps {_PACKAGE}"
            yield Finding(name, "unknown to PennyLane", way_out)
        elif extra and not _is_installed(extra):
            yield Finding(name, f"not installed, optional: pip install {install}")
        elif not load:
            yield Finding(name, "installed")
        else:
            yield _loaded(name, install)


def plug_ins(*, load: bool = False) -> Iterator[Finding]:
    """What other packages add by entry points.

    Args:
        load: Whether to import it as well, which may take seconds.
    """
    for group, kind in _PLUG_INS.items():
        for point in entry_points(group=group):
            subject, package = f"{kind} {point.name}", point.dist.name if point.dist else "?"
            if not load:
                yield Finding(subject, f"installed by {package}")
                continue
            try:
                point.load()
            except Exception as error:  # Whatever a broken package raises.
                way_out = f"pip install --force-reinstall {package}, or pip uninstall {package}"
                yield Finding(subject, _failed(error), way_out)
            else:
                yield Finding(subject, f"loads, installed by {package}")


def accounts() -> Iterator[Finding]:
    """Accounts of IBM Quantum by their names, without tokens and instances."""
    subject = "IBM account"
    if os.environ.get("QISKIT_IBM_TOKEN"):
        channel = os.environ.get("QISKIT_IBM_CHANNEL")
        told = _told(channel) if channel else "default channel"
        yield Finding(subject, f"in the environment ({told})")
    path = Path.home() / _ACCOUNTS
    if not path.exists():
        if not os.environ.get("QISKIT_IBM_TOKEN"):
            yield Finding(
                subject,
                "none; chips whose names begin with fake_ need none. Save one by "
                "QiskitRuntimeService.save_account, see docs/guides/ibm.md",
            )
        return
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is no file of accounts")
        saved = json.loads(path.read_text(encoding="utf-8"))
        found = {name: (entry["channel"], bool(entry["token"])) for name, entry in saved.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        way_out = "move it elsewhere, and save the account again by QiskitRuntimeService"
        # What is wrong with it may repeat what is in it.
        yield Finding(subject, f"{path} cannot be read ({type(error).__name__})", way_out)
        return
    for name, (channel, has_token) in found.items():
        state = f"{name} ({_told(channel)}), saved in {path}"
        yield Finding(subject, state, None if has_token else "it has no token: save it again")


def _told(channel: object) -> str:
    """A channel, unless it is something else, such as a token in the wrong place."""
    return str(channel) if channel in _CHANNELS else "unknown channel"


def data() -> Iterator[Finding]:
    """The folder of prepared data."""
    named = os.environ.get("QRNN_DATA_DIR")
    if not named:
        yield Finding("data folder", "none ($QRNN_DATA_DIR): digits are the embedded ones")
        return
    folder = str(full_path(named))
    if not Path(folder).is_dir():
        yield Finding("data folder", folder, "it is no folder: correct or unset QRNN_DATA_DIR")
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield Finding("data folder", folder, "it cannot be read: change its permissions")
    else:
        yield Finding("data folder", folder)


def jobs() -> Iterator[Finding]:
    """The file of recorded jobs, and how many of them wait or are damaged."""
    store = JobStore()
    try:
        entries = store.entries()
    except JobStoreError as error:
        yield Finding("jobs", "cannot be read", str(error))
        return
    open_states = (JobStatus.RECORDED, JobStatus.SUBMITTED)
    damaged = sum(isinstance(entry, DamagedRecord) for entry in entries)
    waiting = sum(
        not isinstance(entry, DamagedRecord) and entry.status in open_states for entry in entries
    )
    state = f"{len(entries)} in {store.path}, {waiting} without results yet"
    folder = next(parent for parent in store.path.absolute().parents if parent.exists())
    place = store.path if store.path.exists() else folder
    if damaged:
        way_out = f"damaged are {damaged}: `qrnn jobs` says which; submit them again"
        yield Finding("jobs", state, way_out)
    elif not os.access(place, os.W_OK):
        way_out = f"{place} cannot be written: change its permissions, or set QRNN_JOBS"
        yield Finding("jobs", state, way_out)
    elif os.name == "posix" and store.path.exists() and store.path.stat().st_mode & 0o007:
        way_out = f"everybody can read it: chmod 600 {shlex.quote(str(store.path))}"
        yield Finding("jobs", state, way_out)
    else:
        yield Finding("jobs", state)


def threads() -> Iterator[Finding]:
    """How many processor cores and threads computations get."""
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        text = os.environ.get(variable)
        if text is not None and not (text.isdecimal() and int(text) > 0):
            way_out = f"{variable} must be a positive number: correct or unset it"
            yield Finding("threads", f"{variable}={text}", way_out)
            return
    wanted = os.environ.get("OMP_NUM_THREADS")
    limit = f"{wanted} by OMP_NUM_THREADS" if wanted else "up to one a core"
    yield Finding("threads", f"{limit}, of {cores} core(s)")


def _is_of(entry: "Requirement", extra: str | None) -> bool:
    """Whether an extra adds a requirement, or none does."""
    marker = entry.marker
    always = marker is None or marker.evaluate({"extra": ""})
    if marker is None or extra is None or always:
        return extra is None and always
    return bool(marker.evaluate({"extra": extra})) and entry.name != _PACKAGE


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _is_installed(extra: str) -> bool:
    from packaging.requirements import Requirement

    own = [Requirement(text) for text in requires(_PACKAGE) or []]
    return all(_version(entry.name) is not None for entry in own if _is_of(entry, extra))


def _is_begun(extra: str) -> bool:
    """Whether a module is installed for which there is an extra, and not what others need too."""
    return any(find_spec(module) for module, of in EXTRAS.items() if of == extra)


def _loaded(name: str, install: str) -> Finding:
    try:
        import pennylane as qml

        qml.device(name)
    except Exception as error:  # Whatever a broken package raises.
        return Finding(name, _failed(error), f"pip install --force-reinstall {install}")
    return Finding(name, "loads")


def _failed(error: Exception) -> str:
    return f"does not load ({' '.join(f'{type(error).__name__}: {error}'.split())})"
