"""What `tagsight calibrate camera`, `clock` and `antenna` say."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calibration.camera.report import CameraWatch
from calibration.cli import calibrate
from calibration.clock.report import NTP_EPOCH_S, NTP_PACKET, ask_time_server
from calibration.errors import CalibrationError
from rfid_reader.reads import ReadTable, save_reads
from rfid_reader.simulator.llrp.server import SimulatedReader
from runtime.kernel_clock import kernel_clock

SCENARIO = """
name: shelf
antennas: [{port: 1, at: [2.0, 1.0]}]
racks: [{name: shirts, at: [2.0, 2.0], tags: {count: 4, prefix: "e28011600000000000000a"}}]
"""


def watched(pictures: list[np.ndarray], step_s: float = 0.1) -> list[str]:
    watch = CameraWatch()
    for number, picture in enumerate(pictures):
        watch.look(picture, number * step_s)
    return watch.report().remarks()


def noisy(level: int, seed: int, size: tuple[int, int] = (240, 320)) -> np.ndarray:
    return np.random.default_rng(seed).integers(level - 30, level + 30, (*size, 3)).astype(np.uint8)


def test_a_sound_camera_gives_no_remark() -> None:
    assert watched([noisy(120, seed) for seed in range(20)]) == []


@pytest.mark.parametrize(
    ("pictures", "step_s", "remark"),
    [
        ([np.zeros((240, 320, 3), np.uint8)] * 30, 0.1, "the picture is black"),
        ([noisy(31, seed) for seed in range(20)], 0.1, "the picture is dark"),
        ([noisy(120, 1)] * 60, 0.1, "stands still to the bit"),
        ([cv2.GaussianBlur(noisy(120, seed), (0, 0), 8) for seed in range(20)], 0.1, "is soft"),
        ([noisy(120, seed) for seed in range(20)], 0.5, "2 frames a second are few"),
        ([noisy(120, 1), noisy(120, 2), noisy(120, 3, (480, 640))], 0.1, "320 x 240, 640 x 480"),
    ],
)
def test_what_is_wrong_with_a_camera_is_said(pictures: list[np.ndarray], step_s: float, remark: str) -> None:
    assert any(remark in said for said in watched(pictures, step_s))


def clip(folder: Path, pictures: int = 15) -> Path:
    writer = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for number in range(pictures):
        writer.write(np.full((240, 320, 3), (40, 80, 100 + 10 * number), np.uint8))
    writer.release()
    return folder / "clip.avi"


@pytest.mark.parametrize("name", ["kept.png", "kept.jpg"])
def test_a_picture_is_kept_on_request(tmp_path: Path, name: str) -> None:
    source, kept = f"file:{clip(tmp_path)}?pace=fast", tmp_path / name
    result = CliRunner().invoke(calibrate, ["camera", source, "--snapshot", str(kept)])
    assert result.exit_code == 0, result.output
    assert f"{kept} written: 320 x 240" in result.output
    picture = cv2.imread(str(kept))
    assert picture.shape == (240, 320, 3)
    assert np.abs(picture[100, 100].astype(int) - (40, 80, 240)).max() < 12, "the last picture, settled"
    told = CliRunner().invoke(calibrate, ["camera", source, "--snapshot", str(kept), "--json"])
    assert json.loads(told.output)["snapshot"] == str(kept)


def test_a_picture_of_another_kind_is_refused_before_the_camera_is_watched(tmp_path: Path) -> None:
    result = CliRunner().invoke(calibrate, ["camera", "rtsp://127.0.0.1:9/x", "--snapshot", "kept.txt"])
    assert result.exit_code == 2 and ".png or .jpg would be right" in result.output


def test_a_gap_between_pictures_is_said() -> None:
    watch = CameraWatch()
    for number in range(20):
        watch.look(noisy(120, number), number * 0.1 + (2.0 if number > 10 else 0.0))
    assert any("pictures stop for up to 2.10 s" in said for said in watch.report().remarks())


def test_the_kernel_says_how_sure_it_is_of_the_time() -> None:
    verdict = kernel_clock()
    assert verdict is not None
    assert verdict.greatest_error_s >= 0 and abs(verdict.rate_ppm) < 600


class TimeServer:
    """Answers one SNTP request as a server whose clock is `ahead_s` ahead."""

    def __init__(self, ahead_s: float, first_byte: int = 0x24, stratum: int = 2) -> None:
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.bind(("127.0.0.1", 0))
        self.link.settimeout(5)
        self.port = self.link.getsockname()[1]
        self.thread = threading.Thread(target=self.answer, args=(ahead_s, first_byte, stratum))
        self.thread.start()

    def answer(self, ahead_s: float, first_byte: int, stratum: int) -> None:
        request, address = self.link.recvfrom(512)
        now_s = time.time() + ahead_s
        stamp = int(now_s) + NTP_EPOCH_S, int((now_s % 1) * 2**32)
        asked = NTP_PACKET.unpack(request)[13:15]
        self.link.sendto(
            NTP_PACKET.pack(first_byte, stratum, 0, 0, 0, 0, b"TEST", 0, 0, *asked, *stamp, *stamp), address
        )
        self.link.close()


def test_a_time_servers_offset_is_measured() -> None:
    server = TimeServer(ahead_s=12.5)
    answer = ask_time_server("127.0.0.1", port=server.port)
    server.thread.join()
    assert answer.offset_s == pytest.approx(12.5, abs=0.05)
    assert answer.stratum == 2


def test_a_server_that_does_not_know_the_time_is_not_believed() -> None:
    server = TimeServer(ahead_s=0.0, stratum=16)
    with pytest.raises(CalibrationError, match="does not know the time itself"):
        ask_time_server("127.0.0.1", port=server.port)
    server.thread.join()


def test_a_readers_clock_is_measured_over_a_session(tmp_path: Path) -> None:
    (tmp_path / "shelf.yaml").write_text(SCENARIO)
    with SimulatedReader(tmp_path / "shelf.yaml") as reader:
        reader.fault("clock", seconds=30.0)
        result = CliRunner().invoke(
            calibrate, ["clock", "--reader", f"127.0.0.1:{reader.port}", "--seconds", "2", "--json"]
        )
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.output)["readers"]
    assert found["reads"] > 0
    assert found["ahead_s"] == pytest.approx(30.0, abs=0.5)


def test_a_reader_that_is_not_there_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = CliRunner().invoke(
            calibrate, ["clock", "--reader", f"127.0.0.1:{taken.getsockname()[1]}", "--seconds", "1"]
        )
    assert result.exit_code == 0
    assert "offset unknown" in result.output


def test_an_antenna_that_heard_nothing_is_found_in_a_quiet_store(tmp_path: Path) -> None:
    count = 400
    random = np.random.default_rng(1)
    save_reads(
        tmp_path / "still.csv",
        ReadTable.from_columns(
            np.linspace(0, 40, count),
            [f"e2801160000000000000000{k % 4}0"[:24] for k in range(count)],
            [1] * count,
            [1 + k % 5 for k in range(count)],
            random.normal(-55, 0.3, count),
            np.mod(1.0 + random.normal(0, 0.02, count), 2 * np.pi),
        ),
    )
    out = tmp_path / "cal.yaml"
    result = CliRunner().invoke(
        calibrate,
        ["antenna", str(tmp_path / "still.csv"), "--out", str(out), "--antenna", "1", "--antenna", "2"],
    )
    assert result.exit_code == 0, result.output
    assert "antenna 2 heard nothing" in result.output
    assert out.exists()
