"""Power and memory while something runs: NVML of a desktop GPU, tegrastats on a Jetson, unknown elsewhere."""

from __future__ import annotations

import ctypes
import re
import shutil
import statistics
import subprocess
import threading
from collections.abc import Callable

EVERY_S = 0.2
_INPUT = re.compile(r"\b(?:VDD_IN|POM_5V_IN|VIN_SYS_5V0) (\d+)(?:mW)?/")


class PowerMeter:
    """Samples the power drawn inside a `with`.

    with PowerMeter() as power: ...
    power.mean_w          # None where nothing could be read; power.source says what was
    """

    def __init__(self) -> None:
        self.source = ""
        self._samples_w: list[float] = []
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._tegrastats: subprocess.Popen[str] | None = None

    @property
    def mean_w(self) -> float | None:
        """Watts; of the GPU by NVML, of the whole board by tegrastats."""
        return statistics.fmean(self._samples_w) if self._samples_w else None

    def __enter__(self) -> PowerMeter:
        read = nvml_power()
        tegrastats = shutil.which("tegrastats")
        if read is not None:
            self.source = "NVML, the GPU"
            self._start(lambda: self._sample(read))
        elif tegrastats is not None:
            self.source = "tegrastats, the board"
            self._tegrastats = subprocess.Popen(
                [tegrastats, "--interval", str(int(EVERY_S * 1e3))], stdout=subprocess.PIPE, text=True
            )
            self._start(self._listen)
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        if self._tegrastats is not None:
            self._tegrastats.terminate()
        if self._thread is not None:
            self._thread.join(5.0)

    def _start(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name="power", daemon=True)
        self._thread.start()

    def _sample(self, read: Callable[[], float | None]) -> None:
        while not self._done.wait(EVERY_S):
            watts = read()
            if watts is not None:
                self._samples_w.append(watts)

    def _listen(self) -> None:
        assert self._tegrastats is not None and self._tegrastats.stdout is not None
        for line in self._tegrastats.stdout:
            watts = board_power(line)
            if watts is not None:
                self._samples_w.append(watts)
            if self._done.is_set():
                return


def board_power(line: str) -> float | None:
    """Watts into the board, from a line of tegrastats; None where it does not say."""
    found = _INPUT.search(line)
    return int(found[1]) / 1e3 if found else None


def nvml_power(device: int = 0) -> Callable[[], float | None] | None:
    """What reads a GPU's power through NVML, or None where there is no NVML or it cannot."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    handle, milliwatts = ctypes.c_void_p(), ctypes.c_uint()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByIndex_v2(device, ctypes.byref(handle)):
        return None

    def read() -> float | None:
        fault = nvml.nvmlDeviceGetPowerUsage(handle, ctypes.byref(milliwatts))
        return None if fault else milliwatts.value / 1e3

    return read if read() is not None else None
