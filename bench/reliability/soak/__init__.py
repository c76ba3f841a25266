"""The daemon over a long run while things break: its store, the faults, what is measured."""
