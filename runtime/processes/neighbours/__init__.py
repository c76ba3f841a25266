"""Processes that tell other programs in the shop how it is now: only where they are configured."""
