from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.clock import HostClock
from runtime.config import Camera
from runtime.frames.live import rtsp, sdp
from runtime.frames.live.streams import StreamSource
from runtime.frames.opening import open_source
from runtime.frames.sources import SourceFault, SourceState, read
from runtime.frames.uri import parse_uri
from runtime.messages import HealthState
from tests.frames.cameras import CameraUnderTest, collect
from tests.frames.conftest import RtspServer, free_port

Serve = Callable[..., RtspServer]


def door(uri: str, **settings: object) -> Camera:
    return Camera(name="door", uri=uri, **settings)  # type: ignore[arg-type]


def test_a_server_that_is_killed_in_mid_stream_is_found_again(serve: Serve, tmp_path: Path) -> None:
    server = serve("digest", "ann", "geheim")
    password = tmp_path / "password"
    password.write_text("geheim\n")
    camera_settings = door(server.uri(), username="ann", password_file=password)
    with CameraUnderTest(camera_settings) as camera:
        reader = camera.reader()
        before = collect(reader, 10)
        server.kill()
        broken = camera.wait_for(lambda health: "next try in" in health.detail)
        assert broken.state == "connecting"
        server.start()
        collect(reader, 1)
        after = collect(reader, 10)
        assert after[0].sequence > before[-1].sequence
        assert after[0].time_s > before[-1].time_s
        times = [ready.time_s for ready in after]
        assert times == sorted(times)
        camera.wait_for(lambda health: health.state == "live" and health.time_s > broken.time_s)
        assert camera.stop() < 1.0


def test_a_stream_that_hangs_is_given_up(serve: Serve) -> None:
    server = serve()
    with CameraUnderTest(door(server.uri())) as camera:
        collect(camera.reader(), 3)
        assert server.process is not None
        os.kill(server.process.pid, 19)  # SIGSTOP: the connection stays, nothing comes
        camera.wait_for(lambda health: health.state == "connecting" and "broke off" in health.detail, 30)
        gaps = [b.time_s - a.time_s for a, b in zip(camera.healths, camera.healths[1:], strict=False)]
        assert max(gaps) < 3.0, "it speaks every second while the read hangs for five"


@pytest.mark.parametrize("scheme", ["digest", "basic"])
def test_the_right_password_opens_and_a_wrong_one_says_so(serve: Serve, scheme: str) -> None:
    server = serve(scheme, "ann", "ge heim")
    with rtsp.described(server.uri("ann:ge%20heim@")) as description:
        assert sdp.parameters(description.sdp)
    for login in ("ann:wrong@", "bob:ge%20heim@", ""):
        with pytest.raises(SourceFault) as fault:
            open_source(server.uri(login))
        assert fault.value.state is SourceState.WRONG_PASSWORD
        assert "wrong" not in str(fault.value).replace("wrong password", "")


def test_a_path_that_the_camera_does_not_have_says_so(serve: Serve) -> None:
    with pytest.raises(SourceFault, match="has no stream /attic") as fault:
        open_source(serve().uri(path="/attic"))
    assert fault.value.state is SourceState.NO_SUCH_FILE


def test_a_new_picture_size_in_mid_stream_is_noticed_and_taken_up(serve: Serve) -> None:
    server = serve()
    source = StreamSource(parse_uri(server.uri()), HostClock(), parameters_every_s=0.5)
    frame = read(source)
    assert frame is not None and frame.image.shape == (240, 320, 3)
    server.tell("size 640 360")
    with pytest.raises(SourceFault) as fault:
        for _ in range(150):
            read(source)
    assert fault.value.state is SourceState.RESOLUTION_CHANGED
    source.close()
    anew = open_source(server.uri())
    assert anew.size == (640, 360)
    anew.close()


def test_a_camera_process_tells_of_a_new_size_and_marks_the_frames(serve: Serve) -> None:
    server = serve()
    with CameraUnderTest(door(server.uri())) as camera:
        reader = camera.reader()
        collect(reader, 3)
        server.kill()
        camera.wait_for(lambda health: "next try in" in health.detail)
        server.start()
        server.tell("size 640 480")
        health = camera.wait_for_state("resolution changed")
        assert health.detail == "the picture was 320 x 240 and is 640 x 480"
        epochs = set()
        while 1 not in epochs:
            for ready in reader.waiting():
                header = reader.header(ready)
                epochs.add(header.epoch)
                assert (header.width, header.height) == ((640, 480) if header.epoch else (320, 240))
                reader.give_back(ready)
            time.sleep(0.01)


LIVE, STALLED = repr(HealthState.LIVE), repr(HealthState.STALLED)

CAMERA_PROGRAM = """
import logging, sys, threading
from runtime.processes import camera as camera_module
from runtime import messages
from runtime.clock import HostClock
from runtime.config import Camera
from runtime.frames.ring.buffer import create_ring
from runtime.processes.camera import CameraSpec, main

logging.basicConfig(level=logging.DEBUG)
camera_module.STALLED_AFTER_S = float(sys.argv[2])
ours, theirs = messages.pair()
spec = CameraSpec.of(Camera(name="door", uri=sys.argv[1]), HostClock().state)
threading.Thread(target=main, args=(theirs, spec), daemon=True).start()
messages.send(ours, messages.Attach("ring", "door"), (create_ring(4, 640, 480),))
while True:
    print(messages.receive(ours)[0], flush=True)
"""


def output_until(
    uri: str,
    repo: Path,
    last_word: str,
    on_live: Callable[[], None] = lambda: None,
    stalled_after_s: float = 15.0,
) -> str:
    """All that a camera process prints and logs until a line holds `last_word`."""
    command = [sys.executable, "-c", CAMERA_PROGRAM, uri, str(stalled_after_s)]
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    told = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        watchdog = threading.Timer(30.0, process.kill)
        watchdog.start()
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line)
            if LIVE in line:
                on_live()
            if last_word in line:
                break
        process.kill()
        watchdog.cancel()
    return "".join(told)


def test_no_password_reaches_the_log(serve: Serve, repo: Path) -> None:
    server = serve("digest", "ann", "geheim")
    wrong = output_until(server.uri("ann:falsch@"), repo, "wrong password")
    assert "wrong password" in wrong and "falsch" not in wrong
    right = output_until(server.uri("ann:geheim@"), repo, "next try in", on_live=server.kill)
    assert LIVE in right and "next try in" in right
    assert "geheim" not in right


def test_a_call_that_has_hung_is_stalled(repo: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/shop"
        said = output_until(uri, repo, STALLED, stalled_after_s=0.5)
        assert "a read has not come back for" in said and STALLED in said


ANSWERS = {
    "it hangs up": (b"", "it hung up"),
    "it speaks HTTP": (b"HTTP/1.1 200 OK\r\n\r\n", "does not speak RTSP"),
    "it babbles": (b"\xff\x00" * 50_000, "more than 65536 bytes"),
    "its body is endless": (
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        "an answer of 99999999 bytes",
    ),
    "its length is no number": (b"RTSP/1.0 200 OK\r\nContent-Length: many\r\n\r\n", "many"),
    "its length is negative": (b"RTSP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n", "an answer of -5 bytes"),
    "it breaks off": (b"RTSP/1.0 200 OK\r\nContent-Length: 500\r\n\r\nv=0", "it hung up"),
    "it is overloaded": (b"RTSP/1.0 503 Service Unavailable\r\n\r\n", "RTSP 503"),
    "it has a login nobody knows": (
        b"RTSP/1.0 401 No\r\nWWW-Authenticate: Odd x\r\n\r\n",
        "wants a login by Odd, which is not known here",
    ),
}


@pytest.mark.parametrize(("answer", "sentence"), ANSWERS.values(), ids=ANSWERS)
def test_a_server_that_answers_nonsense_is_a_fault_in_a_sentence(answer: bytes, sentence: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        server = threading.Thread(target=answer_once, daemon=True)
        server.start()
        with pytest.raises(SourceFault) as fault:
            open_source(f"rtsp://ann:geheim@127.0.0.1:{listener.getsockname()[1]}/shop")
        assert sentence in str(fault.value)
        assert "geheim" not in str(fault.value)


def test_nobody_there_is_said() -> None:
    with pytest.raises(SourceFault, match="no answer") as fault:
        open_source(f"rtsp://127.0.0.1:{free_port()}/shop")
    assert fault.value.state is SourceState.CONNECTING


def test_a_password_that_others_can_read_serves_on_and_health_says_so(serve: Serve, tmp_path: Path) -> None:
    """An upgrade stops no shop: the one camera is told as what it is, until its file is mended."""
    server = serve("digest", "ann", "geheim")
    password = tmp_path / "password"
    password.write_text("geheim\n")
    password.chmod(0o644)
    with CameraUnderTest(door(server.uri(), username="ann", password_file=password)) as camera:
        collect(camera.reader(), 3)
        told = camera.wait_for(lambda health: health.state == "live" and "chmod 600" in health.detail)
        assert f"{password}: the password file can be read by others (mode 0644)" in told.detail
        assert "geheim" not in told.detail
        password.chmod(0o600)
        server.kill()
        camera.wait_for(lambda health: health.state == "connecting")
        server.start()
        camera.wait_for(lambda health: health.state == "live" and "chmod" not in health.detail, within_s=20.0)
