import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tools.release import absolute_links, build, named_addresses, versions

ROOT = Path(__file__).parents[2]
ADDRESS = "https://host.example/owner/repository"
YAML_FILES = [*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"]


def test_all_files_state_the_same_version() -> None:
    assert len(set(versions(ROOT).values())) == 1


def test_the_readme_of_a_release_has_absolute_links_alone() -> None:
    text = absolute_links((ROOT / "README.md").read_text(), ADDRESS, "v1.2.3")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)

    assert f"{ADDRESS}/blob/v1.2.3/CONTRIBUTING.md" in targets
    assert all(target.startswith(("https://", "#")) for target in targets)


def test_the_metadata_of_a_release_name_the_repository() -> None:
    text = named_addresses((ROOT / "pyproject.toml").read_text(), ADDRESS, "v1.2.3")
    urls = tomllib.loads(text)["project"]["urls"]

    assert urls["Repository"] == ADDRESS
    assert urls["Changelog"] == f"{ADDRESS}/blob/v1.2.3/CHANGELOG.md"


def test_a_tag_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"tag must be v and the version.*got 'v99.0.0'"):
        build("v99.0.0", ADDRESS, tmp_path)


@pytest.mark.parametrize("address", ["http://host.example/a", "host.example/a", f"{ADDRESS}/"])
def test_an_address_that_browsers_do_not_take_is_refused(tmp_path: Path, address: str) -> None:
    tag = f"v{versions(ROOT)['pyproject.toml']}"

    with pytest.raises(ValueError, match="address must be as https"):
        build(tag, address, tmp_path)


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_the_files_of_the_code_host_name_commands_that_exist(path: Path) -> None:
    settings = yaml.safe_load(path.read_text())
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    jobs = settings.get("jobs", {}).values()
    commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]

    assert settings
    for command in commands:
        program, first, *_ = command.split()
        if program == "make":
            assert first in targets
        else:
            assert program == "bash"
            assert (ROOT / first).is_file()


def test_every_kind_of_file_is_looked_at() -> None:
    names = {path.name for path in YAML_FILES}

    assert names >= {"tests.yml", "docs.yml", "release.yml", "bug.yml", ".pre-commit-config.yaml"}
