"""Our calls against the real bindings of TensorRT 8.6 to 11: each class, attribute and argument exists there.

A fake of the shape of each release is made from its own bindings and refuses whatever they do not have; the
code that builds engines runs against it. What the real compiler does is tried in test_real_builds.py.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engines.backends import tensorrt
from engines.build import builder
from engines.build.compiling import worker
from engines.build.compiling.job import CompileJob, CompileProgress
from engines.build.key import Options
from engines.cuda import inference
from engines.errors import BackendError, BuildError

RELEASES = ["8.6.1", "10.3.0", "10.13.0.35", "11.4.0.106"]
SHAPE = (-1, 3, 96, 128)


@functools.lru_cache
def surface(release: str) -> dict[str, Any]:
    folder = Path(os.environ.get("TAGSIGHT_TENSORRT_BINDINGS", "/nowhere")) / release
    if not folder.is_dir():
        pytest.skip(f"not run: no bindings of TensorRT {release} (scripts/fetch-tensorrt-bindings)")
    if shutil.which("cc") is None:
        pytest.skip("not run: no C compiler to make the stub libraries with")
    script = Path(__file__).with_name("tensorrt_surface.py")
    command = [sys.executable, str(script), str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return dict(json.loads(told.stdout))


class Shaped:
    """An object of a class of one release: nothing but what its bindings have, called as they say."""

    def __init__(self, release: str, owner: str, answers: dict[str, Any]) -> None:
        self.__dict__.update(
            _owner=owner, _surface=surface(release)["classes"][owner], _answers=answers, _calls=[]
        )

    def _known(self, name: str) -> Any:
        if name not in self._surface:
            raise AttributeError(f"{self._owner} has no {name}")
        return self._surface[name]

    def __getattr__(self, name: str) -> Any:
        overloads = self._known(name)
        if overloads is None:
            return self._answers.get(name)

        def call(*given: Any, **named: Any) -> Any:
            assert not overloads or any(fits(one, given, named) for one in overloads), (
                f"{self._owner}.{name} does not take {len(given)} arguments and {sorted(named)}: {overloads}"
            )
            self._calls.append((name, given, named))
            answer = self._answers.get(name)
            return answer(*given, **named) if callable(answer) else answer

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        assert self._known(name) is None, f"{self._owner}.{name} is a method"
        self._answers[name] = value


def fits(overload: dict[str, Any], given: tuple[Any, ...], named: dict[str, Any]) -> bool:
    names = overload["names"]
    return overload["least"] <= len(given) + len(named) <= len(names) and set(named) <= set(
        names[len(given) :]
    )


def enumeration(release: str, owner: str) -> Any:
    """Members of one release's enumeration, numbered."""
    return SimpleNamespace(**{name: number for number, name in enumerate(surface(release)["classes"][owner])})


class Release:
    """A module of the shape of one release, and what was asked of it."""

    def __init__(self, release: str, *, dla_cores: int = 0, parses: bool = True) -> None:
        tensor = Shaped(
            release, "ITensor", {"name": "images", "shape": SHAPE, "dtype": SimpleNamespace(name="FLOAT")}
        )
        cache = Shaped(release, "ITimingCache", {"serialize": b"learnt"})
        self.config = Shaped(
            release,
            "IBuilderConfig",
            {
                "add_optimization_profile": 0,
                "can_run_on_DLA": lambda layer: layer.name != "odd",
                "create_timing_cache": cache,
                "get_timing_cache": cache,
                "set_timing_cache": True,
            },
        )
        self.network = Shaped(
            release,
            "INetworkDefinition",
            {
                "num_inputs": 1,
                "num_outputs": 1,
                "num_layers": 2,
                "get_input": tensor,
                "get_output": tensor,
                "get_layer": lambda place: SimpleNamespace(name=("odd", "even")[place]),
            },
        )
        self.profile = Shaped(release, "IOptimizationProfile", {})
        self.builder = Shaped(
            release,
            "Builder",
            {
                "num_DLA_cores": dla_cores,
                "create_network": self.network,
                "create_builder_config": self.config,
                "create_optimization_profile": self.profile,
                "build_serialized_network": b"plan",
            },
        )
        fault = {"node": 1, "desc": 'creator && "Plugin not found"', "node_name": "", "node_operator": ""}
        self.parser = Shaped(
            release,
            "OnnxParser",
            {
                "parse": parses,
                "num_errors": int(not parses),
                "get_error": Shaped(release, "ParserError", fault),
            },
        )
        enumerations = (name for name, parts in surface(release)["classes"].items() if "value" in parts)
        named = {name: enumeration(release, name) for name in enumerations}
        bases = {name: type(name, (), {}) for name in surface(release)["bases"]}
        self.module = SimpleNamespace(
            __version__=surface(release)["version"],
            Builder=lambda logger: self.builder,
            OnnxParser=lambda network, logger: self.parser,
            **named,
            **bases,
        )

    def asked(self, owner: Shaped, name: str) -> list[tuple[Any, ...]]:
        """Arguments of every call."""
        return [given for called, given, _ in owner._calls if called == name]


def described(release: str) -> tensorrt.TensorRt:
    """The release as `find` would describe it, by the classes of its bindings."""
    shape = {
        name: SimpleNamespace(**dict.fromkeys(parts)) for name, parts in surface(release)["classes"].items()
    }
    log = type("Logger", (), {"WARNING": 0, "__init__": lambda self, level: None})
    return tensorrt.described(
        "tensorrt", SimpleNamespace(__version__=surface(release)["version"], Logger=log, **shape)
    )


def job_for(release: str, folder: Path, **options: Any) -> CompileJob:
    chosen = Options(**{"size_wh": (128, 96), "buckets": (1, 2, 4), **options})
    library = described(release)
    network = folder / "network.onnx"
    network.write_bytes(b"network")
    return CompileJob(
        library="tensorrt",
        onnx=str(network),
        plan=str(folder / "engine.plan"),
        options=chosen,
        typed=builder.is_typed(library, chosen),
        flags=builder.builder_flags(library, chosen),
        input_name="images",
        batch=None,
        nodes=(("first", "Conv"), ("second/Levitate", "Levitate")),
        timing_cache=str(folder / "timing.cache"),
    )


@pytest.mark.parametrize("release", RELEASES)
def test_each_release_has_all_that_is_needed(release: str) -> None:
    library = described(release)
    assert library.version == surface(release)["version"]
    assert library.typed == (not release.startswith("8."))
    classes = surface(release)["classes"]
    assert set(inference.ENGINE_CALLS) <= set(classes["ICudaEngine"])
    assert set(inference.CONTEXT_CALLS) <= set(classes["IExecutionContext"])


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_build_calls_only_what_the_release_offers(release: str, precision: str, tmp_path: Path) -> None:
    shaped = Release(release)
    said: list[Any] = []
    built = worker.compile_plan(job_for(release, tmp_path, precision=precision), shaped.module, said.append)
    assert (tmp_path / "engine.plan").read_bytes() == b"plan"
    assert (tmp_path / "timing.cache.new").read_bytes() == b"learnt"
    assert built.inputs[0].shape == SHAPE
    flags = shaped.module.BuilderFlag
    creation = shaped.module.NetworkDefinitionCreationFlag
    (given,) = shaped.asked(shaped.builder, "create_network")
    set_flags = [given[0] for given in shaped.asked(shaped.config, "set_flag")]
    if release.startswith("8."):
        wanted = {"fp32": [], "fp16": ["FP16"], "int8": ["FP16", "INT8"]}[precision]
        assert given == (1 << creation.EXPLICIT_BATCH,)
        assert set_flags == [getattr(flags, name) for name in wanted]
    else:
        assert given == (1 << creation.STRONGLY_TYPED,)
        assert set_flags == []
    shapes = [given[1:] for given in shaped.asked(shaped.profile, "set_shape")]
    batches = [(low[0], best[0], high[0]) for low, best, high in shapes]
    assert batches == [(1, 1, 1), (2, 2, 2), (3, 4, 4)]


@pytest.mark.parametrize("release", [release for release in RELEASES if release[:2] != "8."])
def test_progress_comes_from_the_releases_own_monitor(release: str, tmp_path: Path) -> None:
    shaped = Release(release)
    said: list[Any] = []
    worker.compile_plan(job_for(release, tmp_path), shaped.module, said.append)
    monitor = shaped.config.progress_monitor
    monitor.phase_start("Building", None, 2)
    monitor.phase_start("Kernels", "Building", 4)
    assert monitor.step_complete("Kernels", 0) is True
    monitor.step_complete("Building", 1)
    assert said == [CompileProgress(0.125, "Kernels"), CompileProgress(1.0, "Building")]


@pytest.mark.parametrize("release", RELEASES)
def test_an_unsupported_operation_is_named_by_its_node(release: str, tmp_path: Path) -> None:
    shaped = Release(release, parses=False)
    with pytest.raises(
        worker.CompileFault, match=r"node 'second/Levitate' \(Levitate\): .*no such operation"
    ):
        worker.compile_plan(job_for(release, tmp_path), shaped.module, lambda message: None)


@pytest.mark.parametrize("release", [release for release in RELEASES if not release.startswith("11")])
def test_a_dla_core_is_used_or_refused_but_never_ignored(release: str, tmp_path: Path) -> None:
    wish = job_for(release, tmp_path, dla_core=1, buckets=(4,))
    shaped = Release(release, dla_cores=2)
    built = worker.compile_plan(wish, shaped.module, lambda message: None)
    assert shaped.config.DLA_core == 1
    assert shaped.config.default_device_type == shaped.module.DeviceType.DLA
    assert built.on_gpu == ("odd",)
    flags = shaped.module.BuilderFlag
    assert [given[0] for given in shaped.asked(shaped.config, "set_flag")] == [flags.FP16, flags.GPU_FALLBACK]
    (shapes,) = shaped.asked(shaped.profile, "set_shape")
    assert [shape[0] for shape in shapes[1:]] == [4, 4, 4]
    for cores, have in ((0, "has no DLA"), (1, "has cores 0 to 0")):
        with pytest.raises(worker.CompileFault, match=f"DLA core 1 was asked for, but this device {have}"):
            worker.compile_plan(wish, Release(release, dla_cores=cores).module, lambda message: None)


def test_a_release_that_cannot_mix_precisions_refuses_a_dla(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"11\.4\.0\.106 cannot mix.*leave --dla out"):
        job_for("11.4.0.106", tmp_path, dla_core=0, buckets=(1,))
    with pytest.raises(BuildError, match="a DLA runs fp16 and int8 only"):
        job_for("10.3.0", tmp_path, dla_core=0, buckets=(1,), precision="fp32")


def test_an_old_release_is_refused_and_a_reduced_one_says_what_it_lacks() -> None:
    with pytest.raises(BackendError, match=r"tensorrt 8.5.2.2 is too old: 8.6 or newer"):
        tensorrt.described("tensorrt", SimpleNamespace(__version__="8.5.2.2"))
    library = described("10.3.0")
    del library.module.ICudaEngine.num_io_tensors
    with pytest.raises(BackendError, match=r"lacks ICudaEngine\.num_io_tensors"):
        tensorrt.described("tensorrt", library.module)
