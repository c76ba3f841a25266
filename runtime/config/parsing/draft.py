"""A config on its way: the sections that are sound so far, and the notebook of mistakes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml
from msgspec import inspect

from runtime.config.mistakes import Weight
from runtime.config.model import FILLED_IN, StoreConfig
from runtime.config.parsing.decode import Decoder
from runtime.config.sections import (
    Broker,
    Camera,
    Console,
    Engines,
    Entrance,
    Fixture,
    Floor,
    HomeAssistant,
    Intervals,
    Log,
    Metrics,
    Reader,
    Retention,
    Site,
    StockEvents,
    Uplink,
    Zone,
)


def _kinds_of(section: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    """What each key of a section holds."""
    described = inspect.type_info(section)
    assert isinstance(described, inspect.StructType)
    kinds = ((field.name, field.type) for field in described.fields)
    return {key: kind.type if isinstance(kind, inspect.Metadata) else kind for key, kind in kinds}


KINDS = {key: kind for key, kind in _kinds_of(StoreConfig).items() if key not in FILLED_IN}
LISTS = tuple(key for key, kind in KINDS.items() if isinstance(kind, inspect.ListType))


class StockRow(NamedTuple):
    """One tag of a stock list: where it is written, which fixture (its index in store.yaml) and article."""

    file: Path
    line: int
    fixture: int
    sku: str
    epc: str


@dataclass
class Draft:
    """Sound sections with their index in the file. What has mistakes is missing here and noted in `notes`.

    `names` holds every name the file gives in a list, sound or not, so that one mistake in a camera does not
    make its entrance wrong too. Without `clips_needed` a camera's clip may be missing.
    """

    folder: Path
    notes: Decoder
    site: Site | None = None
    floor: Floor | None = None
    engines: Engines = field(default_factory=Engines)
    uplink: Uplink = field(default_factory=Uplink)
    retention: Retention = field(default_factory=Retention)
    intervals: Intervals = field(default_factory=Intervals)
    inventory: StockEvents = field(default_factory=StockEvents)
    log: Log = field(default_factory=Log)
    console: Console = field(default_factory=Console)
    metrics: Metrics = field(default_factory=Metrics)
    home_assistant: HomeAssistant = field(default_factory=HomeAssistant)
    state_dir: Path = Path("state")
    epcs_file: Path | None = None
    stock: list[StockRow] = field(default_factory=list)
    cameras: list[tuple[int, Camera]] = field(default_factory=list)
    entrances: list[tuple[int, Entrance]] = field(default_factory=list)
    zones: list[tuple[int, Zone]] = field(default_factory=list)
    fixtures: list[tuple[int, Fixture]] = field(default_factory=list)
    readers: list[tuple[int, Reader]] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    clips_needed: bool = True

    def brokers(self) -> list[tuple[str, Broker]]:
        """The sections that say how a broker is reached, by key."""
        return [("uplink", self.uplink), ("home_assistant", self.home_assistant)]

    def note(self, path: str, wrong: str, right: str, weight: Weight = "refused") -> None:
        """Notes a mistake at the line where `path`, or the nearest key above it, stands in the file.

        A section that already has a mistake inside is not blamed as a whole too.
        """
        if path not in self.notes.blamed:
            self.notes.note(path, wrong, right, self.notes.lines.of(path), weight)


def read(root: yaml.Node, folder: Path) -> Draft:
    """Decodes every section of the document on its own."""
    draft = Draft(folder, Decoder())
    if not isinstance(root, yaml.MappingNode):
        draft.notes.note("", "not a mapping of sections", "begin with 'site:'", int(root.start_mark.line) + 1)
        return draft
    found = draft.notes.keys(root, "", list(KINDS))
    for key, kind in (("site", Site), ("floor", Floor)):
        if key not in found:
            fields = ", ".join(kind.__struct_fields__)
            draft.notes.note(key, "missing", f"give a mapping with {fields}", 1)
    _read_sections(draft, found)
    return draft


def _read_sections(draft: Draft, found: dict[str, yaml.Node]) -> None:
    """Fills the draft's fields, which are those of StoreConfig, with what is sound in the file."""
    for key, kind in KINDS.items():
        read: object = None
        if isinstance(kind, inspect.ListType):
            draft.names[key] = _names(found[key]) if key in found else []
            assert isinstance(kind.item_type, inspect.StructType) and kind.max_length is not None
            if key in found:
                read = draft.notes.items(kind.item_type.cls, found[key], key, kind.max_length)
        elif key in found and isinstance(kind, inspect.StructType):
            read = draft.notes.section(kind.cls, found[key], key)
        elif key in found:
            read = draft.notes.path(found[key], key)
        if read is not None:
            setattr(draft, key, read)


def _names(node: yaml.Node) -> list[str]:
    if not isinstance(node, yaml.SequenceNode):
        return []
    return [
        str(value.value)
        for item in node.value
        if isinstance(item, yaml.MappingNode)
        for key, value in item.value
        if key.value == "name" and isinstance(value, yaml.ScalarNode)
    ]
