"""Nodes to typed sections, noting every mistake instead of stopping at the first.

msgspec describes the declarations of `runtime.config.sections` (`msgspec.inspect`); this module walks the
YAML tree along that description. A value that does not fit is noted and left out, so that the rest can still
be judged.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import inspect

from runtime.config.mistakes import Mistake, Weight, did_you_mean
from runtime.config.parsing.expectations import expected
from runtime.config.parsing.lines import Lines, line_of
from tagsight.redaction import redact_uri

SectionT = TypeVar("SectionT", bound=msgspec.Struct)
TAG = "tag:yaml.org,2002:"
HINTS = {
    "password": "put it in a file of its own and give password_file",
    "url": "the key is uri",
    "fps": "the key is analysis_fps",
    "ca": "it belongs under tls: {ca: ...}",
    "polygons": "the key is polygon, one a zone",
}


LONG_LIST = 100
"""Longer lists of texts are looked at as a whole first, and item by item where one does not fit."""


class InvalidValue(Exception):
    """A value that was noted as a mistake; caught by the nearest list or section."""


class Decoder:
    """Decodes one document. `mistakes` and `lines` are filled on the way, `blamed` with every path above one.

    A section with a mistake in an optional key is decoded with that key's default, so that the rest of it can
    still be judged; the document as a whole is refused all the same.
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.lines = Lines()
        self.blamed: set[str] = set()
        self._described: dict[str, inspect.Metadata] = {}

    def section(self, kind: type[SectionT], node: yaml.Node, path: str) -> SectionT | None:
        """The section at `path`, or None when a required part of it is missing or does not fit."""
        described = inspect.type_info(kind)
        try:
            decoded = self._value(described, node, path)
        except InvalidValue:
            return None
        assert isinstance(decoded, kind)
        return decoded

    def items(
        self, kind: type[SectionT], node: yaml.Node, path: str, most: int
    ) -> list[tuple[int, SectionT]]:
        """The sound items of a list of sections, each with its index in the file."""
        self.lines.put(path, line_of(node))
        if not isinstance(node, yaml.SequenceNode):
            if not _is_nothing(node):
                self.note(
                    path, f"{_shown(node)} is not a list", "write one '- name: ...' an item", line_of(node)
                )
            return []
        if len(node.value) > most:
            self.note(path, f"{len(node.value)} items", f"at most {most}", line_of(node))
            return []
        decoded = (
            (index, self.section(kind, item, f"{path}[{index}]")) for index, item in enumerate(node.value)
        )
        return [(index, item) for index, item in decoded if item is not None]

    def path(self, node: yaml.Node, path: str) -> Path | None:
        """A file or folder name, or None when it is something else."""
        self.lines.put(path, line_of(node))
        try:
            found: Path = self._scalar(inspect.type_info(Path), node, path)
        except InvalidValue:
            return None
        return found

    def keys(self, node: yaml.MappingNode, path: str, known: list[str]) -> dict[str, yaml.Node]:
        """The mapping's known keys; unknown ones are noted."""
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            below = f"{path}.{key.value}" if path else str(key.value)
            self.lines.put(below, line_of(key))
            if key.value in known:
                found[key.value] = value
            else:
                listed = f"known here: {', '.join(known)}"
                hint = HINTS.get(key.value) or did_you_mean(str(key.value), known, otherwise=listed)
                self.note(below, "unknown key", hint, line_of(key))
        return found

    def note(self, path: str, wrong: str, right: str, line: int, weight: Weight = "refused") -> None:
        self.mistakes.append(Mistake(path, wrong, right, line, weight))
        while path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
            self.blamed.add(path)

    def _value(self, kind: inspect.Type, node: yaml.Node, path: str) -> Any:
        if path not in self.lines:
            self.lines.put(path, line_of(node))
        if isinstance(kind, inspect.Metadata):
            self._described[path] = kind
            return self._value(kind.type, node, path)
        if isinstance(kind, inspect.UnionType):
            return self._one_of(kind, node, path)
        if isinstance(kind, inspect.StructType):
            return self._struct(kind, node, path)
        if isinstance(kind, inspect.ListType):
            return self._list(kind, node, path)
        if isinstance(kind, inspect.TupleType):
            return self._tuple(kind, node, path)
        return self._scalar(kind, node, path)

    def _one_of(self, kind: inspect.UnionType, node: yaml.Node, path: str) -> Any:
        choices = [choice for choice in kind.types if not isinstance(choice, inspect.NoneType)]
        if len(choices) < len(kind.types) and _is_nothing(node):
            return None
        if len(choices) == 1:
            return self._value(choices[0], node, path)
        for choice in choices:
            if isinstance(choice, inspect.StructType) == isinstance(node, yaml.MappingNode):
                return self._value(choice, node, path)
        raise self._invalid(node, path, kind)

    def _struct(self, kind: inspect.StructType, node: yaml.Node, path: str) -> Any:
        names = [field.encode_name for field in kind.fields]
        if not isinstance(node, yaml.MappingNode):
            raise self._invalid(node, path, kind)
        found = self.keys(node, path, names)
        values: dict[str, Any] = {}
        for field in kind.fields:
            below = f"{path}.{field.encode_name}"
            if field.encode_name in found and not (
                not field.required and _is_nothing(found[field.encode_name])
            ):
                try:
                    values[field.name] = self._value(field.type, found[field.encode_name], below)
                except InvalidValue:
                    continue
            elif field.required:
                self.note(below, "missing", f"give {expected(field.type)}", line_of(node))
        if any(field.required and field.name not in values for field in kind.fields):
            raise InvalidValue
        return kind.cls(**values)

    def _list(self, kind: inspect.ListType, node: yaml.Node, path: str) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._invalid(node, path, kind)
        least, most = kind.min_length or 0, kind.max_length or 1_000_000
        if not least <= len(node.value) <= most:
            raise self._invalid(node, path, kind)
        if len(node.value) > LONG_LIST and (plain := _plain_texts(kind.item_type, node)) is not None:
            self.lines.put_list(path, node)
            return plain
        return self._each([kind.item_type] * len(node.value), node, path)

    def _tuple(self, kind: inspect.TupleType, node: yaml.Node, path: str) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode) or len(node.value) != len(kind.item_types):
            raise self._invalid(node, path, kind)
        return tuple(self._each(list(kind.item_types), node, path))

    def _each(self, kinds: list[inspect.Type], node: yaml.SequenceNode, path: str) -> list[Any]:
        values, sound = [], True
        for index, (kind, item) in enumerate(zip(kinds, node.value, strict=True)):
            try:
                values.append(self._value(kind, item, f"{path}[{index}]"))
            except InvalidValue:
                sound = False
        if not sound:
            raise InvalidValue
        return values

    def _scalar(self, kind: inspect.Type, node: yaml.Node, path: str) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self._invalid(node, path, kind)
        value = _plain(node)
        if isinstance(kind, inspect.LiteralType):
            fits = value in kind.values and not isinstance(value, bool)
        elif isinstance(kind, inspect.BoolType):
            fits = isinstance(value, bool)
        elif isinstance(kind, inspect.IntType | inspect.FloatType):
            fits, value = _number(kind, value)
        elif isinstance(kind, inspect.StrType):
            fits, value = _text(kind, node)
        else:
            assert isinstance(kind, inspect.CustomType) and kind.cls is Path, kind
            fits = bool(node.value) and "\0" not in node.value and node.tag == f"{TAG}str"
            value = Path(node.value).expanduser() if fits else None
        if not fits:
            raise self._invalid(node, path, kind)
        return value

    def _invalid(self, node: yaml.Node, path: str, kind: inspect.Type) -> InvalidValue:
        right = expected(self._described.get(path, kind))
        self.note(path, f"{_shown(node)} does not fit", f"give {right}", line_of(node))
        return InvalidValue()


def _plain_texts(kind: inspect.Type, node: yaml.SequenceNode) -> list[Any] | None:
    """The items of a list of quoted or plain texts that all fit; None where any needs a closer look."""
    kind = kind.type if isinstance(kind, inspect.Metadata) else kind
    if not isinstance(kind, inspect.StrType) or kind.pattern is not None:
        return None
    least, most, tag = kind.min_length or 0, kind.max_length or sys.maxsize, f"{TAG}str"
    texts = [item.value for item in node.value if item.tag == tag]
    fit = len(texts) == len(node.value) and all(
        least <= len(text) <= most and text.isprintable() for text in texts
    )
    return texts if fit else None


def _number(kind: inspect.IntType | inspect.FloatType, value: object) -> tuple[bool, int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False, 0
    if isinstance(kind, inspect.IntType) and not isinstance(value, int):
        return False, 0
    within = (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
        and abs(value) < 1e12
    )
    if not within or not math.isfinite(value):
        return False, 0
    return True, value if isinstance(kind, inspect.IntType) else float(value)


def _text(kind: inspect.StrType, node: yaml.ScalarNode) -> tuple[bool, str]:
    """Text as it is written: an article number 0042 stays 0042 unquoted. Yes, no and null need quotes."""
    if node.tag in (f"{TAG}bool", f"{TAG}null"):
        return False, ""
    text = str(node.value)
    fits = (
        (kind.min_length is None or len(text) >= kind.min_length)
        and (kind.max_length is None or len(text) <= kind.max_length)
        and (kind.pattern is None or re.search(kind.pattern, text) is not None)
        and text.isprintable()
    )
    return fits, text


def _plain(node: yaml.ScalarNode) -> object:
    if node.tag in (f"{TAG}str", f"{TAG}timestamp"):
        return node.value
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except ValueError:
        return node.value


def _is_nothing(node: yaml.Node) -> bool:
    return node.tag == f"{TAG}null"


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return f"a list of {len(node.value)}"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if _is_nothing(node):
        return "nothing"
    text = redact_uri(str(node.value))
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return text if node.tag in (f"{TAG}int", f"{TAG}float", f"{TAG}bool") else repr(text)
