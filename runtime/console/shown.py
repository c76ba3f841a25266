"""What the pages show of a store, and where they are.

No address of a camera or reader, no password and no article of the store is in it.
"""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from runtime.config import StoreConfig, image_to_floor
from runtime.config.sections import Antenna, Entrance, Fixture, Zone
from runtime.config.sections.words import Matrix

LOOPBACK = ("127.0.0.1", "::1")
EVERY_NETWORK = ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)


class ShownCamera(msgspec.Struct, frozen=True):
    """A camera: `floor_map` takes pixels of a picture of `image_size` to floor metres."""

    name: str
    analysis_fps: float
    floor_map: Matrix | None = None
    image_size: tuple[int, int] | None = None
    at: tuple[float, float] | None = None


class ShownStore(msgspec.Struct, frozen=True, kw_only=True):
    """By the keys of store.yaml; a running console can take up another one."""

    pictures: bool
    extent_m: tuple[float, float, float, float]
    floor_image: Path | None
    """The store's own drawing, which fills the extent."""
    cameras: list[ShownCamera]
    entrances: list[Entrance]
    zones: list[Zone]
    fixtures: list[Fixture]
    antennas: dict[str, list[Antenna]]
    """By reader."""

    @classmethod
    def of(cls, config: StoreConfig) -> ShownStore:
        """From the configuration."""
        return cls(
            pictures=config.console.pictures,
            extent_m=config.floor.extent(),
            floor_image=config.floor.image,
            cameras=[
                ShownCamera(
                    camera.name,
                    camera.analysis_fps,
                    None
                    if (found := image_to_floor(camera)) is None
                    else msgspec.convert(found.matrix.tolist(), Matrix),
                    camera.image_size,
                    camera.at,
                )
                for camera in config.cameras
            ],
            entrances=config.entrances,
            zones=config.zones,
            fixtures=[
                msgspec.structs.replace(fixture, skus=[], epcs_file=None) for fixture in config.fixtures
            ],
            antennas={reader.name: reader.antennas for reader in config.readers},
        )


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pages are, and whose; another one takes a restart. `folder` keeps users and keys."""

    site: str
    device: str
    timezone: str
    folder: Path
    outbox: Path
    host: str
    port: int
    cert: Path | None
    key: Path | None
    names: list[str]
    days_kept: int = 7
    """For so many days the outbox keeps events, about."""
    file: Path | None = None
    """The configuration, where the shop can be drawn."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the pages."""
        return self.host in LOOPBACK

    @property
    def has_tls(self) -> bool:
        """Whether they are served with TLS: always beyond this machine."""
        return self.cert is not None or not self.is_loopback

    def url(self) -> str:
        """How a browser calls them."""
        names = ["localhost"] if self.is_loopback else [*self.names, *own_addresses(self.host), self.host]
        shown = names[0]
        bare = f"[{shown}]" if ":" in shown else shown
        return f"{'https' if self.has_tls else 'http'}://{bare}:{self.port}/"

    @classmethod
    def of(cls, config: StoreConfig) -> Setup:
        """From the configuration."""
        console = config.console
        return cls(
            site=config.site.name,
            device=config.site.device,
            timezone=config.site.timezone,
            folder=config.state_dir / "console",
            outbox=config.outbox_path(),
            host=console.host,
            port=console.port,
            cert=console.cert,
            key=console.key,
            names=console.names,
            days_kept=max(1, int(config.retention.events_days)),
            file=config.file,
        )


def own_addresses(host: str) -> list[str]:
    """The addresses of this machine that others reach a listener on `host` by, as far as it knows."""
    if host not in EVERY_NETWORK:
        return [host]
    far = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(far[0], socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far[1], 9))
        except OSError:
            return []
        return [str(probe.getsockname()[0])]
