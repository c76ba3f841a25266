"""What a process is started with, and how another spec gets to one that is running.

A spec holds what its process needs to know and nothing else, so that a change of the configuration touches
only whom it concerns. `LIVE` names the fields that the process can take up while it runs; for any other it
has to be restarted.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar, TypeVar

import msgspec

from runtime.packing import pack, unpack

SpecT = TypeVar("SpecT", bound="Spec")
MAX_SPEC_BYTES = 64 * 1024 * 1024
"""More articles than a configuration may have."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """`clock` is the supervisor's `HostClock.state` when the spec was sent."""

    LIVE: ClassVar[frozenset[str]] = frozenset()

    clock: tuple[float, float]

    def fixed(self) -> dict[str, Any]:
        """The fields for which only a restart will do."""
        names = (name for name in self.__struct_fields__ if name != "clock" and name not in self.LIVE)
        return {name: getattr(self, name) for name in names}


def send_spec(spec: Spec) -> int:
    """A descriptor of the spec, in a memfd, for it may be larger than a record; the caller closes it."""
    data = pack(spec)
    fd = os.memfd_create("tagsight-spec", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    return fd


def receive_spec(fd: int, kind: type[SpecT]) -> SpecT:
    """The spec of `send_spec`; closes the descriptor. Raises msgspec.DecodeError for anything else."""
    try:
        size = os.fstat(fd).st_size
        if size > MAX_SPEC_BYTES:
            raise msgspec.DecodeError(f"a spec of {size} bytes; {MAX_SPEC_BYTES} is the most")
        data = os.pread(fd, size, 0)
    finally:
        os.close(fd)
    return unpack(data, kind)
