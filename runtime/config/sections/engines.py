"""The networks that look at pictures."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from runtime.config.sections.words import Section

Network = Annotated[str, Meta(min_length=1, extra={"network": True})]
"""A network: by its name in the catalogue, or by a file."""


class Engines(Section, frozen=True, kw_only=True):
    """The networks and what runs them."""

    detector: Annotated[Network, Meta(description="name in tagsight engines list, or an .onnx file")] = (
        "person-detector-lite"
    )
    input_size: Annotated[
        tuple[Annotated[int, Meta(ge=32, le=4_096)], Annotated[int, Meta(ge=32, le=4_096)]] | None,
        Meta(description="[width, height] of the network's input, multiples of 32; empty: from the pictures"),
    ] = None
    backend: Annotated[
        Literal["auto", "openvino", "onnxruntime"], Meta(description="auto: the fastest one here")
    ] = "auto"
    threads: Annotated[int, Meta(ge=0, le=256, description="CPU threads; 0: all")] = 0
    score: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="least score of a box; empty: the engine's own"),
    ] = None
    appearance: Annotated[
        Network,
        Meta(
            description="what the tracker tells people apart by beside their places: none, colours, or a "
            "re-identification network (person-reid, an .onnx file); a network costs 1 to 2 ms a person",
        ),
    ] = "none"
    action: Annotated[
        Network,
        Meta(
            description="network that judges who handles goods, for the matching of flips: none, "
            "person-action or an .onnx file; costs 1 to 2 ms a person and frame",
        ),
    ] = "none"


def network_keys(section: type[Section]) -> tuple[str, ...]:
    """The keys of a section that name a network."""
    info = msgspec.inspect.type_info(section)
    assert isinstance(info, msgspec.inspect.StructType)
    return tuple(
        field.name
        for field in info.fields
        if isinstance(field.type, msgspec.inspect.Metadata) and (field.type.extra or {}).get("network")
    )


NETWORK_KEYS = network_keys(Engines)
