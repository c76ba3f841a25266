"""LLRP over TLS: the session against the simulated reader over TCP, with certificates good and bad."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from rfid_reader.cli import rfid
from rfid_reader.errors import ReaderError
from rfid_reader.reads import load_reads
from rfid_reader.simulator.llrp.server import SimulatedReader, reader_certificate
from tests.rfid_reader.certificates import Authority
from tests.rfid_reader.listening import listening, until
from tests.rfid_reader.small_stores import small_store


@pytest.fixture(scope="module")
def store_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("store"), "store CA")


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "other CA")


def secured(certificate: Path) -> SimulatedReader:
    return SimulatedReader(small_store(), tls=reader_certificate(certificate))


def test_a_reader_with_a_certificate_that_the_store_signed_is_read(store_ca: Authority) -> None:
    with (
        secured(store_ca.reader_file()) as reader,
        listening(reader, tls=True, tls_ca=str(store_ca.ca_file)) as (session, ear),
    ):
        until(lambda: ear.count > 100)
        assert session.health().connected == 1 and session.health().phase_known


@pytest.mark.parametrize("fault", ["drop", "silent", "corrupt_length", "reboot"])
def test_a_fault_under_tls_is_survived(store_ca: Authority, fault: str) -> None:
    with (
        secured(store_ca.reader_file()) as reader,
        listening(reader, tls=True, tls_ca=str(store_ca.ca_file)) as (session, ear),
    ):
        until(lambda: ear.count > 20)
        reader.fault(fault, 0.8)
        until(lambda: session.health().connected >= 2)
        before = ear.count
        until(lambda: ear.count > before + 20)


def test_stop_under_tls_is_quick_although_nothing_comes(store_ca: Authority) -> None:
    with (
        secured(store_ca.reader_file()) as reader,
        listening(reader, tls=True, tls_ca=str(store_ca.ca_file)) as (session, ear),
    ):
        until(lambda: ear.count > 5)
        reader.fault("silent", 2.0)
        until(lambda: reader.faults_done == 1)
        assert until(lambda: session.stop() is None) < 1.0


@pytest.mark.parametrize(
    ("days", "address", "says"),
    [
        (30, "127.0.0.1", "unable to get local issuer certificate"),
        (-1, "127.0.0.1", "certificate has expired"),
        (30, "127.0.0.9", "IP address mismatch"),
    ],
)
def test_a_certificate_that_is_not_to_be_trusted_is_said_and_nothing_is_read(
    store_ca: Authority, other_ca: Authority, days: float, address: str, says: str
) -> None:
    trusted = other_ca if "issuer" in says else store_ca
    with (
        secured(store_ca.reader_file(address, days)) as reader,
        listening(reader, tls=True, tls_ca=str(trusted.ca_file)) as (session, ear),
    ):
        until(lambda: "not to be trusted" in session.health().detail)
        assert says in session.health().detail
        assert ear.count == 0 and session.health().connected == 0


@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), ("nonsense", "PEM file")])
def test_a_ca_file_that_is_of_no_use_is_named(
    store_ca: Authority, tmp_path: Path, content: str | None, says: str
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with (
        secured(store_ca.reader_file()) as reader,
        listening(reader, tls=True, tls_ca=str(ca_file)) as (session, _),
    ):
        until(lambda: str(ca_file) in session.health().detail)
        assert says in session.health().detail


def test_a_session_without_tls_gets_nothing_from_a_reader_with_it(store_ca: Authority) -> None:
    with secured(store_ca.reader_file()) as reader, listening(reader) as (session, ear):
        until(lambda: session.health().connects >= 2)
        assert ear.count == 0 and session.health().connected == 0


def test_a_caller_that_never_shakes_hands_does_not_hold_up_the_reader_for_long(store_ca: Authority) -> None:
    with (
        secured(store_ca.reader_file()) as reader,
        socket.create_connection(("127.0.0.1", reader.port)),
        listening(reader, tls=True, tls_ca=str(store_ca.ca_file)) as (_, ear),
    ):
        until(lambda: ear.count > 5)


def test_capture_reads_over_tls_and_simulate_names_a_bad_certificate(
    store_ca: Authority, tmp_path: Path
) -> None:
    with secured(store_ca.reader_file()) as reader:
        arguments = ["capture", f"127.0.0.1:{reader.port}", "--seconds", "1.5", "--tls"]
        arguments += ["--tls-ca", str(store_ca.ca_file), "--out", str(tmp_path / "reads.csv")]
        result = CliRunner().invoke(rfid, arguments, catch_exceptions=False)
    assert result.exit_code == 0 and len(load_reads(tmp_path / "reads.csv")) > 20
    (tmp_path / "store.yaml").write_text(
        "name: s\nantennas: [{port: 1, at: [0, 0]}]\nracks: [{name: r, at: [0, 1], tags: [e280]}]\n"
    )
    arguments = ["simulate", "--scenario", str(tmp_path / "store.yaml"), "--port", "0"]
    failed = CliRunner().invoke(rfid, [*arguments, "--tls-cert", str(tmp_path / "none.pem")])
    assert isinstance(failed.exception, ReaderError) and "none.pem" in str(failed.exception)


def test_a_reader_certificate_that_is_of_no_use_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="certificate and its key would be right"):
        reader_certificate(tmp_path / "none.pem")
