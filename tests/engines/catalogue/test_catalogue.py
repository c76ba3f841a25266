"""Engines by name: manifests, checksums, what is taken in and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from click.testing import CliRunner

from engines import catalogue
from engines.backends import cpu
from engines.catalogue import EngineEntry, EngineFile, KnownEngine, Recipe, adding
from engines.catalogue.cli import engines as command
from engines.catalogue.judging.image import load
from engines.errors import CatalogueError, EngineError, StoreError
from engines.inference.detector import PersonDetector
from tests.engines.networks import constant_network, external_weights_network, unknown_operation_network

OURS = catalogue.SHIPPED / "person-detector-lite.onnx"


def somebodys(path: Path, marked: str = "") -> Path:
    """A network of a user's that finds people: ours, which nobody has told us about."""
    model = onnx.load(str(OURS))
    model.doc_string = marked
    onnx.save(model, str(path))
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path / "store"))
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    entry = {"name": "ours", "files": [{"file": "ours.onnx", "sha256": "0" * 64}]}
    (shipped / "manifest.yaml").write_text(yaml.safe_dump({"engines": [entry]}))
    monkeypatch.setattr(catalogue, "SHIPPED", shipped)
    return tmp_path / "store"


def run(*arguments: str):
    return CliRunner().invoke(command, list(arguments))


def test_an_added_engine_is_listed_opened_and_as_it_should_be(store: Path, tmp_path: Path) -> None:
    file = somebodys(tmp_path / "spots.onnx")
    added = run("add", str(file), "--name", "spots", "--score", "0.4")
    assert added.exit_code == 0, added.output
    assert "spots: found 7 of 7 persons: decoder ltrb" in added.output
    listed = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert listed["spots"]["sha256"] == catalogue.sha256_of(file)
    verified = json.loads(run("verify", "spots", "--json").output)
    assert verified == {"weights": {"spots": []}, "built": [], "not_run": ""}
    detector = PersonDetector.open("spots", threads=1)
    assert detector.least_score == 0.4
    assert len(detector.detect(load(None, None).image)) >= 7


def test_a_changed_file_is_found_out(store: Path, tmp_path: Path) -> None:
    run("add", str(somebodys(tmp_path / "spots.onnx")), "--name", "spots")
    with (store / "spots" / "spots.onnx").open("ab") as stream:
        stream.write(b"more")
    verified = run("verify", "spots")
    assert "SHA-256 differs" in verified.output
    assert isinstance(verified.exception, EngineError)


def test_a_file_that_others_may_write_is_not_loaded(store: Path, tmp_path: Path) -> None:
    run("add", str(somebodys(tmp_path / "spots.onnx")), "--name", "spots")
    (store / "spots" / "spots.onnx").chmod(0o666)
    assert "other users may write to it; chmod go-w it" in run("verify", "spots").output
    with pytest.raises(StoreError, match="other users may write"):
        PersonDetector.open("spots")


def test_a_missing_file_is_found_out(store: Path, tmp_path: Path) -> None:
    run("add", str(somebodys(tmp_path / "spots.onnx")), "--name", "spots")
    (store / "spots" / "spots.onnx").unlink()
    assert "the file is missing" in run("verify", "spots").output


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"\x08\x08 half a networ") and path, "damaged, cut short or not ONNX"),
        (lambda path: path, "no such file"),
        (lambda path: constant_network(path, [np.zeros((1, 1000))]), "not those of a detector"),
        (unknown_operation_network, "no operation .*Levitate"),
        (external_weights_network, "keeps its weights in another file"),
    ],
    ids=["damaged", "missing", "classifier", "unknown operation", "two files"],
)
def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    store: Path, tmp_path: Path, make, said: str
) -> None:
    file = make(tmp_path / "mine.onnx")
    with pytest.raises(EngineError, match=said) as caught:
        adding.add(file, "mine", Recipe())
    assert str(file) in str(caught.value)
    assert not store.exists() or list(store.iterdir()) == []


def test_a_name_is_given_once_unless_it_is_to_be_replaced(store: Path, tmp_path: Path) -> None:
    first = somebodys(tmp_path / "first.onnx")
    second = somebodys(tmp_path / "second.onnx", "another")
    adding.add(first, "mine", Recipe())
    with pytest.raises(CatalogueError, match="'mine' is there already"):
        adding.add(second, "mine", Recipe())
    adding.add(second, "mine", Recipe(), replace=True)
    assert catalogue.sha256_of(store / "mine" / "mine.onnx") == catalogue.sha256_of(second)
    assert [folder.name for folder in store.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["", "Mine", "../mine", "a b", "x" * 65, ".mine"])
def test_names_are_plain_words(store: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogueError, match="small letters"):
        adding.add(somebodys(tmp_path / "spots.onnx"), name, Recipe())


def test_the_names_of_shipped_engines_are_taken(store: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="'ours' belongs to an engine that came with tagsight"):
        adding.add(somebodys(tmp_path / "spots.onnx"), "ours", Recipe(), replace=True)


def test_an_engine_without_files_says_so(store: Path) -> None:
    (store / "bare").mkdir(parents=True)
    (store / "bare" / "manifest.yaml").write_text("engines: [{name: bare, files: []}]")
    with pytest.raises(CatalogueError, match="'bare' has no files"):
        PersonDetector.open("bare")


def test_an_unknown_name_lists_the_known_ones(store: Path, tmp_path: Path) -> None:
    adding.add(somebodys(tmp_path / "spots.onnx"), "spots", Recipe())
    with pytest.raises(CatalogueError, match=r"no engine is called 'spot' \(known: ours, spots\)"):
        PersonDetector.open("spot")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("engines: [", "not valid YAML"),
        ("engines: 3", r"Expected `array`.*engines"),
        ("engines:\n- {name: a, files: [{file: a.onnx, sha256: abc}]}", r"sha256"),
        ("engines:\n- {name: A, files: []}", r"matching regex.*name"),
        ("engines:\n- {name: a, files: [{file: ../a, sha256: " + "0" * 64 + "}]}", r"\.file"),
        ("engines:\n- {name: a, weight: 3, files: []}", "unknown field `weight`"),
    ],
)
def test_a_wrong_manifest_names_the_key(store: Path, text: str, said: str) -> None:
    (store / "a").mkdir(parents=True)
    (store / "a" / "manifest.yaml").write_text(text)
    with pytest.raises(CatalogueError, match=said) as caught:
        catalogue.known_engines()
    assert str(store / "a" / "manifest.yaml") in str(caught.value)


def test_the_person_class_is_found_by_name() -> None:
    assert Recipe().person_class(default=1) == 1
    assert Recipe(classes=["bag", "person"]).person_class(default=0) == 1
    assert Recipe(classes=["bag", "staff"], person="staff").person_class(default=0) == 1
    assert Recipe(person=7).person_class(default=0) == 7
    with pytest.raises(CatalogueError, match="none is called 'person'"):
        Recipe(classes=["bag"]).person_class(default=0)
    with pytest.raises(CatalogueError, match="classes are not given"):
        Recipe(person="staff").person_class(default=0)


@pytest.mark.parametrize(
    ("backend", "vnni", "expected"),
    [("openvino", True, "b.onnx"), ("openvino", False, "a.onnx"), ("onnxruntime", True, "a.onnx")],
)
def test_the_8_bit_file_is_taken_where_it_is_fast(
    monkeypatch: pytest.MonkeyPatch, backend: str, vnni: bool, expected: str
) -> None:
    monkeypatch.setattr(cpu, "features", lambda: frozenset({"avx512_vnni"} if vnni else ()))
    files = [
        EngineFile(file="a.onnx", sha256="0" * 64),
        EngineFile(file="b.onnx", sha256="1" * 64, precision="int8"),
    ]
    engine = KnownEngine(EngineEntry(name="x", files=files), Path(), shipped=True)
    assert engine.choose_file(backend).file == expected
