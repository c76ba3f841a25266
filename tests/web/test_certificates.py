from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from web.errors import WebError
from web.security.certificates import days_left, fingerprint, self_signed


def test_a_certificate_is_made_once_and_kept(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path, ["192.0.2.7", "tagsight.shop.example"])
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first = fingerprint(cert)
    assert len(first.split(":")) == 32
    assert 390 < days_left(cert) < 398
    self_signed(tmp_path, ["192.0.2.7"])
    assert fingerprint(cert) == first
    self_signed(tmp_path, ["other.example"])
    assert fingerprint(cert) != first, "it does not serve another name"


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("x")
    with pytest.raises(WebError, match=r"x\.pem: not a certificate"):
        fingerprint(tmp_path / "x.pem")
