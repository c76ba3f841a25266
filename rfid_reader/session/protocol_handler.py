"""The LLRP protocol of one connection, without the connection: bytes in, reports, events and answers out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rfid_reader.errors import LlrpFrameError, ReaderLost
from rfid_reader.llrp import frames
from rfid_reader.llrp.codec import Message, decode_message, message_name
from rfid_reader.llrp.frames import FrameSplitter, LlrpFrame

MAX_ANSWERS = 16
MAX_GREETINGS = 2


@dataclass(frozen=True)
class ReaderEvent:
    """A READER_EVENT_NOTIFICATION, as far as it matters here.

    antenna: an antenna and whether it is connected. overflow: the reader's report buffer overflowed.
    buffer_percent: how full it is. attempt: what the reader says to a connection attempt. closing: it closes
    the connection.
    """

    antenna: tuple[int, bool] | None = None
    overflow: bool = False
    buffer_percent: int | None = None
    attempt: str | None = None
    closing: bool = False


def parse_event(message: Message) -> ReaderEvent:
    """Raises LlrpFrameError where a field has not the form that LLRP gives it."""
    try:
        data = message["ReaderEventNotificationData"]
        antenna = data.get("AntennaEvent")
        warning = data.get("ReportBufferLevelWarning")
        attempt = data.get("ConnectionAttemptEvent")
        return ReaderEvent(
            antenna=antenna and (int(antenna["AntennaID"]), antenna["EventType"] != "Disconnected"),
            overflow="ReportBufferOverflowErrorEvent" in data,
            buffer_percent=warning and int(warning["ReportBufferPercentageFull"]),
            attempt=attempt and str(attempt["Status"]),
            closing="ConnectionCloseEvent" in data,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LlrpFrameError(f"a reader event cannot be understood: {error!r}") from None


@dataclass
class ProtocolHandler:
    """Takes the reader's bytes; hands reports, events and unknown messages to the callbacks, in order.

    Answers wait in it until they are asked for, at most MAX_ANSWERS. on_keepalive has to acknowledge.
    """

    label: str
    on_report: Callable[[bytes], None]
    on_event: Callable[[ReaderEvent], None]
    on_unknown: Callable[[], None]
    on_keepalive: Callable[[], None]
    greetings: list[str] = field(default_factory=list)
    _answers: list[LlrpFrame] = field(default_factory=list)
    _splitter: FrameSplitter = field(default_factory=FrameSplitter)

    def take(self, data: bytes) -> int:
        """Handle every whole message that `data` completes; returns how many those were.

        Raises LlrpFrameError for what is not LLRP and ReaderLost where the reader says that it closes, after
        everything before it was handled.
        """
        count = 0
        for frame in self._splitter.feed(data):
            count += 1
            self._handle(frame)
        return count

    def _handle(self, frame: LlrpFrame) -> None:
        if frame.type == frames.RO_ACCESS_REPORT:
            self.on_report(frame.body)
        elif frame.type == frames.KEEPALIVE:
            self.on_keepalive()
        elif frame.type == frames.READER_EVENT_NOTIFICATION:
            self._handle_event(parse_event(decode_message(frame)))
        elif message_name(frame):
            if len(self._answers) >= MAX_ANSWERS:
                raise LlrpFrameError(f"reader {self.label}: sends answers that nobody asked for")
            self._answers.append(frame)
        else:
            self.on_unknown()

    def _handle_event(self, event: ReaderEvent) -> None:
        self.on_event(event)
        if event.closing:
            raise ReaderLost(f"reader {self.label}: the reader said that it closes the connection")
        if event.attempt is not None:
            del self.greetings[: 1 - MAX_GREETINGS]
            self.greetings.append(event.attempt)

    @property
    def waiting(self) -> list[int]:
        """Message ids of the answers that nobody has asked for yet."""
        return [frame.message_id for frame in self._answers]

    def answer(self, message_id: int) -> Message | None:
        """The answer to a request, None while it has not come. Raises LlrpFrameError if it makes no sense."""
        for frame in self._answers:
            if frame.message_id == message_id:
                self._answers.remove(frame)
                return decode_message(frame)
        return None
