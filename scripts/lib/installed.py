"""What tagsight needs, as installed here: the closure of its requirements, from installed metadata."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "tagsight"


def requirements_of(found: Distribution, extras: Iterable[str] = ()) -> list[Requirement]:
    """What a package requires on this machine, with some of its extras."""
    chosen = ["", *extras]
    wanted = [Requirement(text) for text in found.requires or []]
    return [
        one for one in wanted if one.marker is None or any(one.marker.evaluate({"extra": x}) for x in chosen)
    ]


def closure(extras: Iterable[str] = ()) -> dict[str, tuple[Distribution, list[str]]]:
    """Every package that is needed and installed, by name, with the names of what it requires itself.

    tagsight comes first. What is required and not installed (another machine's) is left out.
    """
    found: dict[str, tuple[Distribution, list[str]]] = {}
    todo: list[tuple[str, frozenset[str]]] = [(OURS, frozenset(extras))]
    asked: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, with_extras = todo.pop(0)
        if (name, with_extras) in asked:
            continue
        asked.add((name, with_extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        wanted = requirements_of(package, with_extras)
        names = [str(canonicalize_name(one.name)) for one in wanted]
        _, known = found.get(name, (package, []))
        found[name] = package, sorted({*known, *names})
        todo += [
            (below, frozenset(one.extras)) for below, one in zip(names, wanted, strict=True) if below != OURS
        ]
    return {name: (one, [need for need in needs if need in found]) for name, (one, needs) in found.items()}
