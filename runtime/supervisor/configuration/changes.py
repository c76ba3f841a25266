"""What another configuration changes, key by key, and which processes have to be restarted for it (pure).

Whether a key can be taken up by a running process is not listed here: it follows from the processes' own
specs. A key is applied to the old configuration alone, and whose `fixed` part is different after that has to
be restarted for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.config import StoreConfig
from runtime.config.model import FILLED_IN
from runtime.config.sections import Section
from runtime.supervisor.topology import plan_processes

NO_CLOCK = (0.0, 0.0)


@dataclass(frozen=True)
class Change:
    """One key of the configuration that is different, and which processes restart, start or end for it."""

    key: str
    what: str
    restarts: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()

    def summary(self) -> str:
        """What it means, in words."""
        effects = [
            f"{' and '.join(names)} {verb}"
            for names, verb in (
                (self.restarts, "must be restarted for it"),
                (self.starts, "starts"),
                (self.ends, "stops"),
            )
            if names
        ]
        return f"{self.key} {self.what}: {'; '.join(effects) or 'in force at once'}"


def changes(old: StoreConfig, new: StoreConfig) -> list[Change]:
    """Every key that differs, in the order of the declarations."""
    before = _fixed_parts(old)
    found = []
    for key, what, alone in _steps(old, new):
        after = _fixed_parts(alone)
        both = before.keys() & after.keys()
        found.append(
            Change(
                key,
                what,
                restarts=tuple(sorted(name for name in both if before[name] != after[name])),
                starts=tuple(sorted(after.keys() - before.keys())),
                ends=tuple(sorted(before.keys() - after.keys())),
            )
        )
    return found


def _fixed_parts(config: StoreConfig) -> dict[str, Any]:
    return {plan.name: plan.fixed for plan in plan_processes(config, NO_CLOCK)}


def _steps(old: StoreConfig, new: StoreConfig) -> Iterator[tuple[str, str, StoreConfig]]:
    """Each difference: its key, what happened to it, and the old configuration with it alone applied."""
    for section in (name for name in StoreConfig.__struct_fields__ if name not in FILLED_IN):
        before, after = getattr(old, section), getattr(new, section)
        if isinstance(before, list):
            for key, what, items in _list_steps(section, before, after):
                yield key, what, msgspec.structs.replace(old, **{section: items})
        elif isinstance(before, Section):
            for key, value in _differences(before, after):
                alone = msgspec.structs.replace(before, **{key: value})
                yield f"{section}.{key}", "changed", msgspec.structs.replace(old, **{section: alone})
        elif before != after:
            yield section, "changed", msgspec.structs.replace(old, **{section: after})


def _list_steps(section: str, before: list[Any], after: list[Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """Differences of a list whose items have names."""
    known = {item.name: item for item in before}
    wanted = {item.name: item for item in after}
    for name in known:
        if name not in wanted:
            yield f"{section}[{name}]", "removed", [item for item in before if item.name != name]
    for name, item in wanted.items():
        if name not in known:
            yield f"{section}[{name}]", "added", [*before, item]
            continue
        for key, value in _differences(known[name], item):
            alone = msgspec.structs.replace(known[name], **{key: value})
            items = [alone if one.name == name else one for one in before]
            yield f"{section}[{name}].{key}", "changed", items


def _differences(before: msgspec.Struct, after: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    for key in before.__struct_fields__:
        if getattr(before, key) != getattr(after, key):
            yield key, getattr(after, key)
