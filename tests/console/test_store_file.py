"""store.yaml is replaced whole or not at all, and the last ten versions can be had again."""

from __future__ import annotations

import resource
import signal
import stat
import threading
from pathlib import Path

import pytest

from runtime.console.drawing.store_file import KEPT, ChangedMeanwhile, StoreFile, StoreFileError


@pytest.fixture
def file(tmp_path: Path) -> StoreFile:
    path = tmp_path / "box" / "store.yaml"
    path.parent.mkdir()
    path.write_text("text 0\n")
    path.chmod(0o640)
    return StoreFile(path, tmp_path / "state" / "versions")


def test_a_text_takes_the_place_of_the_one_that_was_read(file: StoreFile, tmp_path: Path) -> None:
    saved = file.replace("text 1\n", file.read().version, "Ada")
    assert file.path.read_text() == "text 1\n" and saved == file.read()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    for number, damaged in enumerate(("", '{"x":' + "[" * 100_000)):
        (tmp_path / "state" / "versions" / f"{number}.json").write_text(damaged)
    (kept,) = file.kept()
    assert (kept.text, kept.by) == ("text 0\n", "Ada")
    assert [path.name for path in file.path.parent.iterdir()] == ["store.yaml"]


def test_the_last_ten_are_kept_and_each_can_be_put_back(file: StoreFile) -> None:
    for number in range(1, 15):
        file.replace(f"text {number}\n", file.read().version, "Ada")
    assert [kept.text for kept in file.kept()] == [f"text {number}\n" for number in range(13, 13 - KEPT, -1)]
    oldest = file.kept()[-1]
    file.replace(oldest.text, file.read().version, "Ada")
    assert file.path.read_text() == "text 4\n" and file.kept()[0].text == "text 14\n"


def test_the_second_who_saves_over_an_older_version_is_told(file: StoreFile) -> None:
    version = file.read().version
    file.replace("hers\n", version, "Ada")
    with pytest.raises(ChangedMeanwhile, match="still on this page"):
        file.replace("his\n", version, "Ben")
    assert file.path.read_text() == "hers\n" and len(file.kept()) == 1


def test_of_many_who_save_at_once_one_comes_through(file: StoreFile) -> None:
    version, done, told = file.read().version, [], []

    def save(number: int) -> None:
        try:
            StoreFile(file.path, file._folder).replace(f"of {number}\n", version, "x")
            done.append(number)
        except ChangedMeanwhile:
            told.append(number)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1 and len(told) == 7
    assert file.path.read_text() == f"of {done[0]}\n"


@pytest.mark.parametrize("room", [10, 3_000])
def test_a_full_disk_leaves_everything_as_it_was(file: StoreFile, room: int) -> None:
    """Files may grow to so many bytes only: too few for the version to keep, or for the new text alone."""
    text, version = "#" * 4_000, file.read().version
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        with pytest.raises(Exception, match="cannot be written") as told:
            file.replace(text, version, "Ada")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert "as it was" in str(told.value) or "nothing was changed" in str(told.value)
    assert file.path.read_text() == "text 0\n" and file.read().version == version
    assert [path.name for path in file.path.parent.iterdir()] == ["store.yaml"]
    file.replace(text, version, "Ada")
    assert file.path.read_text() == text


def test_a_link_is_followed_and_stays_a_link(file: StoreFile, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file.path)
    linked = StoreFile(link, tmp_path / "versions")
    linked.replace("through\n", linked.read().version, "Ada")
    assert link.is_symlink() and file.path.read_text() == "through\n"


def test_a_file_that_is_gone_is_said(file: StoreFile) -> None:
    file.path.unlink()
    with pytest.raises(StoreFileError, match=r"store\.yaml: cannot be read"):
        file.read()
