"""Heads: secondary networks that say one thing each of the people whom detector and tracker have found.

Each is a module here with its `HEAD`, and a key of its name in `engines` of store.yaml.

head         what a head is: name, network, decoding, aggregation
aggregation  what becomes of a track's outputs over time
appearance   embeddings for the tracker
embedding_reports   when a track's embeddings are reported to the store process
action       who handles goods

Crops are cut and heads run by `runtime.vision.crop_inference`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from engines.errors import EngineError
from runtime.vision.heads.head import OFF, Head, OpenHead, open_head

__all__ = ["OFF", "Head", "OpenHead", "known_heads", "networks_of", "open_heads"]


def known_heads() -> list[Head]:
    """The heads of this package's modules, those for the tracker first, then by name."""
    modules = [
        importlib.import_module(f"runtime.vision.heads.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    ]
    heads = [head for module in modules if isinstance(head := getattr(module, "HEAD", None), Head)]
    return sorted(heads, key=lambda head: (not head.for_tracker, head.name))


def networks_of(engines: Any) -> dict[str, str]:
    """What the section `engines` of store.yaml names for each head; heads that are off are left out."""
    named = {head.name: getattr(engines, head.name, OFF) for head in known_heads()}
    return {name: network for name, network in named.items() if network != OFF}


def open_heads(networks: Mapping[str, str], *, backend: str, threads: int) -> list[OpenHead]:
    """The heads of these names with these networks, in the order of `known_heads`. Raises EngineError."""
    known = {head.name: head for head in known_heads()}
    if unknown := networks.keys() - known.keys():
        raise EngineError(f"no head is called {', '.join(sorted(unknown))} (known: {', '.join(known)})")
    return [
        open_head(head, networks[name], backend=backend, threads=threads)
        for name, head in known.items()
        if name in networks
    ]
