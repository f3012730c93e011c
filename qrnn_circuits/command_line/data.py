"""``qrnn data``: files of digits that the task ``digits`` reads."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qrnn_circuits.command_line.errors import usage_errors
from qrnn_circuits.command_line.plain import echo
from qrnn_circuits.command_line.waiting import clear, doing
from qrnn_circuits.settings.built_in_tasks import VALIDATION


class DataAction(StrEnum):
    """What is done with data."""

    PREPARE = "prepare"


class EmbeddingChoice(StrEnum):
    """How images become few coordinates."""

    PCA = "pca"
    UMAP = "umap"


def data(
    action: Annotated[DataAction, typer.Argument(metavar="prepare", help="The only action.")],
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RAW",
            help="Folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-..., plain "
            "or as .gz: images of 28x28 pixels and their labels.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the prepared file, for --data.")
    ],
    deskew: Annotated[bool, typer.Option("--deskew", help="Set the digits upright first.")] = False,
    reduce: Annotated[
        EmbeddingChoice | None,
        typer.Option(
            help="Coordinates in place of pixels: pca, eight principal components; or umap, which "
            "needs the extra umap.",
            show_default=False,
        ),
    ] = None,
    dims: Annotated[
        int | None,
        typer.Option(help="Coordinates of umap, from 2 to 4; by default 2.", show_default=False),
    ] = None,
    validation: Annotated[
        int, typer.Option(min=1, help="Training images, the last ones, to validate with.")
    ] = VALIDATION,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of umap; by default 0.", show_default=False)
    ] = None,
) -> None:
    """Prepare raw handwritten digits for the task digits: qrnn data prepare RAW --out DIR.

    Images are scaled to 10x10 pixels and thresholded, or reduced to coordinates of 8 bits.
    """
    with usage_errors():
        for option, value in (("dims", dims), ("seed", seed)):
            if reduce is not EmbeddingChoice.UMAP and value is not None:
                raise ValueError(f"{option} is for --reduce umap, got {value}: leave it out")
        name = f"mnist-{_kind(reduce, dims, upright=deskew)}.npz"
        if (out / name).exists():
            raise FileExistsError(f"{out / name} exists: remove it, or name another folder")
        from qrnn_circuits.atomic_files import check_target, write_atomically
        from qrnn_circuits.tasks.digit_data import read_raw_digits
        from qrnn_circuits.tasks.digit_preparation import prepare_coordinates, prepare_pixels
        from qrnn_circuits.training.folder_lock import check_folder

        # To reduce all of MNIST takes long.
        existing = next(path for path in (out, *out.parents) if path.exists())
        check_folder(existing)
        check_target(existing / name)
        doing("reading")
        digits = read_raw_digits(folder, validation)
        doing(f"preparing {sum(len(shown) for _, shown in digits.values()):,} images")
        content = (
            prepare_pixels(digits, upright=deskew)
            if reduce is None
            else prepare_coordinates(digits, reduce.value, dims, upright=deskew, seed=seed or 0)
        )
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / name, content)
    clear()
    counts = ", ".join(f"{len(shown):,} to {split}" for split, (_, shown) in digits.items())
    echo(f"{out / name}: {counts}")


def _kind(reduce: EmbeddingChoice | None, dims: int | None, *, upright: bool) -> str:
    """What the file holds, in its name."""
    if reduce is None:
        return "10x10-deskewed" if upright else "10x10"
    return "pca-8" if reduce is EmbeddingChoice.PCA else f"umap-{dims or 2}"
