"""A network that hurts whoever runs it hurts nobody: it is judged before, and in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from engines.catalogue import Recipe
from engines.catalogue.cli import engines as command
from engines.catalogue.judging import Task, judge, process
from engines.catalogue.judging.facts import names_from, person_among
from engines.catalogue.judging.image import SHIPPED, load
from engines.catalogue.judging.task import NetworkVerdict
from engines.catalogue.judging.verdict import pass_verdict
from engines.errors import WeightsError
from tests.engines import exports
from tests.engines.networks import summed_network, takes_minutes

SIDE = 100_000


def filled(shape: str) -> list[onnx.NodeProto]:
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    return [
        helper.make_node("ConstantOfShape", [shape], ["ones"], value=one),
        helper.make_node("Add", ["ones", "m"], ["big"]),
    ]


def asks_for_40_gb(path: Path) -> Path:
    return summed_network(path, filled("sides"), sides=np.array([SIDE, SIDE], np.int64))


def asks_when_it_runs(path: Path) -> Path:
    """The size follows from the picture, so that no shape tells it beforehand."""
    nodes = [
        helper.make_node("Mul", ["m", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "side"], ["number"]),
        helper.make_node("Cast", ["number"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "single"], ["one side"]),
        helper.make_node("Concat", ["one side", "one side"], ["sides"], axis=0),
    ]
    constants = {"nothing": np.float32(0), "side": np.float32(SIDE), "single": np.array([1], np.int64)}
    return summed_network(path, nodes + filled("sides"), **constants)


def wants_another_file(path: Path) -> Path:
    exports.yolov8(path)
    model = onnx.load(str(path))
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 64)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../../../../../etc/passwd"), ("offset", "0"), ("length", "100")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (asks_for_40_gb, r"asks for 80.0 GB of memory for one picture \(Add 'big'\), and may have [\d.]+ GB"),
        (asks_when_it_runs, "asks for more .*memory"),
        (wants_another_file, "keeps its weights in another file; export it as one file"),
        (
            lambda path: path.write_bytes(np.random.default_rng(0).bytes(100_000)) and path,
            "damaged, cut short",
        ),
    ],
    ids=["40 GB", "40 GB when it runs", "another file", "noise"],
)
def test_what_would_hurt_is_refused_within_seconds(tmp_path: Path, backend: str, make, said: str) -> None:
    path = make(tmp_path / "mine.onnx")
    began_s = time.monotonic()
    verdict = judge(Task(file=str(path), backend=backend))
    assert not verdict.accepted
    assert re.search(said, verdict.reason), verdict.reason
    assert verdict.reason.startswith(f"{path}: ")
    assert time.monotonic() - began_s < 60


def children_that_judge() -> list[str]:
    """Their command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = re.search(r"^PPid:\s*(\d+)$", (folder / "status").read_text(), re.MULTILINE)
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if parent is not None and int(parent[1]) == os.getpid() and process.CHILD in line:
                found.append(line)
    return found


def test_what_takes_too_long_is_ended_in_time(tmp_path: Path, backend: str) -> None:
    path, began_s = takes_minutes(tmp_path / "mine.onnx"), time.monotonic()
    with pytest.raises(WeightsError, match=r"mine\.onnx: was not judged within 2 s: too slow"):
        judge(Task(file=str(path), backend=backend), limit_s=2)
    assert time.monotonic() - began_s < 20
    assert children_that_judge() == []


def test_while_a_network_is_judged_a_word_is_given_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "TOLD_EVERY_S", 0.1)
    told: list[float] = []
    task = Task(file=str(takes_minutes(tmp_path / "mine.onnx")), backend="onnxruntime")
    with pytest.raises(WeightsError, match="was not judged within 2 s"):
        judge(task, limit_s=2, on_wait=told.append)
    assert told[0] < 1
    assert len(told) >= 3
    assert told == sorted(told)


def run(*arguments: object):
    return CliRunner().invoke(command, ["add", *map(str, arguments), "--backend", "onnxruntime"])


def test_the_answer_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path / "store"))
    taken = run(exports.end2end(tmp_path / "YOLO 26.onnx"), "--json")
    assert taken.exit_code == 0
    answer = json.loads(taken.output)
    expected = {"accepted": True, "decoder": "end2end", "persons_found": 7, "persons_there": 7}
    assert answer.items() >= expected.items()
    assert answer["reason"].startswith("found 7 of 7 persons")
    assert answer["name"] == "yolo-26"
    refused = run(asks_for_40_gb(tmp_path / "huge.onnx"), "--json")
    assert refused.exit_code == 1
    answer = json.loads(refused.output)
    assert set(answer) == {"accepted", "decoder", "persons_found", "persons_there", "reason"}
    assert (answer["accepted"], answer["persons_found"], answer["persons_there"]) == (False, 0, 7)
    missing = run(tmp_path / "nothing.onnx", "--json")
    assert missing.exit_code == 1
    assert "no such file" in json.loads(missing.output)["reason"]
    assert [folder.name for folder in (tmp_path / "store").iterdir()] == ["yolo-26"]


def heads_only(path: Path) -> Path:
    """Boxes of the upper eighth of each person: right for heads, and too small for persons."""
    net = exports.Ours(scale=255.0, rgb=True)
    boxes, scores = net.listed()
    left, top, right, bottom = (net.cut(boxes, side, side + 1, 2) for side in range(4))
    height = net.add("Mul", net.add("Sub", bottom, top), net.constant(0.125))
    score = net.add("Reshape", scores, net.ints(1, exports.LISTED, 1))
    label = net.constant(np.zeros((1, exports.LISTED, 1)))
    rows = net.add("Concat", left, top, right, net.add("Add", top, height), score, label, axis=2)
    return net.save(path, {"output0": (rows, 3)}, {"names": "{0: 'head'}"})


def heads_on(path: Path, picture: Path | None, persons: int | None = None) -> NetworkVerdict:
    said = {"recipe": Recipe(classes=["person"]), "picture": str(picture) if picture else None}
    return pass_verdict(Task(file=str(path), backend="onnxruntime", persons=persons, **said))  # type: ignore[arg-type]


def test_a_network_for_heads_is_tried_on_a_picture_of_the_users(tmp_path: Path) -> None:
    path, picture = heads_only(tmp_path / "heads.onnx"), tmp_path / "shop.png"
    assert "its classes are head, and none is called person" in str(run(path).exception)
    refused = heads_on(path, None).reason
    assert "found 0 of 7 persons in the picture that comes with tagsight" in refused
    assert "tagsight engines add --picture FILE --persons N" in refused
    cv2.imwrite(str(picture), load(None, None).image)
    counted = heads_on(path, picture, 6)
    assert (counted.accepted, counted.persons_found, counted.persons_there) == (True, 6, 6), counted.reason
    rows = np.loadtxt(SHIPPED.with_suffix(".txt"))
    rows[:, 2] -= rows[:, 4] * 7 / 16
    rows[:, 4] /= 8
    np.savetxt(picture.with_suffix(".txt"), rows)
    boxed = heads_on(path, picture)
    assert (boxed.accepted, boxed.persons_there) == (True, 7), boxed.reason
    assert boxed.persons_found >= 4


def test_a_picture_without_anybody_or_with_wrong_labels_is_told(tmp_path: Path) -> None:
    path, wall = heads_only(tmp_path / "heads.onnx"), tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((480, 640, 3), 90, np.uint8))
    nobody = heads_on(path, wall, 3)
    assert not nobody.accepted
    assert "found 0 of 3 persons in the picture" in nobody.reason
    (tmp_path / "wall.txt").write_text("0 0.5 0.5 nonsense\n")
    labels = run(path, "--classes", "person", "--picture", wall)
    assert f"{tmp_path / 'wall.txt'}: is no list of boxes; write a line a person" in str(labels.exception)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"names": "{0: 'person', 1: 'bag'}"}, ("person", "bag")),
        ({"names": "{1: 'person', 0: 'bag'}"}, ("bag", "person")),
        ({"names": "['bag', 'Person']"}, ("bag", "Person")),
        ({"names": '{"0": "bag", "2": "person"}'}, ("bag", "class 1", "person")),
        ({"id2label": '{"0": "N/A", "1": "person"}'}, ("N/A", "person")),
        ({"labels": '{"person": 1, "bag": 0}'}, ("bag", "person")),
        ({"classes": "bag, person"}, ("bag", "person")),
        ({"class_names": "bag\nshopping cart\nperson\n"}, ("bag", "shopping cart", "person")),
        ({"categories": '[{"id": 1, "name": "person"}]'}, ("person",)),
        ({"names": "__import__('os').system('true')"}, ("__import__('os').system('true')",)),
        ({"names": "{0: open('/etc/passwd')}"}, ()),
        ({"names": "[" * 100_000}, ()),
        ({"names": "{99999999: 'person'}"}, ()),
        ({"description": "a network"}, ()),
    ],
)
def test_names_of_classes_are_read_from_what_exporters_write(said: dict, names: tuple) -> None:
    assert names_from(said) == names


def test_a_person_is_called_by_several_names() -> None:
    assert person_among(("bag", " Pedestrian ")) == 1
    assert person_among(("people", "person")) == 1
    assert person_among(("persona non grata", "head")) is None
