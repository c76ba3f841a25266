"""`fleet.yaml`: what a service of the warehouse needs to know."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, field

from fleet.errors import FleetError
from tagsight.yaml_files import KeyFault, read_yaml


class FleetSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping in fleet.yaml: unknown keys are mistakes."""


class Limits(FleetSection, frozen=True):
    """What one query may cost."""

    seconds: Annotated[float, Meta(gt=0, le=600, description="a query that takes longer is stopped")] = 5.0
    memory_mb: Annotated[int, Meta(ge=64, le=65_536, description="memory of one SQL query")] = 256
    rows: Annotated[int, Meta(ge=1, le=1_000_000, description="rows of an answer")] = 10_000
    at_once: Annotated[int, Meta(ge=1, le=64, description="SQL queries that run at the same time")] = 2


class ApiUser(FleetSection, frozen=True):
    """Somebody who asks: `sites` and the stores of `chains` are what they may see; neither: everything."""

    name: Annotated[str, Meta(min_length=1, description="who it is, for the log")]
    token_sha256: Annotated[
        str,
        Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 of the token, as `tagsight fleet token` prints"),
    ]
    sites: list[str] = field(default_factory=list)
    chains: list[str] = field(default_factory=list)
    sql: Annotated[bool, Meta(description="may put SQL of their own")] = False
    hands_in: Annotated[bool, Meta(description="may hand in sales, stock lists and plans")] = False


class VisitorRetention(FleetSection, frozen=True):
    """How long rows of single visitors and of single facts stay; sums of a day stay when those are gone."""

    visitor_days: Annotated[int, Meta(ge=1, le=3660, description="local days that visitors' rows stay")] = 30
    fact_days: Annotated[
        Annotated[int, Meta(ge=1, le=3660)] | None,
        Meta(description="local days that rows of all other facts stay; not given: for ever"),
    ] = None


class Replica(FleetSection, frozen=True):
    """A copy of the warehouse that answers where the warehouse itself cannot."""

    file: Path
    every_s: Annotated[float, Meta(ge=1, le=86_400, description="how often it is made anew")] = 60.0


LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


class BoardSettings(FleetSection, frozen=True):
    """The pages, where they are reached through a server that ends TLS."""

    names: Annotated[list[str], Meta(description="names that the pages are called by, beside addresses")] = (
        field(default_factory=list)
    )
    https: Annotated[bool, Meta(description="browsers reach the pages by https")] = False


class GarmentFiles(FleetSection, frozen=True):
    """What garments are found by on the board: titles, and pictures where both others are given."""

    catalogue: Annotated[Path, Meta(description="what `tagsight fleet catalogue` writes")]
    embeddings: Annotated[Path | None, Meta(description="what `tagsight fleet embeddings --out` writes")] = (
        None
    )
    words: Annotated[Path | None, Meta(description="what `tagsight fleet embeddings --words` writes")] = None


class FleetSettings(FleetSection, frozen=True):
    """One service."""

    warehouse: Path
    events: Annotated[list[Path], Meta(description="databases that `tagsight uplink receive` fills")] = field(
        default_factory=list
    )
    files: Annotated[list[Path], Meta(description="files of lines or CSV that are followed")] = field(
        default_factory=list
    )
    sources: Annotated[
        dict[Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,40}$")], Path],
        Meta(description="tables beside the warehouse's, by name: CSV or Parquet"),
    ] = field(default_factory=dict)
    chains: Annotated[dict[str, list[str]], Meta(description="stores by chain")] = field(default_factory=dict)
    users: list[ApiUser] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8480
    refresh_s: Annotated[float, Meta(gt=0, le=3600, description="how often sources are looked at")] = 1.0
    limits: Limits = Limits()
    retention: VisitorRetention | None = None
    replica: Replica | None = None
    forecast: Annotated[
        Path | None, Meta(description="what `tagsight fleet forecast` writes, for the board's charts")
    ] = None
    garments: GarmentFiles | None = None
    board: BoardSettings = BoardSettings()

    def sites_of(self, user: ApiUser) -> frozenset[str] | None:
        """The stores a user may see; None for all."""
        if not user.sites and not user.chains:
            return None
        return frozenset(user.sites).union(*(self.chains[chain] for chain in user.chains))

    def user_of(self, token: str) -> ApiUser | None:
        """Whose token it is."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        return next((user for user in self.users if user.token_sha256 == digest), None)


def load(file: Path) -> FleetSettings:
    """Read fleet.yaml; relative paths begin at its folder. Raises FleetError naming the key."""
    settings = read_yaml(
        file,
        FleetSettings,
        _check,
        FleetError,
        name="service's file",
        empty="the key warehouse is missing",
        hook=_path,
    )
    folder = file.resolve().parent
    return msgspec.structs.replace(
        settings,
        warehouse=folder / settings.warehouse,
        events=[folder / path for path in settings.events],
        files=[folder / path for path in settings.files],
        sources={name: folder / path for name, path in settings.sources.items()},
        forecast=settings.forecast and folder / settings.forecast,
        garments=settings.garments and _in(folder, settings.garments),
        replica=settings.replica
        and msgspec.structs.replace(settings.replica, file=folder / settings.replica.file),
    )


def _in(folder: Path, files: GarmentFiles) -> GarmentFiles:
    return GarmentFiles(
        catalogue=folder / files.catalogue,
        embeddings=files.embeddings and folder / files.embeddings,
        words=files.words and folder / files.words,
    )


def _path(wanted: type, given: object) -> Path:
    if wanted is Path and isinstance(given, str) and given:
        return Path(given)
    raise ValueError("a path")


def _check(settings: FleetSettings) -> None:
    for place, user in enumerate(settings.users):
        for chain in user.chains:
            if chain not in settings.chains:
                known = ", ".join(sorted(settings.chains)) or "none is given"
                raise KeyFault(f"users.{place}.chains", f"no chain is called {chain!r}; chains: {known}")
    tokens = [user.token_sha256 for user in settings.users]
    if len(set(tokens)) < len(tokens):
        raise KeyFault("users", "two have the same token; give each one of their own")
    if not settings.users and settings.host not in LOOPBACK_HOSTS:
        raise KeyFault(
            "host", f"{settings.host} lets everybody in; list users with tokens, or set host: 127.0.0.1"
        )
    files = settings.garments
    if files is not None and (files.embeddings is None) != (files.words is None):
        missing = "embeddings" if files.embeddings is None else "words"
        raise KeyFault(
            f"garments.{missing}", "is missing: pictures are found by embeddings and words of one run"
        )
    for name, path in settings.sources.items():
        if path.suffix.lower() not in (".csv", ".parquet"):
            raise KeyFault(f"sources.{name}", f"{path} is neither .csv nor .parquet")
