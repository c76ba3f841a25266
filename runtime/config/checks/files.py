"""The files a config names: made absolute from the config's folder, and looked for."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from runtime.config.cameras import resolve_uri
from runtime.config.checks.image_size import size_of_image
from runtime.config.parsing.draft import Draft
from runtime.config.sections import Broker, Tls, Uplink
from runtime.config.sections.engines import NETWORK_KEYS
from tagsight.secret_files import open_to_others

SectionT = TypeVar("SectionT", bound=msgspec.Struct)
BrokerT = TypeVar("BrokerT", bound=Broker)
CREDENTIALS = ("password_file", "key", "cert", "ca", "tls_ca")
"""Keys of files that a service may be handed by systemd."""


def resolve_paths(draft: Draft) -> None:
    """Makes every path of the draft absolute; relative ones start at the config's folder."""
    folder = draft.folder
    draft.cameras = [
        (
            index,
            msgspec.structs.replace(_absolute(camera, folder), uri=resolve_uri(camera.uri, folder)),
        )
        for index, camera in draft.cameras
    ]
    draft.readers = [(index, _absolute(reader, folder)) for index, reader in draft.readers]
    draft.fixtures = [(index, _absolute(fixture, folder)) for index, fixture in draft.fixtures]
    if draft.epcs_file is not None:
        draft.epcs_file = folder / draft.epcs_file
    draft.uplink = _absolute_broker(draft.uplink, folder)
    draft.console = _absolute(draft.console, folder)
    draft.metrics = _absolute(draft.metrics, folder)
    draft.home_assistant = _absolute_broker(draft.home_assistant, folder)
    if draft.floor is not None:
        draft.floor = _absolute(draft.floor, folder)
    for key in NETWORK_KEYS:
        named = getattr(draft.engines, key)
        if is_model_file(named):
            model_file = str(folder / Path(named).expanduser())
            draft.engines = msgspec.structs.replace(draft.engines, **{key: model_file})
    draft.state_dir = folder / draft.state_dir


def is_model_file(network: str) -> bool:
    """Whether a network is named by a file and not by a name of the catalogue."""
    return network.endswith((".onnx", ".xml")) or "/" in network


def check_files(draft: Draft) -> None:
    """Every file that must be there is there."""
    for index, camera in draft.cameras:
        _check_file(draft, f"cameras[{index}].password_file", camera.password_file, "one line of text")
    for index, reader in draft.readers:
        _check_file(draft, f"readers[{index}].tls_ca", reader.tls_ca, "a PEM file")
        right = "tagsight calibrate antenna writes it"
        _check_file(draft, f"readers[{index}].calibration", reader.calibration, right)
    for key, broker in draft.brokers():
        _check_file(draft, f"{key}.password_file", broker.password_file, "one line of text")
    _check_private(draft)
    for key in NETWORK_KEYS:
        named = getattr(draft.engines, key)
        if is_model_file(named):
            right = "an .onnx file, or a name from tagsight engines list"
            _check_file(draft, f"engines.{key}", Path(named), right)
    if draft.state_dir.exists() and not draft.state_dir.is_dir():
        draft.note("state_dir", f"{draft.state_dir} is a file", "a folder, made when it is missing")


def _check_private(draft: Draft) -> None:
    """Files of secrets are their owner's alone."""
    secret = [
        (f"cameras[{index}].password_file", camera.password_file, "password file")
        for index, camera in draft.cameras
    ]
    for key, broker in draft.brokers():
        secret.append((f"{key}.password_file", broker.password_file, "password file"))
        if isinstance(broker.tls, Tls):
            secret.append((f"{key}.tls.key", broker.tls.key, "private key"))
    secret.append(("console.key", draft.console.key, "private key"))
    for path, file, what in secret:
        loose = ""
        if file is not None:
            with suppress(OSError):
                loose = open_to_others(file, what)
        if loose:
            wrong, _, right = loose.partition("; ")
            draft.note(path, wrong, right, "tolerated")


def absent_certificates(uplink: Uplink) -> list[Path]:
    """The files of `uplink.tls` that are not there.

    No mistake of the config: a box may count before its authority has answered, and keys are renewed while it
    runs. The uplink says it in its health.
    """
    if isinstance(uplink.tls, bool):
        return []
    named = (uplink.tls.ca, uplink.tls.cert, uplink.tls.key)
    return [file for file in named if file is not None and not file.is_file()]


def complete_floor(draft: Draft) -> None:
    """Fills in `extent_m` from the drawing's size and scale, and judges a given one."""
    plan = draft.floor
    if plan is None:
        return
    size = _drawing_size(draft, plan.image)
    if plan.extent_m is not None and plan.scale_px_per_m is not None:
        draft.note("floor.scale_px_per_m", "both scale_px_per_m and extent_m", "keep one of them")
    elif plan.extent_m is not None:
        x0, y0, x1, y1 = plan.extent_m
        if not (x0 < x1 and y0 < y1):
            draft.note("floor.extent_m", "the floor has no area", "[x0, y0, x1, y1] with x0 < x1 and y0 < y1")
            draft.floor = msgspec.structs.replace(plan, extent_m=None)
    elif plan.scale_px_per_m is None:
        draft.note("floor", "its size is unknown", "give extent_m, or image with scale_px_per_m")
    elif plan.image is None:
        draft.note("floor.scale_px_per_m", "a scale without a drawing", "give image too, or extent_m instead")
    elif size is not None:
        extent = (0.0, 0.0, size[0] / plan.scale_px_per_m, size[1] / plan.scale_px_per_m)
        draft.floor = msgspec.structs.replace(plan, extent_m=extent)


def _drawing_size(draft: Draft, image: Path | None) -> tuple[int, int] | None:
    if image is None:
        return None
    before = len(draft.notes.mistakes)
    _check_file(draft, "floor.image", image, "a PNG or JPEG of the floor plan")
    if len(draft.notes.mistakes) > before:
        return None
    size = size_of_image(image)
    if size is None:
        draft.note("floor.image", f"{image} is neither PNG nor JPEG", "export the plan as PNG")
    return size


def _check_file(draft: Draft, path: str, file: Path | None, right: str) -> None:
    if file is None:
        return
    try:
        with file.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        reason = (
            "there is no such file"
            if isinstance(error, FileNotFoundError)
            else (error.strerror or "unreadable")
        )
        draft.note(path, f"{file}: {reason.lower()}", f"{right}; relative paths start at {draft.folder}")


def _absolute_broker(broker: BrokerT, folder: Path) -> BrokerT:
    found = _absolute(broker, folder)
    if isinstance(found.tls, Tls):
        found = msgspec.structs.replace(found, tls=_absolute(found.tls, folder))
    return found


def _absolute(section: SectionT, folder: Path) -> SectionT:
    paths = {
        name: _handed_over(folder / value) if name in CREDENTIALS else folder / value
        for name in section.__struct_fields__
        if isinstance(value := getattr(section, name), Path)
    }
    return msgspec.structs.replace(section, **paths)


def _handed_over(file: Path) -> Path:
    """The file, or what systemd hands over under its name (LoadCredential=) where only root can read it."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY", "")
    credential = Path(credentials, file.name)
    return credential if credentials and credential.is_file() else file
