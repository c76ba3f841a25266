"""What a broker permits is kept to: sizes, retained messages, QoS, client ids; whether it says so or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from broker.mosquitto import LocalBroker
from broker.permits import BAD_CLIENT_ID, MOST_STRIKES, NO_QOS, NO_RETAIN, Fit, Permits
from broker.settings import BrokerSettings
from contract.facts import ProcessHealth
from contract.gaps import Gap
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.losses import UNSENDABLE
from runtime.uplink.outbox.writer import Outbox
from testing.rig import ORIGIN, Cloud, visit
from tests.uplink.facts import stored

WaitUntil = Callable[[Callable[[], object], float], None]
ANYBODY = "allow_anonymous true"
PATIENCE_S = 40.0


def large(number: int, size: int = 3_000) -> ProcessHealth:
    """An event whose text cannot be deflated away: it stays alone in a message anyhow."""
    return ProcessHealth(
        key=f"health/{number}",
        time_s=time.time(),
        process="vision",
        state="ok",
        progress_s=0.0,
        detail="x" * size,
    )


def gaps_in(outbox: Path) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    return [(fact.why, fact.named()) for _, fact in stored(outbox) if isinstance(fact, Gap)]


class Box:
    """Outbox and sender towards a broker that has limits, and a consumer beside it."""

    def __init__(self, folder: Path, broker: LocalBroker, protocol: int, trust_broker: bool) -> None:
        self.path = folder / "outbox.db"
        limits = OutboxLimits(group_delay_s=0.005, keep_s=1e12)
        self.outbox = Outbox(self.path, ORIGIN, limits, on_commit=lambda seq: self.sender.wake())
        uplink = BrokerSettings(
            host="127.0.0.1",
            port=broker.port,
            trust_broker=trust_broker,
            protocol=5 if protocol == 5 else 311,
        )
        self.sender = Sender(self.path, ORIGIN, uplink, ack_timeout_s=3.0, first_pause_s=0.1)

    def say(self, tag: str, count: int) -> None:
        self.outbox.append([visit(tag, number) for number in range(1, count + 1)])

    def close(self) -> None:
        self.sender.stop()
        self.outbox.close()


@pytest.mark.parametrize("protocol", [5, 311])
@pytest.mark.parametrize("trust_broker", [True, False])
@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        pytest.param(["max_packet_size 1000"], False, id="small packets"),
        pytest.param(["message_size_limit 1000"], False, id="small messages"),
        pytest.param(["max_packet_size 20000"], True, id="medium packets"),
        pytest.param(["retain_available false"], True, id="no retained messages"),
        pytest.param(["max_inflight_messages 1"], True, id="one at a time"),
        pytest.param(["max_qos 0"], True, id="QoS 0 only"),
        pytest.param(["max_qos 1", "max_keepalive 10"], True, id="short keepalive"),
    ],
)
def test_what_a_broker_permits_is_kept_to_and_nothing_is_held_back(
    mosquitto: None,
    tmp_path: Path,
    wait_until: WaitUntil,
    settings: list[str],
    fits: bool,
    trust_broker: bool,
    protocol: int,
) -> None:
    if protocol == 311 and not fits and (trust_broker or "message_size_limit 1000" in settings):
        pytest.skip("with trust as without; or the broker drops the message and says that it has it")
    with LocalBroker([ANYBODY, *settings]) as broker:
        box = Box(tmp_path, broker, protocol, trust_broker)
        box.say("before", 400)
        box.outbox.append([large(1)])
        box.say("after", 100)
        box.outbox.flush()
        cloud = Cloud(tmp_path / "cloud.db", broker.port)
        box.sender.start()
        try:
            if "max_qos 0" in settings and trust_broker:
                wait_until(lambda: "QoS 0 only" in box.sender.stats().detail, PATIENCE_S)
                return
            wait_until(lambda: (cloud.kept("before"), cloud.kept("after")) == (400, 100), PATIENCE_S)
            wait_until(lambda: box.sender.stats().backlog == 0, PATIENCE_S)
            expected = [] if fits else [(UNSENDABLE, ((401, 401),))]
            wait_until(lambda: gaps_in(box.path) == expected, PATIENCE_S)
            wait_until(lambda: cloud.audit()[0].complete, PATIENCE_S)
            assert box.sender.stats().given_up == (0 if fits else 1)
        finally:
            box.close()
            cloud.close()


def test_a_connection_that_breaks_over_a_message_says_what_can_be_the_cause(
    mosquitto: None, tmp_path: Path, wait_until: WaitUntil
) -> None:
    with LocalBroker([ANYBODY, "max_packet_size 1000"]) as broker:
        box = Box(tmp_path, broker, 311, True)
        box.say("a", 300)
        box.outbox.flush()
        box.sender.start()
        try:
            wait_until(lambda: "under way" in box.sender.stats().detail, PATIENCE_S)
            detail = box.sender.stats().detail
            for cause in ("larger than the broker permits", "retained", "QoS", "client id", "ACL"):
                assert cause in detail
        finally:
            box.close()


class TestPermits:
    """What is learned at connect."""

    def test_a_refused_feature_is_not_asked_for_again(self) -> None:
        permits = Permits()
        assert permits.refused(NO_RETAIN, None) and not permits.can_retain
        assert not permits.refused(NO_RETAIN, None)
        assert permits.refused(NO_QOS, SimpleNamespace(MaximumQoS=0)) and permits.max_qos == 0
        assert not permits.refused(NO_QOS, None)
        assert not permits.refused(135, None)

    def test_a_client_id_that_is_not_taken_is_made_short_and_then_left_to_the_broker(self) -> None:
        permits = Permits()
        wanted = "tagsight-a-very-long-site-name-box-1"
        assert permits.client_id(wanted) == wanted
        assert permits.refused(BAD_CLIENT_ID, None)
        short = permits.client_id(wanted)
        assert len(short) <= 23 and short.isalnum() and short != permits.client_id(wanted + "2")
        assert permits.refused(BAD_CLIENT_ID, None) and permits.client_id(wanted) == ""
        assert not permits.refused(BAD_CLIENT_ID, None)

    def test_what_connack_says_holds(self) -> None:
        permits = Permits()
        permits.receive(SimpleNamespace(MaximumPacketSize=5_000, RetainAvailable=0, MaximumQoS=0))
        assert (permits.max_packet, permits.can_retain, permits.max_qos) == (5_000, False, 0)
        permits = Permits()
        permits.receive(SimpleNamespace())
        assert (permits.max_packet, permits.can_retain, permits.max_qos) == (None, True, 1)


class TestFit:
    """What is learned from connections that break."""

    def test_batches_shrink_below_what_broke_the_connection_and_never_for_what_was_taken(self) -> None:
        fit = Fit()
        fit.taken(9_000, (1, 2))
        fit.broke([(9_000, (3, 4)), (8_000, (5, 6))])
        assert fit.batch_bytes is None and not fit.strikes
        fit.broke([(20_000, tuple(range(100)))])
        assert fit.batch_bytes == 10_000
        fit.broke([(30_000, tuple(range(100)))])
        assert fit.batch_bytes == 10_000

    def test_a_single_event_is_given_up_only_after_it_was_alone_under_way_each_time(self) -> None:
        fit = Fit()
        fit.broke([(3_000, (7,)), (500, (8, 9))])
        assert fit.is_suspect(7) and not fit.is_hopeless(7)
        for _ in range(MOST_STRIKES):
            assert not fit.is_hopeless(7)
            fit.broke([(3_000, (7,))])
        assert fit.is_hopeless(7)

    def test_a_suspect_that_is_taken_after_all_is_none(self) -> None:
        fit = Fit()
        fit.broke([(3_000, (7,))])
        fit.taken(3_000, (7,))
        assert not fit.is_suspect(7)
