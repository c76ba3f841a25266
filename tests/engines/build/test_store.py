"""The store of built engines: published whole, verified first, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engines.build import store as stores
from engines.build.key import KeyParts, Machine, Options
from engines.build.manifest import PlanManifest, Published, TensorSpec, Verification
from engines.build.store import LOG, PLAN, PlanStore, digest
from engines.catalogue import trust
from engines.errors import StoreError

SIZE = (416, 320)
NAME = "person-detector"
GOOD = Verification(
    at="2026-01-01T00:00:00Z", device="Orin", samples=4, worst=0.01, mean=0.001, latency_ms=3.0
)


@pytest.fixture
def plans(tmp_path: Path) -> PlanStore:
    return PlanStore.open(tmp_path / "plans")


def made(plans: PlanStore, content: bytes, precision: str = "fp16", **machine: str) -> Published:
    """An engine published, not verified."""
    parts = KeyParts(
        onnx_sha256=stores.weights_of(NAME),
        machine=Machine(**{"flavour": "tensorrt", "tensorrt": "10.3.0", **machine}),
        options=Options(size_wh=SIZE, precision=precision),  # type: ignore[arg-type]
    )
    with plans.workshop() as shop:
        draft = shop / "engine"
        trust.make_private_folder(draft)
        trust.write_private(draft / PLAN, content)
        trust.write_private(draft / LOG, b"said\n")
        manifest = PlanManifest(
            name=NAME,
            key=parts.key(),
            parts=parts,
            plan_sha256=digest(content),
            plan_bytes=len(content),
            inputs=(TensorSpec("images", "float32", (-1, 3, 320, 416)),),
            outputs=(TensorSpec("predictions", "float32", (-1, 2730, 5)),),
            built_at="2026-01-01T00:00:00Z",
            built_s=12.0,
        )
        return plans.publish(draft, manifest)


def test_a_new_engine_is_used_only_once_it_is_verified(plans: PlanStore) -> None:
    old = plans.promote(made(plans, b"old", driver="1"), GOOD)
    new = made(plans, b"new", driver="2")
    assert plans.current(NAME, SIZE) == old
    assert plans.read_plan(old) == b"old"
    promoted = plans.promote(new, GOOD)
    assert plans.current(NAME, SIZE) == promoted
    assert plans.read_plan(promoted) == b"new"
    assert old.folder.is_dir(), "the one before is kept"


def test_the_lowest_verified_precision_is_handed_out(plans: PlanStore) -> None:
    plans.promote(made(plans, b"wide", "fp32"), GOOD)
    made(plans, b"eight", "int8")
    half = plans.promote(made(plans, b"half", "fp16"), GOOD)
    assert plans.current(NAME, SIZE) == half
    assert plans.current(NAME, SIZE, "int8") is None
    assert plans.current(NAME, (640, 384)) is None


def test_one_that_is_named_current_but_was_never_verified_is_not_used(plans: PlanStore) -> None:
    published = made(plans, b"plan")
    trust.write_private(published.folder.parent / stores.CURRENT, published.manifest.key.encode())
    assert plans.current(NAME, SIZE) is None


def test_an_engine_of_older_weights_is_not_handed_out(
    plans: PlanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans.promote(made(plans, b"plan"), GOOD)
    monkeypatch.setattr(stores, "weights_of", lambda name: "f" * 64)
    assert plans.current(NAME, SIZE) is None


def test_only_the_engine_in_use_and_the_one_before_are_kept(plans: PlanStore) -> None:
    folders = [plans.promote(made(plans, b"plan", driver=str(n)), GOOD).folder for n in range(4)]
    assert [folder.exists() for folder in folders] == [False, False, True, True]


def test_one_that_fails_goes_to_quarantine_and_the_old_one_stays(plans: PlanStore) -> None:
    old = plans.promote(made(plans, b"old", driver="1"), GOOD)
    bad = made(plans, b"bad", driver="2")
    aside = plans.quarantine(bad.folder, "it answers nonsense")
    assert plans.current(NAME, SIZE) == old
    assert (aside / "reason.txt").read_text() == "it answers nonsense\n"
    assert (aside / PLAN).read_bytes() == b"bad"
    assert not bad.folder.exists()


def test_quarantine_of_the_one_in_use_leaves_none_in_use(plans: PlanStore) -> None:
    only = plans.promote(made(plans, b"plan"), GOOD)
    plans.quarantine(only.folder, "worn out")
    assert plans.current(NAME, SIZE) is None


def test_quarantine_keeps_the_newest_few(plans: PlanStore) -> None:
    for number in range(stores.MAX_QUARANTINED + 3):
        plans.quarantine(made(plans, b"bad", driver=str(number)).folder, f"fault {number}")
    left = sorted((plans.root / "quarantine").iterdir())
    assert len(left) == stores.MAX_QUARANTINED
    assert (left[-1] / "reason.txt").read_text() == f"fault {stores.MAX_QUARANTINED + 2}\n"


def test_a_changed_plan_is_not_loaded(plans: PlanStore) -> None:
    published = plans.promote(made(plans, b"plan"), GOOD)
    (published.folder / PLAN).write_bytes(b"evil")
    with pytest.raises(StoreError, match="has changed since it was built"):
        plans.read_plan(published)


@pytest.mark.parametrize("file", ["engine.plan", "manifest.json"])
def test_what_another_user_could_have_written_is_not_read(plans: PlanStore, file: str) -> None:
    published = plans.promote(made(plans, b"plan"), GOOD)
    (published.folder / file).chmod(0o622)
    with pytest.raises(StoreError, match="could have been written by another user"):
        found = plans.current(NAME, SIZE)
        assert found is not None
        plans.read_plan(found)


def test_a_folder_that_others_may_enter_is_refused_at_every_level(plans: PlanStore) -> None:
    published = plans.promote(made(plans, b"plan"), GOOD)
    folder = published.folder
    while folder != plans.root.parent:
        folder.chmod(0o755)
        with pytest.raises(StoreError, match=f"{folder}: other users may enter it; chmod 700"):
            plans.read_plan(published)
        folder.chmod(0o700)
        folder = folder.parent
    assert plans.read_plan(published) == b"plan"


def test_a_link_in_place_of_the_plan_is_not_followed(plans: PlanStore, tmp_path: Path) -> None:
    published = plans.promote(made(plans, b"plan"), GOOD)
    (tmp_path / "elsewhere").write_bytes(b"plan")
    (published.folder / PLAN).unlink()
    (published.folder / PLAN).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot be read"):
        plans.read_plan(published)


def test_a_link_in_place_of_the_store_is_refused(plans: PlanStore, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(plans.root)
    with pytest.raises(StoreError, match="not a link"):
        PlanStore.open(tmp_path / "link")


def test_an_engine_from_elsewhere_is_not_loaded(plans: PlanStore, tmp_path: Path) -> None:
    foreign = made(PlanStore.open(tmp_path / "other"), b"plan")
    with pytest.raises(StoreError, match=f"loaded from {plans.root} only"):
        plans.read_plan(foreign)


def test_a_manifest_moved_to_another_engine_is_found_out(plans: PlanStore) -> None:
    one = plans.promote(made(plans, b"one", driver="1"), GOOD)
    other = plans.promote(made(plans, b"two", driver="2"), GOOD)
    trust.write_private(other.folder / stores.MANIFEST, (one.folder / stores.MANIFEST).read_bytes())
    with pytest.raises(StoreError, match="does not belong to this engine"):
        plans.current(NAME, SIZE)


def test_a_manifest_that_vouches_for_other_parts_is_found_out(plans: PlanStore) -> None:
    published = made(plans, b"plan")
    parts = msgspec.structs.replace(published.manifest.parts, onnx_sha256="e" * 64)
    forged = msgspec.structs.replace(published.manifest, parts=parts)
    trust.write_private(published.folder / stores.MANIFEST, msgspec.json.encode(forged))
    with pytest.raises(StoreError, match="does not belong"):
        plans.everything()


def test_a_build_that_is_cut_off_leaves_nothing_behind(plans: PlanStore) -> None:
    abandoned = plans.root / "building-abandoned"
    abandoned.mkdir()
    (abandoned / "half").write_bytes(b"x")
    with plans.builder():
        assert not abandoned.exists()
    assert plans.everything() == []


def test_a_second_builder_is_told_who_the_first_one_is(plans: PlanStore) -> None:
    hold = (
        "import sys; from pathlib import Path; from engines.build.store import PlanStore\n"
        "with PlanStore.open(Path(sys.argv[1])).builder():\n    print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(plans.root)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=f"by process {other.pid}"), plans.builder():
            pass
        other.kill()
    with plans.builder():
        pass


def test_packaged_weights_that_others_may_write_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "mine.onnx"
    weights.write_bytes(b"weights")
    trust.check_weights(weights)
    weights.chmod(0o646)
    with pytest.raises(StoreError, match="other users may write"):
        trust.check_weights(weights)
    weights.chmod(0o644)
    tmp_path.chmod(0o777)
    with pytest.raises(StoreError, match=f"{tmp_path}: other users may write"):
        trust.check_weights(weights)
