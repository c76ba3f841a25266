"""Kill readers and cameras of a frame ring at random moments while the other side runs.

A program of its own, so that it can fork small processes quickly: `ring_kills.py KILLS SEED` prints what it
saw as one JSON object. Every frame carries a pattern that depends on its sequence number, in every byte; a
reader checks it on receipt and again before it gives the frame back.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from runtime import messages
from runtime.frames.ring.buffer import FrameHeader, FrameRing, create_ring
from runtime.frames.ring.lending import FrameConsumer, FrameLender
from runtime.messages import Attach, Detach, Health

SLOTS, WIDTH, HEIGHT = 5, 256, 192
RAMP = (np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32) * 7).astype(np.uint8).reshape(HEIGHT, WIDTH, 3)
REPORT_EVERY_S = 0.01
WAIT_S = 10.0


def pattern(sequence: int) -> np.ndarray:
    return RAMP + np.uint8(sequence % 256)


def footprint(pid: int | str = "self") -> dict[str, float]:
    """Descriptors, ring mappings and unique memory of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    private = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_"))
    return {
        "fds": float(len(list(Path(f"/proc/{pid}/fd").iterdir()))),
        "rings": float(Path(f"/proc/{pid}/maps").read_text().count("tagsight-frames")),
        "unique_kb": float(private),
    }


class Talker:
    """Reports to the supervisor now and then."""

    def __init__(self, control: socket.socket, name: str) -> None:
        self.control, self.name, self.told_s = control, name, 0.0
        control.setblocking(False)

    def tell(self, values: dict[str, float]) -> None:
        now_s = time.monotonic()
        if now_s - self.told_s >= REPORT_EVERY_S:
            self.told_s = now_s
            try:
                messages.send(self.control, Health(self.name, "live", now_s, now_s, "", values))
            except BlockingIOError:
                return

    def hear(self) -> tuple[messages.Message, tuple[int, ...]] | None:
        try:
            return messages.receive(self.control)
        except BlockingIOError:
            return None


def camera(control: socket.socket) -> None:
    talker, lender, sequence = Talker(control, "camera"), None, 0
    while True:
        heard = talker.hear()
        if heard is not None:
            message, fds = heard
            if isinstance(message, Attach) and message.role == "ring":
                lender = FrameLender(FrameRing.attach(fds[0], writable=True))
            elif isinstance(message, Attach) and lender is not None:
                lender.add_reader(message.name, socket.socket(fileno=fds[0]))
            elif isinstance(message, Detach) and lender is not None:
                lender.remove_reader(message.name)
        if lender is None:
            select.select([control], [], [], 0.05)
            continue
        for name in lender.readers:
            lender.take_back(name)
        slot = lender.ledger.take()
        if slot is None:
            select.select([control, *lender.readers.values()], [], [], 0.01)
        else:
            sequence += 1
            header = FrameHeader(sequence, 0.0, 0.0, WIDTH, HEIGHT)
            np.add(RAMP, np.uint8(sequence % 256), out=lender.ring.slot_view(slot, WIDTH, HEIGHT))
            lender.ring.stamp(slot, header)
            if not lender.lend(slot, header):
                time.sleep(0.0005)
        free, readers = lender.ledger.free, len(lender.readers)
        talker.tell({"sent": float(sequence), "free": float(free), "readers": float(readers)})


def reader(control: socket.socket, seed: int) -> None:
    rng, talker, consumer = random.Random(seed), Talker(control, "reader"), None
    held: list[messages.FrameReady] = []
    frames = torn = 0
    while True:
        heard = talker.hear()
        if heard is not None and isinstance(heard[0], Attach):
            if consumer is not None:
                consumer.close()
            held.clear()
            consumer = FrameConsumer(FrameRing.attach(heard[1][0]), socket.socket(fileno=heard[1][1]))
        try:
            if consumer is None:
                select.select([control], [], [], 0.05)
            else:
                select.select([control, consumer.sock], [], [], 0.01)
                while (ready := consumer.receive()) is not None:
                    frames += 1
                    torn += is_torn(consumer, ready)
                    held.append(ready)
                while len(held) > rng.randrange(3):
                    ready = held.pop(0)
                    torn += is_torn(consumer, ready)
                    consumer.give_back(ready)
        except messages.PeerGone:
            assert consumer is not None
            held.clear()
            consumer.close()
            consumer = None
        talker.tell({"frames": float(frames), "torn": float(torn)})


def is_torn(consumer: FrameConsumer, ready: messages.FrameReady) -> bool:
    good = consumer.header(ready).sequence == ready.sequence
    return not (good and np.array_equal(consumer.frame(ready), pattern(ready.sequence)))


@dataclass
class Child:
    pid: int
    control: socket.socket
    values: dict[str, float] = field(default_factory=dict)
    ended: bool = False

    def listen(self) -> None:
        """Take in what the child has reported."""
        try:
            while True:
                message, _ = messages.receive(self.control)
                assert isinstance(message, Health)
                self.values = message.values
        except BlockingIOError:
            return
        except messages.PeerGone:
            self.ended = True


class Supervisor:
    """Starts, kills and connects the two, as the real one does: new sockets, a new ring for a new camera."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.ring_fd = -1
        self.camera = self.start_camera()
        self.reader = self.start_reader()
        self.torn = 0

    def fork(self, run: object, *arguments: object) -> Child:
        ours, theirs = messages.pair()
        pid = os.fork()
        if pid == 0:
            keep = {0, 1, 2, theirs.fileno()}
            for entry in list(Path("/proc/self/fd").iterdir()):
                if int(entry.name) not in keep:
                    with suppress(OSError):
                        os.close(int(entry.name))
            try:
                run(theirs, *arguments)  # type: ignore[operator]
            except messages.PeerGone:
                os._exit(0)
            except BaseException as error:
                os.write(2, f"{run}: {error!r}\n".encode())
            os._exit(1)
        theirs.close()
        ours.setblocking(False)
        return Child(pid, ours)

    def start_camera(self) -> Child:
        if self.ring_fd >= 0:
            os.close(self.ring_fd)
        self.ring_fd = create_ring(SLOTS, WIDTH, HEIGHT)
        child = self.fork(camera)
        messages.send(child.control, Attach("ring", "door"), (self.ring_fd,))
        return child

    def start_reader(self) -> Child:
        return self.fork(reader, self.rng.randrange(1 << 30))

    def connect(self) -> None:
        camera_end, reader_end = messages.pair()
        messages.send(self.camera.control, Attach("frames", "vision"), (camera_end.fileno(),))
        messages.send(self.reader.control, Attach("camera", "door"), (self.ring_fd, reader_end.fileno()))
        camera_end.close()
        reader_end.close()

    def wait(self, child: Child, what: str, wanted: object) -> None:
        """Wait until the child reports what is wanted. Raises TimeoutError, with what it last said."""
        deadline_s = time.monotonic() + WAIT_S
        while not wanted(child.values):  # type: ignore[operator]
            child.listen()
            if child.ended or time.monotonic() > deadline_s:
                raise TimeoutError(f"{what}: last heard {child.values}, ended: {child.ended}")
            select.select([child.control], [], [], 0.05)

    def flow(self) -> None:
        """Wait until frames reach the reader again."""
        self.reader.listen()
        before = self.reader.values.get("frames", 0.0)
        self.wait(self.reader, "frames flow again", lambda values: values.get("frames", 0) > before + 2)

    def kill(self, child: Child) -> None:
        time.sleep(self.rng.random() * 0.03)
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        child.listen()
        self.torn += int(child.values.get("torn", 0))
        child.control.close()

    def kill_reader(self) -> None:
        self.kill(self.reader)
        self.camera.values = {}
        self.wait(
            self.camera,
            "every slot comes back",
            lambda values: values.get("readers") == 0 and values.get("free") == SLOTS,
        )
        self.reader = self.start_reader()

    def kill_camera(self) -> None:
        self.kill(self.camera)
        self.camera = self.start_camera()

    def end(self) -> None:
        for child in (self.camera, self.reader):
            self.kill(child)
        os.close(self.ring_fd)


def main(kills: int, seed: int) -> dict[str, object]:
    supervisor = Supervisor(seed)
    marks: dict[str, dict[str, float]] = {}
    phases = (("reader", kills * 2 // 5), ("camera", kills * 2 // 5), ("either", kills - kills * 2 // 5 * 2))
    supervisor.connect()
    supervisor.flow()
    own = footprint()
    done = 0
    for victim, count in phases:
        for number in range(count):
            if victim == "camera" or (victim == "either" and supervisor.rng.random() < 0.5):
                supervisor.kill_camera()
            else:
                supervisor.kill_reader()
            supervisor.connect()
            supervisor.flow()
            done += 1
            survivor = supervisor.camera if victim == "reader" else supervisor.reader
            if victim != "either" and number in (count // 4, count - 1):
                marks[f"{'camera' if victim == 'reader' else 'reader'} {number == count - 1}"] = footprint(
                    survivor.pid
                )
    after = footprint()
    supervisor.reader.listen()
    supervisor.end()
    return {"kills": done, "torn": supervisor.torn, "own": [own, after], "marks": marks}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
