"""The engines built on this machine: published whole, verified before they are used, loaded from here only.

    STORE/.tensorrt/                      this user's alone (0700)
      lock                                one builder at a time
      timing/DEVICE.cache                 what TensorRT learnt about kernels on this device
      quantised/NAME-SIZE/                the 8-bit network and its accuracy against fp32
      plans/NAME/SIZE-PRECISION/
        current                           the key of the engine in use
        KEY/{engine.plan,manifest.json,build.log}
      quarantine/                         what failed, the newest few

A build is written into a folder of its own and renamed here; `current` changes, by one rename, only after the
new engine has given the same answers as the network. Until then the old one stays in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engines import catalogue
from engines.build.key import Precision
from engines.build.manifest import PlanManifest, Published, Verification
from engines.catalogue import trust
from engines.errors import StoreError

FOLDER = ".tensorrt"
MAX_PLAN_BYTES = 1 << 30
MAX_TEXT_BYTES = 1 << 20
MAX_TIMING_BYTES = 64 << 20
MAX_QUARANTINED = 8
LOCK_LOOK_S = 0.5
PLAN, MANIFEST, LOG, CURRENT = "engine.plan", "manifest.json", "build.log", "current"
BEST_FIRST: tuple[Precision, ...] = ("int8", "fp16", "fp32")


class PlanStore:
    """The engines built on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: Path | None = None) -> PlanStore:
        """The store of this user, made where there is none. Raises StoreError for an unsafe one."""
        place = root or catalogue.user_store() / FOLDER
        trust.make_private_folder(place)
        return cls(place)

    @contextlib.contextmanager
    def builder(self, wait_s: float = 0.0) -> Iterator[None]:
        """This process is the one builder. Raises StoreError, with the other one's pid, after `wait_s`."""
        path = self.root / "lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, trust.PRIVATE_FILE)
        until_s = time.monotonic() + wait_s
        try:
            while not _locked(handle):
                if time.monotonic() >= until_s:
                    pid = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
                    raise StoreError(
                        f"{path}: engines are being built by process {pid}; wait for it, or --wait"
                    )
                time.sleep(LOCK_LOOK_S)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            for left in self.root.glob("building-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Path]:
        """A folder to build in, gone afterwards unless it was published."""
        with tempfile.TemporaryDirectory(
            prefix="building-", dir=self.root, ignore_cleanup_errors=True
        ) as name:
            yield Path(name)

    def slot(self, name: str, size_wh: tuple[int, int], precision: Precision) -> Path:
        """The folder of all engines of a network for one input size and precision."""
        width, height = size_wh
        return self.root / "plans" / name / f"{width}x{height}-{precision}"

    def publish(self, draft: Path, manifest: PlanManifest) -> Published:
        """Take in a folder that holds `engine.plan` and `build.log`, whole or not at all; not in use yet."""
        trust.write_private(draft / MANIFEST, msgspec.json.encode(manifest))
        slot = self.slot(manifest.name, manifest.size_wh, manifest.precision)
        for folder in (self.root / "plans", slot.parent, slot):
            trust.make_private_folder(folder)
        for name in (PLAN, LOG):
            _flush(draft / name)
        trust.settle(draft)
        place = slot / manifest.key
        if place.exists():
            self.quarantine(place, "taken over by a new build of the same key")
        draft.rename(place)
        trust.settle(slot)
        return Published(place, manifest)

    def promote(self, published: Published, verification: Verification) -> Published:
        """Put a verified engine into use. Older ones than it and its predecessor are removed."""
        manifest = msgspec.structs.replace(published.manifest, verified=verification)
        slot = published.folder.parent
        before = self._current_key(slot)
        trust.write_private(published.folder / MANIFEST, msgspec.json.encode(manifest))
        trust.write_private(slot / CURRENT, manifest.key.encode())
        for folder in _folders(slot):
            if folder.name not in (manifest.key, before):
                shutil.rmtree(folder)
        return Published(published.folder, manifest)

    def quarantine(self, folder: Path, reason: str) -> Path:
        """Take an engine out of reach, with the reason beside it; the newest few are kept."""
        place = self.root / "quarantine"
        trust.make_private_folder(place)
        when_ns = time.time_ns()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(when_ns // 10**9))
        aside = place / f"{stamp}.{when_ns % 10**9:09d}-{folder.name}"
        slot = folder.parent
        if self._current_key(slot) == folder.name:
            (slot / CURRENT).unlink()
        folder.rename(aside)
        trust.write_private(aside / "reason.txt", f"{reason}\n".encode())
        for old in _folders(place)[:-MAX_QUARANTINED]:
            shutil.rmtree(old)
        return aside

    def published(
        self, name: str, size_wh: tuple[int, int], precision: Precision, key: str
    ) -> Published | None:
        """The engine of that key, verified or not. Raises StoreError for one that somebody tampered with."""
        folder = self.slot(name, size_wh, precision) / key
        return self._read(folder) if folder.is_dir() else None

    def current(
        self, name: str, size_wh: tuple[int, int], precision: Precision | None = None
    ) -> Published | None:
        """The verified engine in use: of that precision, or of the lowest there is.

        An engine of older weights than the catalogue has is not handed out. Raises StoreError, and
        CatalogueError for an unknown name.
        """
        weights = weights_of(name)
        for kind in BEST_FIRST if precision is None else (precision,):
            slot = self.slot(name, size_wh, kind)
            key = self._current_key(slot)
            if key:
                found = self._read(slot / key)
                if found.manifest.verified is not None and found.manifest.parts.onnx_sha256 == weights:
                    return found
        return None

    def everything(self) -> list[Published]:
        """All engines, in use or not, by name. Raises StoreError."""
        slots = [slot for name in _folders(self.root / "plans") for slot in _folders(name)]
        return [self._read(folder) for slot in slots for folder in _folders(slot)]

    def in_use(self, published: Published) -> bool:
        """True where it is its slot's current engine."""
        return self._current_key(published.folder.parent) == published.manifest.key

    def read_plan(self, published: Published) -> bytes:
        """The plan's bytes. Raises StoreError where they are not what was built, or not surely ours."""
        self._check_ways(published.folder)
        content = trust.read_private(published.folder / PLAN, MAX_PLAN_BYTES)
        if digest(content) != published.manifest.plan_sha256:
            raise StoreError(
                f"{published.folder / PLAN}: has changed since it was built (SHA-256 differs); build it again"
            )
        return content

    def keep_log(self, log: Path, title: str, reason: str) -> Path:
        """Put the log of a build that failed into quarantine."""
        folder = self.root / f"building-log-{os.getpid()}"
        trust.make_private_folder(folder)
        shutil.copyfile(log, folder / LOG)
        return self.quarantine(folder, f"{title}: {reason}") / LOG

    def timing_cache(self, device: str) -> Path:
        """The file of what TensorRT learnt about kernels on a device; may not be there yet."""
        folder = self.root / "timing"
        trust.make_private_folder(folder)
        return folder / f"{hashlib.sha256(device.encode()).hexdigest()[:24]}.cache"

    def quantised(self, name: str, size_wh: tuple[int, int]) -> Path:
        """The folder of a network's 8-bit form for one input size; may not be there yet."""
        return self.root / "quantised" / f"{name}-{size_wh[0]}x{size_wh[1]}"

    def _current_key(self, slot: Path) -> str:
        if not (slot / CURRENT).exists():
            return ""
        key = trust.read_private(slot / CURRENT, 64).decode(errors="replace")
        return key if (slot / key).is_dir() and key.isalnum() else ""

    def _read(self, folder: Path) -> Published:
        self._check_ways(folder)
        content = trust.read_private(folder / MANIFEST, MAX_TEXT_BYTES)
        try:
            manifest = msgspec.json.decode(content, type=PlanManifest)
        except msgspec.DecodeError as error:
            raise StoreError(
                f"{folder / MANIFEST}: is no manifest of an engine ({error}); remove {folder}"
            ) from error
        slot = self.slot(manifest.name, manifest.size_wh, manifest.precision)
        if manifest.key != manifest.parts.key() or folder != slot / manifest.key:
            raise StoreError(f"{folder / MANIFEST}: does not belong to this engine; remove {folder}")
        return Published(folder, manifest)

    def _check_ways(self, folder: Path) -> None:
        """Every folder from the store's root down to this one is ours alone."""
        if self.root not in folder.parents:
            raise StoreError(f"{folder}: engines are loaded from {self.root} only")
        while folder != self.root:
            trust.check_private_folder(folder)
            folder = folder.parent
        trust.check_private_folder(self.root)


def weights_of(name: str) -> str:
    """SHA-256 of the network that engines of that name are built from. Raises CatalogueError."""
    files = catalogue.find(name).entry.files
    return next((file.sha256 for file in files if file.precision == "f32"), "")


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flush(path: Path) -> None:
    path.chmod(trust.PRIVATE_FILE)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _folders(place: Path) -> list[Path]:
    return sorted(folder for folder in place.iterdir() if folder.is_dir()) if place.is_dir() else []
