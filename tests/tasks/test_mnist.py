import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qrnn_circuits.tasks.mnist import MNIST_FILES, download_mnist

CONTENTS = {"images.gz": b"some images", "labels.gz": b"some labels"}


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def files() -> dict[str, str]:
    return {name: sha256(content) for name, content in CONTENTS.items()}


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def base_url(served: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_are_downloaded_and_kept(
    base_url: str, served: Path, files: dict[str, str], tmp_path: Path
) -> None:
    folder = download_mnist(base_url, files, tmp_path / "cache")
    assert folder == tmp_path / "cache"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS
    for name in files:
        (served / name).unlink()
    assert download_mnist(base_url, files, tmp_path / "cache") == folder


def test_a_file_with_another_checksum_is_refused_and_not_kept(
    base_url: str, files: dict[str, str], tmp_path: Path
) -> None:
    expected = sha256(b"something else")
    files["labels.gz"] = expected
    with pytest.raises(ValueError, match=f"labels.gz.*does not match.*{expected}"):
        download_mnist(base_url, files, tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["images.gz"]


def test_a_kept_file_that_was_damaged_is_downloaded_again(
    base_url: str, files: dict[str, str], tmp_path: Path
) -> None:
    folder = download_mnist(base_url, files, tmp_path / "cache")
    (folder / "images.gz").write_bytes(b"damaged")
    download_mnist(base_url, files, folder)
    assert (folder / "images.gz").read_bytes() == CONTENTS["images.gz"]


def test_a_folder_that_cannot_be_written_is_named_with_another(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"MNIST cannot be kept in .*file/cache.*set XDG_CACHE_HOME"):
        download_mnist(folder=tmp_path / "file" / "cache")


def test_a_file_that_cannot_be_downloaded_is_named(
    base_url: str, files: dict[str, str], tmp_path: Path
) -> None:
    files["other.gz"] = sha256(b"")
    with pytest.raises(ConnectionError, match=f"{base_url}other.gz could not be downloaded"):
        download_mnist(base_url, files, tmp_path / "cache")


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_checksums_are_those_of_the_files(name: str, data_folder: Path) -> None:
    assert sha256((data_folder / name).read_bytes()) == MNIST_FILES[name]
