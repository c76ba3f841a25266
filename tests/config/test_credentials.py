"""Secrets that systemd hands over are read from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import Tls, parse

STORE = """
site: {name: test, device: box}
floor: {extent_m: [0, 0, 10, 10]}
cameras:
  - {name: door, uri: "rtsp://10.0.0.7/a", username: viewer, password_file: keys/camera.password}
uplink:
  host: broker.example.net
  tls: {ca: keys/ca.pem, cert: keys/device.pem, key: keys/device.key}
"""
FILE = Path("/etc/tagsight/store.yaml")


def test_keys_and_passwords_are_taken_from_the_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("device.key", "camera.password"):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    store = parse(STORE, FILE)
    assert store.cameras[0].password_file == tmp_path / "camera.password"
    assert isinstance(store.uplink.tls, Tls)
    assert store.uplink.tls.key == tmp_path / "device.key"
    assert store.uplink.tls.cert == FILE.parent / "keys" / "device.pem", "not handed over: read where it lies"


def test_without_credentials_the_files_are_read_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    store = parse(STORE.replace("password_file: keys/camera.password", ""), FILE)
    assert isinstance(store.uplink.tls, Tls)
    assert store.uplink.tls.key == FILE.parent / "keys" / "device.key"


def test_a_credential_of_another_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.key").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    store = parse(STORE.replace("password_file: keys/camera.password", ""), FILE)
    assert isinstance(store.uplink.tls, Tls)
    assert store.uplink.tls.key == FILE.parent / "keys" / "device.key"
