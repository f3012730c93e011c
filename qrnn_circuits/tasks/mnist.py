"""Download of the MNIST database."""

from collections.abc import Mapping
from pathlib import Path

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""Where the four files are downloaded from."""

MNIST_FILES: Mapping[str, str] = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}
"""SHA-256 of each file."""


def download_mnist(
    base_url: str = MNIST_URL,
    files: Mapping[str, str] = MNIST_FILES,
    folder: Path | None = None,
) -> Path:
    """Downloads the MNIST database, unless it has been downloaded before.

    Args:
        base_url: Folder on the web that holds the files.
        files: SHA-256 of each file.
        folder: Where to keep them; by default the user's cache folder for ``qrnn-circuits``.

    Returns:
        The folder that holds the files.

    Raises:
        ConnectionError: If a file cannot be downloaded.
        OSError: If the folder cannot be written.
        ValueError: If a downloaded file does not have the right SHA-256; it is not kept.
    """
    import pooch
    from requests import RequestException

    source = pooch.create(
        path=folder or pooch.os_cache("qrnn-circuits"), base_url=base_url, registry=dict(files)
    )
    for name in files:
        try:
            source.fetch(name)
        except RequestException as error:
            raise ConnectionError(
                f"{source.get_url(name)} could not be downloaded: {error}"
            ) from error
        except OSError as error:
            raise OSError(
                f"MNIST cannot be kept in {source.path}: {error}; set XDG_CACHE_HOME to a folder "
                "that can be written, or name one that holds MNIST by --data"
            ) from error
    return Path(source.path)
