"""What is shown beside a garment, and why."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleet.errors import FleetError
from fleet.mirror.alike import alike
from fleet.mirror.building import build
from fleet.mirror.catalogue import WITH, Catalogue, write
from fleet.mirror.interleaving import interleaved
from fleet.mirror.suggesting import screen
from fleet.mirror.together import pairs
from tests.fleet.mirror.shop import EPC, GARMENTS, a_catalogue


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return Catalogue(a_catalogue(tmp_path_factory.mktemp("shop")))


def test_the_share_of_baskets_is_damped_by_popularity_as_worked_by_hand() -> None:
    baskets, garments = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0, 2, 2])
    found = pairs(baskets, garments, 4)
    assert found.taken.tolist() == [3, 2, 2, 0]
    assert found.of([0])[1] == pytest.approx(2 / 13 / 2**0.3)
    assert found.of([0])[[0, 3]].tolist() == [0, 0]
    with_floor = found.of_or_popular([1])
    assert with_floor[0] > with_floor[2] > with_floor[3] == 0, (
        "what was never with it stands by how often it is taken"
    )
    twice = pairs(np.append(baskets, 0), np.append(garments, 1), 4)
    assert twice.of([0]).tolist() == found.of([0]).tolist(), "one garment counts once a basket"


def test_looks_come_from_pictures_and_words_and_nothing_shared_is_not_alike() -> None:
    said = [frozenset({"coat", "dark"}), frozenset({"coat"}), frozenset({"bag"}), frozenset({"bag"})]
    assert [[one.place for one in row] for row in alike(said, None, 3)] == [[1], [0], [3], [2]]
    pictures = np.array([[1, 0], [0, 1], [1, 0], [np.nan, np.nan]], np.float32)
    assert [one.place for one in alike(said, pictures, 3)[0]] == [2, 1]


def test_a_screen_leaves_out_what_is_gone_or_was_tried_and_fills_up_with_what_is_popular(
    catalogue: Catalogue,
) -> None:
    found = screen(catalogue, ["COAT-1"], ["COAT-1"])
    assert found is not None and (found.garment.title, found.garment.price_now) == ("Black coat", 90.0)
    assert [one.garment.sku for one in found.alike] == ["COAT-2"], "COAT-3 is out of stock"
    goes_with = [one.garment.sku for one in found.goes_with]
    assert goes_with[:2] == ["BOOT-1", "BAG-1"]
    assert goes_with[2:] == ["BAG-2", "DRESS-1"], "most often taken of all"
    assert [one.ranker for one in found.goes_with] == ["together"] * 2 + ["popular"] * 2
    again = screen(catalogue, ["COAT-1"], ["COAT-1", "BOOT-1", "COAT-2"])
    assert again is not None and not again.alike
    assert "BOOT-1" not in [one.garment.sku for one in again.goes_with]
    cold = screen(catalogue, ["HAT-1"], [])
    assert cold is not None and {one.ranker for one in cold.goes_with} == {"popular"}
    assert screen(catalogue, ["NO-SUCH"], []) is None


def test_all_that_hangs_in_the_room_has_a_say(catalogue: Catalogue) -> None:
    found = screen(catalogue, ["DRESS-1", "COAT-1"], [])
    assert found is not None and [one.title for one in found.others] == ["Black coat"]
    assert [one.garment.sku for one in found.goes_with][:3] == ["BAG-2", "BOOT-1", "BAG-1"]


def test_interleaving_is_fair_to_both_and_credits_whom_a_choice_speaks_for() -> None:
    drawn = random.Random(0)
    one, other = list("abcdef"), list("cbaxyz")
    first: Counter[int] = Counter()
    for _ in range(400):
        found = interleaved(one, other, 4, drawn)
        assert len(set(found.shown)) == 4 and abs(found.team.count(0) - found.team.count(1)) == 0
        first[found.team[0]] += 1
        for ranker, its in enumerate((one, other)):
            mine = [sku for sku, team in zip(found.shown, found.team, strict=True) if team == ranker]
            assert mine == sorted(mine, key=its.index), "each ranker's own order holds"
        assert found.credit(found.shown[2]) == found.team[2] and found.credit("q") is None
    assert 140 < first[0] < 260
    assert interleaved([], ["a"], 4, drawn).shown == ("a",)


def test_the_better_of_two_rankers_wins_the_taps_and_two_alike_share_them() -> None:
    drawn = random.Random(1)
    wanted = set("abc")
    credits: Counter[int | None] = Counter()
    alike_credits: Counter[int | None] = Counter()
    for _ in range(300):
        found = interleaved(list("axbyc"), list("xyzab"), 4, drawn)
        credits.update(found.credit(sku) for sku in found.shown if sku in wanted)
        same = interleaved(list("axbyc"), list("axbyc"), 4, drawn)
        alike_credits.update(same.credit(sku) for sku in same.shown if sku in wanted)
    assert credits[0] > 1.5 * credits[1]
    assert 0.8 < alike_credits[0] / alike_credits[1] < 1.25


def test_a_catalogue_is_replaced_in_one_step_and_a_reader_goes_on(tmp_path: Path) -> None:
    file = a_catalogue(tmp_path)
    reader = Catalogue(file)
    assert reader.sku_of(EPC.format(77)) == "HAT-1"
    assert reader.picture("COAT-1") and reader.picture("BAG-1") is None
    assert reader.beside("DRESS-1", WITH) == ["BAG-2"]
    assert not reader.refresh()
    write(file, [], pictures={}, taken={}, beside=[], items={})
    assert reader.garment("COAT-1") is not None
    assert reader.refresh() and reader.garment("COAT-1") is None
    file.write_bytes(b"rubbish")
    assert not reader.refresh() and reader.garment("COAT-1") is None
    with pytest.raises(FleetError, match="no catalogue there"):
        Catalogue(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name\nx\n", "sku and title are needed"),
        ("sku,title,colour\n", "sku and title are needed"),
        ("sku,title,price\nA,b,dear\n", "row 1: .*price"),
        ("sku,title,discount\nA,b,120\n", "row 1: .*discount"),
        ("sku,title\nA,b\nA,c\n", "row 2: sku 'A' is there twice"),
        ("sku,title,picture\nA,b,none.png\n", "the picture cannot be read"),
        ("sku,title,picture\nA,b,garments.csv\n", "neither JPEG nor PNG"),
    ],
)
def test_a_list_that_is_wrong_is_said(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "garments.csv").write_text(text)
    with pytest.raises(FleetError, match=told):
        build(tmp_path / "out.db", tmp_path / "garments.csv")
    assert not (tmp_path / "out.db").exists()


def test_pictures_embeddings_make_what_looks_alike(tmp_path: Path) -> None:
    (tmp_path / "garments.csv").write_text(GARMENTS.replace("coat.png", ""))
    rows = np.eye(8, dtype=np.float32)
    rows[4] = rows[0]  # the bag looks like the coat
    np.savez(
        tmp_path / "e.npz", sku=[line.split(",")[0] for line in GARMENTS.splitlines()[1:]], embedding=rows * 7
    )
    build(tmp_path / "out.db", tmp_path / "garments.csv", embeddings=tmp_path / "e.npz")
    assert Catalogue(tmp_path / "out.db").beside("COAT-1", "alike")[0] == "BAG-1"
    (tmp_path / "e.npz").write_bytes(b"x")
    with pytest.raises(FleetError, match="needs the arrays"):
        build(tmp_path / "out.db", tmp_path / "garments.csv", embeddings=tmp_path / "e.npz")


def test_a_catalogue_that_is_copied_over_the_old_one_is_said_and_then_read(tmp_path: Path) -> None:
    file = a_catalogue(tmp_path)
    catalogue, whole = Catalogue(file), file.read_bytes()
    with file.open("r+b") as opened:
        opened.write(b"\x77" * len(whole))
    assert not catalogue.refresh(), "half a file is no other catalogue yet"
    with pytest.raises(FleetError, match=r"cannot be read \(.*copy it beside, then move it there"):
        catalogue.popular(10)
    with file.open("r+b") as opened:
        opened.write(whole)
    assert catalogue.refresh() and catalogue.garment("COAT-1") is not None


@pytest.mark.parametrize("rubbish", [b"", b"PK\x03\x04 half a file", b"\x93NUMPY\x01\x00", b"text"])
def test_embeddings_that_are_none_are_said(tmp_path: Path, rubbish: bytes) -> None:
    a_catalogue(tmp_path)
    (tmp_path / "e.npz").write_bytes(rubbish)
    with pytest.raises(FleetError, match=r"needs the arrays sku and embedding, as an \.npz"):
        build(tmp_path / "c.db", tmp_path / "garments.csv", embeddings=tmp_path / "e.npz")


@pytest.mark.parametrize("given", [{"sku": np.array("a")}, {"embedding": np.full((8, 2), np.inf)}])
def test_embeddings_of_a_strange_shape_or_without_end_are_said(tmp_path: Path, given: Any) -> None:
    a_catalogue(tmp_path)
    skus = np.array([line.partition(",")[0] for line in GARMENTS.splitlines()[1:]])
    np.savez(tmp_path / "e.npz", **{"sku": skus, "embedding": np.ones((8, 2)), **given})
    with pytest.raises(FleetError, match=r"e\.npz: "):
        build(tmp_path / "c.db", tmp_path / "garments.csv", embeddings=tmp_path / "e.npz")
