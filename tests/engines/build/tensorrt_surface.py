"""What a release of TensorRT's bindings offers, as JSON: `python tensorrt_surface.py FOLDER`.

The bindings are the real ones; the libraries they call are stubs, made here, because importing them is
enough: every class, attribute and signature is in the bindings. A process for each release: they cannot share
one.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
    "_ZN11nvuffparser15createUffParserEv",
    "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
    "_ZN14nvcaffeparser117createCaffeParserEv",
    "_ZN14nvcaffeparser123shutdownProtobufLibraryEv",
)
LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin", "nvparsers")
CLASSES = (
    "Builder",
    "BuilderFlag",
    "DeviceType",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "INetworkDefinition",
    "IOptimizationProfile",
    "ITensor",
    "ITimingCache",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
    "Runtime",
)


def load_stubs(major: int) -> None:
    """Libraries of the right names, with every function the bindings look for."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "stub.c"
        source.write_text("\n".join(f"void *{name}(void) {{ return 0; }}" for name in SYMBOLS))
        for library in LIBRARIES:
            soname = f"lib{library}.so.{major}"
            made = Path(folder) / soname
            command = ["cc", "-shared", "-fPIC", "-o", str(made), f"-Wl,-soname,{soname}", str(source)]
            subprocess.run(command, check=True, timeout=60)
            ctypes.CDLL(str(made), ctypes.RTLD_GLOBAL)


def signatures(documentation: str, name: str) -> list[dict[str, Any]]:
    """Named parameters and how many must be given, of each overload in a pybind docstring."""
    found = []
    for text in re.findall(rf"(?m)^(?:\d+\. )?{name}\((.*)\) ->", documentation or ""):
        if text.startswith("*args"):
            continue
        parameters = [part for part in re.split(r", (?=\w+: )", text) if not part.startswith("self:")]
        names = [part.split(":")[0] for part in parameters if ":" in part]
        found.append({"names": names, "least": sum(" = " not in part for part in parameters if ":" in part)})
    return found


def described(module: Any) -> dict[str, Any]:
    """Class -> attribute -> signatures of a method, or null."""
    told: dict[str, Any] = {}
    for owner in CLASSES:
        kind = getattr(module, owner, None)
        if kind is None:
            continue
        told[owner] = {}
        for name, value in inspect.getmembers(kind):
            if not name.startswith("_"):
                method = callable(value) and not isinstance(value, type) and not isinstance(value, kind)
                told[owner][name] = signatures(value.__doc__, name) if method else None
    return told


def main(folder: str) -> None:
    """Print the release's surface."""
    major = int(Path(folder).name.split(".")[0])
    load_stubs(major)
    sys.path.insert(0, folder)
    import tensorrt_bindings

    extras = [name for name in ("ILogger", "IProgressMonitor") if hasattr(tensorrt_bindings, name)]
    surface = {
        "version": tensorrt_bindings.__version__,
        "bases": extras,
        "classes": described(tensorrt_bindings),
    }
    print(json.dumps(surface))


if __name__ == "__main__":
    main(sys.argv[1])
