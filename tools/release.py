"""Builds what a tag publishes: ``python -m tools.release --tag v0.2.0 --address URL --out dist``.

The packages on an index show the README away from the repository: its relative links become links
to the files of the tag, below the address of the repository, which is also named in the metadata.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import qrnn_circuits

ROOT = Path(__file__).parents[1]


def versions(root: Path) -> dict[str, str]:
    """The version of the package in each file that states it.

    Args:
        root: Of a checkout.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    (cited,) = re.findall(r"^version: (\S+)$", citation, re.MULTILINE)
    return {
        "pyproject.toml": project["version"],
        "qrnn_circuits/__init__.py": qrnn_circuits.__version__,
        "CITATION.cff": cited,
    }


def absolute_links(text: str, address: str, tag: str) -> str:
    """Markdown whose relative links lead to the files of a tag.

    Args:
        text: The document, of the repository's root.
        address: Of the repository on its host.
        tag: The tag.

    Example:
        >>> absolute_links("[a](docs/a.md#b) ![c](c.png)", "https://host.example/x", "v1")
        '[a](https://host.example/x/blob/v1/docs/a.md#b) ![c](https://host.example/x/raw/v1/c.png)'
    """

    def absolute(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        if urlsplit(target).scheme or target.startswith("#"):
            return match[0]
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/{tag}/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", absolute, text)


def named_addresses(text: str, address: str, tag: str) -> str:
    """The project's metadata with the addresses of the repository.

    Args:
        text: Of ``pyproject.toml``, with a table of URLs.
        address: Of the repository on its host.
        tag: The tag.

    Raises:
        ValueError: If the text has no such table.
    """
    table = "[project.urls]\n"
    if table not in text:
        raise ValueError("pyproject.toml must have a table [project.urls]")
    lines = [
        f'Repository = "{address}"\n',
        f'Issues = "{address}/issues"\n',
        f'Changelog = "{address}/blob/{tag}/CHANGELOG.md"\n',
    ]
    return text.replace(table, table + "".join(lines))


def build(tag: str, address: str, out: Path) -> None:
    """Builds an sdist and a wheel of the last commit.

    Args:
        tag: ``v`` and the version.
        address: Of the repository on its host, https.
        out: Folder of the two files.

    Raises:
        ValueError: If a file states another version, or the address is no https address.
    """
    if any(f"v{version}" != tag for version in versions(ROOT).values()):
        raise ValueError(f"tag must be v and the version of {versions(ROOT)}, got {tag!r}")
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.netloc or address.endswith("/"):
        raise ValueError(
            f"address must be as https://HOST/OWNER/REPOSITORY, without a / behind, got {address!r}"
        )
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        for file, change in (("README.md", absolute_links), ("pyproject.toml", named_addresses)):
            path = folder / file
            path.write_text(change(path.read_text(encoding="utf-8"), address, tag), "utf-8")
        command = [sys.executable, "-m", "build", "--outdir", str(out.resolve()), name]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    build(options.tag, options.address, options.out)
