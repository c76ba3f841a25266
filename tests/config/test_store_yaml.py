"""A sound store.yaml becomes typed sections; an unsound one becomes the list of its mistakes."""

from __future__ import annotations

import json
import struct
import time
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfid_reader.cli import flips
from runtime.commands.config import config
from runtime.config import (
    Antenna,
    ArticleTable,
    Camera,
    ConfigErrors,
    Reader,
    Tls,
    Uplink,
    image_to_floor,
    load,
    parse,
    source_uri,
)
from runtime.config.epcs import overlap
from runtime.config.schema import json_schema
from runtime.frames.uri import parse_uri

EXAMPLE = files("runtime.config").joinpath("example.yaml").read_text(encoding="utf-8")
HERE = Path("store.yaml")


def mistakes_of(text: str, file: Path = HERE) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(text, file)
    return [str(mistake) for mistake in caught.value.mistakes]


def blank_png(file: Path, width: int, height: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\xff" * width for _ in range(height)))
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_the_example_is_a_sound_config() -> None:
    store = parse(EXAMPLE, HERE)
    assert [camera.name for camera in store.cameras] == ["door"]
    assert store.floor.extent() == (0, 0, 20, 12)
    assert store.uplink.tcp_port() == 8883
    assert store.readers[0].tcp_port() == 5084


def test_the_example_speaks_tls_with_a_certificate_of_its_own_and_trusts_no_broker(tmp_path: Path) -> None:
    uplink = parse(EXAMPLE, tmp_path / "store.yaml").uplink
    assert uplink.tls == Tls(
        ca=tmp_path / "keys/ca.pem", cert=tmp_path / "keys/device.pem", key=tmp_path / "keys/device.key"
    )
    assert not uplink.trust_broker
    assert not Uplink().trust_broker


def test_certificates_that_are_not_there_yet_are_named_and_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "store.yaml").write_text(EXAMPLE)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/ca.pem").write_text("-")
    said = CliRunner().invoke(config, ["check", str(tmp_path / "store.yaml")])
    assert said.exit_code == 0
    assert f"not there yet: {tmp_path}/keys/device.pem, {tmp_path}/keys/device.key;" in said.output
    said = CliRunner().invoke(config, ["check", str(tmp_path / "store.yaml"), "--json"])
    assert len(json.loads(said.output)["absent_certificates"]) == 2


def test_every_key_of_the_example_is_in_the_schema_with_its_default() -> None:
    schema = json_schema()
    camera = schema["$defs"]["Camera"]["properties"]
    assert camera["analysis_fps"]["maximum"] == 60
    assert list(camera["max_size"]["default"]) == [1920, 1080]
    assert set(schema["$defs"]["StoreConfig"]["required"]) == {"site", "floor"}
    json.dumps(schema)


def test_every_key_is_described() -> None:
    undescribed = [
        f"{section}.{key}"
        for section, schema in json_schema()["$defs"].items()
        for key, declared in schema["properties"].items()
        if "description" not in declared and "$ref" not in declared
    ]
    assert undescribed == []


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = EXAMPLE.replace("analysis_fps: 10", "analysis_fps: often").replace("[17, 3]]", "[17, 30]]")
    text = text.replace("health_s: 10", "helth_s: 10").replace("cameras: [door]", "cameras: [dor]")
    with pytest.raises(ConfigErrors) as caught:
        parse(text, HERE)
    found = caught.value.mistakes
    assert [mistake.path for mistake in found] == [
        "cameras[0].analysis_fps",
        "entrances[0].cameras",
        "zones[1].polygon[3]",
        "intervals.helth_s",
    ]
    lines = text.splitlines()
    assert all(mistake.path.split(".")[-1].split("[")[0] in lines[mistake.line - 1] for mistake in found)


def test_a_mistake_in_one_camera_does_not_make_its_entrance_wrong() -> None:
    assert mistakes_of(EXAMPLE.replace("uri: rtsp://192.0.2.10:554/stream1", "analysis_fps: 5 #")) != []
    found = mistakes_of(EXAMPLE.replace("uri: rtsp://", "urn: rtsp://"))
    assert all("entrances" not in mistake for mistake in found)


def test_relative_paths_start_at_the_configs_folder(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    file = tmp_path / "store.yaml"
    file.write_text(EXAMPLE.replace("rtsp://192.0.2.10:554/stream1", "file:clip.mp4?loop=1"))
    store = load(file)
    assert store.cameras[0].uri == f"file:{tmp_path}/clip.mp4?loop=1"
    assert store.state_dir == tmp_path / "state"
    assert store.outbox_path() == tmp_path / "state" / "outbox.db"


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file:what?.mp4?loop=1", "what?.mp4"),
        ("file:what?.mp4?", "what?.mp4"),
        ("file://what?.mp4?loop=1", "what?.mp4"),
        ("what?.mp4", "what?.mp4"),
        ("file:door.mp4", "door.mp4"),
    ],
)
def test_a_question_mark_in_a_films_name_is_read_as_the_source_reads_it(
    uri: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"x")
    file = tmp_path / "store.yaml"
    file.write_text(EXAMPLE.replace("uri: rtsp://192.0.2.10:554/stream1", f"uri: {json.dumps(uri)}"))
    opened = parse_uri(load(file).cameras[0].uri)
    assert (opened.target, opened.loop) == (f"{tmp_path}/{name}", "loop=1" in uri)
    text = file.read_text().replace(json.dumps(uri), json.dumps(f"file:{name}?lop=1"))
    assert any("unknown option lop" in mistake for mistake in mistakes_of(text, file))


def test_the_floors_extent_comes_from_the_drawing_and_its_scale(tmp_path: Path) -> None:
    blank_png(tmp_path / "floor.png", 1000, 600)
    floor = "image: floor.png\n  scale_px_per_m: 50"
    store = parse(EXAMPLE.replace("extent_m: [0, 0, 20, 12]", floor), tmp_path / "store.yaml")
    assert store.floor.extent() == (0, 0, 20, 12)


def test_articles_are_found_by_exact_epc_and_by_pattern() -> None:
    table = ArticleTable.of(parse(EXAMPLE, HERE).fixtures)
    for epc in ("3034257BF7194E4000001A85", "3034257bf7194e5000000001"):
        article = table.find(epc)
        assert article is not None and (article.sku, article.fixture) == ("COAT-38", "coat rack")
    assert table.find("3034257BF7194E4000001A86") is None


def test_an_article_number_keeps_its_leading_zeros() -> None:
    store = parse(EXAMPLE.replace('sku: "COAT-38"', "sku: 0042"), HERE)
    assert store.fixtures[0].skus[0].sku == "0042"


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("30*", "3034*", True),
        ("31*", "3034*", False),
        ("*34", "30*", True),
        ("30*34", "30*35", False),
        ("30*34*", "3099*", True),
    ],
)
def test_patterns_overlap_when_some_tag_fits_both(one: str, other: str, shared: bool) -> None:
    assert overlap(one, other) is shared
    assert overlap(other, one) is shared


def test_a_cameras_floor_map_scales_with_its_picture() -> None:
    camera = parse(EXAMPLE, HERE).cameras[0]
    native, half = image_to_floor(camera), image_to_floor(camera, (960, 540))
    assert native is not None and half is not None
    np.testing.assert_allclose(native.to_floor([320, 1010]), [[4, 11]], atol=1e-6)
    np.testing.assert_allclose(half.to_floor([160, 505]), [[4, 11]], atol=1e-6)


def test_credentials_come_from_a_file_and_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p@ss/word\n")
    camera = Camera(
        name="a", uri="rtsp://cam:554/s?x=1", username="me@shop", password_file=tmp_path / "secret"
    )
    assert source_uri(camera) == "rtsp://me%40shop:p%40ss%2Fword@cam:554/s?x=1"


def test_a_password_in_the_clear_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse(EXAMPLE.replace("rtsp://192", "rtsp://admin:hunter2@192"), HERE)
    assert "password_file" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_long_plain_lists_are_counted_as_often_as_they_are_used() -> None:
    listed = ", ".join(["x"] * 1_000)
    found = mistakes_of(f"a: &a [{listed}]\nb: [{', '.join(['*a'] * 250)}]\n")
    assert any("aliases expand" in mistake for mistake in found)


def test_an_alias_bomb_is_refused_in_no_time() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))
    began = time.perf_counter()
    found = mistakes_of(f"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{levels}\n")
    assert any("aliases expand" in mistake for mistake in found)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000 + "x", "x: " + "[1," * 3000])
def test_deep_nesting_is_refused_without_exhausting_the_stack(text: str) -> None:
    assert mistakes_of(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_any_text_is_a_config_or_a_list_of_mistakes(text: str) -> None:
    assert mistakes_of(text)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_value_in_place_of_a_sound_one_is_taken_or_named(data: st.DataObject) -> None:
    lines = EXAMPLE.splitlines()
    chosen = data.draw(st.integers(0, len(lines) - 1))
    key = lines[chosen].partition(":")[0]
    text = json.dumps(data.draw(VALUES))
    lines[chosen] = f"{key}: {text}" if ":" in lines[chosen] else lines[chosen]
    try:
        parse("\n".join(lines), HERE)
    except ConfigErrors as errors:
        assert errors.mistakes
        assert all(mistake.wrong and mistake.right for mistake in errors.mistakes)


def test_a_store_finds_flips_as_well_as_the_command_line_does_unless_told_otherwise() -> None:
    method = next(option for option in flips.params if option.name == "method")
    unsaid = Reader(name="r", host="192.0.2.20", antennas=[Antenna(port=1, name="a")])
    (example,) = parse(EXAMPLE, HERE).readers
    assert unsaid.detector == example.detector == method.default
