"""`tagsight doctor` against real parts: a video, a simulated reader, a broker, and what never answers."""

from __future__ import annotations

import datetime
import json
import platform
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.mosquitto import LocalBroker, find_mosquitto
from rfid_reader.antenna_calibration import calibrate_still, save_calibration
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.llrp.server import SimulatedReader
from runtime.cli import main
from runtime.config import Tls, Uplink
from runtime.doctor import machine, store
from runtime.doctor.findings import Check, Finding, run_checks
from tagsight.errors import TagsightError

SCENARIO = """
name: shelf
antennas: [{port: 1, at: [2.0, 1.0]}]
racks: [{name: shirts, at: [2.0, 2.0], tags: {count: 2, prefix: "e28011600000000000000a"}}]
"""
ELSEWHERE = "!=" if platform.machine() == "x86_64" else "=="
Doctor = Callable[..., tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs the command in this process: its exit code and the findings by subject."""

    def run(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--json", "--no-measure", *arguments])
        findings: list[dict[str, str]] = json.loads(capsys.readouterr().out)["findings"]
        return int(str(ended.value.code)), {finding["subject"]: finding for finding in findings}

    return run


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten pictures of noise, 320 x 240."""
    file = tmp_path / "door.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for seed in range(10):
        writer.write(np.random.default_rng(seed).integers(60, 200, (240, 320, 3)).astype(np.uint8))
    writer.release()
    return file


def write_config(folder: Path, camera: str, reader_port: int, broker_port: int, more: str = "") -> Path:
    file = folder / "store.yaml"
    file.write_text(
        "site: {name: s, device: d}\nfloor: {extent_m: [0, 0, 9, 9]}\nstate_dir: state\n"
        f"cameras: [{{name: door, uri: '{camera}'{more}}}]\n"
        f"readers: [{{name: wall, host: 127.0.0.1, port: {reader_port}, antennas: [{{port: 1, name: a}}]}}]\n"
        f"uplink: {{host: 127.0.0.1, port: {broker_port}, max_mb: 1}}\n"
    )
    return file


def test_a_store_whose_parts_all_answer(doctor: Doctor, tmp_path: Path, clip: Path) -> None:
    try:
        find_mosquitto()
    except TagsightError:
        pytest.skip("no Mosquitto on this machine: scripts/fetch-mosquitto")
    (tmp_path / "shelf.yaml").write_text(SCENARIO)
    with SimulatedReader(tmp_path / "shelf.yaml") as simulated, LocalBroker() as mosquitto:
        file = write_config(tmp_path, str(clip), simulated.port, mosquitto.port)
        _, found = doctor("--config", str(file))
    for subject in ("config", "camera door", "reader wall", "broker", "python", "packages", "disk"):
        assert found[subject]["verdict"] == "ok", found[subject]
    assert "320 x 240" in found["camera door"]["found"]
    assert "answers LLRP" in found["reader wall"]["found"]


def test_parts_that_never_answer_are_missing_within_the_limit(
    doctor: Doctor, tmp_path: Path, silent_port: int
) -> None:
    file = write_config(tmp_path, f"rtsp://127.0.0.1:{silent_port}/1", silent_port, silent_port)
    began_s = time.monotonic()
    code, found = doctor("--config", str(file), "--seconds", "1")
    assert time.monotonic() - began_s < 8
    assert code == 1
    for subject in ("camera door", "reader wall", "broker"):
        assert found[subject]["verdict"] == "missing", found[subject]
        assert found[subject]["remedy"]


def test_parts_that_are_switched_off_are_named_with_a_remedy(doctor: Doctor, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    file = write_config(tmp_path, f"rtsp://127.0.0.1:{closed}/1", closed, closed)
    code, found = doctor("--config", str(file))
    assert code == 1
    assert "no answer" in found["camera door"]["found"] or "refused" in found["camera door"]["found"].lower()
    assert "cannot connect" in found["reader wall"]["found"]
    assert "nothing listens there" in found["broker"]["found"]


def test_a_floor_map_of_another_picture_shape_is_found(doctor: Doctor, tmp_path: Path, clip: Path) -> None:
    mapped = ", image_size: [1920, 1080], homography: [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 1]]"
    file = write_config(tmp_path, str(clip), 1, 1, mapped)
    _, found = doctor("--config", str(file), "--seconds", "5")
    assert (
        found["camera door"]["found"]
        == "320 x 240, 10 frames a second; its floor map was measured at 1920 x 1080"
    )
    assert found["camera door"]["remedy"] == "measure the floor again"


def test_a_bad_config_is_one_finding_and_the_machine_is_looked_at_all_the_same(
    doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "store.yaml").write_text("sight: {}\n")
    code, found = doctor("--config", str(tmp_path / "store.yaml"))
    assert code == 1
    assert "unknown key; did you mean 'site'?" in found["config"]["found"]
    assert found["python"]["verdict"] == "ok"


def test_the_plain_report_names_verdict_subject_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--no-measure"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok ") and "python" in line for line in lines)
    assert lines[-1] == "no --config given: no camera, reader or broker was looked for"
    assert all(line.startswith(("ok ", "weak ", "- ", "MISSING ", "    ")) for line in lines[:-1])


def test_a_check_that_hangs_or_breaks_does_not_take_the_others_along() -> None:
    def hang() -> Finding:
        time.sleep(5)
        return Finding("ok", "too late")

    def broken() -> Finding:
        raise ZeroDivisionError("by zero")

    checks = [Check("a", hang, "wait"), Check("b", broken), Check("c", lambda: Finding("ok", "there"))]
    found = run_checks(checks, 0.3)
    assert [(finding.subject, finding.verdict) for finding in found] == [
        ("a", "missing"),
        ("b", "missing"),
        ("c", "ok"),
    ]
    assert found[0].found == "no answer within 0.3 s" and found[0].remedy == "wait"
    assert "ZeroDivisionError" in found[1].found


def test_a_password_that_others_can_read_is_found(tmp_path: Path) -> None:
    (tmp_path / "door.password").write_text("secret\n")
    (tmp_path / "door.password").chmod(0o644)
    found = store.private([tmp_path / "door.password"])
    assert found.verdict == "missing" and found.remedy == f"chmod 600 {tmp_path}/door.password"
    (tmp_path / "door.password").chmod(0o600)
    assert store.private([tmp_path / "door.password"]).verdict == "ok"


def test_a_full_disk_is_missing_before_the_outbox_finds_out(tmp_path: Path) -> None:
    huge_mib = 10**9
    assert machine.disk(tmp_path / "not" / "yet", 1).verdict == "ok"
    full = machine.disk(tmp_path, huge_mib)
    assert full.verdict == "missing" and "lower uplink.max_mb" in full.remedy


@pytest.mark.parametrize(
    ("requirement", "fault"),
    [
        ("numpy>=1.26", ""),
        ("numpy>=999", r"is older than 999"),
        ("no-such-package-of-ours>=1", "is not installed"),
        (f"no-such-package-of-ours>=1; platform_machine {ELSEWHERE} 'x86_64'", ""),
    ],
)
def test_packages_are_compared_with_what_is_needed(requirement: str, fault: str) -> None:
    found = machine._package_fault(requirement)
    assert fault in found and bool(fault) == bool(found)


def issue(
    folder: Path, name: str, days: int, issuer: tuple[x509.Name, Any] | None = None
) -> tuple[x509.Name, Any]:
    """A certificate for 127.0.0.1 in NAME.pem and its key in NAME.key; its own issuer unless one is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = issuer or (subject, key)
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(pem)
    (folder / f"{name}.key").chmod(0o600)
    return subject, key


@pytest.mark.parametrize(("own_days", "verdict"), [(100, "ok"), (10, "weak"), (-1, "missing")])
def test_certificates_that_expire_soon_are_found(tmp_path: Path, own_days: int, verdict: str) -> None:
    try:
        find_mosquitto()
    except TagsightError:
        pytest.skip("no Mosquitto on this machine: scripts/fetch-mosquitto")
    authority = issue(tmp_path, "ca", 3650)
    issue(tmp_path, "broker", 200, authority)
    issue(tmp_path, "box", own_days, authority)
    settings = (
        "allow_anonymous true",
        f"cafile {tmp_path}/ca.pem",
        f"certfile {tmp_path}/broker.pem",
        f"keyfile {tmp_path}/broker.key",
    )
    tls = Tls(ca=tmp_path / "ca.pem", cert=tmp_path / "box.pem", key=tmp_path / "box.key")
    with LocalBroker(settings) as mosquitto:
        uplink = Uplink(host="localhost", port=mosquitto.port, tls=tls)
        found = store.certificates(uplink, 5.0)
        assert store.broker(uplink).verdict == "ok"
    assert found.verdict == verdict, found
    assert "the broker's is good for 200 days" in found.found


@pytest.mark.parametrize(("rate_hz", "verdict"), [(12.0, "ok"), (0.6, "weak")])
def test_a_calibration_says_how_well_flips_will_be_found(
    tmp_path: Path, rate_hz: float, verdict: str
) -> None:
    time_s = np.arange(0.0, 60.0, 1 / rate_hz)
    ones = np.ones(len(time_s))
    still = ReadTable.from_columns(time_s, ["aa"] * len(time_s), ones, ones, -50 * ones, ones)
    save_calibration(tmp_path / "antenna.yaml", calibrate_still(still))
    found = store.flips(tmp_path / "antenna.yaml")
    assert found.verdict == verdict and "F1 of 0." in found.found
    assert bool(found.remedy) == (verdict == "weak")
