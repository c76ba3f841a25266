"""A device in this process: outbox and sender, as the store and uplink processes hold them."""

from __future__ import annotations

from pathlib import Path

from broker.settings import BrokerSettings
from contract.envelope import Origin
from contract.facts import Visit
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.delivery.stats import DeliveryStats
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.writer import Outbox

ORIGIN = Origin("plaza", "box-1")
GROUP_DELAY_S = 0.005
FIRST_PAUSE_S = 0.1


def visit(tag: str, number: int) -> Visit:
    """The `number`th visit of those called `tag`; its key is `visit/TAG/NUMBER`."""
    return Visit(
        key=f"visit/{tag}/{number}",
        time_s=1_700_000_000.0 + number,
        visitor=f"v{number}",
        direction="in",
        entrance="door",
    )


class TrialSender(Sender):
    """The product's sender; `tally` is what trials call its `stats`."""

    def tally(self) -> DeliveryStats:
        """How delivery stands: see `stats`."""
        return self.stats()


class Device:
    """Says events into `folder`/outbox.db and sends them to the broker on `port` of this machine.

    `limits` are the sender's and `olimits` the outbox's; `ack_timeout_s` is how long the sender waits for the
    broker's answer, in seconds. With `start` false nothing is sent until `sender.start()`. Usable as a
    context manager.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        trust: bool = False,
        origin: Origin = ORIGIN,
        limits: DeliveryLimits | None = None,
        olimits: OutboxLimits | None = None,
        ack_timeout_s: float = 5.0,
        start: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "outbox.db"
        self.outbox = Outbox(
            self.path,
            origin,
            olimits or OutboxLimits(group_delay_s=GROUP_DELAY_S),
            on_commit=lambda seq: self.sender.wake(),
        )
        broker = BrokerSettings(host="127.0.0.1", port=port, trust_broker=trust)
        self.sender = TrialSender(
            self.path, origin, broker, limits=limits, ack_timeout_s=ack_timeout_s, first_pause_s=FIRST_PAUSE_S
        )
        if start:
            self.sender.start()

    def say(self, tag: str, first: int, last: int) -> int:
        """Append the visits `first` to `last` of those called `tag`; returns the last `seq` handed out."""
        return self.outbox.append([visit(tag, number) for number in range(first, last + 1)])

    def close(self) -> None:
        """Stop sending and close the outbox."""
        if self.sender.is_alive():
            self.sender.stop()
        self.outbox.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
