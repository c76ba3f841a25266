"""One name, one thing; loggers are named by their modules; no folder holds more than a reader takes in."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

from tests.import_graph import packages_of

REPO = Path(__file__).resolve().parent.parent
PACKAGES = [name for name in packages_of(REPO) if name != "examples"]

MOST_MODULES = 15


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((REPO / package).rglob("*.py"))]


@cache
def public_classes() -> dict[str, tuple[str, ...]]:
    """Name of every public class at the top of a module -> the modules that define one."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(REPO)))
    return {name: tuple(places) for name, places in found.items()}


def test_no_public_class_name_stands_for_two_things() -> None:
    twice = {name: places for name, places in public_classes().items() if len(places) > 1}
    assert not twice, "\n".join(f"{name}: {', '.join(places)}" for name, places in sorted(twice.items()))


def test_loggers_are_named_by_their_modules() -> None:
    """`getLogger()` and `getLogger("package")` are for who sets levels; what speaks has its module's name."""
    other = [
        f"{path.relative_to(REPO)}: {line}"
        for path in modules()
        for line in re.findall(r"^\w+ = logging\.getLogger\(.*\)$", path.read_text(), re.M)
        if not line.endswith("getLogger(__name__)")
    ]
    assert not other, "\n".join(other)


def sizes() -> dict[str, int]:
    """Folder -> how many modules lie in it, the package's own aside."""
    found: dict[str, int] = defaultdict(int)
    for path in modules():
        found[str(path.parent.relative_to(REPO))] += path.name not in ("__init__.py", "__main__.py")
    return found


def test_no_folder_holds_more_than_fifteen_modules() -> None:
    large = {folder: size for folder, size in sizes().items() if size > MOST_MODULES}
    assert not large, large


ACROSS = ("bad_input", "security")
"""Folders of tests that look at the whole product."""


def test_tests_mirror_the_tree() -> None:
    """`tests/uplink/outbox` tests `runtime/uplink/outbox`, `tests/engines/build` tests `engines/build`."""
    tests = REPO / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    without = [
        str(folder)
        for folder in sorted(folders)
        if not any((home / folder).is_dir() for home in (REPO, REPO / "runtime"))
        and folder.parts[0] not in ACROSS
    ]
    assert not without, f"no such folder in the tree: {', '.join(without)}"


def test_no_folder_of_tests_holds_more_than_fifteen() -> None:
    held: dict[str, int] = defaultdict(int)
    for path in (REPO / "tests").rglob("test_*.py"):
        held[str(path.parent.relative_to(REPO))] += 1
    large = {folder: size for folder, size in held.items() if size > MOST_MODULES}
    assert not large, large
