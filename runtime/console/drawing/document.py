"""store.yaml as a drawing, and a drawing put back into its text: what was not drawn stays, comments too.

A drawing holds plain values: `floor`, and a list for each section of things with names. An item that stands
in the file carries `was`, the name that it has there. Only the keys in KEYS can be drawn; nothing else of the
file is shown or touched, and no password is in it.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml as pyyaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

from tagsight.redaction import redact_uri
from web.errors import WebError

Drawing: TypeAlias = dict[str, Any]
KEYS: Mapping[str, tuple[str, ...]] = {
    "cameras": ("name", "uri", "at", "entrance", "analysis_fps", "image_size", "homography", "points"),
    "entrances": ("name", "line", "inside", "cameras"),
    "zones": ("name", "kind", "polygon"),
    "fixtures": ("name", "kind", "at", "polygon"),
    "readers": ("name", "host", "port", "population", "antennas"),
}
ANTENNA_KEYS = ("port", "name", "at", "zone", "fixture", "power_dbm")
FLOOR_KEYS = ("extent_m", "image", "scale_px_per_m", "grid_m")
IN_LINE = ("zones", "entrances", "fixtures")
"""New ones are written on a line of their own."""
MAX_BYTES = 1_000_000
"""A larger file is edited by hand: a stock list belongs into a table of its own (epcs_file)."""
MAX_ITEMS, MAX_DEPTH = 20_000, 6
WIDTH = 100_000
FLOAT = "tag:yaml.org,2002:float"


class WrittenFloat(float):
    """A number that is written again digit by digit as it stood."""

    text: str

    @classmethod
    def of(cls, number: float, text: str = "") -> WrittenFloat:
        """With the text as it stood; else one that YAML 1.1 too takes for a number: 1.0e-06, not 1e-06."""
        made = cls(number)
        made.text = text or re.sub(r"^(-?\d+)e", r"\1.0e", repr(float(number)))
        return made


class _Constructor(RoundTripConstructor):
    def construct_written(self, node: ScalarNode) -> WrittenFloat:
        return WrittenFloat.of(super().construct_yaml_float(node), node.value)


class _Representer(RoundTripRepresenter):
    def represent_written(self, number: WrittenFloat) -> ScalarNode:
        node: ScalarNode = self.represent_scalar(FLOAT, number.text)
        return node


_Constructor.add_constructor(FLOAT, _Constructor.construct_written)
_Representer.add_representer(WrittenFloat, _Representer.represent_written)


class ShopDocument:
    """A store.yaml, read once. Raises WebError for text that cannot be edited here."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_BYTES:
            raise WebError(
                f"store.yaml has {len(text)} characters, too many to edit here ({MAX_BYTES} at most): "
                "put tags into a table of their own (epcs_file), or edit it by hand"
            )
        self.text = text
        self._yaml = _yaml(text)
        self._root = self._read()

    def drawing(self) -> Drawing:
        """What stands in the file, for the page."""
        root = self._root
        shown: Drawing = {"floor": _chosen(root.get("floor"), FLOOR_KEYS)}
        for section, keys in KEYS.items():
            shown[section] = [_shown(item, keys) for item in _items(root, section)]
        return shown

    def with_drawing(self, drawing: Drawing) -> str:
        """The text with what was drawn in it. Raises WebError for what is no drawing."""
        _refuse_endless(drawing)
        root = copy.deepcopy(self._root)
        if (floor := drawing.get("floor")) is not None:
            _set_keys(_map_at(root, "floor"), _mapping(floor), FLOOR_KEYS)
        for section, keys in KEYS.items():
            if (drawn := drawing.get(section)) is not None:
                _put_items(root, section, [_mapping(item) for item in _list(drawn)], keys)
        return self._written(root)

    def _read(self) -> CommentedMap:
        try:
            root = self._yaml.load(self.text)
        except (YAMLError, ValueError, RecursionError) as error:
            raise WebError(f"store.yaml is not YAML: {' '.join(str(error).split())[:200]}") from error
        if root is None:
            return CommentedMap()
        if not isinstance(root, CommentedMap):
            raise WebError("store.yaml is no mapping of sections, so it cannot be edited here")
        return root

    def _written(self, root: CommentedMap) -> str:
        out = io.StringIO()
        self._yaml.dump(root, out)
        return out.getvalue()


def _yaml(text: str) -> YAML:
    """As the file is written: its indents and quotes."""
    try:
        _, indent, offset = load_yaml_guess_indent(text)
    except YAMLError:
        indent, offset = None, None
    yaml = YAML()
    yaml.Constructor, yaml.Representer = _Constructor, _Representer
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    # A file without lists tells no offset, and its indent is that of mappings alone.
    sequence, dash = (4, 2) if indent is None or offset is None else (max(indent, offset + 2), offset)
    yaml.indent(mapping=2, sequence=sequence, offset=dash)
    return yaml


def _items(root: CommentedMap, section: str) -> list[CommentedMap]:
    found = root.get(section)
    return [item for item in found if isinstance(item, CommentedMap)] if isinstance(found, list) else []


def _shown(item: CommentedMap, keys: tuple[str, ...]) -> Drawing:
    shown = {**_chosen(item, keys), "was": str(item.get("name", ""))}
    if "uri" in shown:
        shown["uri"] = redact_uri(str(shown["uri"]))
    if "antennas" in shown:
        shown["antennas"] = [
            {**_chosen(each, ANTENNA_KEYS), "was": str(each.get("name", ""))}
            for each in shown["antennas"] or []
            if isinstance(each, dict)
        ]
    return shown


def _chosen(item: Any, keys: tuple[str, ...]) -> Drawing:
    return {key: _plain(item[key]) for key in keys if key in item} if isinstance(item, dict) else {}


def _plain(value: Any) -> Any:
    """Without what ruamel remembers of how it was written."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _put_items(root: CommentedMap, section: str, drawn: list[Drawing], keys: tuple[str, ...]) -> None:
    """Change, remove and append, in the order of the file."""
    found = root.get(section)
    if not isinstance(found, CommentedSeq):
        if not drawn:
            return
        found = root[section] = CommentedSeq()
    if found.fa.flow_style() and not len(found):
        found.fa.set_block_style()
    _merge(found, drawn, keys, in_line=section in IN_LINE)


def _merge(found: CommentedSeq, drawn: list[Drawing], keys: tuple[str, ...], in_line: bool) -> None:
    by_name = {str(item["was"]): item for item in drawn if item.get("was")}
    for index in reversed(range(len(found))):
        name = str(found[index].get("name", "")) if isinstance(found[index], CommentedMap) else None
        if name is not None and name not in by_name:
            del found[index]
        elif name is not None:
            _set_keys(found[index], by_name[name], keys)
    standing = {id(item) for item in by_name.values()}
    for item in drawn:
        if id(item) in standing:
            continue
        new = CommentedMap()
        _set_keys(new, item, keys)
        if in_line:
            new.fa.set_flow_style()
        found.append(new)


def _set_keys(item: CommentedMap, drawn: Drawing, keys: tuple[str, ...]) -> None:
    """Only what is different is written; None takes a key out."""
    for key in keys:
        if key == "antennas" and key in drawn:
            _put_antennas(item, _list(drawn[key]))
            continue
        if key not in drawn or _is_same(item, key, drawn[key]):
            continue
        if drawn[key] is None:
            item.pop(key, None)
        else:
            item[key] = _flow(drawn[key])


def _put_antennas(reader: CommentedMap, drawn: list[Any]) -> None:
    if not isinstance(reader.get("antennas"), CommentedSeq):
        reader["antennas"] = CommentedSeq()
    _merge(reader["antennas"], [_mapping(each) for each in drawn], ANTENNA_KEYS, in_line=True)


def _is_same(item: CommentedMap, key: str, drawn: Any) -> bool:
    if key not in item:
        return drawn is None
    stands = _plain(item[key])
    return bool(stands == drawn) or (key == "uri" and redact_uri(str(stands)) == drawn)


def _flow(value: Any) -> Any:
    """Lists of numbers on one line, whole numbers without a point."""
    if isinstance(value, list):
        made = CommentedSeq([_flow(each) for each in value])
        made.fa.set_flow_style()
        return made
    if isinstance(value, dict):
        mapping = CommentedMap({str(key): _flow(each) for key, each in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, float):
        return int(value) if value.is_integer() else WrittenFloat.of(value)
    if isinstance(value, str) and _reads_otherwise(value):
        return DoubleQuotedScalarString(value)
    return value


def _reads_otherwise(text: str) -> bool:
    """Whether YAML 1.1, by which the daemon reads, takes the bare word for something else: yes, 012, null."""
    try:
        return not isinstance(pyyaml.safe_load(text), str)
    except pyyaml.YAMLError:
        return False


def _map_at(root: CommentedMap, key: str) -> CommentedMap:
    found = root.get(key)
    if not isinstance(found, CommentedMap):
        found = root[key] = CommentedMap()
    return found


def _mapping(value: Any) -> Drawing:
    if not isinstance(value, dict):
        raise WebError("what was sent is no drawing: load the page again")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WebError("what was sent is no drawing: load the page again")
    return value


def _refuse_endless(value: Any) -> None:
    """Bounded in depth and in what it holds."""
    waiting, held = [(value, 0)], 0
    while waiting:
        each, depth = waiting.pop()
        below = list(each.values()) if isinstance(each, dict) else each if isinstance(each, list) else []
        held += 1
        if depth > MAX_DEPTH or held > MAX_ITEMS:
            raise WebError("that is more than a shop: nothing was changed")
        waiting += [(one, depth + 1) for one in below]
