"""Reads from an RFID reader into a file, and the tags that were heard most."""

from __future__ import annotations

import sys
import time
from collections import Counter

from tagsight import ReaderSession, ReaderSettings, ReadTable, save_reads


def main(host: str, port: int, path: str, seconds: float) -> None:
    """Write the reads of so many seconds to `path`, and print what was heard."""
    batches: list[ReadTable] = []
    # The session has a thread of its own, connects again after every fault, and hands reads over in batches.
    session = ReaderSession(ReaderSettings(host, port), batches.append)
    session.start()
    time.sleep(seconds)
    state = session.health().state
    session.stop()
    reads = ReadTable.concatenate(batches)
    save_reads(path, reads)
    print(f"{state}: {len(reads)} reads of {len(set(reads.epc))} tags")
    for epc, count in Counter(reads.epc.tolist()).most_common(3):
        rssi_dbm = reads.rssi_dbm[reads.epc == epc]
        print(f"{epc}: {count} reads, {rssi_dbm.mean():.1f} dBm")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
