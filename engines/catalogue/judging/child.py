"""The process that runs a network nobody knows: `python -m engines.catalogue.judging.child FD < task.json`.

The verdict goes to file descriptor FD; what libraries print goes to stderr, which is kept for the last line.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

import msgspec

from engines.catalogue.judging.task import NetworkVerdict, Task
from engines.errors import EngineError

PR_SET_PDEATHSIG = 1
KILLED_FIRST = b"900"
"""oom_score_adj: if the machine runs out of memory, this process goes, not the daemon."""
OF_ITS_OWN_BYTES = 1 << 30
"""What the libraries and the readings take besides the network."""


def main() -> None:
    """Read a task, judge, answer."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with open("/proc/self/oom_score_adj", "wb") as stream:  # noqa: PTH123
        stream.write(KILLED_FIRST)
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    limit = task.memory_bytes + OF_ITS_OWN_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(int(sys.argv[1]), "wb", buffering=0) as answer:
        answer.write(msgspec.json.encode(_verdict(task)))


def _verdict(task: Task) -> NetworkVerdict | str:
    from engines.catalogue.judging.verdict import pass_verdict

    try:
        return pass_verdict(task)
    except EngineError as error:
        return str(error)
    except MemoryError:
        return _too_large(task)


def _too_large(task: Task) -> str:
    return f"{task.file}: asks for more than the {task.memory_bytes / 1e9:.1f} GB of memory it may have"


if __name__ == "__main__":
    main()
