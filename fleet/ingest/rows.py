"""One line of JSON becomes one row of its kind, with the rows that hang on it.

Only the fields that become columns are read, straight into structs made for it: that is what makes taking in
a day of a large shop a matter of seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from contract.envelope import KINDS as EVENT_KINDS
from contract.envelope import Seq
from contract.errors import UNREADABLE
from contract.people import LEAST_PERSONS
from fleet.ingest.calendar import Calendar
from fleet.ingest.columns import KINDS, LAYOUT, LISTS, KindTable
from fleet.ingest.records import MOST

Value: TypeAlias = str | float | int | bool | None
ENVELOPE: tuple[tuple[str, Any, Any], ...] = (
    ("site", str, msgspec.NODEFAULT),
    ("device", str, ""),
    ("seq", Seq, 1),
    ("received_s", float | None, None),
)
"""Fields that a line has beside its fact's own; a record has no device, and only a file says when it came."""


class Unreadable(ValueError):
    """A line that is no event and no record; says why."""


class UnknownKind(Unreadable):
    """An event of a kind that this version does not know: newer boxes have more."""


class FactRow(NamedTuple):
    """`values` are in the order of the kind's columns; `listed` are those of each row that hangs on it."""

    kind: str
    values: tuple[Value, ...]
    listed: tuple[tuple[Value, ...], ...] = ()


class RowReader:
    """Reads lines; one for a warehouse, whose shops' time zones it knows by `calendar`."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        lean = {name: _lean(kind) for name, kind in KINDS.items()}
        union = lean["footfall"]
        for struct in lean.values():
            union = union | struct
        self._decode = msgspec.json.Decoder(union).decode
        self._ways = {lean[name]: _Way.of(kind) for name, kind in KINDS.items()}

    def read(self, line: bytes | str, received_s: float | None = None) -> FactRow:
        """`received_s` is when it came, where the line does not say it. Raises Unreadable."""
        try:
            fact = self._decode(line)
        except UNREADABLE as error:
            raise _why(line, error) from error
        way = self._ways[type(fact)]
        try:
            day, hour = ("", 0) if way.begins is None else self._calendar.local(fact.site, way.begins(fact))
        except ValueError as error:
            raise Unreadable(str(error)) from error
        came_s = received_s if fact.received_s is None else fact.received_s
        head = (came_s, fact.site, fact.device, fact.key, fact.rev, fact.retracted)
        own = way.own(fact)
        if way.name == "plan":
            day = fact.day
        values = (*head, None if way.begins is None else fact.time_s, day, hour, *own)
        if way.listed is None or fact.retracted:
            return FactRow(way.name, values)
        return FactRow(way.name, values, way.listed(fact))


class _Way(NamedTuple):
    """How a kind's struct becomes a row."""

    name: str
    begins: Callable[[Any], float] | None
    own: Callable[[Any], tuple[Value, ...]]
    listed: Callable[[Any], tuple[tuple[Value, ...], ...]] | None

    @classmethod
    def of(cls, kind: KindTable) -> _Way:
        own = _getter([column.field for column in kind.own])
        derived = {
            place: _DERIVED[column.field] for place, column in enumerate(kind.own) if column.field in _DERIVED
        }
        if derived:
            plain = own

            def own(fact: Any) -> tuple[Value, ...]:
                values = list(plain(fact))
                for place, derive in derived.items():
                    values[place] = derive(fact)
                return tuple(values)

        begins = None if kind.begins is None else attrgetter(kind.begins)
        return cls(kind.name, begins, own, _LISTED.get(kind.name))


def _getter(fields: list[str]) -> Callable[[Any], tuple[Value, ...]]:
    if len(fields) == 1:
        get = attrgetter(fields[0])
        return lambda fact: (get(fact),)
    many: Callable[[Any], tuple[Value, ...]] = attrgetter(*fields)
    return many


def _blind_s(fact: Any) -> float:
    return round(float(sum(one.blind_s for one in fact.coverage)), 3)


def _missing(fact: Any) -> int:
    named = fact.ranges or ((fact.from_seq, fact.to_seq),)
    missing = int(sum(last - first + 1 for first, last in named))
    if abs(missing) > MOST:
        raise Unreadable(f"gap: {missing} events are more than any box ever had")
    return missing


def _heat(fact: Any) -> tuple[tuple[Value, ...], ...]:
    return tuple(fact.zones.items())


def _classes(fact: Any) -> tuple[tuple[Value, ...], ...]:
    """The contract's rule holds here too: a count of few is none."""
    return tuple(
        (fact.entrance, fact.attribute, name, persons)
        for name, persons in fact.counts.items()
        if persons >= LEAST_PERSONS
    )


def _fixtures(fact: Any) -> tuple[tuple[Value, ...], ...]:
    return tuple((one.name, one.zone) for one in fact.fixtures)


def _layout(fact: Any) -> str:
    return msgspec.json.encode({name: getattr(fact, name) for name in LAYOUT}).decode()


_DERIVED: dict[str, Callable[[Any], Value]] = {
    "coverage": _blind_s,
    "ranges": _missing,
    LAYOUT[-1]: _layout,
}
_LISTED = {"heatmap": _heat, "attributes": _classes, "store": _fixtures}


def _lean(kind: KindTable) -> Any:
    """A struct with the fields that are read, of a kind's own."""
    hints = {name: _bounded(hint) for name, hint in get_type_hints(kind.struct, include_extras=True).items()}
    wanted = {"key", "time_s", "rev", "retracted", *(column.field for column in kind.own)}
    wanted |= {field for name, field in LISTS if name == kind.name}
    if kind.name == "store":
        wanted |= set(LAYOUT)
    defaults = {one.name: one for one in msgspec.structs.fields(kind.struct)}
    fields: list[Any] = []
    for name in kind.struct.__struct_fields__:
        if name not in wanted or name == "site":
            continue
        default = defaults[name]
        if default.default_factory is not msgspec.NODEFAULT:
            fields.append((name, hints[name], msgspec.field(default_factory=default.default_factory)))
        elif default.default is not msgspec.NODEFAULT:
            fields.append((name, hints[name], default.default))
        else:
            fields.append((name, hints[name]))
    shared = [(name, hint, default) for name, hint, default in ENVELOPE if default is not msgspec.NODEFAULT]
    return msgspec.defstruct(
        f"{kind.name.title()}Fields",
        [("site", str), *fields, *shared],
        kw_only=True,
        tag_field="kind",
        tag=kind.name,
        gc=False,
    )


def _bounded(hint: Any) -> Any:
    """The same type; its whole numbers, also those in lists and tables, are within what can be summed."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated and inner[0] is not int:
        made: Any = Annotated
        parts = (_bounded(inner[0]), *inner[1:])
        return made[parts]
    if hint is int or origin is Annotated:
        said = [one for one in inner[1:] if isinstance(one, Meta)]
        least = None if any(one.ge is not None for one in said) else -MOST
        most = None if any(one.le is not None for one in said) else MOST
        return Annotated[hint, Meta(ge=least, le=most)]
    if origin in (Union, UnionType):
        return Union[tuple(map(_bounded, inner))]  # noqa: UP007 (made of types that are only known here)
    return origin[tuple(map(_bounded, inner))] if origin in (tuple, dict, list) else hint


class _Said(msgspec.Struct):
    kind: str = ""


_said = msgspec.json.Decoder(_Said)


def _why(line: bytes | str, error: Exception) -> Unreadable:
    try:
        kind = _said.decode(line).kind
    except UNREADABLE:
        return Unreadable(str(error))
    if kind and kind not in KINDS:
        return UnknownKind(f"kind {kind!r} is not one of {', '.join(EVENT_KINDS)}")
    return Unreadable(f"{kind or 'no kind'}: {error}")
