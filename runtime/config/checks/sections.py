"""Whether the sections of a config fit together. Each check notes its mistakes in the draft."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from runtime.config import epcs
from runtime.config.mistakes import Mistake, did_you_mean
from runtime.config.parsing.draft import LISTS, Draft, StockRow
from runtime.config.sections import Antenna, Reader, Tls
from runtime.geometry import crosses_itself, polygon_area_m2, signed_distance_m
from tagsight.redaction import redact_uri

Point = tuple[float, float]
Place = tuple[int, int, int] | StockRow
"""Of an EPC: its fixture, article and place in the list, or its row in a stock list."""
SHORTEST_LINE_M = 0.1
LEAST_AREA_M2 = 0.01
INPUT_STRIDE = 32
SLACK_M = 1e-6
"""Points on the floor's very edge are on the floor, whatever the rounding."""


def check_site(draft: Draft) -> None:
    """The time zone is one that this machine knows."""
    if draft.site is None:
        return
    try:
        ZoneInfo(draft.site.timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        known = sorted(available_timezones())
        right = did_you_mean(draft.site.timezone, known, otherwise="an IANA name such as Europe/Berlin")
        draft.note("site.timezone", f"{draft.site.timezone!r} is not a known time zone", right)


def check_names(draft: Draft) -> None:
    """No two items of a list share a name."""
    for key in LISTS:
        first: dict[str, int] = {}
        for index, item in getattr(draft, key):
            if item.name in first:
                taken = f"{item.name!r} is also the name of {key}[{first[item.name]}]"
                draft.note(f"{key}[{index}].name", taken, "give each its own name")
            first.setdefault(item.name, index)


def check_entrances(draft: Draft) -> None:
    """Lines have a length and lie on the floor, a side is inside, and known cameras watch them."""
    for index, entrance in draft.entrances:
        path = f"entrances[{index}]"
        for end, point in enumerate(entrance.line):
            _check_on_floor(draft, f"{path}.line[{end}]", point)
        _check_on_floor(draft, f"{path}.inside", entrance.inside)
        start, finish = entrance.line
        length_m = ((finish[0] - start[0]) ** 2 + (finish[1] - start[1]) ** 2) ** 0.5
        if length_m < SHORTEST_LINE_M:
            draft.note(f"{path}.line", f"only {length_m:.2f} m long", "give two ends across the doorway")
        elif abs(float(signed_distance_m(entrance.inside, entrance.line)[0])) < SHORTEST_LINE_M:
            wrong = "lies on the line, so neither side is inside"
            draft.note(f"{path}.inside", wrong, f"a point at least {SHORTEST_LINE_M} m off the line")
        _check_known(draft, f"{path}.cameras", entrance.cameras, "cameras", "camera")


def check_areas(draft: Draft) -> None:
    """Zones and fixtures lie on the floor, have an area and do not cross themselves."""
    for index, zone in draft.zones:
        _check_polygon(draft, f"zones[{index}].polygon", zone.polygon)
    for index, fixture in draft.fixtures:
        path = f"fixtures[{index}]"
        if (fixture.at is None) == (fixture.polygon is None):
            wrong = "both at and polygon" if fixture.at is not None else "neither at nor polygon"
            draft.note(path, wrong, "say where it stands by one of them")
        if fixture.at is not None:
            _check_on_floor(draft, f"{path}.at", fixture.at)
        if fixture.polygon is not None:
            _check_polygon(draft, f"{path}.polygon", fixture.polygon)


def check_articles(draft: Draft) -> None:
    """EPCs are hex, and no tag can belong to two articles."""
    exact: dict[str, Place] = {}
    patterns: list[tuple[str, Place]] = []
    for place, text in _epcs(draft):
        plain = text.lower() if epcs.PLAIN.fullmatch(text) else epcs.canonical(text)
        if "*" in plain and epcs.is_pattern(text):
            patterns.append((plain, place))
        elif not epcs.PLAIN.fullmatch(plain):
            _note_at(draft, place, f"{text!r} is not an EPC", epcs.RIGHT)
        elif plain in exact:
            also = f"{text!r} is also at {_path_of(exact[plain])}"
            _note_at(draft, place, also, "a tag belongs to one article")
        else:
            exact[plain] = place
    if len(patterns) > epcs.MAX_WILDCARDS:
        wrong = f"{len(patterns)} EPC patterns with *"
        draft.note("fixtures", wrong, f"at most {epcs.MAX_WILDCARDS}: list the EPCs or merge patterns")
        return
    sorted_tags = sorted(exact)
    for number, (pattern, place) in enumerate(patterns):
        others = ((other, first) for other, first in patterns[:number] if epcs.overlap(pattern, other))
        tags = ((tag, exact[tag]) for tag in epcs.tags_like(pattern, sorted_tags))
        for other, first in (*others, *tags):
            wrong = f"{pattern!r} overlaps {other!r} at {_path_of(first)}"
            _note_at(draft, place, wrong, "a tag belongs to one article")


def check_camera_places(draft: Draft) -> None:
    """Cameras hang over the floor."""
    for index, camera in draft.cameras:
        if camera.at is not None:
            _check_on_floor(draft, f"cameras[{index}].at", camera.at)


def check_readers(draft: Draft) -> None:
    """Every antenna has a port of its own and covers something that exists."""
    addresses: dict[tuple[str, int], int] = {}
    for index, reader in draft.readers:
        address = (reader.host.lower(), reader.tcp_port())
        if address in addresses:
            wrong = f"{reader.host}:{reader.tcp_port()} is also readers[{addresses[address]}]"
            draft.note(f"readers[{index}].host", wrong, "one entry a reader, with all its antennas")
        addresses.setdefault(address, index)
        if reader.tls_ca is not None and not reader.tls:
            draft.note(
                f"readers[{index}].tls_ca", "a certificate authority without TLS", "write tls: true too"
            )
        _check_antennas(draft, reader, f"readers[{index}]")


def _check_antennas(draft: Draft, reader: Reader, path: str) -> None:
    ports: dict[int, str] = {}
    for number, antenna in enumerate(reader.antennas):
        place = f"{path}.antennas[{number}]"
        if antenna.port in ports:
            wrong = f"port {antenna.port} is also that of antenna {ports[antenna.port]!r}"
            draft.note(f"{place}.port", wrong, "one antenna a port")
        ports.setdefault(antenna.port, antenna.name)
        _check_antenna(draft, antenna, place)


def _check_antenna(draft: Draft, antenna: Antenna, place: str) -> None:
    if antenna.at is not None:
        _check_on_floor(draft, f"{place}.at", antenna.at)
    if antenna.zone is not None:
        _check_known(draft, f"{place}.zone", [antenna.zone], "zones", "zone")
    if antenna.fixture is not None:
        _check_known(draft, f"{place}.fixture", [antenna.fixture], "fixtures", "fixture")


def _check_known(draft: Draft, path: str, wanted: list[str], where: str, noun: str) -> None:
    known = list(dict.fromkeys(draft.names[where]))
    for name in wanted:
        if name not in known:
            listed = f"one of {', '.join(known[:10])}" if known else f"no {noun} is configured under {where}"
            right = did_you_mean(name, known, otherwise=listed)
            draft.note(path, f"there is no {noun} {name!r}", right)


def _check_polygon(draft: Draft, path: str, polygon: list[Point]) -> None:
    before = len(draft.notes.mistakes)
    for corner, point in enumerate(polygon):
        _check_on_floor(draft, f"{path}[{corner}]", point)
    if len(draft.notes.mistakes) > before:
        return
    if any(one == other for one, other in pairwise([*polygon, polygon[0]])):
        draft.note(path, "a corner is given twice in a row", "each corner once; the last joins the first")
    elif crosses_itself(polygon):
        draft.note(path, "its edges cross each other", "list the corners in order, walking along the edge")
    elif polygon_area_m2(polygon) < LEAST_AREA_M2:
        draft.note(path, "it has no area", "corners that enclose some floor")


def _check_on_floor(draft: Draft, path: str, point: Point) -> None:
    if draft.floor is None or draft.floor.extent_m is None:
        return
    x0, y0, x1, y1 = draft.floor.extent_m
    if not (x0 - SLACK_M <= point[0] <= x1 + SLACK_M and y0 - SLACK_M <= point[1] <= y1 + SLACK_M):
        right = f"x from {x0:g} to {x1:g} and y from {y0:g} to {y1:g} m are on the floor plan"
        draft.note(path, f"[{point[0]:g}, {point[1]:g}] lies off the floor", right)


def _epcs(draft: Draft) -> Iterator[tuple[Place, str]]:
    for index, fixture in draft.fixtures:
        for article, sku in enumerate(fixture.skus):
            for tag, epc in enumerate(sku.epcs):
                yield (index, article, tag), epc
    for row in draft.stock:
        yield row, row.epc


def _path_of(place: Place) -> str:
    if isinstance(place, StockRow):
        return f"{place.file}:{place.line}"
    return "fixtures[{}].skus[{}].epcs[{}]".format(*place)


def _note_at(draft: Draft, place: Place, wrong: str, right: str) -> None:
    if isinstance(place, StockRow):
        draft.notes.mistakes.append(Mistake("epcs_file", wrong, right, place.line, file=place.file))
    else:
        draft.note(_path_of(place), wrong, right)


def check_engines(draft: Draft) -> None:
    """The network's input is a whole number of its coarsest cells."""
    size = draft.engines.input_size
    if size is not None and any(side % INPUT_STRIDE for side in size):
        right = [max(round(side / INPUT_STRIDE), 1) * INPUT_STRIDE for side in size]
        draft.note(
            "engines.input_size", f"{list(size)} are not multiples of {INPUT_STRIDE}", f"{right} is near"
        )


def check_uplink(draft: Draft) -> None:
    """Hosts are bare names, and credentials come in pairs."""
    hosts = [("uplink.host", draft.uplink.host)]
    if draft.home_assistant.host is not None:
        hosts.append(("home_assistant.host", draft.home_assistant.host))
    hosts += [(f"readers[{index}].host", reader.host) for index, reader in draft.readers]
    for path, host in hosts:
        if "/" in host or "@" in host or any(character.isspace() for character in host):
            draft.note(
                path,
                f"{redact_uri(host)!r} is not a host name",
                "a name or address alone; port has its own key",
            )
    for key, broker in draft.brokers():
        if broker.password_file is not None and broker.username is None:
            draft.note(f"{key}.password_file", "a password without a name", "give username too")
        tls = broker.tls
        if isinstance(tls, Tls) and (tls.cert is None) != (tls.key is None):
            given, missing = ("cert", "key") if tls.key is None else ("key", "cert")
            draft.note(
                f"{key}.tls.{given}", f"{given} without {missing}", "a certificate and its key go together"
            )
