"""A spec reaches a running process as it was sent."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from runtime import messages
from runtime.config import StoreConfig, load
from runtime.messages import Configure
from runtime.processes.control import ControlLine
from runtime.processes.spec import receive_spec, send_spec
from runtime.supervisor.topology import ProcessPlan, plan_processes

CLOCK = (1_795_320_000.0, 12.5)


@pytest.fixture
def plaza(repo: Path) -> StoreConfig:
    return load(repo / "runtime" / "demo" / "plaza.yaml", clips_needed=False)


def test_every_kind_of_spec_arrives_as_it_was(plaza: StoreConfig) -> None:
    plans = plan_processes(plaza, CLOCK)
    assert {plan.kind.name for plan in plans} == {"uplink", "store", "vision", "camera", "reader"}
    for plan in plans:
        assert receive_spec(send_spec(plan.spec), type(plan.spec)) == plan.spec


def test_what_is_no_spec_is_refused_and_its_descriptor_closed(plaza: StoreConfig) -> None:
    store = next(plan for plan in plan_processes(plaza, CLOCK) if plan.kind.name == "store")
    fd = os.memfd_create("nonsense")
    os.write(fd, b"\xc1\xc1")
    with pytest.raises(msgspec.DecodeError):
        receive_spec(fd, type(store.spec))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.fixture
def root_level() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    level = root.level
    yield root
    root.setLevel(level)


def test_the_log_level_changes_while_a_process_runs(root_level: logging.Logger, plaza: StoreConfig) -> None:
    ours, theirs = messages.pair()
    plan: ProcessPlan = plan_processes(plaza, CLOCK)[0]
    fd = send_spec(plan.spec)
    messages.send(ours, Configure(logging.ERROR), (fd,))
    os.close(fd)
    line = ControlLine(theirs)
    received: list[messages.Message] = []
    line.receive(lambda message, fds: bool(received.append(message)))
    assert received == [Configure(logging.ERROR)]
    assert root_level.level == logging.ERROR
    ours.close()
    theirs.close()
