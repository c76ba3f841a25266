"""Pictures and id buffers by OpenGL without a screen: moderngl over EGL, on Mesa's llvmpipe or a GPU.

What stands still is uploaded once, what moves once a moment; each camera then draws the same buffers. The
lens bends vertices, so that a picture, its ids and a projected point agree to a fraction of a pixel.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.scene.optics import View
from engines.training.synthetic.drawing import shaders
from engines.training.synthetic.drawing.meshes import COLUMNS, Mesh
from engines.training.synthetic.drawing.textures import SIDE, Picture

SHADOW_PX = 1024

LIGHTING = ("ambient", "lamp_colour", "lamps")
Box = tuple[float, float, float, float]


class Renderer:
    """Draws one shop; edges are smoothed over `samples` (0: not, in half the time). Raises EngineError where
    there is no OpenGL to be had."""

    def __init__(self, samples: int = 4) -> None:
        self._samples = samples
        os.environ.setdefault("LP_NUM_THREADS", "1")
        try:
            import moderngl
        except ImportError:
            raise EngineError(
                "moderngl is not installed; pip install 'tagsight[synthetic]' brings it"
            ) from None
        self._gl: Any = moderngl
        try:
            self._context: Any = self._gl.create_context(standalone=True, backend="egl")
        except Exception as error:  # noqa: BLE001 - whatever EGL and its drivers raise
            raise EngineError(
                f"no OpenGL without a screen here ({error}); run it by scripts/with-mesa, "
                "or install the packages libegl1 and libgl1-mesa-dri"
            ) from None
        context = self._context
        context.enable(moderngl.DEPTH_TEST)
        self._paints: list[Any] = []
        self._number = context.program(shaders.VERTEX, shaders.NUMBERS)
        self._cast = context.program(shaders.SHADOW, shaders.NOTHING)
        self._dark = context.depth_texture((SHADOW_PX, SHADOW_PX))
        self._dark.compare_func = ""
        self._dark.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self._dark.repeat_x = self._dark.repeat_y = False
        self._darkness = context.framebuffer([], self._dark)
        self._targets: dict[tuple[int, int, str], Any] = {}
        self._static: _Buffer | None = None
        self._mirror = np.array([0.0, 0.0, 1.0, 0.0])
        self._has_mirror = False
        self._glass = context.texture((1, 1), 3, b"\x40\x40\x40")

    @property
    def name(self) -> str:
        """What draws."""
        return str(self._context.info["GL_RENDERER"])

    def close(self) -> None:
        """Give back what OpenGL holds; some 30 MB a shop."""
        self._use()
        self._context.release()

    def set_shop(
        self,
        shell: Mesh,
        still: Mesh,
        layers: Sequence[Picture],
        light: dict[str, NDArray[np.float64]],
        size_m: tuple[float, float],
        mirror: NDArray[np.float64] | None,
    ) -> None:
        """The room itself, which casts no shadow, what stands still in it, the textures' layers, the light,
        the room's size and its mirror's plane (n, d)."""
        self._use()
        self._paints = [
            self._context.program(
                shaders.VERTEX, shaders.painting(len(light["lamps"]), folds, mirror is not None)
            )
            for folds in (False, True)
        ]
        self._moving = _Buffer(self, self._paints[1], 4_000_000, 3_000_000)
        self._static = _Buffer(
            self,
            self._paints[0],
            shell.vertices.nbytes + still.vertices.nbytes,
            shell.faces.nbytes + still.faces.nbytes,
        )
        self._static.write([shell, still])
        self._static.casts_from = shell.faces.size
        cloth = self._context.texture_array(
            (SIDE, SIDE, len(layers)), 3, np.ascontiguousarray(np.stack(layers)).tobytes()
        )
        cloth.build_mipmaps()
        cloth.filter = (self._gl.LINEAR_MIPMAP_NEAREST, self._gl.LINEAR)
        cloth.repeat_x = cloth.repeat_y = True
        self._cloth = cloth
        self._lit = light
        self.set_light(1.0)
        self._has_mirror = mirror is not None
        if mirror is not None:
            self._mirror = mirror
        half = max(size_m) / 2 + 0.6
        self._shadow_matrix = _from_above(size_m[0] / 2, size_m[1] / 2, half)

    def set_light(self, share: float) -> None:
        """How bright the lamps are: 1 is as the shop was set."""
        self._use()
        for name in LIGHTING:
            self._set_paint(name, self._lit[name] if name == "lamps" else self._lit[name] * share)

    def set_moving(self, meshes: Sequence[Mesh]) -> None:
        """What moves, in the order that `alone` counts by; and the shadows of everything."""
        self._use()
        self._moving.write(meshes)
        self._darkness.use()
        self._darkness.clear(depth=1.0)
        self._set(self._cast, "shadow", self._shadow_matrix.T)
        for buffer in self._buffers():
            buffer.cast.render(vertices=buffer.indices - buffer.casts_from, first=buffer.casts_from)

    def picture(self, view: View) -> Picture:
        """BGR (height, width, 3)."""
        self._use()
        width, height = view.size
        self._dark.use(1)
        self._cloth.use(0)
        for program in self._paints:
            for name, unit in (("cloth", 0), ("dark", 1), ("glass", 2)):
                if name in program:
                    program[name] = unit
            self._aim(program, view, (1, 1, 0, 0))
        self._set_paint("size", [width, height])
        self._set_paint("mirror", self._mirror)
        self._set_paint("shadow", self._shadow_matrix.T)
        if self._has_mirror:
            self._glass.use(2)
            glass = self._draw(width, height, 1.0)
            self._glass_target(width, height).write(glass)
        image = self._draw(width, height, 0.0)
        return np.array(np.frombuffer(image, np.uint8).reshape(height, width, 3)[::-1, :, ::-1])

    def _draw(self, width: int, height: int, mirrored: float) -> bytes:
        target, plain = self._target(width, height, "colour"), self._target(width, height, "plain")
        if self._has_mirror:
            (self._glass if mirrored else self._glass_target(width, height)).use(2)
        self._set_paint("mirrored", [mirrored])
        target.use()
        target.clear(0.1, 0.1, 0.1, 1.0, depth=1.0)
        for buffer in self._buffers():
            buffer.paint.render(vertices=buffer.indices)
        self._context.copy_framebuffer(plain, target)
        return bytes(plain.read(components=3, alignment=1))

    def numbers(self, view: View) -> NDArray[np.int32]:
        """The id at each pixel (height, width); 0 where nothing has one."""
        self._use()
        width, height = view.size
        self._aim(self._number, view, (1, 1, 0, 0))
        return self._ids(width, height, [(buffer, 0, buffer.indices) for buffer in self._buffers()])

    def alone(self, view: View, which: int, box: Box) -> int:
        """How many pixels mesh `which` of the moving ones covers within `box` (px, also beyond the picture)
        when nothing stands before it."""
        self._use()
        x0, y0 = int(np.floor(box[0])), int(np.floor(box[1]))
        width, height = max(1, int(np.ceil(box[2])) - x0), max(1, int(np.ceil(box[3])) - y0)
        sx, sy = view.size[0] / width, view.size[1] / height
        middle = (x0 + width / 2) / view.size[0] * 2 - 1, 1 - (y0 + height / 2) / view.size[1] * 2
        self._aim(self._number, view, (sx, sy, -middle[0] * sx, -middle[1] * sy))
        side = 64
        target = (-(-width // side) * side, -(-height // side) * side)
        first, count = self._moving.ranges[which]
        ids = self._ids(*target, [(self._moving, first, count)], (width, height))
        return int((ids != 0).sum())

    def _ids(
        self,
        width: int,
        height: int,
        draws: Sequence[tuple[_Buffer, int, int]],
        viewport: tuple[int, int] | None = None,
    ) -> NDArray[np.int32]:
        self._set(self._number, "mirrored", [0.0])
        target = self._target(width, height, "ids")
        shown = viewport or (width, height)
        target.viewport = (0, 0, *shown)
        target.use()
        target.clear(depth=1.0)
        for buffer, first, count in draws:
            buffer.number.render(vertices=count, first=first)
        return np.frombuffer(
            target.read(viewport=(0, 0, *shown), components=1, dtype="i4", alignment=1), np.int32
        ).reshape(shown[1], shown[0])[::-1]

    def _buffers(self) -> list[_Buffer]:
        assert self._static is not None, "set_shop comes first"
        return [self._static, self._moving]

    def _aim(self, program: Any, view: View, crop: tuple[float, float, float, float]) -> None:
        lens, (width, height) = view.lens, view.size
        self._set(program, "rotation", view.rotation.T)
        self._set(program, "eye", view.at_m)
        self._set(program, "lens", [lens.k1, lens.k2, lens.straight_from, 0])
        self._set(program, "scale", [2 * lens.focal_px / width, 2 * lens.focal_px / height])
        self._set(program, "crop", crop)

    def _use(self) -> None:
        """Make this renderer's context the current one: several may live in a process."""
        self._context.__enter__()

    def _set_paint(self, name: str, value: Any) -> None:
        for program in self._paints:
            self._set(program, name, value)

    def _set(self, program: Any, name: str, value: Any) -> None:
        if name in program:
            program[name].write(np.ascontiguousarray(value, np.float32).tobytes())

    def _target(self, width: int, height: int, what: str) -> Any:
        key, context = (width, height, what), self._context
        if key not in self._targets:
            if what == "colour":
                made = context.framebuffer(
                    [context.renderbuffer((width, height), 4, samples=self._samples)],
                    context.depth_renderbuffer((width, height), samples=self._samples),
                )
            elif what == "plain":
                made = context.framebuffer([context.renderbuffer((width, height), 4)])
            else:
                made = context.framebuffer(
                    [context.texture((width, height), 1, dtype="i4")],
                    context.depth_renderbuffer((width, height)),
                )
            self._targets[key] = made
        return self._targets[key]

    def _glass_target(self, width: int, height: int) -> Any:
        key = (width, height, "glass")
        if key not in self._targets:
            texture = self._context.texture((width, height), 3, alignment=1)
            self._targets[key] = texture
        return self._targets[key]


class _Buffer:
    """Vertices and faces on the renderer's side, with what draws them."""

    def __init__(self, owner: Renderer, paint: Any, vertex_bytes: int, face_bytes: int) -> None:
        context = owner._context
        self._vertices = context.buffer(reserve=vertex_bytes)
        self._faces = context.buffer(reserve=face_bytes)
        self.indices = 0
        self.casts_from = 0
        self.ranges: list[tuple[int, int]] = []
        whole: list[tuple[Any, ...]] = [
            (self._vertices, "3f 3f 3f 3f 1f", "place", "normal", "colour", "texel", "number")
        ]
        if "number" not in paint:
            whole = [(self._vertices, "3f 3f 3f 3f 1x4", "place", "normal", "colour", "texel")]
        bare = [(self._vertices, "3f 3x4 3x4 3x4 1f", "place", "number")]
        only = [(self._vertices, "3f 10x4", "place")]
        self.paint = context.vertex_array(paint, whole, self._faces)
        self.number = context.vertex_array(owner._number, bare, self._faces)
        self.cast = context.vertex_array(owner._cast, only, self._faces)

    def write(self, meshes: Sequence[Mesh]) -> None:
        start, first = 0, 0
        self.ranges, vertices, faces = [], [], []
        for one in meshes:
            vertices.append(one.vertices)
            faces.append(one.faces + start)
            self.ranges.append((first, one.faces.size))
            start += len(one.vertices)
            first += one.faces.size
        self.indices = first
        if not first:
            return
        points, triangles = np.concatenate(vertices), np.concatenate(faces).astype(np.int32)
        assert points.shape[1] == COLUMNS
        if points.nbytes > self._vertices.size or triangles.nbytes > self._faces.size:
            raise EngineError(f"{len(points)} vertices move at once; fewer people would be right")
        self._vertices.write(points.tobytes())
        self._faces.write(triangles.tobytes())


def _from_above(
    x_m: float, y_m: float, half_m: float, top_m: float = 2.5, bottom_m: float = -0.5
) -> NDArray[np.float64]:
    """Orthographic, straight down (a little aslant), of what is below `top_m`."""
    deep = top_m - bottom_m
    return np.array(
        [
            [1 / half_m, 0, 0.06 / half_m, -x_m / half_m],
            [0, 1 / half_m, 0.09 / half_m, -y_m / half_m],
            [0, 0, -2 / deep, (top_m + bottom_m) / deep],
            [0, 0, 0, 1],
        ]
    )
