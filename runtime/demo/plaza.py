"""Sets the plaza up: the clip, a broker, a simulated reader, a quiet calibration, the daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from broker.mosquitto import free_port
from rfid_reader.antenna_calibration import calibrate_still, save_calibration
from rfid_reader.reads import load_reads
from rfid_reader.simulator.scenarios.files import SHIPPED
from runtime.demo.page import page_section
from tagsight.errors import TagsightError

HERE = Path(__file__).parent
STORE = HERE / "plaza.yaml"
SCENARIO = SHIPPED / "plaza.yaml"
PATHS = SHIPPED / "plaza-paths.csv"
CLIP_FPS = 10.0
CLIP_FRAMES = 795
LOOP_S = CLIP_FRAMES / CLIP_FPS
QUIET_S = 60.0
"""How long the empty store is listened to before it opens, in simulated time."""
STOP_LIMIT_S = 30.0
"""A starved machine may take so long; a good one takes less than a second."""
TAGSIGHT = (sys.executable, "-m", "runtime")


class Prepared(NamedTuple):
    """A demo's store that does not run yet: its configuration, and what its reader plays from when on."""

    folder: Path
    config: Path
    scenario: Path
    reader_port: int
    epoch_s: float


@dataclass(frozen=True)
class Opened:
    """A running plaza: when its first loop began, and the files that tell what happened."""

    epoch_s: float
    config: Path
    truth: Path
    daemon: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> float:
        """Ask the daemon to stop; returns how long it took. Raises TagsightError where it did not drain."""
        began_s = time.monotonic()
        self.daemon.send_signal(signal.SIGTERM)
        try:
            code = self.daemon.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            raise TagsightError(
                f"the daemon did not stop within {STOP_LIMIT_S:.0f} s; see {self.log}"
            ) from None
        if code != 0:
            raise TagsightError(f"the daemon ended with exit code {code}; see {self.log}")
        return time.monotonic() - began_s

    def check(self) -> None:
        """Raises TagsightError where the daemon has ended by itself."""
        if self.daemon.poll() is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise TagsightError(f"the daemon ended by itself; its last words: {last[0]} (all in {self.log})")


def find_clip() -> Path:
    """The sample clip: $TAGSIGHT_CLIP, the system's, or what scripts/fetch-clip left in the cache.

    Raises TagsightError where there is none.
    """
    given = os.environ.get("TAGSIGHT_CLIP")
    cache_home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(os.environ.get("TAGSIGHT_CACHE") or Path(cache_home, "tagsight"))
    usual = [Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi"), cache / "clip/vtest.avi"]
    for candidate in [Path(given)] if given else usual:
        if candidate.is_file():
            return candidate
    raise TagsightError(
        "the sample clip vtest.avi was not found; run scripts/fetch-clip (no root needed), install the "
        "package 'opencv-doc', or set TAGSIGHT_CLIP to its path"
    )


def write_store(folder: Path, clip: Path, epoch_s: float, reader_port: int, broker_port: int) -> Path:
    """The plaza's store.yaml in `folder`, ready to run."""
    store: dict[str, Any] = yaml.safe_load(STORE.read_text())
    store["cameras"][0]["uri"] = f"file:{clip}?loop=1&pace=real&epoch={epoch_s:.3f}"
    store["readers"][0]["port"] = reader_port
    store["readers"][0]["calibration"] = str(folder / "antennas.yaml")
    store["uplink"]["port"] = broker_port
    store["console"] = page_section()
    store["state_dir"] = str(folder / "state")
    (folder / "state").mkdir(mode=0o700)
    path = folder / "store.yaml"
    path.write_text(yaml.safe_dump(store, sort_keys=False))
    return path


def calibrate_quiet(folder: Path, played: Path = SCENARIO) -> None:
    """Listen to the empty store first, as a technician would, and write the antenna calibration.

    The same reader and racks without people; simulated faster than time passes.
    """
    scenario: dict[str, Any] = yaml.safe_load(played.read_text())
    for key in ("people", "flips", "browsing"):
        scenario.pop(key, None)
    (folder / "quiet.yaml").write_text(yaml.safe_dump(scenario))
    reads = folder / "quiet-reads.csv"
    arguments = ["rfid", "simulate", "--scenario", str(folder / "quiet.yaml"), "--seconds", f"{QUIET_S:g}"]
    _finish([*TAGSIGHT, *arguments, "--reads", str(reads)], "the quiet store could not be simulated")
    save_calibration(folder / "antennas.yaml", calibrate_still(load_reads(reads)))


def _finish(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise TagsightError(f"{otherwise}: {done.stderr.strip()}")


@contextmanager
def open_plaza(folder: Path, clip: Path, broker_port: int) -> Iterator[Opened]:
    """Run the simulated reader and the daemon as processes of their own until the context ends."""
    with run_store(prepare_plaza(folder, clip, broker_port)) as plaza:
        yield plaza


def prepare_plaza(folder: Path, clip: Path, broker_port: int) -> Prepared:
    """Write what reader and daemon read; the plaza's first loop begins now."""
    reader_port = free_port()
    calibrate_quiet(folder)
    epoch_s = round(time.time(), 3)
    config = write_store(folder, clip, epoch_s, reader_port, broker_port)
    return Prepared(folder, config, SCENARIO, reader_port, epoch_s)


@contextmanager
def run_store(store: Prepared) -> Iterator[Opened]:
    """A simulated reader that plays the scenario from `epoch_s` on, and the daemon.

    Whoever wants each of its events has to listen before: with `trust_broker` what comes to a broker
    without a subscriber counts as delivered.
    """
    folder, config, scenario, reader_port, epoch_s = store
    truth, log = folder / "truth.jsonl", folder / "daemon.log"
    simulate = ["rfid", "simulate", "--scenario", str(scenario), "--port", str(reader_port)]
    with (folder / "reader.log").open("wb") as reader_log, log.open("wb") as daemon_log:
        reader = subprocess.Popen(  # noqa: S603
            [*TAGSIGHT, *simulate, "--epoch", f"{epoch_s:.3f}", "--truth", str(truth)],
            stdout=reader_log,
            stderr=reader_log,
        )
        daemon = subprocess.Popen(  # noqa: S603
            [*TAGSIGHT, "run", "--config", str(config)], stdout=daemon_log, stderr=daemon_log
        )
        try:
            yield Opened(epoch_s, config, truth, daemon, log)
        finally:
            for process in (daemon, reader):
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class TruthLine(msgspec.Struct, frozen=True):
    """One flip the simulated reader played."""

    epc: str
    start_s: float
    end_s: float
    person: str | None = None


def read_truth(path: Path) -> list[TruthLine]:
    """Every flip that was played so far; a line still being written is left for later."""
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [msgspec.json.decode(line, type=TruthLine) for line in whole]
