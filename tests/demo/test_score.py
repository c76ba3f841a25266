from __future__ import annotations

from pathlib import Path

import pytest

from contract.facts import Evidence, Flip, Interaction, Point
from runtime.demo.score import Paths, PlayedFlip, score
from tagsight.errors import TagsightError

EPOCH_S = 1_000_000.0


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Ann walks along x at y = 0, Bea stands at (5, 5); the loop is 20 s."""
    lines = ["time_s,person,x_m,y_m"]
    lines += [f"{t},ann,{t},0" for t in range(11)] + [f"{t},bea,5,5" for t in range(11)]
    (tmp_path / "paths.csv").write_text("\n".join(lines))
    return Paths(tmp_path / "paths.csv", period_s=20.0)


def flip(key: str, epc: str, middle_s: float) -> Flip:
    return Flip(
        key=key, time_s=middle_s, reader="r", antenna=1, epc=epc, sku=None, fixture=None,
        start_s=middle_s - 0.5, end_s=middle_s + 0.5, score=0.9,
    )  # fmt: skip


def match(key: str, epc: str, middle_s: float, place: Point | None) -> Interaction:
    evidence = None if place is None else Evidence(0.5, 0.0, 1.0, place, "fixture")
    return Interaction(
        key="i" + key, time_s=middle_s, flip=key, epc=epc, sku=None, fixture=None, start_s=middle_s - 0.5,
        end_s=middle_s + 0.5, visitor=None if place is None else "v", probability=0.9, nobody_probability=0.1,
        evidence=evidence,
    )  # fmt: skip


def test_right_wrong_nobody_and_false_are_told_apart(paths: Paths) -> None:
    at = [EPOCH_S + second for second in (1.0, 2.0, 4.0, 6.0, 8.0)]
    truth = [PlayedFlip(f"e{n}", t - 0.5, t + 0.5, "ann") for n, t in enumerate(at[:4])]
    flips = [flip(f"f{n}", f"e{n}", t) for n, t in enumerate(at)]
    matches = [
        match("f0", "e0", at[0], (1.1, 0.0)),
        match("f1", "e1", at[1], (2.2, 0.1)),
        match("f2", "e2", at[2], (5.0, 5.1)),
        match("f3", "e3", at[3], None),
        match("f4", "e4", at[4], (8.0, 0.0)),
    ]
    result = score(truth, flips, matches, paths, EPOCH_S)
    assert (result.right, result.wrong, result.nobody, result.false_flips) == (2, 1, 1, 1)
    assert result.found_flips == result.true_flips == 4
    assert result.right_share == pytest.approx(2 / 3)
    assert result.verdicts == {"f0": True, "f1": True, "f2": False, "f4": False}
    assert result.missed == ()


def test_a_flip_of_the_same_tag_at_another_time_is_false(paths: Paths) -> None:
    truth = [PlayedFlip("e", EPOCH_S + 2.0, EPOCH_S + 3.0, "ann")]
    result = score(truth, [flip("f", "e", EPOCH_S + 9.0)], [], paths, EPOCH_S)
    assert (result.found_flips, result.false_flips, result.right_share) == (0, 1, None)
    assert result.missed == tuple(truth)


def test_one_true_flip_is_found_once(paths: Paths) -> None:
    truth = [PlayedFlip("e", EPOCH_S + 2.0, EPOCH_S + 3.0, "ann")]
    twice = [flip("f", "e", EPOCH_S + 2.4), flip("g", "e", EPOCH_S + 2.9)]
    result = score(truth, twice, [], paths, EPOCH_S)
    assert (result.found_flips, result.false_flips) == (1, 1)


def test_walkers_repeat_with_the_loop_and_leave_between(paths: Paths) -> None:
    assert paths.who((3.0, 0.0), 43.0) == "ann"
    assert paths.at(15.0) == {}
    assert paths.who((100.0, 0.0), 3.0) is None


def test_a_file_that_is_no_paths_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TagsightError, match=r"bad\.csv: not a paths file"):
        Paths(tmp_path / "bad.csv", 10.0)
