"""Memory made once and given back together."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda.libraries import Library


class Buffers:
    """Rooms on the GPU, and pinned arrays here that copies to and from it can run beside."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._there: list[int] = []
        self._here: list[int] = []

    def there(self, size: int) -> int:
        """Address of `size` bytes on the GPU."""
        self._there.append(self._library.allocate(size))
        return self._there[-1]

    def here(self, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        """A pinned array, all zero."""
        size = int(np.prod(shape)) * kind.itemsize
        address, _ = self._library.allocate_pinned(size)
        self._here.append(address)
        memory = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
        array = np.frombuffer(memory, kind).reshape(shape)
        array[...] = np.zeros((), kind)
        return array

    def close(self) -> None:
        """Give all of it back; nothing of it may be used afterwards."""
        for address in self._there:
            self._library.free(address)
        for address in self._here:
            self._library.free_pinned(address)
        self._there.clear()
        self._here.clear()
