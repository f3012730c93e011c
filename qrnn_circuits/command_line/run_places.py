"""Where runs lie: which checkpoint they have, what was logged, and where a page on them goes."""

from pathlib import Path
from typing import TYPE_CHECKING

from qrnn_circuits.atomic_files import check_target
from qrnn_circuits.command_line.networks import is_pretrained, load_network
from qrnn_circuits.command_line.options import CheckpointChoice

if TYPE_CHECKING:
    from qrnn_circuits.execution.comparison import Member


def checkpoint_of(folder: Path) -> CheckpointChoice:
    """The best checkpoint, but where a run has only its last one."""
    from qrnn_circuits.training import RunFolder

    if is_pretrained(folder):
        return CheckpointChoice.BEST
    run = RunFolder(folder)
    only_last = not run.checkpoint_path("best").exists() and run.checkpoint_path("last").exists()
    return CheckpointChoice.LAST if only_last else CheckpointChoice.BEST


def check_page(file: Path) -> None:
    """Raises where no page can be written, before anything that takes long.

    Raises:
        OSError: It cannot be made there.
        ValueError: The file is not named as a page.
    """
    if file.suffix not in (".html", ".htm"):
        raise ValueError(f"out must end in .html, got {file}")
    check_target(file)


def load_members(place: Path) -> list["Member"]:
    """The runs that a place stands for: one, or those of all seeds of ``qrnn train --seeds``.

    Args:
        place: Folder of a run or of the runs of several seeds, or ``pretrained:NAME``.

    Raises:
        ValueError: They cannot be loaded; the message names the folder.
    """
    from qrnn_circuits.execution.comparison import Member
    from qrnn_circuits.execution.run_report import read_curves
    from qrnn_circuits.training import CheckpointError, EnsembleTrainer, LogError

    folders = [place]
    if not is_pretrained(place) and EnsembleTrainer.is_started(place):
        found = [(len(path.name), path.name, path) for path in place.glob("seed-*")]
        folders = [path for _, _, path in sorted(found)]
        if not folders:
            raise ValueError(f"{place} has no runs of seeds: go on with qrnn train --resume")
    members = []
    for folder in folders:
        try:
            run = load_network(folder, checkpoint_of(folder))
            run.task.test()  # reads the data, which may be missing
            curves = {} if is_pretrained(folder) else read_curves(folder)
        except (CheckpointError, LogError, OSError, TypeError, ValueError) as error:
            text = str(error)
            raise ValueError(text if str(folder) in text else f"{folder}: {text}") from error
        members.append(Member(run, folder, curves))
    return members
