"""What store.yaml says of the broker is what its client is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.settings import BrokerSettings, TlsFiles
from runtime.config import Tls, Uplink
from runtime.uplink.configured import broker_settings

FILES = {name: Path(f"{name}.pem") for name in ("ca", "cert", "key")}
CHANGED = {
    "host": "broker.example",
    "port": 9_883,
    "tls": Tls(**FILES),
    "username": "box-1",
    "password_file": Path("password"),
    "protocol": 311,
    "trust_broker": True,
}


def test_every_setting_of_the_client_comes_from_the_section_and_has_its_default() -> None:
    assert broker_settings(Uplink()) == BrokerSettings()
    told = broker_settings(Uplink(**CHANGED))  # type: ignore[arg-type]
    assert set(CHANGED) == set(BrokerSettings.__struct_fields__) - {"section"}
    assert told == BrokerSettings(**{**CHANGED, "tls": TlsFiles(**FILES)})  # type: ignore[arg-type]


@pytest.mark.parametrize(("tls", "port"), [(False, 1_883), (True, 8_883), (Tls(ca=Path("ca.pem")), 8_883)])
def test_the_port_follows_from_tls(tls: Tls | bool, port: int) -> None:
    section = Uplink(tls=tls)
    assert broker_settings(section).tcp_port() == section.tcp_port() == port
