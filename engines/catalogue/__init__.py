"""The engines this machine knows by name.

Ours are listed in `engines/weights/manifest.yaml`, the user's in folders of their own,
`~/.local/share/tagsight/engines/NAME/manifest.yaml` (`TAGSIGHT_ENGINES` names another place). An engine
has one or more files of the same network, all with their SHA-256::

    engines:
      - name: person-detector
        decoder: ltrb
        long_side: 416            # or input: [416, 416] for a network of a fixed size
        score: 0.1
        files:
          - {file: person-detector.onnx, precision: f32, sha256: 0123…, bf16: true}
          - {file: person-detector-int8.onnx, precision: int8, sha256: 4567…, bf16: true}
        measured: {pets09_s2l1_ap50: 0.9}
        about: one line for people
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from engines.backends import cpu
from engines.backends.protocol import Colour, Triple
from engines.catalogue import trust
from engines.errors import CatalogueError, StoreError
from engines.inference.decoders.scene import Form, Role, Scale, Units
from engines.inference.preprocess import Fit

SHIPPED = Path(__file__).parents[1] / "weights"
MANIFEST = "manifest.yaml"
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MAX_MANIFEST_BYTES = 256_000
MAX_ENGINES = 500

_T = TypeVar("_T")
Task = Annotated[str, Meta(pattern=NAME_PATTERN)]
"""What a network is for: `detector` finds persons; others say something of a person's crop: `reid` who it is,
`action` whether they handle goods, and whatever else a head of the vision process asks for."""

Share = Annotated[float, Meta(ge=0, le=2)]
Side = Annotated[int, Meta(ge=32, le=4_096)]


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to feed a network and read its outputs; every key may be left out.

    A user's own file may have it beside it: `my.yaml` for `my.onnx`.
    """

    decoder: str | None = None
    """Name of the decoder; found from the outputs' shapes if left out."""
    input: tuple[Side, Side] | None = None
    """[width, height] of the network's input."""
    long_side: Side = 416
    """For networks that take any size: the input's longer side; the shorter one follows the image."""
    classes: list[str] | None = None
    """Names of the classes, in order."""
    person: str | int | None = None
    """Name or number of the class that counts."""
    score: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Least score of a box."""
    overlap: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Boxes that share more than this (intersection over union) are one person."""
    colour: Colour | None = None
    mean: Triple | None = None
    std: Triple | None = None
    fit: Fit | None = None
    box_units: Units | None = None
    """Boxes in pixels of the input, or in shares of its sides."""
    box_form: Form | None = None
    """Boxes by centre and size, by their corners, or by their corners with y first."""
    score_scale: Scale | None = None
    """Scores in 0..1, or what a sigmoid or a softmax makes into such."""
    outputs: Annotated[list[Role], Meta(max_length=8)] | None = None
    """What each output is, in the network's order, where the decoder reads several."""
    grown: tuple[Share, Share] | None = None
    """For networks that look at persons: how much of the box's width and height is seen beyond each side."""

    def person_class(self, default: int) -> int:
        """Number of the class that counts. Raises CatalogueError for a name that is not among the classes."""
        if isinstance(self.person, int):
            return self.person
        if self.classes is None:
            if self.person is not None:
                raise CatalogueError(f"person: {self.person!r} is a name, but classes are not given")
            return default
        wanted = self.person or "person"
        if wanted not in self.classes:
            raise CatalogueError(f"classes: none is called {wanted!r}; person: must name one of them")
        return self.classes.index(wanted)


class EngineFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One file of an engine; `bf16` says that bfloat16 was measured to be faster where the CPU has it."""

    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    precision: Literal["f32", "int8"] = "f32"
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    bf16: bool = False


class EngineEntry(Recipe, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An engine in a manifest."""

    name: Annotated[str, Meta(pattern=NAME_PATTERN)]
    task: Task = "detector"
    files: Annotated[list[EngineFile], Meta(max_length=16)]
    about: str = ""
    licence: str = ""
    measured: dict[str, Any] = {}
    """Accuracy, as measured by whoever made the engine."""
    training: dict[str, Any] = {}
    """How the weights came to be: data, teachers, steps, minutes, seed, command."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A manifest file."""

    engines: Annotated[list[EngineEntry], Meta(max_length=MAX_ENGINES)]


@dataclass(frozen=True)
class KnownEngine:
    """An engine and the folder its files are in."""

    entry: EngineEntry
    folder: Path
    shipped: bool

    def choose_file(self, backend: str) -> EngineFile:
        """The 8-bit file where the back end and the CPU are fast at it, else the other one.

        Raises CatalogueError for an engine without files.
        """
        if not self.entry.files:
            raise CatalogueError(f"engine {self.entry.name!r} has no files in {self.folder / MANIFEST}")
        fast_int8 = backend == "openvino" and cpu.has_int8_dot()
        order = ("int8", "f32") if fast_int8 else ("f32", "int8")
        return min(self.entry.files, key=lambda file: order.index(file.precision))


def user_store() -> Path:
    """Where the user's engines are: TAGSIGHT_ENGINES, or tagsight/engines in the user's data folder."""
    named = os.environ.get("TAGSIGHT_ENGINES")
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "tagsight" / "engines"


def read_manifest(path: Path) -> Manifest:
    """Raises CatalogueError with the key at fault."""
    return _read(path, Manifest)


def read_recipe(path: Path) -> Recipe:
    """The recipe beside a user's network file. Raises CatalogueError with the key at fault."""
    return _read(path, Recipe)


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise CatalogueError(f"{path}: larger than the {MAX_MANIFEST_BYTES:,} bytes it may have")
        return msgspec.yaml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.ValidationError as error:
        raise CatalogueError(f"{path}: {error}") from error
    except msgspec.DecodeError as error:
        raise CatalogueError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error


def known_engines(store: Path | None = None) -> list[KnownEngine]:
    """Ours, then the user's, by name. Raises CatalogueError for a damaged manifest."""
    return [*_shipped(), *_users(store or user_store())]


def find(name: str, store: Path | None = None) -> KnownEngine:
    """The engine of that name. Raises CatalogueError."""
    engines = {engine.entry.name: engine for engine in known_engines(store)}
    if name not in engines:
        known = ", ".join(engines) or "none"
        raise CatalogueError(
            f"no engine is called {name!r} (known: {known}), and it is no .onnx or .xml file"
        )
    return engines[name]


def _shipped() -> Iterator[KnownEngine]:
    path = SHIPPED / MANIFEST
    if path.is_file():
        for entry in read_manifest(path).engines:
            yield KnownEngine(entry, SHIPPED, shipped=True)


def _users(store: Path) -> Iterator[KnownEngine]:
    for path in sorted(store.glob(f"*/{MANIFEST}"))[:MAX_ENGINES]:
        for entry in read_manifest(path).engines:
            yield KnownEngine(entry, path.parent, shipped=False)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def faults(engine: KnownEngine) -> Sequence[str]:
    """What is wrong with an engine's files, one sentence each; empty if they are as the manifest says."""
    found = []
    for file in engine.entry.files:
        path = engine.folder / file.file
        if not path.is_file():
            found.append(f"{path}: the file is missing")
        elif sha256_of(path) != file.sha256:
            found.append(f"{path}: the contents have changed since the engine was added (SHA-256 differs)")
        else:
            try:
                check_trusted(engine, path)
            except StoreError as error:
                found.append(str(error))
    return found


def check_trusted(engine: KnownEngine, path: Path) -> None:
    """Raises StoreError for a file of the user's store that another user could have written.

    Weights that came with tagsight are as safe as its code, whose folder they lie in.
    """
    if not engine.shipped:
        trust.check_weights(path)
