"""Benchmarks and the peer loops they are compared with.

Each module is one `tagsight bench` subcommand: it runs ours and the baseline in the same process run on the
same machine and prints ratios, because absolute times on a shared machine say little.
"""
