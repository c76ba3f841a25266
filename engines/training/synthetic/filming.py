"""Films of a scene: each camera's video, its labels, and MOT Challenge ground truth, resumable.

A film is made in chunks of `CHUNK_S`; a chunk that is whole is kept and not made again. Everything follows
from the scene, so a film broken off and resumed has the frames of the film made at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.scene.optics import View
from engines.scene.spec import Scene, SceneCamera
from engines.training.synthetic.drawing.renderer import Renderer
from engines.training.synthetic.drawing.sensor import Sensor
from engines.training.synthetic.labels import Picture, Shot, shoot, whole_box
from engines.training.synthetic.stage import MANNEQUIN, Stage

CHUNK_S = 5.0
PERSON, STATIC_PERSON = 1, 7
"""MOT Challenge classes: a pedestrian, and what looks like one and is none (a mannequin)."""
SHUT_LIGHT = 0.06
"""What is left of the light while the shop is shut: of the street."""
HIDDEN = 0.05
"""Of whom less shows is not to be found."""


@dataclass(frozen=True)
class Shots:
    """All cameras' shots of one moment."""

    frame: int
    time_s: float
    shots: list[Shot]


class Studio:
    """A stage and a renderer for it."""

    def __init__(self, scene: Scene, samples: int = 4) -> None:
        self.scene, self.stage, self.renderer = scene, Stage(scene), Renderer(samples)
        self.renderer.set_shop(
            self.stage.shell,
            self.stage.still,
            self.stage.textures.layers,
            self.stage.light,
            scene.room.size_m,
            self.stage.mirror,
        )
        self._sensors = [
            Sensor(scene.seed, number, camera.size, camera.noise)
            for number, camera in enumerate(scene.cameras)
        ]

    def take(self, frame: int, draw: bool = True) -> Shots:
        """Frame `frame` (from 0) of every camera, as the sensors give it."""
        time_s = frame / self.scene.fps
        tableau = self.stage.at(time_s)
        self.renderer.set_moving(tableau.meshes)
        self.renderer.set_light(1.0 if self.scene.is_open(time_s) else SHUT_LIGHT)
        shots = []
        for number in range(len(self.scene.cameras)):
            shot = shoot(self.renderer, self.stage, tableau, number, draw)
            image = self.sensed(number, shot.image, frame) if draw else shot.image
            shots.append(Shot(image, shot.numbers, shot.labels))
        return Shots(frame, time_s, shots)

    def sensed(self, camera: int, picture: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """A drawn picture as a camera's sensor gives it."""
        return self._sensors[camera].see(picture, frame)

    def ids(self, camera: int, frame: int) -> NDArray[np.int32]:
        """The id buffer of one camera's frame."""
        tableau = self.stage.at(frame / self.scene.fps)
        self.renderer.set_moving(tableau.meshes)
        return self.renderer.numbers(self.view(camera, tableau.time_s))

    def view(self, camera: int, time_s: float) -> View:
        """A camera at a moment."""
        return View.of(self.scene.cameras[camera], time_s)

    def frames(self) -> int:
        """How many frames the scene has."""
        return round(self.scene.seconds * self.scene.fps)


def film(
    scene: Scene, folder: Path, *, crf: int = 23, samples: int = 4, tell: Callable[[str], None] = print
) -> None:
    """Make `CAMERA.mp4`, `CAMERA.labels.jsonl` and `CAMERA.gt.txt` in `folder`. Chunks lie in
    `folder`/chunks until the film is whole; run again it goes on where it was."""
    chunks = folder / "chunks"
    chunks.mkdir(parents=True, exist_ok=True)
    studio = Studio(scene, samples)
    per_chunk = max(1, round(CHUNK_S * scene.fps))
    starts = list(range(0, studio.frames(), per_chunk))
    for number, first in enumerate(starts):
        if (chunks / f"{number:04d}.done").exists():
            continue
        _make_chunk(studio, chunks, number, range(first, min(first + per_chunk, studio.frames())), crf)
        tell(f"{folder.name}: {min(first + per_chunk, studio.frames())} of {studio.frames()} frames")
    for camera in scene.cameras:
        _join(chunks, folder, camera.name, len(starts), scene.fps)
    write_ground_truth(studio, folder)
    _write_manifest(scene, folder, [chunks / f"{number:04d}.done" for number in range(len(starts))])


def _make_chunk(studio: Studio, chunks: Path, number: int, frames: range, crf: int) -> None:
    cameras = studio.scene.cameras
    videos = [
        Video(chunks / f"{number:04d}.{camera.name}.part.mp4", camera.size, studio.scene.fps, crf)
        for camera in cameras
    ]
    lines: list[list[bytes]] = [[] for _ in cameras]
    sums = [hashlib.sha256() for _ in cameras]
    for frame in frames:
        taken = studio.take(frame)
        for place, (camera, shot) in enumerate(zip(cameras, taken.shots, strict=True)):
            videos[place].add(shot.image)
            sums[place].update(shot.image.tobytes())
            lines[place].append(
                msgspec.json.encode(
                    Picture(
                        frame=frame, camera=camera.name, time_s=round(taken.time_s, 4), people=shot.labels
                    )
                )
            )
    for place, camera in enumerate(cameras):
        videos[place].close()
        (chunks / f"{number:04d}.{camera.name}.labels.jsonl").write_bytes(b"\n".join(lines[place]) + b"\n")
        part = chunks / f"{number:04d}.{camera.name}.part.mp4"
        part.replace(chunks / f"{number:04d}.{camera.name}.mp4")
    told = {camera.name: one.hexdigest() for camera, one in zip(cameras, sums, strict=True)}
    (chunks / f"{number:04d}.done").write_bytes(msgspec.json.encode(told))


class Video:
    """H.264, encoded in one thread."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, crf: int) -> None:
        import av

        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        rate = Fraction(fps).limit_denominator(1000)
        self._stream = self._container.add_stream("libx264", rate=rate)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {
            "crf": str(crf),
            "preset": "medium",
            "threads": "1",
            "g": str(max(1, round(2 * fps))),
        }
        self._av = av

    def add(self, image: NDArray[np.uint8]) -> None:
        planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
        frame = self._av.VideoFrame.from_ndarray(planes, format="yuv420p")
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()


def _join(chunks: Path, folder: Path, camera: str, count: int, fps: float) -> None:
    """One video of the chunks', without encoding anew, and one file of labels."""
    import av

    labels = b"".join(
        (chunks / f"{number:04d}.{camera}.labels.jsonl").read_bytes() for number in range(count)
    )
    (folder / f"{camera}.labels.jsonl").write_bytes(labels)
    with av.open(str(folder / f"{camera}.mp4"), "w", options={"movflags": "faststart"}) as out:
        stream, offset = None, 0
        for number in range(count):
            with av.open(str(chunks / f"{number:04d}.{camera}.mp4")) as part:
                source = part.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(source)
                last = 0
                for packet in part.demux(source):
                    if packet.dts is None or packet.pts is None:
                        continue
                    last = max(last, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    out.mux(packet)
                offset += last


def read_labels(path: Path) -> Iterator[Picture]:
    """The labels of one camera, picture by picture."""
    for line in path.read_bytes().splitlines():
        yield msgspec.json.decode(line, type=Picture)


def write_ground_truth(studio: Studio, folder: Path) -> None:
    """`CAMERA.gt.txt` as in MOT16: frame (from 1), id, left, top, width, height, 1 where it counts, class,
    visible share. People have class 1; mannequins class 7, never to be found, with ids from 1000."""
    for camera in studio.scene.cameras:
        rows = []
        for picture in read_labels(folder / f"{camera.name}.labels.jsonl"):
            for one in picture.people:
                if one.box is not None:
                    rows.append(
                        _row(
                            picture.frame, one.number, one.box, int(one.visible > HIDDEN), PERSON, one.visible
                        )
                    )
            figures = _figures(studio, camera, picture.time_s)
            rows += [_row(picture.frame, number, box, 0, STATIC_PERSON, 1.0) for number, box in figures]
        (folder / f"{camera.name}.gt.txt").write_text("".join(rows))


def _figures(
    studio: Studio, camera: SceneCamera, time_s: float
) -> list[tuple[int, tuple[float, float, float, float]]]:
    """Ids and boxes of the mannequins that a camera shows at a moment: one that was bumped shows others."""
    view = View.of(camera, time_s)
    found = [(MANNEQUIN + n, whole_box(view, mesh.vertices[:, :3])) for n, mesh in studio.stage.mannequins]
    width, height = camera.size
    return [
        (number, box)
        for number, box in found
        if box is not None and box[2] > 0 and box[3] > 0 and box[0] < width and box[1] < height
    ]


def _row(
    frame: int, number: int, box: tuple[float, float, float, float], counts: int, what: int, visible: float
) -> str:
    left, top, right, bottom = box
    place = f"{left:.1f},{top:.1f},{right - left:.1f},{bottom - top:.1f}"
    return f"{frame + 1},{number},{place},{counts},{what},{visible:.3f}\n"


def _write_manifest(scene: Scene, folder: Path, done: list[Path]) -> None:
    """`manifest.json`: scene, seed, the SHA-256 of every file, and for each camera that of its frames before
    they are encoded, chunk by chunk: these are the same wherever the same renderer draws."""
    (folder / "scene.json").write_bytes(msgspec.json.format(msgspec.json.encode(scene)))
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "manifest.json"
    }
    frames = [msgspec.json.decode(path.read_bytes()) for path in done]
    told = {
        "scene": scene.name,
        "seed": scene.seed,
        "seconds": scene.seconds,
        "fps": scene.fps,
        "frames": frames,
        "sha256": sums,
    }
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
