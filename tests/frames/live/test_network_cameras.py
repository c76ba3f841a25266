"""What network cameras do to people: each case is a camera on loopback, and its right value."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from runtime.config import Camera
from runtime.frames.live import rtsp
from runtime.frames.live.streams import StreamSource
from runtime.frames.opening import open_source
from runtime.frames.sources import Frame, SourceFault, SourceState, read
from testing.cameras.fake_camera import FakeCamera
from testing.cameras.manner import Manner
from testing.cameras.packets import access_units
from tests.frames.cameras import CameraUnderTest, collect
from tests.frames.clips import number_in
from tests.frames.conftest import free_port
from tests.frames.films import make_film

INTERLACED = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:keyint=10:repeat-headers=1"}
PROGRESSIVE = {"x264-params": "keyint=10:repeat-headers=1"}
FRAMES = 30

Units = list[list[bytes]]


@pytest.fixture(scope="session")
def units(tmp_path_factory: pytest.TempPathFactory) -> Units:
    """Thirty numbered pictures, H.264."""
    return coded(tmp_path_factory.mktemp("film"))


def coded(folder: Path, codec: str = "libx264", coder: dict[str, str] | None = None) -> Units:
    kind = "h264" if codec == "libx264" else "hevc"
    film = make_film(folder / f"film.{kind}", codec, container=kind, coder=coder or PROGRESSIVE)
    found = access_units(film.read_bytes(), "H264" if kind == "h264" else "H265")
    assert len(found) == FRAMES
    return found


def numbers(source: StreamSource, count: int) -> list[int]:
    frames = [read(source) for _ in range(count)]
    return [number_in(frame.image) for frame in frames if isinstance(frame, Frame)]


def opened(uri: str, transport: str = "auto") -> StreamSource:
    source = open_source(uri, transport=transport)  # type: ignore[arg-type]
    assert isinstance(source, StreamSource)
    return source


def plays(uri: str, transport: str = "auto") -> StreamSource:
    """Open it, see that the right pictures come in their order, and close it."""
    source = opened(uri, transport)
    found = numbers(source, 12)
    assert all((b - a) % FRAMES == 1 for a, b in pairwise(found)), found
    source.close()
    return source


@pytest.mark.parametrize(
    "manner",
    [
        Manner(),
        Manner(login=("Basic",)),
        Manner(login=("MD5",)),
        Manner(login=("SHA-256",)),
        Manner(login=("SHA-256", "MD5")),
        Manner(login=("MD5", "SHA-256")),
        Manner(login=("Basic", "SHA-256")),
        Manner(login=("Bearer", "MD5")),
        Manner(login=("SHA-256",), nonces=1),
        Manner(transports=("tcp",)),
        Manner(transports=("udp",)),
        Manner(transports=("udp",), login=("MD5",)),
        Manner(parameter_sets=False),
        Manner(path="/Streaming/Channels/101?profile=main"),
        Manner(login=("MD5",), password="ge@h:e/i m"),
    ],
    ids=lambda manner: " ".join(
        (*(manner.login or ("open",)), *manner.transports, "" if manner.parameter_sets else "no sprop")
    ),
)
def test_a_camera_plays_whatever_login_and_transport_it_wants(units: Units, manner: Manner) -> None:
    with FakeCamera(units, replace(manner, fps=100)) as camera:
        password = "ann:ge%40h%3Ae%2Fi%20m" if " " in manner.password else None
        source = plays(camera.uri(password))
        assert source.transport == manner.transports[0]
        assert source.remark == ""


def test_interlaced_pictures_come_whole_and_are_not_black(tmp_path: Path) -> None:
    with FakeCamera(coded(tmp_path, coder=INTERLACED)) as camera:
        plays(camera.uri())


def test_h265_plays(tmp_path: Path) -> None:
    coder = {"x265-params": "keyint=10:repeat-headers=1:log-level=none"}
    with FakeCamera(coded(tmp_path, "libx265", coder), Manner(coding="H265")) as camera:
        plays(camera.uri())


def sdp(*sections: str) -> str:
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=x", "t=0 0", *sections, "a=control:track1", ""])


REFUSED: dict[str, tuple[Manner, str | None, str, SourceState, str]] = {
    "wrong password, Basic": (
        Manner(login=("Basic",)),
        "ann:no",
        "auto",
        SourceState.WRONG_PASSWORD,
        "refuses this user name and password (login by Basic)",
    ),
    "wrong password, Digest MD5": (
        Manner(login=("MD5",)),
        "ann:no",
        "auto",
        SourceState.WRONG_PASSWORD,
        "refuses this user name and password (login by Digest MD5)",
    ),
    "wrong password, Digest SHA-256": (
        Manner(login=("SHA-256",)),
        "ann:no",
        "auto",
        SourceState.WRONG_PASSWORD,
        "refuses this user name and password (login by Digest SHA-256)",
    ),
    "no password": (Manner(login=("MD5",)), "", "auto", SourceState.WRONG_PASSWORD, "none was given"),
    "unknown login": (
        Manner(login=("Bearer",)),
        None,
        "auto",
        SourceState.WRONG_PASSWORD,
        "wants a login by Bearer, which is not known here",
    ),
    "no rights": (
        Manner(statuses={"DESCRIBE": "403 Forbidden"}),
        None,
        "auto",
        SourceState.WRONG_PASSWORD,
        "DESCRIBE with RTSP 403 Forbidden: access is forbidden",
    ),
    "no such path": (
        Manner(statuses={"DESCRIBE": "404 Not Found"}),
        None,
        "auto",
        SourceState.NO_SUCH_FILE,
        "no stream /live (RTSP 404)",
    ),
    "gone": (
        Manner(statuses={"DESCRIBE": "410 Gone"}),
        None,
        "auto",
        SourceState.NO_SUCH_FILE,
        "no stream /live",
    ),
    "bad request": (
        Manner(statuses={"DESCRIBE": "400 Bad Request"}),
        None,
        "auto",
        SourceState.CONNECTING,
        "RTSP 400 Bad Request: it does not understand the address",
    ),
    "no transport": (
        Manner(transports=()),
        None,
        "auto",
        SourceState.UNUSABLE,
        "SETUP with RTSP 461 Unsupported Transport: it refuses the transport TCP",
    ),
    "UDP only, TCP wanted": (
        Manner(transports=("udp",)),
        None,
        "tcp",
        SourceState.UNUSABLE,
        "use transport: udp or auto",
    ),
    "TCP only, UDP wanted": (
        Manner(transports=("tcp",)),
        None,
        "udp",
        SourceState.UNUSABLE,
        "use transport: tcp or auto",
    ),
    "session lost": (
        Manner(statuses={"SETUP": "454 Session Not Found"}),
        None,
        "auto",
        SourceState.CONNECTING,
        "SETUP with RTSP 454 Session Not Found",
    ),
    "aggregate": (
        Manner(statuses={"SETUP": "459 Aggregate Operation Not Allowed"}),
        None,
        "auto",
        SourceState.CONNECTING,
        "RTSP 459 Aggregate Operation Not Allowed: it wants the whole stream",
    ),
    "too many viewers": (
        Manner(statuses={"SETUP": "453 Not Enough Bandwidth"}),
        None,
        "auto",
        SourceState.CONNECTING,
        "too many viewers",
    ),
    "overloaded": (
        Manner(statuses={"DESCRIBE": "503 Service Unavailable"}),
        None,
        "auto",
        SourceState.CONNECTING,
        "DESCRIBE with RTSP 503 Service Unavailable: too many viewers",
    ),
    "a fault of its own": (
        Manner(statuses={"PLAY": "500 Internal Server Error"}),
        None,
        "auto",
        SourceState.CONNECTING,
        "PLAY with RTSP 500 Internal Server Error: the camera has a fault of its own",
    ),
    "a number nobody knows": (
        Manner(statuses={"PLAY": "599 Odd"}),
        None,
        "auto",
        SourceState.CONNECTING,
        "PLAY with RTSP 599 Odd",
    ),
    "H.266": (
        Manner(description=sdp("m=video 0 RTP/AVP 96", "a=rtpmap:96 H266/90000")),
        None,
        "auto",
        SourceState.UNUSABLE,
        "sends H.266, which cannot be decoded here; set it to H.264 or H.265",
    ),
    "a coding of its own": (
        Manner(description=sdp("m=video 0 RTP/AVP 98", "a=rtpmap:98 X-SMART/90000")),
        None,
        "auto",
        SourceState.UNUSABLE,
        "sends X-SMART",
    ),
    "only sound": (
        Manner(description=sdp("m=audio 0 RTP/AVP 0")),
        None,
        "auto",
        SourceState.UNUSABLE,
        "no pictures in the stream, only audio",
    ),
    "only metadata": (
        Manner(description=sdp("m=application 0 RTP/AVP 107", "a=rtpmap:107 vnd.onvif.metadata/90000")),
        None,
        "auto",
        SourceState.UNUSABLE,
        "no pictures in the stream, only application",
    ),
    "an empty description": (
        Manner(description="v=0\r\n"),
        None,
        "auto",
        SourceState.UNUSABLE,
        "no pictures in the stream, only nothing",
    ),
    "sent to another server": (
        Manner(statuses={"DESCRIBE": "302 Found"}, headers={"Location": "rtsp://elsewhere:8554/a"}),
        None,
        "auto",
        SourceState.UNUSABLE,
        "sends us on to rtsp://elsewhere:8554/a",
    ),
    "sent nowhere": (
        Manner(statuses={"DESCRIBE": "302 Found"}),
        None,
        "auto",
        SourceState.UNUSABLE,
        "sends us on to nowhere",
    ),
    "sent in circles": (
        Manner(statuses={"DESCRIBE": "301 Moved"}, headers={"Location": "/live"}),
        None,
        "auto",
        SourceState.UNUSABLE,
        "in circles",
    ),
    "SHA-256 over UDP": (Manner(login=("SHA-256",)), None, "udp", SourceState.UNUSABLE, "needs TCP"),
}


@pytest.mark.parametrize(("manner", "login", "transport", "state", "words"), REFUSED.values(), ids=REFUSED)
def test_a_failed_open_says_what_the_camera_said(
    units: Units, manner: Manner, login: str | None, transport: str, state: SourceState, words: str
) -> None:
    with FakeCamera(units, manner) as camera, pytest.raises(SourceFault) as fault:
        opened(camera.uri(login), transport)
    said = str(fault.value)
    assert words in said, said
    assert fault.value.state is state
    assert "\n" not in said and "geheim" not in said and "ann:no" not in said


def test_a_camera_that_sends_nothing_is_named(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.frames.live.streams.OPEN_TIMEOUT_S", 0.7)
    monkeypatch.setattr("runtime.frames.live.streams.READ_TIMEOUT_S", 0.7)
    for transport, words in (("tcp", "over TCP"), ("udp", "is a firewall between?")):
        with FakeCamera(units, Manner(sends=False)) as camera, pytest.raises(SourceFault) as fault:
            opened(camera.uri(), transport)
        assert "no pictures come" in str(fault.value) and words in str(fault.value)


def test_a_camera_that_has_moved_is_followed_with_the_login(units: Units) -> None:
    with FakeCamera(units, Manner(login=("MD5",), path="/new")) as there:
        sent_on = Manner(
            statuses={"DESCRIBE": "301 Moved Permanently"},
            headers={"Location": f"rtsp://127.0.0.1:{there.port}/new"},
        )
        with FakeCamera(units, sent_on) as here:
            plays(here.uri("ann:geheim"))


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does `talk` with each who comes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        talk(connection)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def web_server(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def tls_server(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")


def ssh_server(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")
    connection.recv(4096)


def hangs_up(connection: socket.socket) -> None:
    connection.recv(4096)


@pytest.mark.parametrize(
    ("scheme", "talk", "words"),
    [
        ("rtsp", web_server, "a web server answers; the port of RTSP is usually 554"),
        ("rtsp", tls_server, "it speaks TLS there; rtsps:// would be right"),
        ("rtsp", ssh_server, "it does not speak RTSP there"),
        ("rtsp", hangs_up, "it hung up without an answer"),
        ("rtsps", web_server, "it does not speak TLS there; rtsp:// would be right"),
    ],
)
def test_who_answers_in_another_language_is_named(
    scheme: str, talk: Callable[[socket.socket], None], words: str
) -> None:
    with answering(talk) as port, pytest.raises(SourceFault) as fault:
        open_source(f"{scheme}://ann:geheim@127.0.0.1:{port}/live")
    assert words in str(fault.value)


def test_nobody_there_is_told_from_an_unknown_name_and_from_silence() -> None:
    port = free_port()
    with pytest.raises(SourceFault, match=f"nobody listens at port {port} of 127.0.0.1") as fault:
        open_source(f"rtsp://127.0.0.1:{port}/live")
    assert fault.value.state is SourceState.CONNECTING
    with pytest.raises(SourceFault, match=r"no host camera\.invalid is known"):
        open_source("rtsp://camera.invalid/live")
    with answering(lambda connection: time.sleep(2)) as silent:
        asked = rtsp.described(f"rtsp://127.0.0.1:{silent}/live", timeout_s=0.3)
        with pytest.raises(SourceFault, match=f"127.0.0.1 is silent at port {silent}"):
            asked.__enter__()


def test_a_camera_over_tls_with_a_certificate_of_its_own_is_asked(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def camera(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as talk:
            talk.recv(4096)
            talk.sendall(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n")

    with answering(camera) as port, pytest.raises(SourceFault, match="no stream /live") as fault:
        open_source(f"rtsps://127.0.0.1:{port}/live")
    assert fault.value.state is SourceState.NO_SUCH_FILE


def self_signed(folder: Path) -> Path:
    from datetime import datetime, timedelta, timezone

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "camera")])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    file = folder / "camera.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        (Manner(stamps=lambda taken_s, number: taken_s + 37_600 * (number % 20 == 19)), "1 in 20"),
        (Manner(stamps=lambda taken_s, number: 5.0), "stand still"),
        (Manner(), ""),
        pytest.param(
            Manner(fps=10, stamps=lambda taken_s, number: taken_s * 2 / 3),
            "33 % slow",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["outliers", "frozen", "healthy", "10 as 15"],
)
def test_health_speaks_of_a_wrong_clock_and_no_picture_is_lost(
    units: Units, manner: Manner, words: str
) -> None:
    with FakeCamera(units, manner) as camera:
        settings = Camera(name="door", uri=camera.uri(), analysis_fps=25)
        with CameraUnderTest(settings) as door:
            reader = door.reader()
            collect(reader, 20)
            health = door.wait_for(
                lambda health: health.values.get("frames", 0) > 80 and words in health.detail,
                within_s=30,
                meanwhile=lambda: [reader.give_back(ready) for ready in reader.waiting()],
            )
    assert health.state == "live"
    assert bool(health.detail) == bool(words)
    assert health.drops.get("stale", 0) == 0


@pytest.mark.slow
def test_pictures_that_a_stalled_network_kept_are_left_out_and_it_is_said(units: Units) -> None:
    def stalled(taken_s: float, number: int) -> float:
        return 10.0 if 5.0 <= taken_s < 10.0 else taken_s

    with FakeCamera(units, Manner(fps=15, delivery=stalled)) as camera:
        settings = Camera(name="door", uri=camera.uri(), analysis_fps=15)
        with CameraUnderTest(settings) as door:
            reader = door.reader()
            health = door.wait_for(
                lambda health: "came too late" in health.detail and health.drops["stale"] >= 45,
                within_s=30,
                meanwhile=lambda: [reader.give_back(ready) for ready in reader.waiting()],
            )
    assert health.state == "live"
    assert health.drops["stale"] <= 62, "those older than a second, of five seconds"
