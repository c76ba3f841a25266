"""Persons in a picture: a network, its back end and its decoder, joined."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from engines import backends, catalogue, decoders
from engines.backends import Backend, Network, PixelFormat, Plan, Precision, Session, cpu
from engines.catalogue import Recipe
from engines.decoders import Decoder, Scene
from engines.errors import EngineError, WeightsError
from engines.nms import suppress
from engines.preprocess import Canvas, Fit, Placement, tight_input

DEFAULT_WEIGHTS = "person-detector-lite"
LEAST_SCORE = 0.1
"""Weak boxes are wanted: the tracker continues a known person with them."""

OVERLAP_LIMIT = 0.6
MAX_INPUT_SIZES = 4
"""Compiled networks kept, one for each input size; the one not used for longest goes."""

INPUT_MULTIPLE = 32
REQUESTS_AHEAD = 2
"""Pictures laid out beyond those that are worked on, so that no stream ever waits for the next one."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Detections:
    """Persons in one picture, best first.

    boxes: (n, 4) float32 left, top, right, bottom in pixels of the picture; scores: (n,) float32 in 0..1.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Source:
    """A network file, and what is known about it."""

    path: Path
    recipe: Recipe
    precision: Precision = "f32"


@dataclass(frozen=True)
class Reading:
    """How a network is fed and its outputs are read, whatever runs it (see `engines.decoders`)."""

    decoder: str
    pixels: PixelFormat
    fit: Fit
    person_class: int
    least_score: float
    overlap: float
    """Boxes that share more than this (intersection over union) are one person."""


@dataclass(frozen=True)
class Pending:
    """A picture in flight: what `PersonDetector.begin` gives and `finish` or `drop` takes."""

    desk: _Desk
    request: int
    placement: Placement
    picture_wh: tuple[int, int]


class _Desk:
    """A compiled network of one input size, its canvases, and which of its requests are idle."""

    def __init__(self, session: Session, width: int, height: int, decoder: Decoder, recipe: Recipe) -> None:
        self.session = session
        self.width, self.height = width, height
        self.canvases = [
            Canvas(session.pixels(request), recipe.fit or decoder.fit) for request in range(session.requests)
        ]
        self.idle: SimpleQueue[int] = SimpleQueue()
        for request in range(session.requests):
            self.idle.put(request)

    def start(self, image: Image) -> Pending:
        request = self.idle.get()
        placement = self.canvases[request].lay(image)
        self.session.start(request)
        return Pending(self, request, placement, (image.shape[1], image.shape[0]))


class PersonDetector:
    """Finds persons. One thread may `begin` pictures while another finishes them; no more than these two.

    A network that takes any size is compiled for the tightest input that holds the pictures it is given.
    """

    def __init__(
        self,
        backend: Backend,
        source: Source,
        *,
        input_size: tuple[int, int] | None = None,
        threads: int = 0,
        streams: int = 1,
        score: float | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        recipe = source.recipe
        self.backend_name = backend.name
        self.source = source
        self._network = backend.read(source.path)
        self._fixed = _input_size(self._network, source.path, input_size or recipe.input)
        self._threads = threads or cpu.available_threads()
        self._streams = max(1, min(streams, self._threads))
        self._cache_dir = cache_dir
        probe = self._fixed or (recipe.long_side, recipe.long_side)
        shapes = [output.shape for output in self._network.output_shapes(*probe)]
        self.decoder = _decoder_for(source, shapes, probe)
        self._pixels = _pixel_format(recipe, self.decoder)
        self._person_class = recipe.person_class(default=1 if self.decoder.name == "ssd" else 0)
        _check_person_class(source.path, self.decoder, shapes, self._person_class)
        self.least_score = self._least_score(score)
        self._overlap = recipe.overlap or OVERLAP_LIMIT
        self._desks: OrderedDict[tuple[int, int], _Desk] = OrderedDict()

    @classmethod
    def open(
        cls,
        weights: str | Path = DEFAULT_WEIGHTS,
        *,
        input_size: tuple[int, int] | None = None,
        backend: str = "auto",
        threads: int = 0,
        streams: int = 1,
        score: float | None = None,
        cache_dir: Path | None = None,
        store: Path | None = None,
    ) -> PersonDetector:
        """The detector of that name in the catalogue, or of an .onnx or .xml file (with its .yaml, if any).

        input_size: (width, height); None: the network's own, or as tight as the pictures. threads: 0 for all
        cores. streams: pictures worked on side by side, each with threads / streams threads: 2 gives more
        pictures a second, 1 answers sooner. score: least score of a box. cache_dir: where a back end may keep
        compiled networks. store: the user's engines, if not in the usual place. Raises EngineError.
        """
        runner = backends.choose(backend)
        return cls(
            runner,
            locate(weights, runner.name, store),
            input_size=input_size,
            threads=threads,
            streams=streams,
            score=score,
            cache_dir=cache_dir,
        )

    @property
    def reading(self) -> Reading:
        """For who runs the same network elsewhere, as `engines.cuda.execution` does."""
        fit = self.source.recipe.fit or self.decoder.fit
        settings = (self._person_class, self.least_score, self._overlap)
        return Reading(self.decoder.name, self._pixels, fit, *settings)

    def require(self, score: float | None) -> None:
        """The least score of a box from now on; None: the network's own."""
        self.least_score = self._least_score(score)

    def _least_score(self, score: float | None) -> float:
        return score if score is not None else (self.source.recipe.score or LEAST_SCORE)

    def input_size_for(self, width: int, height: int) -> tuple[int, int]:
        """The network input (width, height) for pictures of that size."""
        return self._fixed or tight_input((width, height), self.source.recipe.long_side, INPUT_MULTIPLE)

    def prepare(self, width: int, height: int) -> None:
        """Compile the network for pictures of that size now, not when the first one comes."""
        self._desk_of(self.input_size_for(width, height))

    def detect(self, image_bgr: Image) -> Detections:
        """Persons in one picture, (height, width, 3) uint8 BGR."""
        return self.finish(self.begin(image_bgr))

    def begin(self, image_bgr: Image) -> Pending:
        """Lay a picture out and let the network work on it; every one begun must be finished or dropped.

        Where `streams + REQUESTS_AHEAD` pictures are in flight, waits until another thread finishes one.
        """
        return self._desk_for(image_bgr).start(image_bgr)

    def detect_batch(self, images_bgr: Sequence[Image]) -> list[Detections]:
        """Persons in several pictures, which may differ in size; in the order given."""
        return list(self.detect_each(images_bgr))

    def detect_each(self, images_bgr: Iterable[Image]) -> Iterator[Detections]:
        """Persons in a stream of pictures, in order; lays out the next picture while the network is busy.

        Takes up to `streams + REQUESTS_AHEAD` pictures before it gives the first result.
        """
        pending: deque[Pending] = deque()
        try:
            for image in images_bgr:
                desk = self._desk_for(image)
                while desk.idle.empty():
                    yield self.finish(pending.popleft())
                pending.append(desk.start(image))
            while pending:
                yield self.finish(pending.popleft())
        finally:
            for left in pending:
                self.drop(left)

    def _desk_for(self, image: Image) -> _Desk:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise EngineError(
                f"a picture must be uint8 [height, width, 3], not {image.dtype} {list(image.shape)}"
            )
        return self._desk_of(self.input_size_for(image.shape[1], image.shape[0]))

    def _desk_of(self, size: tuple[int, int]) -> _Desk:
        desk = self._desks.get(size)
        if desk is None:
            desk = self._desks[size] = self._compile(*size)
            if len(self._desks) > MAX_INPUT_SIZES:
                self._desks.popitem(last=False)
        self._desks.move_to_end(size)
        return desk

    def _compile(self, width: int, height: int) -> _Desk:
        plan = Plan(
            width,
            height,
            pixels=self._pixels,
            threads=self._threads,
            streams=self._streams,
            requests=self._streams + REQUESTS_AHEAD,
            precision=self.source.precision,
            cache_dir=self._cache_dir,
        )
        return _Desk(self._network.compile(plan), width, height, self.decoder, self.source.recipe)

    def finish(self, pending: Pending) -> Detections:
        """The persons in a picture that was begun; waits for the network."""
        desk = pending.desk
        outputs = desk.session.wait(pending.request)
        scene = Scene(desk.width, desk.height, self._person_class, self.least_score)
        found = self.decoder.decode(outputs, scene)
        desk.idle.put(pending.request)
        if self.decoder.suppressed:
            keep = np.argsort(-found.scores, kind="stable")
        else:
            keep = suppress(found.boxes, found.scores, self._overlap)
        boxes = pending.placement.to_picture(found.boxes[keep], *pending.picture_wh)
        in_sight = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return Detections(boxes[in_sight], found.scores[keep][in_sight])

    @staticmethod
    def drop(pending: Pending) -> None:
        """Do without the answer for a picture that was begun."""
        pending.desk.session.wait(pending.request)
        pending.desk.idle.put(pending.request)


def locate(weights: str | Path, backend: str, store: Path | None = None) -> Source:
    """The file, recipe and precision for a catalogue name or a path. Raises EngineError."""
    path = Path(weights)
    if path.suffix in (".onnx", ".xml"):
        beside = path.with_suffix(".yaml")
        return Source(path, catalogue.read_recipe(beside) if beside.is_file() else Recipe())
    engine = catalogue.find(str(weights), store)
    file = engine.choose_file(backend)
    bf16 = file.bf16 and backend == "openvino" and cpu.has_bf16()
    catalogue.check_trusted(engine, engine.folder / file.file)
    return Source(engine.folder / file.file, engine.entry, "bf16" if bf16 else "f32")


def _input_size(network: Network, path: Path, wanted: tuple[int, int] | None) -> tuple[int, int] | None:
    """The one input size (width, height) to use, or None where it follows the pictures."""
    if len(network.inputs) != 1:
        raise WeightsError(f"{path}: a detector has one input, this network has {len(network.inputs)}")
    shape = network.inputs[0].shape
    if len(shape) != 4 or shape[1] not in (None, 3):
        raise WeightsError(
            f"{path}: the input is {list(shape)}, but a detector takes pictures [1, 3, height, width]"
        )
    if wanted is not None:
        return wanted
    height, width = shape[2:]
    return (width, height) if width is not None and height is not None else None


def _decoder_for(source: Source, shapes: decoders.Shapes, size: tuple[int, int]) -> Decoder:
    try:
        named = source.recipe.decoder
        decoder = decoders.by_name(named) if named else decoders.guess(shapes, *size)
    except EngineError as error:
        raise type(error)(f"{source.path}: {error}") from error
    if not decoder.matches(shapes, *size):
        seen = ", ".join(str(list(shape)) for shape in shapes)
        raise WeightsError(f"{source.path}: outputs {seen} are not what decoder {decoder.name} reads")
    return decoder


def _pixel_format(recipe: Recipe, decoder: Decoder) -> PixelFormat:
    usual = decoder.pixels
    return PixelFormat(recipe.colour or usual.colour, recipe.mean or usual.mean, recipe.std or usual.std)


def _check_person_class(path: Path, decoder: Decoder, shapes: decoders.Shapes, person_class: int) -> None:
    count = decoder.classes(shapes)
    if count is not None and not 0 <= person_class < count:
        raise WeightsError(f"{path}: class {person_class} is asked for, but the network has {count} classes")
