"""A config on its way: the sections that are sound so far, and the notebook of mistakes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

from runtime.config.mistakes import Weight
from runtime.config.model import StoreConfig
from runtime.config.parsing.decode import Decoder
from runtime.config.sections import (
    MAX_CAMERAS,
    MAX_FIXTURES,
    MAX_READERS,
    MAX_ZONES,
    Camera,
    Console,
    Engines,
    Entrance,
    Fixture,
    Floor,
    Intervals,
    Log,
    Reader,
    Retention,
    Site,
    Uplink,
    Zone,
)

LISTS = ("cameras", "entrances", "zones", "fixtures", "readers")


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
    log: Log = field(default_factory=Log)
    console: Console = field(default_factory=Console)
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
    known = list(StoreConfig.__struct_fields__)
    found = draft.notes.keys(root, "", known)
    for key, kind in (("site", Site), ("floor", Floor)):
        if key not in found:
            fields = ", ".join(kind.__struct_fields__)
            draft.notes.note(key, "missing", f"give a mapping with {fields}", 1)
    _read_mappings(draft, found)
    _read_lists(draft, found)
    return draft


def _read_mappings(draft: Draft, found: dict[str, yaml.Node]) -> None:
    notes = draft.notes
    if "site" in found:
        draft.site = notes.section(Site, found["site"], "site")
    if "floor" in found:
        draft.floor = notes.section(Floor, found["floor"], "floor")
    if "engines" in found:
        draft.engines = notes.section(Engines, found["engines"], "engines") or draft.engines
    if "uplink" in found:
        draft.uplink = notes.section(Uplink, found["uplink"], "uplink") or draft.uplink
    if "retention" in found:
        draft.retention = notes.section(Retention, found["retention"], "retention") or draft.retention
    if "intervals" in found:
        draft.intervals = notes.section(Intervals, found["intervals"], "intervals") or draft.intervals
    if "log" in found:
        draft.log = notes.section(Log, found["log"], "log") or draft.log
    if "console" in found:
        draft.console = notes.section(Console, found["console"], "console") or draft.console
    if "state_dir" in found:
        draft.state_dir = notes.path(found["state_dir"], "state_dir") or draft.state_dir
    if "epcs_file" in found:
        draft.epcs_file = notes.path(found["epcs_file"], "epcs_file")


def _read_lists(draft: Draft, found: dict[str, yaml.Node]) -> None:
    notes = draft.notes
    for key in LISTS:
        draft.names[key] = _names(found[key]) if key in found else []
    if "cameras" in found:
        draft.cameras = notes.items(Camera, found["cameras"], "cameras", MAX_CAMERAS)
    if "entrances" in found:
        draft.entrances = notes.items(Entrance, found["entrances"], "entrances", MAX_ZONES)
    if "zones" in found:
        draft.zones = notes.items(Zone, found["zones"], "zones", MAX_ZONES)
    if "fixtures" in found:
        draft.fixtures = notes.items(Fixture, found["fixtures"], "fixtures", MAX_FIXTURES)
    if "readers" in found:
        draft.readers = notes.items(Reader, found["readers"], "readers", MAX_READERS)


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
