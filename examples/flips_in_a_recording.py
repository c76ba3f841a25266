"""Flips in a recording of tag reads: which garments were turned over, and when."""

from __future__ import annotations

import sys

from tagsight import load_reads, make_detector


def main(path: str) -> None:
    """Print a line a flip."""
    reads = load_reads(path)
    began_s = float(reads.time_s[0])
    detector = make_detector("production")
    # A live program feeds batches as they come; what is returned is certain at that moment.
    flips = [*detector.feed(reads), *detector.finish()]
    for flip in sorted(flips, key=lambda flip: flip.start_s):
        from_s, to_s = flip.start_s - began_s, flip.end_s - began_s
        print(f"{flip.epc}: turned from {from_s:.1f} to {to_s:.1f} s, score {flip.score:.2f}")
    print(f"{len(flips)} flips; {len(detector.insufficient())} tags were read too seldom to be judged")


if __name__ == "__main__":
    main(sys.argv[1])
