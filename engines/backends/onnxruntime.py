"""onnxruntime on the CPU: ARM boards, and everything OpenVINO is not on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from engines.backends.entrance import NetworkInput, entrance_of
from engines.backends.files import check_file
from engines.backends.messages import first_sentence
from engines.backends.protocol import CompilePlan, InputFormat, TensorInfo, as_shape
from engines.errors import WeightsError

SUFFIXES = (".onnx",)
ERRORS_ONLY = 3
KINDS = {
    "tensor(float)": "f32",
    "tensor(float16)": "f16",
    "tensor(double)": "f64",
    "tensor(uint8)": "u8",
    "tensor(int8)": "i8",
    "tensor(int32)": "i32",
    "tensor(int64)": "i64",
}
Outputs = tuple[NDArray[np.float32], ...]


@lru_cache(maxsize=1)
def _failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: a family of exceptions without a common base of their own."""
    state = ort.capi.onnxruntime_pybind11_state
    kinds = [
        value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)
    ]
    return (*kinds, RuntimeError)


class OnnxRuntimeBackend:
    """Reads ONNX files."""

    name = "onnxruntime"

    def read(self, path: Path) -> OnnxRuntimeNetwork:
        """Raises WeightsError for a file that is missing, damaged, too large or not a network."""
        check_file(path, SUFFIXES)
        ort.set_default_logger_severity(ERRORS_ONLY)
        return OnnxRuntimeNetwork(path, _open(path, threads=1))


class OnnxRuntimeNetwork:
    """A network read by onnxruntime."""

    def __init__(self, path: Path, session: ort.InferenceSession) -> None:
        self._path = path
        self.inputs = tuple(map(_info, session.get_inputs()))
        self.outputs = tuple(map(_info, session.get_outputs()))
        self._session = session

    def output_shapes(self, width: int, height: int) -> tuple[TensorInfo, ...]:
        """The outputs for one image of that size; raises WeightsError where it does not fit the network.

        onnxruntime tells free dimensions only by running the network, so this does.
        """
        entrance = entrance_of(self.inputs, self._path)
        if entrance.size not in (None, (width, height)):
            raise WeightsError(
                f"{self._path}: the network takes {list(self.inputs[entrance.image].shape)}, "
                f"not {width}x{height} pictures"
            )
        if all(None not in output.shape for output in self.outputs):
            return self.outputs
        try:
            image = np.zeros(entrance.shape(width, height), entrance.dtype)
            results = self._session.run(None, _feed(entrance, image, width, height))
        except _failures() as error:
            raise WeightsError(
                f"{self._path}: the network does not take {width}x{height} pictures ({first_sentence(error)})"
            ) from error
        return tuple(
            TensorInfo(output.name, as_shape(result.shape), output.kind)
            for output, result in zip(self.outputs, results, strict=True)
        )

    def compile(self, plan: CompilePlan) -> OnnxRuntimeSession:
        """Raises WeightsError where the size or an operation does not work."""
        self.output_shapes(plan.width, plan.height)
        threads = max(1, plan.threads // plan.streams)
        entrance = entrance_of(self.inputs, self._path)
        return OnnxRuntimeSession(self._path, _open(self._path, threads), plan, entrance)


class OnnxRuntimeSession:
    """A network and `streams` worker threads that run it."""

    def __init__(
        self, path: Path, session: ort.InferenceSession, plan: CompilePlan, entrance: NetworkInput
    ) -> None:
        self._path = path
        self._session = session
        width, height = plan.width, plan.height
        self._pixels = [np.zeros((height, width, 3), np.uint8) for _ in range(plan.requests)]
        self._inputs = [np.zeros(entrance.shape(width, height), entrance.dtype) for _ in range(plan.requests)]
        self._planes = [_planes(given, entrance) for given in self._inputs]
        self._feeds = [_feed(entrance, given, width, height) for given in self._inputs]
        self._running: list[Future[Outputs] | None] = [None] * plan.requests
        self._format = plan.pixels
        self._workers = ThreadPoolExecutor(plan.streams, thread_name_prefix="onnxruntime")

    @property
    def requests(self) -> int:
        """How many images may be in flight."""
        return len(self._pixels)

    def pixels(self, request: int) -> NDArray[np.uint8]:
        """The input of a request, uint8 [height, width, 3] BGR: write into it while the request is idle."""
        return self._pixels[request]

    def start(self, request: int) -> None:
        """Begin inference on what `pixels(request)` holds; returns at once."""
        self._running[request] = self._workers.submit(self._run, request)

    def wait(self, request: int) -> Outputs:
        """The outputs, in the network's order; valid until the request is started again.

        Raises WeightsError where the network fails.
        """
        running = self._running[request]
        if running is None:
            raise ValueError(f"request {request} was not started")
        return running.result()

    def _run(self, request: int) -> Outputs:
        fill_planes(self._planes[request], self._pixels[request], self._format)
        try:
            results = self._session.run(None, self._feeds[request])
        except _failures() as error:
            raise WeightsError(
                f"{self._path}: the network fails as it runs: {first_sentence(error)}"
            ) from error
        return tuple(np.asarray(result, np.float32) for result in results)


def _feed(entrance: NetworkInput, image: NDArray[Any], width: int, height: int) -> dict[str, NDArray[Any]]:
    """What a run is given: the image, and its size where the network asks for it."""
    feed: dict[str, NDArray[Any]] = {entrance.name: image}
    if entrance.told is not None:
        feed[entrance.told.name] = entrance.constant_value(width, height)
    return feed


def _planes(given: NDArray[Any], entrance: NetworkInput) -> NDArray[Any]:
    """A view [3, height, width] of an input, whatever its layout."""
    planes: NDArray[Any] = given[0] if entrance.layout == "nchw" else given[0].transpose(2, 0, 1)
    return planes


def _info(port: ort.NodeArg) -> TensorInfo:
    return TensorInfo(port.name, as_shape(port.shape), KINDS.get(port.type, port.type))


def fill_planes(planes: NDArray[Any], pixels: NDArray[np.uint8], form: InputFormat) -> None:
    """uint8 BGR [height, width, 3] to [3, height, width] in the network's colour order, scale and numbers."""
    for plane, (mean, std) in enumerate(zip(form.mean, form.std, strict=True)):
        channel = plane if form.colour == "bgr" else 2 - plane
        np.copyto(planes[plane], pixels[:, :, channel], casting="safe")
        if mean:
            planes[plane] -= mean
        if std != 1.0:
            planes[plane] *= planes.dtype.type(1.0 / std)


def _open(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _failures() as error:
        raise WeightsError(
            f"{path}: onnxruntime cannot read this network: {first_sentence(error)}"
        ) from error
