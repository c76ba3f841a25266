"""Persons in an image: a network, its back end and its decoder, joined."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from engines import backends
from engines.backends import cpu
from engines.backends.protocol import Backend, CompilePlan, NetworkSession
from engines.catalogue.judging import judged
from engines.catalogue.source import NetworkSource, check_person_class, decoder_for, fixed_size, locate
from engines.errors import EngineError
from engines.inference.decoders import DecoderInput
from engines.inference.nms import suppress
from engines.inference.preprocess import Canvas, Fit, Placement, tight_input
from engines.inference.reading import NetworkIO, reading_of

DEFAULT_WEIGHTS = "person-detector-lite"
MAX_INPUT_SIZES = 4
"""Compiled networks kept, one for each input size; the one not used for longest goes."""

INPUT_MULTIPLE = 32
REQUESTS_AHEAD = 2
"""Images laid out beyond those that are worked on, so that no stream ever waits for the next one."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Detections:
    """Persons in one image, best first.

    boxes: (n, 4) float32 left, top, right, bottom in pixels of the image; scores: (n,) float32 in 0..1.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


NOTHING_FOUND = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
"""Of an image that nobody looked at."""


@dataclass(frozen=True)
class PendingDetections:
    """An image in flight: what `PersonDetector.begin` gives and `finish` or `drop` takes."""

    compiled: _CompiledDetector
    request: int
    placement: Placement
    image_wh: tuple[int, int]


class _CompiledDetector:
    """A compiled network of one input size, its canvases, and which of its requests are idle."""

    def __init__(self, session: NetworkSession, width: int, height: int, fit: Fit) -> None:
        self.session = session
        self.width, self.height = width, height
        self.canvases = [Canvas(session.pixels(request), fit) for request in range(session.requests)]
        self.idle: SimpleQueue[int] = SimpleQueue()
        for request in range(session.requests):
            self.idle.put(request)

    def start(self, image: Image) -> PendingDetections:
        request = self.idle.get()
        placement = self.canvases[request].letterbox(image)
        self.session.start(request)
        return PendingDetections(self, request, placement, (image.shape[1], image.shape[0]))


class PersonDetector:
    """Finds persons. One thread may `begin` images while another finishes them; no more than these two.

    A network that takes any size is compiled for the tightest input that holds the images it is given.
    """

    def __init__(
        self,
        backend: Backend,
        source: NetworkSource,
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
        self._fixed = fixed_size(self._network, source.path, input_size or recipe.input)
        self._threads = threads or cpu.available_threads()
        self._streams = max(1, min(streams, self._threads))
        self._cache_dir = cache_dir
        probe = self._fixed or (recipe.long_side, recipe.long_side)
        shapes = [output.shape for output in self._network.output_shapes(*probe)]
        self.decoder = decoder_for(source, shapes, probe)
        self._reading = reading_of(recipe, self.decoder, score)
        check_person_class(source.path, self.decoder, shapes, self._reading.person_class)
        self._compiled: OrderedDict[tuple[int, int], _CompiledDetector] = OrderedDict()

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
        on_judging: Callable[[float], None] = lambda took_s: None,
    ) -> PersonDetector:
        """The detector of that name in the catalogue, or of an .onnx or .xml file (with its .yaml, if any).

        A file whose recipe names no decoder is judged as `tagsight engines add` does (`catalogue.judging`).

        input_size: (width, height); None: the network's own, or as tight as the images. threads: 0 for all
        cores. streams: images worked on side by side, each with threads / streams threads: 2 gives more
        frames a second, 1 answers sooner. score: least score of a box. cache_dir: where a back end may keep
        compiled networks. store: the user's engines, if not in the usual place. on_judging: called every
        few seconds, with the seconds it has taken, while a file is judged (300 at most). Raises EngineError.
        """
        runner = backends.choose(backend)
        return cls(
            runner,
            judged(locate(weights, runner.name, store), runner.name, store, input_size, on_judging),
            input_size=input_size,
            threads=threads,
            streams=streams,
            score=score,
            cache_dir=cache_dir,
        )

    @property
    def reading(self) -> NetworkIO:
        """For who runs the same network elsewhere, as `engines.cuda.execution` does."""
        return self._reading

    @property
    def least_score(self) -> float:
        """Of a box."""
        return self._reading.least_score

    def require(self, score: float | None) -> None:
        """The least score of a box from now on; None: the network's own."""
        self._reading = reading_of(self.source.recipe, self.decoder, score)

    def input_size_for(self, width: int, height: int) -> tuple[int, int]:
        """The network input (width, height) for images of that size."""
        return self._fixed or tight_input((width, height), self.source.recipe.long_side, INPUT_MULTIPLE)

    def prepare(self, width: int, height: int) -> None:
        """Compile the network for images of that size now, not when the first one comes."""
        self._compiled_for_size(self.input_size_for(width, height))

    def detect(self, image_bgr: Image) -> Detections:
        """Persons in one image, (height, width, 3) uint8 BGR."""
        return self.finish(self.begin(image_bgr))

    def begin(self, image_bgr: Image) -> PendingDetections:
        """Lay an image out and let the network work on it; every one begun must be finished or dropped.

        Where `streams + REQUESTS_AHEAD` images are in flight, waits until another thread finishes one.
        """
        return self._compiled_for(image_bgr).start(image_bgr)

    def detect_batch(self, images_bgr: Sequence[Image]) -> list[Detections]:
        """Persons in several images, which may differ in size; in the order given."""
        return list(self.detect_each(images_bgr))

    def detect_each(self, images_bgr: Iterable[Image]) -> Iterator[Detections]:
        """Persons in a stream of images, in order; lays out the next image while the network is busy.

        Takes up to `streams + REQUESTS_AHEAD` images before it gives the first result.
        """
        pending: deque[PendingDetections] = deque()
        try:
            for image in images_bgr:
                compiled = self._compiled_for(image)
                while compiled.idle.empty():
                    yield self.finish(pending.popleft())
                pending.append(compiled.start(image))
            while pending:
                yield self.finish(pending.popleft())
        finally:
            for left in pending:
                self.drop(left)

    def _compiled_for(self, image: Image) -> _CompiledDetector:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise EngineError(
                f"a picture must be uint8 [height, width, 3], not {image.dtype} {list(image.shape)}"
            )
        return self._compiled_for_size(self.input_size_for(image.shape[1], image.shape[0]))

    def _compiled_for_size(self, size: tuple[int, int]) -> _CompiledDetector:
        compiled = self._compiled.get(size)
        if compiled is None:
            compiled = self._compiled[size] = self._compile(*size)
            if len(self._compiled) > MAX_INPUT_SIZES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(size)
        return compiled

    def _compile(self, width: int, height: int) -> _CompiledDetector:
        plan = CompilePlan(
            width,
            height,
            pixels=self._reading.pixels,
            threads=self._threads,
            streams=self._streams,
            requests=self._streams + REQUESTS_AHEAD,
            precision=self.source.precision,
            cache_dir=self._cache_dir,
        )
        return _CompiledDetector(self._network.compile(plan), width, height, self._reading.fit)

    def finish(self, pending: PendingDetections) -> Detections:
        """The persons in an image that was begun; waits for the network."""
        compiled = pending.compiled
        outputs = compiled.session.wait(pending.request)
        reading = self._reading
        scene = DecoderInput(
            compiled.width, compiled.height, reading.person_class, reading.least_score, reading.meaning
        )
        found = self.decoder.decode(outputs, scene)
        compiled.idle.put(pending.request)
        if self.decoder.suppressed:
            keep = np.argsort(-found.scores, kind="stable")
        else:
            keep = suppress(found.boxes, found.scores, reading.overlap)
        boxes = pending.placement.to_image(found.boxes[keep], *pending.image_wh)
        in_sight = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return Detections(boxes[in_sight], found.scores[keep][in_sight])

    @staticmethod
    def drop(pending: PendingDetections) -> None:
        """Do without the answer for an image that was begun."""
        pending.compiled.session.wait(pending.request)
        pending.compiled.idle.put(pending.request)
