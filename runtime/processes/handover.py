"""A spec on its way to a process that is running: in a memfd, for it may be larger than a record."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

SpecT = TypeVar("SpecT", bound=msgspec.Struct)
MAX_SPEC_BYTES = 64 * 1024 * 1024
"""More articles than a configuration may have."""


def lay_down(spec: msgspec.Struct) -> int:
    """A descriptor of the spec; the caller closes it."""
    data = msgspec.msgpack.encode(spec, enc_hook=_plain)
    fd = os.memfd_create("tagsight-spec", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    return fd


def take_up(fd: int, kind: type[SpecT]) -> SpecT:
    """The spec that was laid down; closes the descriptor. Raises msgspec.DecodeError for anything else."""
    try:
        size = os.fstat(fd).st_size
        if size > MAX_SPEC_BYTES:
            raise msgspec.DecodeError(f"a spec of {size} bytes; {MAX_SPEC_BYTES} is the most")
        data = os.pread(fd, size, 0)
    finally:
        os.close(fd)
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
