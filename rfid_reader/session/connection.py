"""One LLRP connection, from the TCP connect to its end.

A connection is used once. Nothing of it (bytes, transactions, specs) outlives it: the session makes a new
one.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable

from rfid_reader.errors import (
    ReaderLost,
    ReaderRefused,
    ReaderSettingsError,
    ReaderSilent,
)
from rfid_reader.llrp.capabilities import Capabilities, parse_capabilities
from rfid_reader.llrp.codec import Message, encode_message
from rfid_reader.llrp.rospec import (
    ROSPEC_ID,
    build_reader_config,
    build_rospec,
    chosen_antennas,
    link_monitor,
)
from rfid_reader.session.protocol_handler import ProtocolHandler, ReaderEvent
from rfid_reader.settings import ReaderSettings

RECEIVE_BYTES = 1 << 16
MAX_DESCRIPTION = 500
"""Bytes of why a reader refuses; they go into the log."""
FAREWELL_S = 0.5
OTHER_CLIENT = "Failed (a Client initiated connection already exists)"
READER_CLIENT = "Failed (a Reader initiated connection already exists)"
NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _trust(settings: ReaderSettings) -> ssl.SSLContext:
    """Whom to believe that it is the reader. Raises ReaderSettingsError for a CA file that is of no use."""
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca)
    except OSError as error:
        raise ReaderSettingsError(
            f"reader {settings.label}: tls_ca {settings.tls_ca}: {error.strerror or error}; "
            "a PEM file with the certificate that vouches for the reader would be right"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 asks for RFC 5280 to the letter (key identifiers and more), which a store's own authority
    # seldom writes. Chain, dates and name are checked all the same, alike on every Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _connect(settings: ReaderSettings) -> socket.socket:
    timing = settings.timing
    try:
        plain = socket.create_connection((settings.host, settings.port), timeout=timing.connect_s)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReaderLost(
            f"reader {settings.label}: cannot connect to {settings.host}:{settings.port}: {reason}"
        ) from None
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not settings.tls:
        return plain
    try:
        return _trust(settings).wrap_socket(plain, server_hostname=settings.host)
    except ReaderSettingsError:
        plain.close()
        raise
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise ReaderLost(
            f"reader {settings.label}: its certificate is not to be trusted: {error.verify_message}"
        ) from None
    except OSError as error:
        plain.close()
        raise ReaderLost(f"reader {settings.label}: TLS failed: {error}") from None


class Connection:
    """Sends requests and hands every tag report and event to the callbacks, in order.

    extensions: Impinj's are on. link_monitored: the reader ends a connection that nobody acknowledges.
    antennas: those in use, and antennas_there the reader's last one, once that is known.

    All methods raise ReaderLost, ReaderSilent, ReaderRefused or LlrpFrameError; after any of them only
    `close` is of use.
    """

    def __init__(
        self,
        settings: ReaderSettings,
        on_report: Callable[[bytes], None],
        on_event: Callable[[ReaderEvent], None],
        on_unknown: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.extensions = False
        self.link_monitored = False
        self.antennas = settings.antennas
        self.antennas_there: int | None = None
        self._protocol = ProtocolHandler(settings.label, on_report, on_event, on_unknown, self._acknowledge)
        self._message_id = 0
        self._socket = _connect(settings)
        self._socket.settimeout(settings.timing.answer_s)
        self.heard_monotonic_s = time.monotonic()
        self._silence_s = max(settings.timing.silence_s, settings.timing.answer_s)

    def leave(self) -> None:
        """End in good order: ask the reader to close, and take what it still had to say until it does.

        Raises what `pump` raises; the reader closing the connection (ReaderLost) is the usual end.
        """
        self._send("CLOSE_CONNECTION")
        deadline_s = time.monotonic() + min(FAREWELL_S, self.settings.timing.answer_s)
        while time.monotonic() < deadline_s:
            self.pump(deadline_s - time.monotonic())

    def close(self) -> None:
        """Close at once. Never raises."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _next_id(self) -> int:
        self._message_id = self._message_id % 0x7FFFFFFF + 1
        return self._message_id

    def _send(self, name: str, fields: Message | None = None, extra: bytes = b"") -> int:
        message_id = self._next_id()
        try:
            self._socket.sendall(encode_message(name, message_id, fields, extra))
        except OSError as error:
            raise ReaderLost(f"reader {self.settings.label}: the connection broke: {error}") from None
        return message_id

    def _readable(self, timeout_s: float) -> bool:
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        return bool(select.select([self._socket], [], [], max(0.0, timeout_s))[0])

    def pump(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` for bytes and handle every whole frame in them; False if nothing came.

        Raises ReaderSilent once the reader has sent no frame for `Timing.silence_s`; before it was told to
        send keepalives, for `Timing.answer_s` if that is longer. Where this process itself was held up for so
        long, what has come meanwhile is heard first.
        """
        if not self._readable(timeout_s) and not (self._silent_s() > self._silence_s and self._readable(0.0)):
            self._check_silence()
            return False
        data = self._received()
        if data is not None and self._protocol.take(data):
            self.heard_monotonic_s = time.monotonic()
        self._check_silence()
        return data is not None

    def _received(self) -> bytes | None:
        """What has come, None for nothing that can be read yet (TLS has bytes of its own)."""
        self._socket.settimeout(0.0)
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except NOTHING_YET:
            return None
        except OSError as error:
            raise ReaderLost(f"reader {self.settings.label}: the connection broke: {error}") from None
        finally:
            self._socket.settimeout(self.settings.timing.answer_s)
        if not data:
            raise ReaderLost(f"reader {self.settings.label}: the reader closed the connection")
        return data

    def _acknowledge(self) -> None:
        self._send("KEEPALIVE_ACK")

    def _silent_s(self) -> float:
        return time.monotonic() - self.heard_monotonic_s

    def _check_silence(self) -> None:
        """Bytes alone are no sign of life: a frame that never ends is silence too."""
        silent_s = self._silent_s()
        if silent_s > self._silence_s:
            raise ReaderSilent(
                f"reader {self.settings.label}: nothing heard for {silent_s:.1f} s, not even a keepalive"
            )

    def handshake(self) -> None:
        """Wait for the reader's first event. Raises ReaderRefused where it has another client."""
        deadline_s = time.monotonic() + self.settings.timing.answer_s
        while not self._protocol.greetings:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise ReaderSilent(
                    f"reader {self.settings.label}: accepted the connection, then said nothing"
                )
            self.pump(left_s)
        status = self._protocol.greetings[0]
        if status in (OTHER_CLIENT, READER_CLIENT):
            raise ReaderRefused(
                f"reader {self.settings.label}: it already serves another LLRP client; "
                "stop that client, or wait until the reader notices that it is gone"
            )
        if status != "Success":
            raise ReaderRefused(f"reader {self.settings.label}: it refuses connections: {status}")

    def request(self, name: str, fields: Message | None = None, extra: bytes = b"") -> Message:
        """Send a request and wait for its answer; reports and events that come first are handled.

        Raises ReaderRefused where the reader says no, with its reason.
        """
        message_id = self._send(name, fields, extra)
        deadline_s = time.monotonic() + self.settings.timing.answer_s
        while True:
            answer = self._protocol.answer(message_id)
            if answer is not None:
                return self._checked(name, answer)
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise ReaderSilent(f"reader {self.settings.label}: no answer to {name}")
            self.pump(left_s)

    def _checked(self, name: str, answer: Message) -> Message:
        status = answer.get("LLRPStatus", {})
        code = status.get("StatusCode", "an unknown status")
        if code != "Success":
            said = bytes(status.get("ErrorDescription", b""))[:MAX_DESCRIPTION].decode("utf-8", "replace")
            description = "".join(letter if letter.isprintable() else " " for letter in said)
            raise ReaderRefused(
                f"reader {self.settings.label}: {name} was refused: {code} {description}".rstrip()
            )
        return answer

    def _clear(self) -> None:
        """Delete whatever another client left. Some readers refuse that when there is nothing to delete;
        where something is in the way after all, adding our own ROSpec is refused with the reason.
        """
        with contextlib.suppress(ReaderRefused):
            self.request("DELETE_ROSPEC", {"ROSpecID": 0})
        with contextlib.suppress(ReaderRefused):
            self.request("DELETE_ACCESSSPEC", {"AccessSpecID": 0})

    def _monitor_link(self) -> None:
        """Let the reader notice when we are gone. Old firmware refuses that, and everything else works."""
        if not self.extensions:
            return
        with contextlib.suppress(ReaderRefused):
            self.request("SET_READER_CONFIG", {"ResetToFactoryDefaults": False}, link_monitor(self.settings))
            self.link_monitored = True

    def configure(self) -> Capabilities:
        """From a fresh connection to a reading reader: ask what it can do, clear it, set it up, start it."""
        capabilities = parse_capabilities(self.request("GET_READER_CAPABILITIES", {"RequestedData": 0}))
        if capabilities.impinj:
            try:
                self.request("IMPINJ_ENABLE_EXTENSIONS")
                self.extensions = True
            except ReaderRefused:
                self.extensions = False
        rospec = build_rospec(self.settings, capabilities, self.extensions)
        self.antennas = chosen_antennas(self.settings, capabilities)
        self.antennas_there = capabilities.antennas
        self._clear()
        self.request("SET_READER_CONFIG", build_reader_config(self.settings))
        self._monitor_link()
        self.request("ADD_ROSPEC", {"ROSpec": rospec})
        self.request("ENABLE_ROSPEC", {"ROSpecID": ROSPEC_ID})
        self._send("ENABLE_EVENTS_AND_REPORTS")
        self.request("START_ROSPEC", {"ROSpecID": ROSPEC_ID})
        self._silence_s = self.settings.timing.silence_s
        return capabilities
