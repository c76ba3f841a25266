"""How long nobody answers after kill -9 of the service where one stands by."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fleet.load import arrivals
from testing.fleet import FleetProcess, ask, free_address, wait_for_rows

LOOK_S = 0.02


def take_over(times: int) -> dict[str, Any]:
    """The slowest of so many kills; every second one takes the warehouse's file as well."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagsight-takeover-")))
        arrivals.write(folder / "lines.jsonl", stores=3, days=1, seed=7, visitors=20)
        port = free_address()
        config = folder / "fleet.yaml"
        config.write_text(
            f"warehouse: w.db\nfiles: [lines.jsonl]\nport: {port}\nreplica: {{file: copy.db, every_s: 1}}\n"
        )
        serving = stack.enter_context(FleetProcess(config, port))
        wait_for_rows(port, "stores", lambda rows: len(rows) >= 3)
        while not (folder / "copy.db").exists():
            time.sleep(LOOK_S)
        before = ask(port, "/v1/answers/stores")["rows"]
        slowest = {"with its warehouse": 0.0, "from the replica": 0.0}
        differing = 0
        for number in range(times):
            waiting = stack.enter_context(FleetProcess(config, port, "--standby"))
            waiting.wait_for("standing by")
            serving.kill()
            case = "from the replica" if number % 2 else "with its warehouse"
            if number % 2:
                for file in folder.glob("w.db*"):
                    file.unlink()
            took_s = wait_for_rows(port, "stores", lambda rows: rows == before)
            slowest[case] = max(slowest[case], round(took_s, 2))
            differing += ask(port, "/v1/answers/stores")["rows"] != before
            serving = waiting
        return {"kills": times, "slowest_s": slowest, "differing_rows": differing}
