"""What an .npz file from outside can raise while it is read: half copied, damaged, or none."""

from __future__ import annotations

from zipfile import BadZipFile
from zlib import error as BadStream

UNREADABLE_NPZ = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    BadZipFile,
    BadStream,
)
