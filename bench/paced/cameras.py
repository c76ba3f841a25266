"""Network cameras in a process of their own: they all play one film, each from its first picture."""

from __future__ import annotations

import multiprocessing as mp
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tagsight.errors import TagsightError

ANSWER_WITHIN_S = 60.0


@dataclass(frozen=True)
class Street:
    """The cameras' addresses, and the line to their process."""

    uris: tuple[str, ...]
    line: Connection
    pid: int

    def starts_s(self) -> list[float | None]:
        """When each showed its first picture to the viewer it has, UTC seconds; None before that."""
        self.line.send("starts")
        if not self.line.poll(ANSWER_WITHIN_S):
            raise TagsightError("the cameras do not answer")
        answer: list[float | None] = self.line.recv()
        return answer


@contextmanager
def street(film: Path, number: int, fps: float) -> Iterator[Street]:
    """So many cameras play the film (a bare stream of H.264) again and again."""
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_play, args=(film, number, fps, there), daemon=True)
    process.start()
    try:
        if not here.poll(ANSWER_WITHIN_S):
            raise TagsightError("the cameras do not start")
        assert process.pid is not None
        yield Street(tuple(here.recv()), here, process.pid)
    finally:
        here.close()
        process.join(5.0)
        if process.is_alive():
            process.terminate()


def _play(film: Path, number: int, fps: float, line: Connection) -> None:
    from testing.cameras.fake_camera import FakeCamera
    from testing.cameras.manner import Manner
    from testing.cameras.packets import access_units

    units = access_units(film.read_bytes())
    cameras = [FakeCamera(units, Manner(fps=fps)) for _ in range(number)]
    for camera in cameras:
        camera.__enter__()
    line.send([camera.uri() for camera in cameras])
    while True:
        try:
            line.recv()
        except EOFError:
            return
        line.send([camera.started_s for camera in cameras])
