"""What the journal is told: one entry a record, with its fields."""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from pathlib import Path

import pytest

from runtime.supervisor.systemd.journal import MAX_MESSAGE, JournalHandler, goes_to_journal


def fields_of(datagram: bytes) -> dict[str, str]:
    """The fields of an entry, as journald reads them."""
    fields: dict[str, str] = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


@pytest.fixture
def journal(tmp_path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "journal"))
    listener.settimeout(5.0)
    return listener


@pytest.fixture
def logger(tmp_path: Path) -> logging.Logger:
    one = logging.Logger("runtime.processes.camera")
    one.addHandler(JournalHandler(str(tmp_path / "journal")))
    return one


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, "2"), (logging.ERROR, "3"), (logging.WARNING, "4"), (logging.INFO, "6"), (10, "7")],
)
def test_a_record_is_one_entry_with_its_priority(
    journal: socket.socket, logger: logging.Logger, level: int, priority: str
) -> None:
    logger.log(level, "door: %s", "no such file")
    fields = fields_of(journal.recv(100_000))
    assert fields["MESSAGE"] == "MainProcess: door: no such file"
    assert fields["PRIORITY"] == priority
    assert fields["TAGSIGHT_PROCESS"] == "MainProcess"
    assert fields["TAGSIGHT_LOGGER"] == "runtime.processes.camera"
    assert fields["CODE_FILE"] == Path(__file__).name


def test_a_trace_of_many_lines_is_one_entry(journal: socket.socket, logger: logging.Logger) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("stopped by a fault")
    message = fields_of(journal.recv(100_000))["MESSAGE"]
    assert message.startswith("MainProcess: stopped by a fault\nTraceback")
    assert message.endswith("ValueError: two\nlines")


def test_a_message_cannot_forge_a_field(journal: socket.socket, logger: logging.Logger) -> None:
    logger.info("x\nPRIORITY=0\nMESSAGE=hello")
    fields = fields_of(journal.recv(100_000))
    assert fields["PRIORITY"] == "6"
    assert fields["MESSAGE"].endswith("MESSAGE=hello")


def test_a_message_without_end_is_cut(journal: socket.socket, logger: logging.Logger) -> None:
    logger.info("x" * 1_000_000)
    assert len(fields_of(journal.recv(1_000_000))["MESSAGE"]) == MAX_MESSAGE


def test_without_a_journal_it_is_one_line_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = logging.Logger("tagsight")
    one.addHandler(JournalHandler(str(tmp_path / "nobody")))
    one.error("two\nlines")
    assert capsys.readouterr().err == "<3>MainProcess: two | lines\n"


def test_only_the_journals_own_stream_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        state = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{state.st_dev}:{state.st_ino}")
        assert goes_to_journal()
        monkeypatch.setenv("JOURNAL_STREAM", f"{state.st_dev}:{state.st_ino + 1}")
        assert not goes_to_journal(), "inherited, but standard error goes elsewhere"
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not goes_to_journal()
