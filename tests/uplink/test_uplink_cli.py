"""`tagsight events` and `tagsight uplink` as a user types them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from broker.errors import BrokerError
from broker.mosquitto import LocalBroker, free_port
from broker.settings import BrokerSettings
from contract import wire
from contract.envelope import Origin, StreamId, encode_event
from contract.errors import PayloadError
from contract.facts import Visit
from contract.gaps import gap_facts
from fleet.ingest.consumer.store import CloudStore
from runtime.cli import main
from runtime.uplink.cli import uplink
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.events_cli import events
from runtime.uplink.outbox.writer import Outbox

ORIGIN = Origin("plaza", "box-1")
UNNAMED = StreamId(*ORIGIN, "")


def visit(number: int) -> Visit:
    return Visit(
        key=f"visit/{number}", time_s=1.7e9, visitor=f"v{number:06d}", direction="in", entrance="door"
    )


def bodies(count: int) -> list[bytes]:
    return [encode_event(visit(seq), ORIGIN, seq, 1.7e9) for seq in range(1, count + 1)]


def test_schema_is_json_for_every_kind() -> None:
    for arguments in (["schema"], ["schema", "--asyncapi"]):
        result = CliRunner().invoke(events, arguments)
        assert result.exit_code == 0
        assert "interaction" in result.output
        msgspec.json.decode(result.output)


@pytest.mark.parametrize("form", ["lines", "batch", "single"])
def test_decode_reads_lines_and_payloads(tmp_path: Path, form: str) -> None:
    sent = bodies(1 if form == "single" else 5)
    data = b"\n".join(sent) if form == "lines" else wire.pack(sent, ORIGIN, "visit").data
    (tmp_path / "file").write_bytes(data)
    result = CliRunner().invoke(events, ["decode", str(tmp_path / "file")])
    assert result.exit_code == 0
    assert result.output.count("came in by door") == len(sent)
    result = CliRunner().invoke(events, ["decode", "--json", "-"], input=data)
    assert result.output.encode().split() == b"\n".join(sent).split()


def test_decode_names_the_line_that_is_no_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*bodies(2), b'{"kind": "nonsense"}']))
    with pytest.raises(SystemExit) as ended:
        main(["events", "decode", str(path)])
    assert ended.value.code == 1
    assert f"tagsight: {path}: line 3: not an event" in capsys.readouterr().err


@pytest.mark.parametrize("time_s", ["1e300", "-1e300", "1e11", "-62135596801"])
def test_decode_prints_an_event_of_a_moment_that_no_calendar_has(tmp_path: Path, time_s: str) -> None:
    body = bodies(1)[0].replace(b'"time_s":1700000000.0', f'"time_s":{time_s}'.encode())
    (tmp_path / "events.jsonl").write_bytes(body)
    result = CliRunner().invoke(events, ["decode", str(tmp_path / "events.jsonl")])
    assert result.exit_code == 0
    assert "came in by door" in result.output


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize(
    "junk", [b'"x":"\xff",', b'"x":' + b"[" * 5_000 + b",", b'"rev":' + b"9" * 5_000 + b","], ids=len
)
def test_decode_refuses_what_is_no_text_in_a_sentence(
    tmp_path: Path, junk: bytes, more: tuple[str, ...]
) -> None:
    (tmp_path / "events.jsonl").write_bytes(bodies(1)[0].replace(b"{", b"{" + junk, 1))
    result = CliRunner().invoke(events, ["decode", *more, str(tmp_path / "events.jsonl")])
    assert result.exit_code == 0 or isinstance(result.exception, PayloadError)


def test_tail_prints_what_comes_and_ends_after_count(broker: LocalBroker, tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    sender = Sender(path, ORIGIN, BrokerSettings(host="127.0.0.1", port=broker.port))
    with Outbox(path, ORIGIN) as outbox:
        sender.start()

        ended = threading.Event()

        def speak() -> None:
            number = 0
            while not ended.wait(0.05):
                number += 1
                outbox.append([visit(number)])
                outbox.flush()
                sender.wake()

        speaker = threading.Thread(target=speak)
        speaker.start()
        arguments = [
            "tail",
            "--host",
            "127.0.0.1",
            "--port",
            str(broker.port),
            "--count",
            "3",
            "--seconds",
            "20",
        ]
        result = CliRunner().invoke(events, [*arguments, "--kind", "visit"])
        ended.set()
        speaker.join()
        sender.stop()
    assert result.exit_code == 0, result.output
    assert result.output.count("came in by door") == 3


def test_tail_without_a_broker_is_one_sentence() -> None:
    result = CliRunner().invoke(events, ["tail", "--host", "127.0.0.1", "--port", str(free_port())])
    assert isinstance(result.exception, BrokerError)
    assert "nothing listens there" in str(result.exception)


def test_receive_keeps_events_and_accounts_for_them_at_the_end(broker: LocalBroker, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runtime", "uplink", "receive", "--host", "127.0.0.1"]
    command += [
        "--port",
        str(broker.port),
        "--db",
        str(tmp_path / "cloud.db"),
        "--jsonl",
        str(tmp_path / "lines"),
    ]
    receiver = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE)
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(300)])
    sender = Sender(path, ORIGIN, BrokerSettings(host="127.0.0.1", port=broker.port, trust_broker=False))
    sender.start()
    assert sender.drain(20.0, 300)
    sender.stop()
    receiver.send_signal(signal.SIGTERM)
    output, _ = receiver.communicate(timeout=10)
    assert receiver.returncode == 0
    (account,) = msgspec.json.decode(output)
    assert (account["events"], account["last_seq"], account["missing"]) == (300, 300, [])
    assert len((tmp_path / "lines").read_bytes().splitlines()) == 300


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_lines_that_cannot_be_written_are_said_and_come_again_after_a_torn_one(
    broker: LocalBroker, tmp_path: Path
) -> None:
    path, lines = tmp_path / "outbox.db", tmp_path / "lines"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(20)])
    sender = Sender(path, ORIGIN, BrokerSettings(host="127.0.0.1", port=broker.port, trust_broker=False))
    sender.start()
    receiver = receive_as_a_process(broker.port, tmp_path / "cloud.db", "--jsonl", "/dev/full")
    _, said = receiver.communicate(timeout=60)
    assert receiver.returncode == 1 and "Traceback" not in said, said
    assert "/dev/full: cannot be written (No space left on device); what came is not acknowledged" in said
    lines.write_bytes(b'{"half a line, as a power cut')
    receiver = receive_as_a_process(broker.port, tmp_path / "cloud.db", "--jsonl", str(lines))
    assert sender.drain(30.0, 20)
    sender.stop()
    receiver.terminate()
    receiver.communicate(timeout=30)
    _, *whole = lines.read_bytes().splitlines()
    assert [msgspec.json.decode(line)["seq"] for line in whole] == list(range(1, 21))


def receive_as_a_process(port: int, db: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "runtime", "uplink", "receive", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--db", str(db), *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def wait_for_client(broker: LocalBroker, name: str) -> None:
    deadline_s = time.monotonic() + 30.0
    while f" as {name} " not in broker.log_path.read_text():
        assert time.monotonic() < deadline_s, f"{name} never connected"
        time.sleep(0.05)


@pytest.mark.parametrize("shares_database", [True, False])
def test_two_receivers_do_not_fight_over_a_database_or_a_client_id(
    broker: LocalBroker, tmp_path: Path, shares_database: bool
) -> None:
    first = receive_as_a_process(broker.port, tmp_path / "one.db", "--client-id", "one")
    wait_for_client(broker, "one")
    if shares_database:
        second = receive_as_a_process(broker.port, tmp_path / "one.db", "--client-id", "two")
        loser, winner, sentence = second, first, "one.db: another receiver fills this database"
    else:
        second = receive_as_a_process(broker.port, tmp_path / "two.db", "--client-id", "one")
        loser, winner, sentence = None, None, "another program uses the client id 'one'"
    try:
        deadline_s = time.monotonic() + 60.0
        while first.poll() is None and second.poll() is None:
            assert time.monotonic() < deadline_s, "they fight on"
            time.sleep(0.05)
        if loser is None or winner is None:
            loser, winner = (first, second) if first.poll() is not None else (second, first)
        _, said = loser.communicate(timeout=30)
        assert loser.returncode == 1
        assert sentence in said and "Traceback" not in said
        assert winner.poll() is None
    finally:
        for one in (first, second):
            one.terminate()
            one.wait(10)


def test_provision_writes_a_key_and_a_request(tmp_path: Path) -> None:
    arguments = ["provision", "--site", "plaza", "--device", "box-1", "--out", str(tmp_path)]
    assert CliRunner().invoke(uplink, arguments).exit_code == 0
    assert (tmp_path / "device.csr").read_text().startswith("-----BEGIN CERTIFICATE REQUEST-----")


class TestCloudStore:
    """The consumer's ledger."""

    def test_an_event_that_comes_twice_is_kept_once(self) -> None:
        store = CloudStore(":memory:")
        assert len(store.take(ORIGIN, bodies(1))) == 1
        sent = bodies(3)
        assert [len(store.take(ORIGIN, sent)) for _ in range(2)] == [3, 0]
        assert store.audit()[0].duplicates == 3

    def test_a_hole_is_missing_until_it_is_filled_or_named(self) -> None:
        store = CloudStore(":memory:")
        sent = bodies(10)
        store.take(ORIGIN, sent[:3] + sent[6:])
        assert store.audit()[0].missing == ((4, 6),)
        assert (store.prefix(UNNAMED), store.first_missing(UNNAMED)) == (3, 4)
        store.take(ORIGIN, [sent[4]])
        gap = gap_facts([(4, 4), (6, 6)], "full", 1.7e9)[0]
        store.take(ORIGIN, [encode_event(gap, ORIGIN, 11, 1.7e9)])
        assert store.audit()[0].complete
        assert store.prefix(UNNAMED) == 11

    def test_what_the_device_no_longer_has_is_not_waited_for_but_stays_missing(self) -> None:
        store = CloudStore(":memory:")
        store.take(ORIGIN, bodies(10)[5:])
        store.greeted(UNNAMED, 6)
        assert store.prefix(UNNAMED) == 10
        assert store.first_missing(UNNAMED) is None
        assert store.audit()[0].missing == ((1, 5),)

    def test_the_account_survives_a_restart_and_uncommitted_events_do_not_count(self, tmp_path: Path) -> None:
        path = tmp_path / "cloud.db"
        store = CloudStore(path)
        sent = bodies(10)
        store.take(ORIGIN, sent[:6])
        store.commit()
        store.take(ORIGIN, sent[6:])
        store._db.close()
        again = CloudStore(path)
        assert again.prefix(UNNAMED) == 6
        assert again.take(ORIGIN, sent) == sent[6:]

    def test_an_event_under_another_devices_topic_is_put_aside_and_settles_nothing(self) -> None:
        store = CloudStore(":memory:")
        assert store.take(Origin("plaza", "box-2"), bodies(1)) == []
        assert store.audit() == []
        ((why,),) = store._db.execute("SELECT why FROM aside")
        assert "came on a topic of" in why

    @pytest.mark.parametrize(
        ("old", "new", "settled"),
        [
            (b'"visitor":"v000001"', b'"visitor":"\xff\xfe"', 1),
            (b'"seq":1,', b'"seq":0,', 0),
            (b'"seq":1,', b'"seq":99999999999999999999,', 0),
            (b'"rev":0', b'"rev":99999999999999999999', 1),
            (b'"rev":0', b'"x":' + b"[" * 5_000, 0),
        ],
        ids=["not UTF-8", "number 0", "a huge number", "a huge revision", "nested too deep"],
    )
    def test_an_event_that_would_break_the_store_is_put_aside_and_the_rest_kept(
        self, old: bytes, new: bytes, settled: int
    ) -> None:
        first, *others = bodies(3)
        assert old in first
        store = CloudStore(":memory:")
        bad = first.replace(old, new)
        assert store.take(ORIGIN, [others[0], bad, others[1]]) == others
        assert store._db.execute("SELECT body, seq FROM aside").fetchall() == [(bad, settled)]
        assert store.prefix(UNNAMED) == 3 * settled

    def test_a_gap_names_only_numbers_before_its_own(self) -> None:
        (gap,) = gap_facts([(1, 1), (3, 900)], "full", 1.7e9)
        store = CloudStore(":memory:")
        store.take(ORIGIN, [encode_event(gap, ORIGIN, 5, 1.7e9)])
        (audit,) = store.audit()
        assert (audit.last_seq, audit.missing) == (5, ((2, 2),))

    def test_the_facts_view_shows_the_highest_revision_and_hides_what_was_withdrawn(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "cloud.db"
        store = CloudStore(path)
        changes = [
            visit(1),
            msgspec.structs.replace(visit(1), rev=1, visitor="better"),
            visit(2),
            msgspec.structs.replace(visit(2), rev=1, retracted=True),
        ]
        store.take(
            ORIGIN, [encode_event(fact, ORIGIN, seq, 1.7e9) for seq, fact in enumerate(changes, start=1)]
        )
        rows = store.facts()
        store.close()
        assert [(key, rev) for key, rev, _ in rows] == [("visit/1", 1)]
        assert b"better" in rows[0][2]
