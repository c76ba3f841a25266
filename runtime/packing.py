"""Structs as MessagePack between our own processes: msgspec's types, and paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

StructT = TypeVar("StructT", bound=msgspec.Struct)


def pack(struct: msgspec.Struct) -> bytes:
    """The struct as `unpack` reads it."""
    return msgspec.msgpack.encode(struct, enc_hook=_plain)


def unpack(data: bytes, kind: type[StructT]) -> StructT:
    """The way back of `pack`. Raises msgspec.DecodeError for anything else."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_typed)


def _plain(value: Any) -> str:
    """A hook of msgspec, whose word for a type that this does not know either is NotImplementedError."""
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def _typed(kind: type, value: Any) -> Path:
    """The way back of `_plain`, with the same word."""
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
