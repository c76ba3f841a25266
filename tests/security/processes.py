"""What /proc tells of a tree of processes: where it listens, what it writes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

LISTEN = "0A"
WRITABLE = os.O_WRONLY | os.O_RDWR


class Listening(NamedTuple):
    """A socket that takes connections, or datagrams from anybody."""

    protocol: str
    address: str
    port: int


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            stat = (path / "stat").read_text()
            parents[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
    found: list[int] = []
    todo = [pid]
    while todo:
        children = [child for child, parent in parents.items() if parent in todo]
        found += children
        todo = children
    return found


def listening_sockets(pids: Iterable[int]) -> set[Listening]:
    """Where these processes listen: TCP in state LISTEN, UDP bound to a port without a peer."""
    inodes = {link[8:-1] for pid in pids for link in _links(pid).values() if link.startswith("socket:[")}
    found: set[Listening] = set()
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        table = Path(f"/proc/net/{protocol}")
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            local, remote, state, inode = fields[1], fields[2], fields[3], fields[9]
            waits = state == LISTEN if protocol.startswith("tcp") else int(remote.split(":")[0], 16) == 0
            if inode in inodes and waits:
                address, port = local.split(":")
                found.add(Listening(protocol, _readable(address), int(port, 16)))
    return found


def _readable(hexadecimal: str) -> str:
    """An address of /proc/net: 32-bit words in the machine's byte order, little-endian here."""
    raw = bytes.fromhex(hexadecimal)
    words = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)


def written_files(pids: Iterable[int]) -> set[str]:
    """Regular files that these processes have open for writing."""
    found = set()
    for pid in pids:
        for fd, target in _links(pid).items():
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/fdinfo/{fd}").read_text().splitlines()
                flags = int(next(line.split()[1] for line in lines if line.startswith("flags:")), 8)
                is_file = target.startswith("/") and not target.startswith(("/dev/", "/memfd:"))
                if flags & WRITABLE and is_file:
                    found.add(target.removesuffix(" (deleted)"))
    return found


def _links(pid: int) -> dict[str, str]:
    links = {}
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                links[path.name] = str(path.readlink())
    return links
