"""Where a network comes from: a name of the catalogue, or a file of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engines import catalogue
from engines.backends import cpu
from engines.backends.entrance import entrance_of
from engines.backends.protocol import Network, Precision
from engines.catalogue import Recipe
from engines.errors import EngineError, WeightsError
from engines.inference import decoders
from engines.inference.decoders import OutputDecoder

FILE_SUFFIXES = (".onnx", ".xml")


@dataclass(frozen=True)
class NetworkSource:
    """A network file, and what is known about it."""

    path: Path
    recipe: Recipe
    precision: Precision = "f32"


def locate(weights: str | Path, backend: str, store: Path | None = None) -> NetworkSource:
    """The file, recipe and precision for a catalogue name or a path. Raises EngineError."""
    path = Path(weights)
    if path.suffix in FILE_SUFFIXES:
        beside = path.with_suffix(".yaml")
        return NetworkSource(path, catalogue.read_recipe(beside) if beside.is_file() else Recipe())
    engine = catalogue.find(str(weights), store)
    file = engine.choose_file(backend)
    bf16 = file.bf16 and backend == "openvino" and cpu.has_bf16()
    catalogue.check_trusted(engine, engine.folder / file.file)
    return NetworkSource(engine.folder / file.file, engine.entry, "bf16" if bf16 else "f32")


def fixed_size(network: Network, path: Path, wanted: tuple[int, int] | None) -> tuple[int, int] | None:
    """The one input size (width, height) to use, or None where it follows the images.

    Raises WeightsError for a network that takes no image.
    """
    entrance = entrance_of(network.inputs, path)
    return wanted or entrance.size


def decoder_for(source: NetworkSource, shapes: decoders.Shapes, size: tuple[int, int]) -> OutputDecoder:
    """The decoder that the recipe names, or that these shapes tell. Raises EngineError."""
    try:
        named = source.recipe.decoder
        decoder = decoders.by_name(named) if named else decoders.guess(shapes, *size)
    except EngineError as error:
        raise type(error)(f"{source.path}: {error}") from error
    if not decoder.matches(shapes, *size):
        seen = ", ".join(str(list(shape)) for shape in shapes)
        raise WeightsError(f"{source.path}: outputs {seen} are not what decoder {decoder.name} reads")
    return decoder


def check_person_class(
    path: Path, decoder: OutputDecoder, shapes: decoders.Shapes, person_class: int
) -> None:
    """Raises WeightsError for a class that the network does not have."""
    count = decoder.classes(shapes)
    if count is not None and not 0 <= person_class < count:
        raise WeightsError(f"{path}: class {person_class} is asked for, but the network has {count} classes")
