"""Hostile bytes: real LLRP frames, mutated, through everything that a session does with what it receives.

The frames are recorded from a session with the simulated reader, each kind of message once or more. An
input is a few of them, mutated, in pieces, given to a fresh `ProtocolHandler`. Only this room's own errors
may come out; the time an input takes and the memory that stays are watched.
"""

from __future__ import annotations

import random
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.llrp.relay import RecordingRelay
from bench.llrp.storm import footprint
from rfid_reader.errors import LlrpFrameError, ReaderError
from rfid_reader.llrp import frames
from rfid_reader.llrp.capabilities import parse_capabilities
from rfid_reader.llrp.frames import HEADER, FrameSplitter, LlrpFrame
from rfid_reader.session.batcher import ReadBatcher
from rfid_reader.session.protocol_handler import ProtocolHandler, ReaderEvent
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import ReaderSettings
from rfid_reader.simulator.llrp.capabilities import POWERS_DBM
from rfid_reader.simulator.llrp.parameters import parameters
from rfid_reader.simulator.llrp.rospecs import Rejected, parse_rospec
from rfid_reader.simulator.llrp.server import SimulatedReader
from rfid_reader.simulator.radio.inventory import DEFAULT_MODE
from rfid_reader.simulator.sources import ReadSource

EDGES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
REQUEST_ID = 7
REPORTS_KEPT = 40
MAX_INPUT_BYTES = 4096
RECORDING_S = 0.8


@dataclass(frozen=True)
class Corpus:
    """Whole messages, as bytes: what a reader said, and what a client asked."""

    said: tuple[bytes, ...]
    asked: tuple[bytes, ...]


def record_corpus(source: ReadSource) -> Corpus:
    """Messages of a short session with a simulated reader, with and without Impinj's extensions."""
    said: list[bytes] = []
    asked: list[bytes] = []
    for impinj in (True, False):
        with SimulatedReader(source, impinj=impinj) as reader, RecordingRelay(reader.port) as relay:
            session = ReaderSession(ReaderSettings("127.0.0.1", relay.port), lambda reads: None)
            session.start()
            time.sleep(RECORDING_S / 2)
            for kind in ("antenna", "overflow"):
                reader.fault(kind)
            time.sleep(RECORDING_S / 2)
            session.stop()
        for from_reader, kept in ((True, said), (False, asked)):
            stream = b"".join(data for _, reader_said, data in relay.chunks if reader_said == from_reader)
            kept += [frame.encode() for frame in FrameSplitter().feed(stream)]
    long_epc = struct.pack("!HHH", 241, 4 + 2 + 32, 256) + bytes(range(32)) + b"\x81\x00\x01"
    report = struct.pack("!HH", 240, 4 + len(long_epc)) + long_epc
    said.append(LlrpFrame(frames.RO_ACCESS_REPORT, 1, report).encode())
    said.append(LlrpFrame(frames.KEEPALIVE, 2, b"").encode())
    return Corpus(_few_reports(said), tuple(asked))


def _few_reports(messages: Sequence[bytes]) -> tuple[bytes, ...]:
    """Messages without all but a few of the tag reports, so that the rarer kinds get their share."""
    is_report = [
        struct.unpack_from("!H", message)[0] & 0x3FF == frames.RO_ACCESS_REPORT for message in messages
    ]
    reports = [message for message, report in zip(messages, is_report, strict=True) if report]
    others = [message for message, report in zip(messages, is_report, strict=True) if not report]
    return tuple(reports[-REPORTS_KEPT:] + others)


class Mutator:
    """Turns real messages into hostile ones; the same seed gives the same inputs."""

    def __init__(self, messages: Sequence[bytes], seed: int) -> None:
        self._messages = messages
        self._rng = random.Random(seed)

    def __call__(self) -> bytes:
        """One to three messages, one mutated one to four times; its length mostly fits again."""
        rng = self._rng
        chosen = [bytearray(rng.choice(self._messages)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        victim = chosen[-1]
        for _ in range(rng.choice((1, 1, 2, 4))):
            self._mutate(victim)
        if len(victim) >= HEADER.size and rng.random() < 0.7:
            struct.pack_into("!I", victim, 2, len(victim))
        return b"".join(map(bytes, chosen))[:MAX_INPUT_BYTES]

    def _mutate(self, data: bytearray) -> None:
        rng = self._rng
        if len(data) < 2:
            data += rng.randbytes(8)
            return
        at = rng.randrange(len(data))
        match rng.randrange(8):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.choice(EDGES)
            case 2:
                data[at] = rng.randrange(256)
            case 3:
                del data[at:]
            case 4:
                del data[at : at + rng.randint(1, 16)]
            case 5:
                data[at:at] = rng.randbytes(rng.randint(1, 16))
            case 6:
                data[at:at] = data[at : at + rng.randint(1, 64)]
            case 7:
                self._lie_about_a_length(data)

    def _lie_about_a_length(self, data: bytearray) -> None:
        """Overwrite 16 bits where a length may be."""
        rng = self._rng
        at = rng.randrange(max(1, len(data) - 1)) & ~1
        if at + 2 <= len(data):
            struct.pack_into("!H", data, at, rng.choice((0, 1, 3, 4, 5, len(data), 0x7FFF, 0xFFFF)))

    def pieces(self, data: bytes) -> list[bytes]:
        """The input as it may come out of a socket."""
        if self._rng.random() < 0.7:
            return [data]
        cut = self._rng.randint(0, len(data))
        return [data[:cut], data[cut:]]


@dataclass
class Victim:
    """A session's ear without its socket: everything that it does with the bytes of one connection."""

    ended: Counter[str] = field(default_factory=Counter)
    events: int = 0
    reads: int = 0

    def _note_event(self, event: ReaderEvent) -> None:
        self.events += 1

    def receive(self, pieces: Sequence[bytes]) -> None:
        """Take one input; lets through whatever is not one of the room's own errors."""
        batcher = ReadBatcher()
        protocol = ProtocolHandler(
            "fuzz",
            on_report=lambda body: batcher.take(body, 1.7e9),
            on_event=self._note_event,
            on_unknown=lambda: self.ended.update(["unknown message"]),
            on_keepalive=lambda: None,
        )
        try:
            for piece in pieces:
                protocol.take(piece)
            self._understand(protocol)
            self.ended["taken"] += 1
        except ReaderError as error:
            self.ended[type(error).__name__] += 1
        while batcher:
            self.reads += len(batcher.hand_out())

    @staticmethod
    def _understand(protocol: ProtocolHandler) -> None:
        """Look at every answer as if it were the one to our request for capabilities."""
        for message_id in protocol.waiting:
            answer = protocol.answer(message_id)
            if answer is not None and "GeneralDeviceCapabilities" in answer:
                parse_capabilities(answer)

    def be_asked(self, data: bytes) -> None:
        """The simulated reader's side of one input: ADD_ROSPEC bodies are parsed, others are split."""
        try:
            for frame in FrameSplitter().feed(data):
                for parameter in parameters(frame.body):
                    parse_rospec(parameter, 4, DEFAULT_MODE, POWERS_DBM[-1])
            self.ended["taken"] += 1
        except (LlrpFrameError, Rejected) as error:
            self.ended[type(error).__name__] += 1


@dataclass(frozen=True)
class Ordeal:
    """What came of the inputs. crashes: inputs that let something else out than a ReaderError, with the
    first of them. slowest_s: the most CPU time that one input took. grown_mb: memory at the end more
    than after a tenth.
    """

    inputs: int
    seconds: float
    ended: dict[str, int]
    reads: int
    crashes: int
    first_crash: str
    slowest_s: float
    grown_mb: float

    @property
    def passed(self) -> bool:
        return not self.crashes and self.slowest_s < 1.0 and self.grown_mb < 8.0


def torment(
    corpus: Corpus, inputs: int, seed: int = 1, tell: Callable[[str], None] = lambda text: None
) -> Ordeal:
    """Give `inputs` mutated inputs to a session's ear, and one in eight of them to the simulated reader's."""
    said, asked, victim = Mutator(corpus.said, seed), Mutator(corpus.asked, seed + 1), Victim()
    crashes, first, slowest_s, settled_mb = 0, "", 0.0, footprint().memory_mb
    start_s = time.monotonic()
    for number in range(inputs):
        to_reader = number % 8 == 7
        data = asked() if to_reader else said()
        pieces = said.pieces(data)
        began_s = time.thread_time()
        try:
            if to_reader:
                victim.be_asked(data)
            else:
                victim.receive(pieces)
        except Exception as error:  # noqa: BLE001 - anything else than the room's own errors is a find
            crashes += 1
            first = first or f"{error!r} from {data.hex()}"
        slowest_s = max(slowest_s, time.thread_time() - began_s)
        if number == inputs // 10:
            settled_mb = footprint().memory_mb
        if number % 10_000 == 0:
            tell(f"{number} of {inputs} inputs, {crashes} crashes")
    return Ordeal(
        inputs,
        time.monotonic() - start_s,
        dict(victim.ended),
        victim.reads,
        crashes,
        first,
        slowest_s,
        footprint().memory_mb - settled_mb,
    )
