"""What the kernels are called with: argument types and launch shapes.

A `Launch` is complete: any driver, and the host build of the tests, runs it as it is. Pointers are integers
(addresses as the GPU sees them).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from engines.cuda.errors import LaunchError
from engines.cuda.frames import MAX_SIDE_PX

MAX_CANDIDATES = 300
MAX_KEPT = 200
"""As in engines.inference.nms and kernels/suppress.cu."""

MAX_BATCH = 1024
MAX_GROWN = 2.0
"""As in `engines.catalogue`."""


class PixelRule(ctypes.Structure):
    """`struct PixelRule` of kernels/common.cu: (value - mean) / std in the network's order of channels."""

    _fields_ = (
        ("mean", ctypes.c_float * 3),
        ("std", ctypes.c_float * 3),
        ("pad", ctypes.c_float),
        ("rgb", ctypes.c_int32),
    )


Triple = tuple[float, float, float]
Argument = int | float | PixelRule


def pixel_rule(mean: Triple, std: Triple, *, rgb: bool, pad: float = 114.0) -> PixelRule:
    """How pixels become network input. Raises LaunchError for a std that is not above zero."""
    if min(std) <= 0:
        raise LaunchError(f"std {std} must be above zero in every channel")
    return PixelRule((ctypes.c_float * 3)(*mean), (ctypes.c_float * 3)(*std), pad, int(rgb))


_POINTER, _INT, _FLOAT = ctypes.c_uint64, ctypes.c_int32, ctypes.c_float

SIGNATURES: dict[str, tuple[type[ctypes._SimpleCData[int] | ctypes._SimpleCData[float] | PixelRule], ...]] = {
    "letterbox": (_POINTER, _INT, _POINTER, _INT, _INT, _INT, _INT, PixelRule),
    "crop_boxes": (
        *(_POINTER,) * 3,
        _INT,
        _INT,
        _POINTER,
        _INT,
        _POINTER,
        *(_INT,) * 3,
        _FLOAT,
        _FLOAT,
        PixelRule,
    ),
    "decode_ltrb": (_POINTER, *(_INT,) * 5, _FLOAT, *(_POINTER,) * 3),
    "decode_yolox": (_POINTER, *(_INT,) * 7, _FLOAT, *(_POINTER,) * 3),
    "decode_yolov8": (_POINTER, *(_INT,) * 4, _FLOAT, *(_POINTER,) * 3),
    "suppress": (*(_POINTER,) * 3, _INT, _INT, _FLOAT, *(_POINTER,) * 4),
    "l2_normalise": (_POINTER, _POINTER, _INT, _INT),
}
"""Kernel -> the types of its arguments, in order; a test holds it against the .cu files."""

Shape3 = tuple[int, int, int]


@dataclass(frozen=True)
class Launch:
    """One call of a kernel: blocks, threads a block, arguments as the kernel's signature wants them."""

    kernel: str
    grid: Shape3
    block: Shape3
    arguments: tuple[Argument, ...]

    def packed(self) -> list[ctypes._SimpleCData[int] | ctypes._SimpleCData[float] | PixelRule]:
        """The arguments as C values, in order. Raises LaunchError where number, type or range is wrong."""
        kinds = SIGNATURES[self.kernel]
        if len(kinds) != len(self.arguments):
            raise LaunchError(f"{self.kernel} takes {len(kinds)} arguments, not {len(self.arguments)}")
        return [
            _packed(self.kernel, place, kind, value)
            for place, (kind, value) in enumerate(zip(kinds, self.arguments, strict=True))
        ]

    def buffer(self) -> bytes:
        """The arguments as one block, each at its natural alignment. Raises LaunchError."""
        block = bytearray()
        for value in self.packed():
            alignment = ctypes.alignment(value)
            block.extend(bytes(-len(block) % alignment))
            block.extend(bytes(value))
        return bytes(block)


def _packed(kernel: str, place: int, kind: type, value: Argument) -> ctypes._SimpleCData[int] | PixelRule:
    limits = {_POINTER: (0, 2**64 - 1), _INT: (-(2**31), 2**31 - 1)}
    if kind in limits:
        low, high = limits[kind]
        if isinstance(value, bool | float | PixelRule) or not low <= value <= high:
            raise LaunchError(f"{kernel}: argument {place} is {value!r}, not a whole number {low} to {high}")
    elif kind is _FLOAT and not isinstance(value, int | float):
        raise LaunchError(f"{kernel}: argument {place} is {value!r}, not a number")
    elif kind is PixelRule and not isinstance(value, PixelRule):
        raise LaunchError(f"{kernel}: argument {place} is {value!r}, not a PixelRule")
    packed: ctypes._SimpleCData[int] | PixelRule = value if isinstance(value, PixelRule) else kind(value)
    return packed


def _tiles(width: int, height: int, images: int) -> tuple[Shape3, Shape3]:
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX and 0 < images <= MAX_BATCH):
        raise LaunchError(
            f"{images} pictures of {width} x {height} cannot be made: "
            f"1 to {MAX_BATCH}, sides 1 to {MAX_SIDE_PX}"
        )
    return (-(-width // 32), -(-height // 8), images), (32, 8, 1)


def letterbox(
    frames: int, count: int, out: int, out_shape: tuple[int, int, int], rule: PixelRule, *, half: bool
) -> Launch:
    """Lay `count` frames (FRAME array at address `frames`) into out [batch, 3, height, width]."""
    batch, height, width = out_shape
    grid, block = _tiles(width, height, batch)
    return Launch("letterbox", grid, block, (frames, count, out, int(half), batch, width, height, rule))


def crop_boxes(
    frames: int,
    boxes: int,
    counts: int,
    images: int,
    out: int,
    owners: int,
    out_shape: tuple[int, int, int],
    rule: PixelRule,
    *,
    half: bool,
    grown: tuple[float, float] = (0.0, 0.0),
) -> Launch:
    """Cut what `suppress` kept out of the frames: out [crops, 3, height, width], owners int32 [crops].

    `grown`: the share of a box's width and height that is seen beyond each side. Raises LaunchError.
    """
    crops, height, width = out_shape
    grid, block = _tiles(width, height, crops)
    if not all(0.0 <= share <= MAX_GROWN for share in grown):
        raise LaunchError(f"boxes cannot be grown by {grown} of their size: 0 to {MAX_GROWN:g}")
    cut = (frames, boxes, counts, images, MAX_KEPT, out, int(half), owners, crops, width, height)
    arguments: tuple[Argument, ...] = (*cut, float(grown[0]), float(grown[1]), rule)
    return Launch("crop_boxes", grid, block, arguments)


@dataclass(frozen=True)
class Decoded:
    """Addresses of what a decoder writes: boxes float32 [images, cells, 4], scores float32 and kinds int32
    [images, cells]."""

    boxes: int
    scores: int
    kinds: int


BOX_COLUMNS = {"ltrb": 4, "yolox": 5, "yolov8": 4}
"""Decoders that have a kernel, and how many numbers of a candidate are not its classes. Kernels read boxes
and scores as those families write them (`engines.inference.decoders.scene.PLAIN`)."""


def undecodable(decoder: str, *, usual: bool, outputs: int = 1) -> str:
    """Why no kernel decodes such outputs, so many of them; empty where one does.

    usual: whether boxes and scores are of the kind that kernels read.
    """
    if decoder not in BOX_COLUMNS or not usual:
        how = f"{decoder} with boxes or scores of another kind" if decoder in BOX_COLUMNS else decoder
        return f"no kernel decodes {how} outputs, kernels do {', '.join(BOX_COLUMNS)}"
    return f"no kernel decodes {outputs} outputs of {decoder}, kernels do one" if outputs != 1 else ""


def decode(
    decoder: str,
    predictions: int,
    images: int,
    cells: int,
    out: Decoded,
    *,
    input_wh: tuple[int, int],
    levels: int = 3,
    classes: int = 1,
    only: int = -1,
    least_score: float,
) -> Launch:
    """Decode `ltrb`, `yolox` or `yolov8` outputs. `only` asks for one class, -1 for the best of all.

    Raises LaunchError for another decoder.
    """
    if not (0 < images <= MAX_BATCH and cells > 0 and classes > 0 and 0 < levels <= 8):
        raise LaunchError(
            f"{images} images of {cells} cells, {classes} classes, {levels} levels cannot be decoded"
        )
    written = (out.boxes, out.scores, out.kinds)
    arguments: dict[str, tuple[Argument, ...]] = {
        "ltrb": (predictions, images, cells, *input_wh, levels, least_score, *written),
        "yolox": (predictions, images, cells, classes, only, *input_wh, levels, least_score, *written),
        "yolov8": (predictions, images, cells, classes, only, least_score, *written),
    }
    if decoder not in arguments:
        raise LaunchError(f"no kernel decodes {decoder!r}: {', '.join(arguments)}")
    return Launch(f"decode_{decoder}", (-(-cells // 256), images, 1), (256, 1, 1), arguments[decoder])


@dataclass(frozen=True)
class Kept:
    """Addresses of what `suppress` writes: boxes float32 [images, 200, 4], scores float32 and kinds int32
    [images, 200], counts int32 [images]."""

    boxes: int
    scores: int
    kinds: int
    counts: int


def suppress(decoded: Decoded, images: int, cells: int, iou_limit: float, out: Kept) -> Launch:
    """Keep the best of each heap of boxes, class by class."""
    read, written = (
        (decoded.boxes, decoded.scores, decoded.kinds),
        (out.boxes, out.scores, out.kinds, out.counts),
    )
    return Launch("suppress", (images, 1, 1), (256, 1, 1), (*read, images, cells, iou_limit, *written))


def l2_normalise(rows_in: int, rows_out: int, rows: int, columns: int) -> Launch:
    """Rows of float32 [rows, columns] to length 1."""
    return Launch("l2_normalise", (rows, 1, 1), (128, 1, 1), (rows_in, rows_out, rows, columns))
