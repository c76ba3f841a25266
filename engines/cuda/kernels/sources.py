"""The kernels' source: the .cu files of this folder, joined to one unit."""

from __future__ import annotations

from pathlib import Path

KERNEL_FOLDER = Path(__file__).parent

FILES = ("common.cu", "pictures.cu", "decode.cu", "suppress.cu", "normalise.cu")
"""In this order: each uses only what comes before it."""


def source(folder: Path = KERNEL_FOLDER) -> str:
    """All kernels as one text; a compiler's messages name the file and line they are about."""
    return "".join(f'#line 1 "{name}"\n{(folder / name).read_text()}' for name in FILES)
