"""OpenVINO on the CPU: x86-64's fast kernels, bfloat16 and 8-bit networks.

Colour order, scale and layout are compiled into the network, so that an image goes in as it comes from the
decoder: 8-bit, interleaved, BGR.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.frontend import (
    FrontEndManager,
    GeneralFailure,
    InitializationFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)
from openvino.preprocess import ColorFormat, PrePostProcessor

from engines.backends.entrance import NetworkInput, entrance_of
from engines.backends.files import check_file
from engines.backends.messages import first_sentence
from engines.backends.protocol import CompilePlan, TensorInfo, as_shape
from engines.errors import WeightsError

SUFFIXES = (".onnx", ".xml")
READ_FAILURES = (
    RuntimeError,
    GeneralFailure,
    InitializationFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)
"""What reading raises: OpenVINO's exceptions have no common base of their own."""


@lru_cache(maxsize=1)
def _core() -> ov.Core:
    return ov.Core()


def _read_onnx(path: Path) -> ov.Model:
    """Like read_model, but a damaged file is not offered to the readers of other formats, which print."""
    reader = FrontEndManager().load_by_framework("onnx")
    return reader.convert(reader.load(str(path)))


class OpenVinoBackend:
    """Reads ONNX files and OpenVINO's own .xml."""

    name = "openvino"

    def read(self, path: Path) -> OpenVinoNetwork:
        """Raises WeightsError for a file that is missing, damaged, too large or not a network."""
        check_file(path, SUFFIXES)
        if path.suffix == ".xml":
            check_file(path.with_suffix(".bin"), (".bin",))
        try:
            model = _core().read_model(path) if path.suffix == ".xml" else _read_onnx(path)
        except READ_FAILURES as error:
            raise WeightsError(
                f"{path}: OpenVINO cannot read this network: {first_sentence(error)}"
            ) from error
        return OpenVinoNetwork(path, model)


class OpenVinoNetwork:
    """A network read by OpenVINO."""

    def __init__(self, path: Path, model: ov.Model) -> None:
        self._path = path
        self._model = model

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The network's inputs."""
        return tuple(_info(port) for port in self._model.inputs)

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The network's outputs."""
        return tuple(_info(port) for port in self._model.outputs)

    def output_shapes(self, width: int, height: int) -> tuple[TensorInfo, ...]:
        """The outputs for one image of that size; raises WeightsError where it does not fit the network."""
        return tuple(_info(port) for port in self._reshaped(width, height).outputs)

    def compile(self, plan: CompilePlan) -> OpenVinoSession:
        """Raises WeightsError where the size or an operation does not work."""
        entrance = entrance_of(self.inputs, self._path)
        model = _with_pixel_input(self._reshaped(plan.width, plan.height), plan, entrance)
        settings: dict[str, object] = {
            "INFERENCE_NUM_THREADS": plan.threads,
            "NUM_STREAMS": plan.streams,
            "INFERENCE_PRECISION_HINT": plan.precision,
            "ENABLE_CPU_PINNING": False,
        }
        if plan.cache_dir is not None:
            settings["CACHE_DIR"] = str(plan.cache_dir)
        try:
            compiled = _core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise WeightsError(
                f"{self._path}: OpenVINO cannot run this network: {first_sentence(error)}"
            ) from error
        return OpenVinoSession(self._path, compiled, plan, entrance)

    def _reshaped(self, width: int, height: int) -> ov.Model:
        entrance = entrance_of(self.inputs, self._path)
        model = self._model.clone()
        shapes = {entrance.image: entrance.shape(width, height)}
        if entrance.told is not None:
            shapes[entrance.told_at] = (1, 2)
        try:
            model.reshape({place: list(shape) for place, shape in shapes.items()})
        except RuntimeError as error:
            raise WeightsError(
                f"{self._path}: the network does not take {width}x{height} pictures ({first_sentence(error)})"
            ) from error
        return model


class OpenVinoSession:
    """A compiled network; each request has an input buffer of its own that OpenVINO reads in place."""

    def __init__(
        self, path: Path, compiled: ov.CompiledModel, plan: CompilePlan, entrance: NetworkInput
    ) -> None:
        self._path = path
        self._requests = [compiled.create_infer_request() for _ in range(plan.requests)]
        self._buffers = [np.zeros((1, plan.height, plan.width, 3), np.uint8) for _ in self._requests]
        for request, buffer in zip(self._requests, self._buffers, strict=True):
            request.set_input_tensor(entrance.image, ov.Tensor(buffer, shared_memory=True))
            if entrance.told is not None:
                told = entrance.constant_value(plan.width, plan.height)
                request.set_input_tensor(entrance.told_at, ov.Tensor(told))
        self._outputs = len(compiled.outputs)

    @property
    def requests(self) -> int:
        """How many images may be in flight."""
        return len(self._requests)

    def pixels(self, request: int) -> NDArray[np.uint8]:
        """The input of a request, uint8 [height, width, 3] BGR: write into it while the request is idle."""
        image: NDArray[np.uint8] = self._buffers[request][0]
        return image

    def start(self, request: int) -> None:
        """Begin inference on what `pixels(request)` holds; returns at once."""
        self._requests[request].start_async(share_inputs=True)

    def wait(self, request: int) -> tuple[NDArray[np.float32], ...]:
        """The outputs, in the network's order; valid until the request is started again.

        Raises WeightsError where the network fails.
        """
        running = self._requests[request]
        try:
            running.wait()
        except RuntimeError as error:
            raise WeightsError(
                f"{self._path}: the network fails as it runs: {first_sentence(error)}"
            ) from error
        results = (running.get_output_tensor(index).data for index in range(self._outputs))
        return tuple(np.asarray(result, np.float32) for result in results)


def _info(port: ov.Output) -> TensorInfo:
    names = sorted(port.get_names())
    dimensions = [d.get_length() if d.is_static else None for d in port.partial_shape]
    return TensorInfo(names[0] if names else "", as_shape(dimensions), port.get_element_type().to_string())


def _with_pixel_input(model: ov.Model, plan: CompilePlan, entrance: NetworkInput) -> ov.Model:
    """The network with 8-bit interleaved BGR at its entrance."""
    processor = PrePostProcessor(model)
    given = processor.input(entrance.image)
    given.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(
        ColorFormat.BGR
    )
    given.model().set_layout(ov.Layout(entrance.layout.upper()))
    steps = given.preprocess().convert_element_type(ov.Type.f32)
    if plan.pixels.colour == "rgb":
        steps.convert_color(ColorFormat.RGB)
    if any(plan.pixels.mean):
        steps.mean(list(plan.pixels.mean))
    if any(value != 1.0 for value in plan.pixels.std):
        steps.scale(list(plan.pixels.std))
    if entrance.kind != "f32":
        steps.convert_element_type(model.inputs[entrance.image].get_element_type())
    return processor.build()
