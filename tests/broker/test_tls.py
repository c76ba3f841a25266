"""TLS with client certificates as the shipped broker configuration wants it, and what happens without."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.certificates import expiry_s, provision
from broker.errors import BrokerError
from broker.mosquitto import LocalBroker
from broker.mqtt import ConnectionLost, MqttClient
from broker.mqtt_events import NotSubscribed, Refused
from broker.secrets import read_password, tls_context
from broker.settings import BrokerSettings, TlsFiles
from contract import wire
from contract.envelope import KINDS, Origin
from contract.facts import Visit
from runtime.processes.uplink import Certificate
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.outbox.writer import Outbox
from testing.faults.authority import Authority, secured_settings

ORIGIN = Origin("plaza", "box-1")
WaitUntil = Callable[[Callable[[], object], float], None]


@dataclass
class Secured:
    """The broker as docs/broker configures it, and the authority everybody trusts."""

    broker: LocalBroker
    authority: Authority

    def settings(self, tls: TlsFiles, trust_broker: bool = True) -> BrokerSettings:
        return BrokerSettings(host="localhost", port=self.broker.port, tls=tls, trust_broker=trust_broker)


@pytest.fixture
def secured(mosquitto: None, tmp_path: Path) -> Iterator[Secured]:
    authority = Authority(tmp_path)
    with LocalBroker(secured_settings(authority)) as broker:
        yield Secured(broker, authority)


def visit() -> Visit:
    return Visit(key="visit/1", time_s=1.7e9, visitor="v", direction="in", entrance="door")


def test_a_device_delivers_under_its_own_name_with_a_key_it_made_itself(
    secured: Secured, tmp_path: Path, wait_until: WaitUntil
) -> None:
    key, request = provision(ORIGIN, tmp_path / "keys")
    tls = TlsFiles(ca=secured.authority.path, cert=secured.authority.sign(request), key=key)
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit()] * 20)
    sender = Sender(path, ORIGIN, secured.settings(tls))
    sender.start()
    wait_until(lambda: sender.stats().delivered_seq == 20, 10)
    assert sender.stats().held_kinds == {}
    sender.stop()


def test_a_device_may_say_every_kind_that_there_is(secured: Secured) -> None:
    link = MqttClient(secured.settings(secured.authority.issue("plaza/box-1")), "box")
    link.connect()
    for kind in KINDS:
        link.publish(wire.topic(ORIGIN, kind), wire.Payload(b"{}", wire.SINGLE, []))
        told: list[object] = []
        while not told:
            told = list(link.poll(5.0))
        assert not any(isinstance(one, Refused) for one in told), kind
    link.disconnect()


def test_a_device_cannot_speak_for_another_nor_acknowledge_for_the_cloud(secured: Secured) -> None:
    link = MqttClient(secured.settings(secured.authority.issue("plaza/box-2")), "other")
    link.connect()
    event = wire.Payload(b"{}", wire.SINGLE, [])
    for topic in ("tagsight/v1/plaza/box-1/visit", "tagsight/v1/plaza/box-2/ack"):
        link.publish(topic, event)
        events = []
        for _ in range(20):
            events += link.poll(0.1)
            if events:
                break
        assert isinstance(events[0], Refused) and events[0].code == 135


def test_the_cloud_may_acknowledge_and_hears_everything(secured: Secured) -> None:
    link = MqttClient(secured.settings(secured.authority.issue("cloud")), "cloud")
    link.connect()
    link.subscribe(["tagsight/v1/+/+/+"])
    link.publish("tagsight/v1/plaza/box-1/ack", wire.Payload(b'{"seq":1}', wire.SINGLE, []))
    events = []
    for _ in range(20):
        events += link.poll(0.1)
    assert events and not any(isinstance(one, Refused | NotSubscribed) for one in events)


def test_without_a_certificate_nobody_gets_in(secured: Secured) -> None:
    with pytest.raises(ConnectionLost, match="certificate"):
        MqttClient(secured.settings(TlsFiles(ca=secured.authority.path)), "bare").connect()


def test_an_expired_certificate_is_refused_and_health_counts_the_days(
    secured: Secured, tmp_path: Path
) -> None:
    expired = secured.authority.issue("plaza/box-3", days=-2)
    with pytest.raises(ConnectionLost, match="certificate"):
        MqttClient(secured.settings(expired), "expired").connect()
    now_s = datetime.datetime.now(datetime.timezone.utc).timestamp()
    assert Certificate(expired).days_left(now_s) == pytest.approx(-2, abs=0.1)
    assert Certificate(False).days_left(now_s) is None
    assert Certificate(TlsFiles(cert=tmp_path / "absent", key=expired.key)).days_left(now_s) is None


def test_a_renewed_certificate_is_noticed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue("plaza/box-1", days=3)
    assert tls.cert is not None
    certificate = Certificate(tls)
    now_s = datetime.datetime.now(datetime.timezone.utc).timestamp()
    assert certificate.days_left(now_s) == pytest.approx(3, abs=0.1)
    authority.sign(tls.cert.with_suffix(".csr"), days=300)
    assert certificate.days_left(now_s + 120) == pytest.approx(300, abs=0.1)


def test_a_broker_of_another_authority_is_not_believed(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    with pytest.raises(ConnectionLost, match=r"certificate is not accepted.*uplink\.tls\.ca"):
        MqttClient(secured.settings(TlsFiles(ca=stranger.path)), "stranger").connect()


def test_a_broker_under_another_name_is_not_believed(secured: Secured) -> None:
    settings = BrokerSettings(
        host="127.0.0.1", port=secured.broker.port, tls=secured.authority.issue("plaza/box-4")
    )
    with pytest.raises(ConnectionLost, match=r"not accepted.*uplink\.host"):
        MqttClient(settings, "name").connect()


def test_plain_mqtt_to_a_tls_port_is_one_sentence(secured: Secured) -> None:
    with pytest.raises(ConnectionLost, match="closed before it answered"):
        MqttClient(BrokerSettings(host="localhost", port=secured.broker.port), "plain").connect()


def test_tls_to_a_plain_port_is_one_sentence(broker: LocalBroker) -> None:
    with pytest.raises(ConnectionLost, match=r"TLS failed|cannot be reached|no answer"):
        MqttClient(BrokerSettings(host="localhost", port=broker.port, tls=True), "tls").connect()


def test_a_wrong_password_is_one_sentence(mosquitto: None, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("")
    (tmp_path / "users").chmod(0o600)
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text("wrong\n")
    with LocalBroker(["allow_anonymous false", f"password_file {tmp_path / 'users'}"]) as broker:
        settings = BrokerSettings(host="localhost", port=broker.port, username="box-1", password_file=secret)
        with pytest.raises(ConnectionLost, match="refuses the connection: not authorized"):
            MqttClient(settings, "wrong").connect()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    secret = tmp_path / "password"
    secret.write_text("hush\n")
    secret.chmod(mode)
    with pytest.raises(BrokerError, match="chmod 600"):
        read_password(secret)


def test_a_credential_of_systemd_may_be_readable_by_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    secret.write_text("hush\n")
    secret.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_password(secret) == "hush"


def test_files_that_are_no_certificates_are_one_sentence(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate\n")
    junk.chmod(0o600)
    with pytest.raises(BrokerError, match="no certificate authority in PEM form"):
        tls_context(TlsFiles(ca=junk))
    with pytest.raises(BrokerError, match="no certificate and its key"):
        tls_context(TlsFiles(cert=junk, key=junk))
    with pytest.raises(BrokerError, match="no certificate in PEM form"):
        expiry_s(junk)
    with pytest.raises(BrokerError, match="cannot be read"):
        expiry_s(tmp_path / "absent.pem")


def test_a_new_key_is_private_and_an_old_one_is_never_overwritten(tmp_path: Path) -> None:
    key, _ = provision(ORIGIN, tmp_path / "keys")
    before = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.stat().st_uid == os.getuid()
    with pytest.raises(BrokerError, match="there is a key already"):
        provision(ORIGIN, tmp_path / "keys")
    assert key.read_bytes() == before
