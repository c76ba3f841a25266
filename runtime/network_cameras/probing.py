"""What one camera is and which streams it has, asked of it over ONVIF (the media service of profile S)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml
import zeep.exceptions

from runtime.network_cameras.errors import OnvifError
from runtime.network_cameras.soap import DEVICE, MEDIA, OnvifServices

MAX_PROFILES = 32
MAX_TEXT = 200
DEVICE_PATH = "/onvif/device_service"
SETUP = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
REFUSALS = ("notauthorized", "not authorized", "unauthorized", "authority failure", "failedauthentication")
NO_ANSWER = "is it on, and is ONVIF switched on in its settings?"
WANTS_LOGIN = "it wants a login: give --username and --password-file"
REFUSES_LOGIN = (
    "it refuses this login; many cameras have ONVIF users of their own: make one there, and see that its "
    "clock is right"
)


@dataclass(frozen=True)
class VideoProfile:
    """One profile's video. `uri` has no login; sizes and `fps` are 0 where the camera does not say them."""

    profile: str
    coding: str
    width: int
    height: int
    fps: float
    uri: str


@dataclass(frozen=True)
class ProbedCamera:
    """`clock_off_s` is how far the camera's clock is ahead of ours; None where it does not tell."""

    manufacturer: str
    model: str
    firmware: str
    clock_off_s: float | None
    streams: tuple[VideoProfile, ...]


def device_address(address: str) -> str:
    """Of `192.0.2.10`, `192.0.2.10:8000` or a whole address, its device service. Raises OnvifError."""
    try:
        parts = urlsplit(address if "//" in address else f"http://{address}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise OnvifError(
            f"{_shown(address)}: no address of a camera; 192.0.2.10 or 192.0.2.10:8000 would be one"
        )
    if "@" in parts.netloc:
        raise OnvifError("give the login by --username and --password-file, not in the address")
    path = DEVICE_PATH if parts.path in ("", "/") else parts.path
    return f"{parts.scheme}://{parts.netloc}{path}"


def probe(address: str, username: str | None, password: str | None) -> ProbedCamera:
    """Ask a camera. Raises OnvifError: it is silent, refuses the login, or answers what is no ONVIF."""
    at = device_address(address)
    name = urlsplit(at).netloc
    camera = OnvifServices(name, username, password)
    try:
        return _asked(camera, at, name)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise OnvifError(f"{name}: no answer ({_innermost(error)}); {NO_ANSWER}") from error
    except (zeep.exceptions.Error, requests.RequestException) as error:
        said = " ".join(str(error).split())
        codes = " ".join(str(code) for code in getattr(error, "subcodes", None) or ())
        if any(word in f"{said} {codes}".lower() for word in REFUSALS):
            refusal = WANTS_LOGIN if username is None else REFUSES_LOGIN
            raise OnvifError(f"{name}: {refusal}") from error
        raise OnvifError(f"{name}: it does not answer as ONVIF does ({_shown(said)})") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise OnvifError(f"{name}: its answers are no ONVIF, or lack parts ({_shown(error)})") from error
    finally:
        camera.close()


def _asked(camera: OnvifServices, at: str, name: str) -> ProbedCamera:
    clock_off = _clock_off(camera, at)
    device = camera.service(DEVICE, at, clock_off)
    about = device.GetDeviceInformation()
    media = camera.service(MEDIA, _beside(_media_address(device), at), clock_off)
    streams = []
    for profile in (media.GetProfiles() or [])[:MAX_PROFILES]:
        if profile.VideoEncoderConfiguration is None:
            continue
        found = media.GetStreamUri(StreamSetup=SETUP, ProfileToken=profile.token)
        streams.append(_stream(profile, _without_login(str(found.Uri or ""), name)))
    return ProbedCamera(
        _shown(about.Manufacturer),
        _shown(about.Model),
        _shown(about.FirmwareVersion),
        None if clock_off is None else clock_off.total_seconds(),
        tuple(streams),
    )


def _clock_off(camera: OnvifServices, at: str) -> datetime.timedelta | None:
    """A login carries a time, which a camera judges by its own clock. It is asked without one."""
    try:
        said = camera.service(DEVICE, at).GetSystemDateAndTime().UTCDateTime
        there = datetime.datetime(
            *(said.Date.Year, said.Date.Month, said.Date.Day),
            *(said.Time.Hour, said.Time.Minute, min(said.Time.Second, 59)),
            tzinfo=datetime.timezone.utc,
        )
    except (zeep.exceptions.Fault, ArithmeticError, AttributeError, TypeError, ValueError):
        return None
    return there - datetime.datetime.now(datetime.timezone.utc)


def _media_address(device: Any) -> str:
    """Where the media service is; old cameras know the old question only."""
    try:
        services = device.GetServices(IncludeCapability=False) or []
    except zeep.exceptions.Fault:
        services = []
    for one in services:
        if one.Namespace == MEDIA:
            return str(one.XAddr)
    return str(device.GetCapabilities(Category="Media").Media.XAddr)


def _beside(address: str, at: str) -> str:
    """The service at the host that answered: the one it names may be behind a translation."""
    return urlsplit(at)._replace(path=urlsplit(address).path).geturl()


def _stream(profile: Any, uri: str) -> VideoProfile:
    encoder = profile.VideoEncoderConfiguration
    size, rate = encoder.Resolution, encoder.RateControl
    return VideoProfile(
        _shown(profile.Name or profile.token),
        _shown(encoder.Encoding),
        int(size.Width or 0) if size is not None else 0,
        int(size.Height or 0) if size is not None else 0,
        float(rate.FrameRateLimit or 0) if rate is not None else 0.0,
        uri,
    )


def _without_login(uri: str, name: str) -> str:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or len(uri) > 2 * MAX_TEXT or not uri.isprintable():
        raise OnvifError(f"{name}: names no address of a stream")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _innermost(error: BaseException) -> str:
    """What the system said, without the layers of HTTP around it."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return _shown(str(reason).rpartition(": ")[2] or type(error).__name__)


def _shown(text: object) -> str:
    return "".join(letter for letter in str(text or "")[:MAX_TEXT] if letter.isprintable()).strip()


def store_yaml(camera: ProbedCamera, name: str, login: Mapping[str, str]) -> str:
    """The camera's part of store.yaml: its largest stream, and its smallest as the substream."""
    playable = [one for one in camera.streams if one.coding.upper() != "JPEG"] or list(camera.streams)
    by_size = sorted(playable, key=lambda one: one.width * one.height, reverse=True)
    entry = {"name": name, "uri": by_size[0].uri}
    if by_size[-1].uri != by_size[0].uri:
        entry["substream"] = by_size[-1].uri
    return yaml.safe_dump({"cameras": [entry | dict(login)]}, sort_keys=False, allow_unicode=True)
