"""A spec on its way to a process that is running: in a memfd, for it may be larger than a record."""

from __future__ import annotations

import os
from typing import TypeVar

import msgspec

from runtime.packing import pack, unpack

SpecT = TypeVar("SpecT", bound=msgspec.Struct)
MAX_SPEC_BYTES = 64 * 1024 * 1024
"""More articles than a configuration may have."""


def lay_down(spec: msgspec.Struct) -> int:
    """A descriptor of the spec; the caller closes it."""
    data = pack(spec)
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
    return unpack(data, kind)
