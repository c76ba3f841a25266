"""Rows about what the box is fed with and what it runs on: cameras, readers, memory, power, configuration."""

from __future__ import annotations

import os
import random
import signal
import time

from bench.reliability.faults.box import CAMERA, LIMIT_S, READER, Box, NoBox
from bench.reliability.faults.rig import Outcome
from testing.faults.torn_write import tear

FREE_BYTES = 24 << 20
AWAY_S = 3.0
INTERVALS = {"heatmap_s": 2, "flow_s": 2, "health_s": 1}


def camera_dead(box: Box, times: int) -> Outcome:
    """The camera's plug is pulled and put back."""
    worst_s = 0.0
    for _ in range(times):
        box.camera.kill()
        said = box.wait_for_state(CAMERA, "connecting", "stalled", "unusable")
        time.sleep(AWAY_S)
        box.camera.start()
        worst_s = max(worst_s, _until_usual(box))
    return box.settle("camera stream dead", times, worst_s, said)


def camera_frozen(box: Box, times: int) -> Outcome:
    """The camera repeats one picture, and moves again."""
    worst_s = 0.0
    for _ in range(times):
        box.camera.tell("pattern white")
        said = box.wait_for_state(CAMERA, "frozen")
        box.camera.tell("pattern ball")
        worst_s = max(worst_s, _until_usual(box))
    return box.settle("camera picture frozen", times, worst_s, said)


def camera_resized(box: Box, times: int) -> Outcome:
    """The camera changes its picture's size in mid-stream."""
    sizes = ((640, 360), (320, 240))
    worst_s = 0.0
    for number in range(times):
        width, height = sizes[number % len(sizes)]
        began_s = time.monotonic()
        box.camera.tell(f"size {width} {height}")
        said = box.wait_for_state(CAMERA, "resolution changed")
        _until_usual(box)
        worst_s = max(worst_s, time.monotonic() - began_s)
        health = box.health(CAMERA)
        assert health is not None and health.values["width"] == width, "the new size was not taken up"
    return box.settle("camera changes resolution", times, worst_s, said)


def reader_unplugged(box: Box, times: int) -> Outcome:
    """The reader's plug is pulled and put back."""
    worst_s = 0.0
    for _ in range(times):
        box.kill_reader()
        said = box.wait_for_state(READER, "waiting", "connecting")
        time.sleep(AWAY_S)
        box.start_reader()
        worst_s = max(worst_s, _until_usual(box))
    return box.settle("reader unplugged", times, worst_s, said)


def memory_cap_hit(box: Box, times: int) -> Outcome:
    """The box's memory cap is reached: the kernel kills one of its processes."""
    if box.cap is None:
        raise NoBox("no memory control group that we may use")
    worst_s = 0.0
    for _ in range(times):
        before = box.pids()
        box.note_promises()
        began = len(box.says())
        box.cap.hit(FREE_BYTES, before.values())
        said = box.wait_for_log("signal SIGKILL", began)
        worst_s = max(worst_s, _until_replaced(box, before))
    return box.settle("memory cap hit", times, worst_s, said.partition(": ")[2])


def processes_killed(box: Box, times: int) -> Outcome:
    """kill -9 of each of the daemon's processes in turn."""
    chance = random.Random(3)
    worst_s = 0.0
    killed = 0
    for _ in range(times):
        for name in sorted(box.pids()):
            before = box.pids()
            time.sleep(chance.uniform(0.0, 0.5))
            box.note_promises()
            os.kill(before[name], signal.SIGKILL)
            worst_s = max(worst_s, _until_replaced(box, before))
            killed += 1
    return box.settle("each process kill -9", killed, worst_s, "the others ran on")


def box_power_cut(box: Box, times: int) -> Outcome:
    """SIGKILL for the whole group at once, unsynced writes torn, and the box started again."""
    chance = random.Random(4)
    worst_s = 0.0
    torn = 0
    for _ in range(times):
        time.sleep(chance.uniform(0.5, 1.5))
        box.kill_daemon()
        torn += tear(box.outbox, chance)
        began_s = time.monotonic()
        box.start_daemon()
        worst_s = max(worst_s, time.monotonic() - began_s)
    aside = list(box.outbox.parent.glob("*.damaged-*"))
    assert not aside, "a sound database was taken for a damaged one"
    return box.settle("power cut of the whole box", times, worst_s, f"{torn:,} bytes torn")


def config_broken(box: Box, times: int) -> Outcome:
    """A reload with a broken configuration: the old one stays; then one with a sound one."""
    worst_s = 0.0
    for number in range(times):
        before, sound = box.pids(), box.config.read_text()
        began = len(box.says())
        box.config.write_text(sound.replace("extent_m", "extend_m").replace("door", "\tdoor", 1))
        box.reload()
        said = box.wait_for_log("old one stays", began)
        goal = _promised(box) + 5
        while _promised(box) < goal:
            time.sleep(0.1)
        assert box.pids() == before, "a broken configuration restarted a process"
        began, began_s = len(box.says()), time.monotonic()
        box.write_config({"intervals": {**INTERVALS, "footfall_s": 2 + number}})
        box.reload()
        box.wait_for_log("configuration reloaded", began)
        box.wait_until_usual()
        worst_s = max(worst_s, time.monotonic() - began_s)
    return box.settle("configuration broken on reload", times, worst_s, said.partition(": ")[2])


def _promised(box: Box) -> int:
    box.note_promises()
    return box.promised


def _until_usual(box: Box) -> float:
    """How long it takes until camera and reader are live, as the cloud receives it."""
    began_s = time.monotonic()
    box.wait_until_usual()
    return time.monotonic() - began_s


def _until_replaced(box: Box, before: dict[str, int]) -> float:
    """The same after a process has died, counted from now; another one has to be in its place."""
    began_s = time.monotonic()
    while set(box.pids().values()) == set(before.values()):
        if time.monotonic() - began_s > LIMIT_S:
            raise RuntimeError("a dead process was not replaced")
        time.sleep(0.05)
    box.wait_until_usual()
    return time.monotonic() - began_s
