"""No package that we need, or that one of our extras brings, has a top-level name of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, requires
from pathlib import Path

import pytest

from tests.import_graph import packages_of

REPO = Path(__file__).resolve().parent.parent
OURS = packages_of(REPO)
NEEDED = sorted({re.split(r"[^\w.-]", one, maxsplit=1)[0].lower() for one in requires("tagsight") or ()})


def closure_of(name: str, seen: set[str] | None = None) -> set[str]:
    """A distribution and whatever it needs of what is installed here, normalised names (PEP 503)."""
    seen = set() if seen is None else seen
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    needs = needs_of(key)
    if needs is None:
        return seen
    seen.add(key)
    for one in needs:
        closure_of(re.split(r"[^\w.-]", one, maxsplit=1)[0], seen)
    return seen


@cache
def needs_of(name: str) -> tuple[str, ...] | None:
    """What a distribution says that it needs; None where it is not installed here."""
    try:
        return tuple(distribution(name).requires or ())
    except PackageNotFoundError:
        return None


@cache
def top_level_names() -> Mapping[str, list[str]]:
    """Each top-level name that is installed, with its distributions."""
    return packages_distributions()


def clashes(ours: list[str], tops: Mapping[str, list[str]], brought: set[str]) -> list[str]:
    return [
        f"{top} is also a package of {owner}"
        for top, owners in sorted(tops.items())
        for owner in sorted(set(owners))
        if top in ours and re.sub(r"[-_.]+", "-", owner).lower() in brought
    ]


def test_the_list_of_what_we_need_has_the_extras_too() -> None:
    assert {"numpy", "sllurp", "torch", "pycuda", "tensorrt", "pytest"} <= set(NEEDED)
    assert {"contract", "runtime", "tagsight", "testing"} <= set(OURS)


@pytest.mark.parametrize("name", NEEDED)
def test_no_top_level_name_of_ours_is_somebody_elses(name: str) -> None:
    brought = closure_of(name)
    if not brought:
        pytest.skip(f"{name} is not installed here")
    assert clashes(OURS, top_level_names(), brought) == []


def test_a_name_that_is_taken_would_be_found() -> None:
    tops = {"contract": ["Some_Package"], "runtime": ["tagsight"]}
    assert clashes(["contract", "runtime"], tops, {"some-package", "numpy"}) == [
        "contract is also a package of Some_Package"
    ]


@pytest.mark.parametrize("script", ["scripts/build-deb", "systemd/install.sh"])
def test_what_is_packed_has_every_package_that_the_wheel_has(script: str) -> None:
    found = re.search(r"\btagsight ((?:\w+ )*bench)\b", (REPO / script).read_text())
    assert found is not None
    assert {"tagsight", *found[1].split()} == {name for name in OURS if name not in ("examples", "testing")}
