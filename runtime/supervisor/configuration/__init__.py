"""The configuration in force, and how another one takes its place.

current  the one in force, kept where a newer one is broken
reader   a newer one, read in a process of its own
changes  what another configuration means for the processes, key by key (pure)
"""
