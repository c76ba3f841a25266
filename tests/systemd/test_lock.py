"""The lock file names everything that the service is made of, by hash, and fits pyproject.toml."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    tomllib = None  # type: ignore[assignment]

TARGETS = [
    {"python_full_version": f"3.{minor}.1", "python_version": f"3.{minor}", "platform_machine": machine}
    for minor in (10, 11, 12, 13)
    for machine in ("x86_64", "aarch64")
]


def locked(repo: Path) -> dict[str, list[tuple[Requirement, str]]]:
    """By name, each entry and the text of its hashes."""
    text = (repo / "systemd" / "requirements.lock").read_text()
    found = defaultdict(list)
    for entry in re.split(r"\n(?=[a-z0-9])", "\n".join(text.splitlines()[1:])):
        head, _, hashes = entry.replace("\\\n", " ").partition("--hash=")
        requirement = Requirement(head.strip())
        found[canonicalize_name(requirement.name)].append((requirement, hashes))
    return found


def test_every_entry_is_one_version_with_a_hash(repo: Path) -> None:
    for entries in locked(repo).values():
        for requirement, hashes in entries:
            assert re.fullmatch(r"==[^*]+", str(requirement.specifier)), requirement
            assert "sha256:" in hashes, requirement


@pytest.mark.skipif(tomllib is None, reason="Python 3.10 has no tomllib")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: "-".join(target.values()))
def test_what_the_service_needs_is_locked_to_a_version_that_fits(repo: Path, target: dict[str, str]) -> None:
    project = tomllib.loads((repo / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["build-system"]["requires"]
    lock = locked(repo)
    environment = {"sys_platform": "linux", "implementation_name": "cpython", **target}
    for text in wanted:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        versions = [
            str(one.specifier).removeprefix("==")
            for one, _ in lock[canonicalize_name(requirement.name)]
            if one.marker is None or one.marker.evaluate(environment)
        ]
        assert len(versions) == 1, f"{requirement} on {target}: {versions}; run scripts/lock"
        assert requirement.specifier.contains(versions[0], prereleases=True), f"{requirement}: {versions[0]}"


def test_the_lock_names_no_index(repo: Path) -> None:
    text = (repo / "systemd" / "requirements.lock").read_text()
    assert "://" not in text and "index-url" not in text
