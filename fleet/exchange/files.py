"""Files of events for other systems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from contract.envelope import open_event
from contract.errors import PayloadError
from fleet.errors import FleetError
from fleet.exchange.cloud_events import structured
from fleet.exchange.epcis import GarmentEvents
from fleet.ingest.sources import EventStore, lines_of

BATCH = 20_000
SQLITE = b"SQLite format 3"


def bodies(events: Path, until_s: float | None = None) -> Iterator[bytes]:
    """The events of a consumer's store, or of a file of JSON lines; received by `until_s` where it is given.

    Raises FleetError for a file that cannot be read.
    """
    try:
        with events.open("rb") as opened:
            is_store = opened.read(len(SQLITE)) == SQLITE
    except OSError as error:
        raise FleetError(f"{events}: cannot be read ({error.strerror})") from error
    if not is_store:
        if until_s is not None:
            raise FleetError(f"{events}: only a consumer's store knows what had been received when")
        line = None
        for line in lines_of(events):
            yield _bytes(line.body)
        if line is None and events.stat().st_size:
            raise FleetError(f"{events}: neither a consumer's store nor JSON lines")
        return
    store, position = EventStore(events), 0
    try:
        while lines := store.after(position, BATCH):
            position = lines[-1].position
            for line in lines:
                if until_s is None or line.received_s is None or line.received_s <= until_s:
                    yield _bytes(line.body)
    finally:
        store.close()


def write_epcis(events: Iterator[bytes], file: Path, places: str, now_s: float) -> tuple[int, int]:
    """One EPCISDocument; how many events are in it, and how many lines were none. Raises FleetError."""
    found, strange = GarmentEvents(places), 0
    for body in events:
        try:
            found.take(open_event(body))
        except PayloadError:
            strange += 1
    document = found.document(now_s)
    _write(file, lambda: iter([msgspec.json.encode(document)]))
    return len(document["epcisBody"]["eventList"]), strange


def write_cloud_events(events: Iterator[bytes], file: Path) -> tuple[int, int]:
    """A CloudEvent a line; how many, and how many lines were no events of ours. Raises FleetError."""
    counts = [0, 0]

    def told() -> Iterator[bytes]:
        for body in events:
            try:
                line = msgspec.json.encode(structured(body))
            except PayloadError:
                counts[1] += 1
            else:
                counts[0] += 1
                yield line + b"\n"

    _write(file, told)
    return counts[0], counts[1]


def _write(file: Path, parts: Callable[[], Iterator[bytes]]) -> None:
    """The file as a whole, or as it was before."""
    beside = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as opened:
            opened.writelines(parts())
        beside.rename(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FleetError(f"{file}: cannot be written ({error.strerror})") from error


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body
