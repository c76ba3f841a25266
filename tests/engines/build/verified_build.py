"""Builds an engine and verifies it, in a process of its own: python verified_build.py STORE FRAMES HOW...

Real are the network, TensorRT-RTX's compiler, the store, the CUDA library for Python and what it is told.
Fakes are libcuda and what runs the plan: the fake TensorRT over onnxruntime, which cannot read plans
and is given the ONNX instead. HOW is what that engine is like, a build each; prints a JSON list of outcomes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import msgspec
import onnx
from onnx import numpy_helper

from engines import catalogue
from engines.backends import tensorrt
from engines.build import builder, report, verification
from engines.build.key import Options
from engines.build.site import BuildSite, prepared
from engines.build.store import PlanStore
from engines.cuda.driver import open_gpu
from engines.errors import BackendError
from testing.gpu.tensorrt import FakeEngine

SIZE = (128, 96)


def wrong_weights(content: bytes) -> bytes:
    """The network with its largest weights turned round: as fast, as large, and wrong."""
    model = onnx.load_from_string(content)
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    largest.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(largest), largest.name))
    return model.SerializeToString()


def main(place: str, *ways: str) -> None:
    """One build for each way."""
    gpu = open_gpu("cuda-bindings")
    os.environ.pop("LD_LIBRARY_PATH")  # the compiler's process is to find no GPU
    library = tensorrt.find("tensorrt_rtx")
    machine = msgspec.structs.replace(tensorrt.here(library, gpu.facts), sm=86)
    plans = PlanStore.open(Path(place))
    engine = catalogue.find("person-detector")
    told = []
    for number, way in enumerate(ways):
        site = BuildSite(library, msgspec.structs.replace(machine, driver=str(number)), plans, gpu.library)

        def load(_: object, store: PlanStore, published: object, way: str = way, site: BuildSite = site):
            store.read_plan(published)
            if way == "foreign":
                raise BackendError("does not take it on this device")
            content = prepared(site, engine, builder.source_of(engine), published.manifest.parts.options)
            with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
                file.write(wrong_weights(content) if way == "wrong" else content)
                file.flush()
                double = FakeEngine(Path(file.name), SIZE, published.manifest.buckets)
            return tensorrt.LoadedEngine(double, None, published.manifest)

        verification.tensorrt.load = load
        options = Options(size_wh=SIZE, buckets=(1,), precision="fp16")
        with plans.builder():
            outcome = builder.build(
                site, builder.Request(engine, options), lambda line: None, lambda *news: None
            )
        ready = plans.current("person-detector", SIZE)
        lines = [report._state(plans, one).line() for one in plans.everything()]
        in_use = ready.manifest.parts.machine.driver if ready else None
        told.append({"outcome": msgspec.to_builtins(outcome), "in_use": in_use, "lines": lines})
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
