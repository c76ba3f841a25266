"""Cameras: where their pictures come from and how they lie on the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from runtime.config.sections.words import FloorPoint, ImagePoint, Label, Login, Matrix, Section

MAX_CAMERAS = 64


class PointPair(Section, frozen=True, kw_only=True):
    """One place seen in the picture whose position on the floor was measured."""

    image: ImagePoint
    floor: FloorPoint


class Camera(Section, frozen=True, kw_only=True):
    """One camera: where its picture comes from and how the picture lies on the floor."""

    name: Label
    uri: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2_000,
            description="a file, file:PATH?loop=1&pace=real, rtsp://host/path, http://host/video.mjpg, "
            "v4l2:/dev/video0 or csi:0",
        ),
    ]
    substream: Annotated[
        Annotated[str, Meta(min_length=1, max_length=2_000)] | None,
        Meta(description="address of the camera's second stream, played while the first cannot be"),
    ] = None
    transport: Annotated[
        Literal["auto", "tcp", "udp"],
        Meta(description="how pictures come from rtsp://; auto: tcp, or udp where the camera refuses that"),
    ] = "auto"
    username: Annotated[Login | None, Meta(description="name to log in with (rtsp, http)")] = None
    password_file: Annotated[
        Path | None, Meta(description="file that holds the password, readable by the service only")
    ] = None
    analysis_fps: Annotated[
        float, Meta(ge=0.2, le=60, description="frames a second to look for persons in")
    ] = 10.0
    max_size: Annotated[
        tuple[Annotated[int, Meta(ge=64, le=7_680)], Annotated[int, Meta(ge=64, le=4_320)]],
        Meta(description="[width, height]: larger pictures are scaled down to fit"),
    ] = (1920, 1080)
    image_size: Annotated[
        tuple[Annotated[int, Meta(ge=64, le=16_384)], Annotated[int, Meta(ge=64, le=16_384)]] | None,
        Meta(description="[width, height] of the picture that homography or points were measured on"),
    ] = None
    homography: Annotated[
        Matrix | None, Meta(description="3 x 3, row by row: picture (pixels) to floor (metres)")
    ] = None
    points: Annotated[
        list[PointPair], Meta(max_length=500, description="at least 4 measured places; instead of homography")
    ] = field(default_factory=list)
    at: Annotated[FloorPoint | None, Meta(description="[x, y] of where it hangs, to draw it there")] = None
    entrance: Annotated[bool, Meta(description="watches an entrance: its analysis rate is lowered last")] = (
        False
    )
