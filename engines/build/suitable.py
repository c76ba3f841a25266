"""Whether an engine for the GPU would be of use for a network: TensorRT is given what frames on a GPU need.

A network of another kind is run by the CPU (`engines.backends`), and nothing is built for it.
"""

from __future__ import annotations

from pathlib import Path

from engines.build.precision import graphs
from engines.catalogue import KnownEngine
from engines.cuda.kernels import launches
from engines.errors import DecoderError, WeightsError
from engines.inference import decoders
from engines.inference.decoders import OutputDecoder, Shapes
from engines.inference.decoders.scene import PLAIN
from engines.inference.preprocess import tight_input
from engines.inference.reading import meaning_of

SQUARE = (1, 1)


def hindrance(engine: KnownEngine, source: Path) -> str:
    """Why nothing is built for this network, for people; empty where it is built.

    Raises WeightsError for a file that is no network.
    """
    model = graphs.read(source)
    try:
        graphs.image_input(model, source)
    except WeightsError as error:
        return f"not for the GPU: {error}; the CPU runs it"
    if engine.entry.task != "detector":
        return ""
    try:
        decoder = _decoder(engine, model, source)
    except DecoderError as error:
        return f"not for the GPU: {error}; the CPU runs it"
    if decoder is None:
        return ""
    usual = meaning_of(engine.entry, decoder) == PLAIN
    why = launches.undecodable(decoder.name, usual=usual, outputs=len(model.graph.output))
    return f"not for the GPU: {why}; the CPU runs it" if why else ""


def _decoder(engine: KnownEngine, model: graphs.Model, source: Path) -> OutputDecoder | None:
    """The one that is named, else by the outputs' shapes; None where they do not follow from the image's.

    Raises DecoderError where no decoder has such outputs, or more than one.
    """
    if engine.entry.decoder is not None:
        return decoders.by_name(engine.entry.decoder)
    sides = graphs.image_input(model, source).type.tensor_type.shape.dim
    height, width = (sides[place].dim_value for place in (2, 3))
    size = engine.entry.input or (
        (width, height) if width and height else tight_input(SQUARE, engine.entry.long_side)
    )
    shapes = _shapes(graphs.pinned(model, source, size))
    if any(None in shape[1:] for shape in shapes):
        return None
    return decoders.guess(shapes, *size)


def _shapes(model: graphs.Model) -> Shapes:
    return [
        tuple(side.dim_value or None for side in output.type.tensor_type.shape.dim)
        for output in model.graph.output
    ]
