"""What one store's config names: its cameras, its readers and its broker."""

from __future__ import annotations

import contextlib
import socket
import ssl
import stat
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from runtime.config import Camera, Reader, StoreConfig, Tls, Uplink, source_uri
from runtime.doctor import state
from runtime.doctor.findings import Check, Finding

SOON_DAYS = 30.0
DAY_S = 86_400.0


def checks(store: StoreConfig, limit_s: float) -> list[Check]:
    """A check for each camera, each reader, the broker and its certificates."""
    found = [
        Check(f"camera {entry.name}", partial(camera, entry), "see that it has power and is on this network")
        for entry in store.cameras
    ]
    found += [
        Check(f"reader {entry.name}", partial(reader, entry, limit_s), "see that it has power and LLRP is on")
        for entry in store.readers
    ]
    found += [
        Check(
            f"flips {entry.name}",
            partial(flips, entry.calibration),
            "make one with tagsight calibrate antenna",
        )
        for entry in store.readers
        if entry.calibration is not None
    ]
    secrets = _secret_files(store)
    if secrets:
        found.append(Check("secrets", partial(private, secrets), "chmod 600 them"))
    found.append(
        Check(
            "state",
            partial(state.folder, store),
            "the daemon stays up, says this, and goes on once it is mended",
        )
    )
    found.append(Check("broker", partial(broker, store.uplink), "see that it runs and this box may connect"))
    if store.uplink.tls:
        remedy = "get new certificates before they expire"
        found.append(Check("certificates", partial(certificates, store.uplink, limit_s), remedy))
    return found


def camera(entry: Camera) -> Finding:
    """The camera's first frame. Raises its source's error."""
    from runtime.frames.opening import open_source
    from runtime.frames.sources import read

    source = open_source(source_uri(entry), transport=entry.transport)
    try:
        frame = read(source)
    finally:
        source.close()
    if frame is None:
        return Finding(
            "missing", f"{source.label} holds no picture", "give a camera that is on, or a whole file"
        )
    height, width = frame.image.shape[:2]
    found = f"{width} x {height}" + (f", {source.fps:g} frames a second" if source.fps else "")
    if entry.image_size is not None and entry.image_size != (width, height):
        measured = " x ".join(map(str, entry.image_size))
        same_shape = abs(entry.image_size[0] * height - entry.image_size[1] * width) <= height
        if not same_shape:
            return Finding(
                "missing", f"{found}; its floor map was measured at {measured}", "measure the floor again"
            )
        return Finding("ok", f"{found}; its floor map, measured at {measured}, is scaled")
    if frame.image.mean() < 8:
        return Finding("weak", f"{found}, and black", "take the lens cap off, or switch the light on")
    return Finding("ok", found)


def reader(entry: Reader, limit_s: float) -> Finding:
    """The reader greets us by LLRP. Raises ReaderError."""
    from rfid_reader.session.connection import Connection
    from rfid_reader.settings import Timing
    from runtime.reader_settings import settings_of

    timing = Timing(connect_s=limit_s / 2, answer_s=limit_s / 2)
    settings = replace(settings_of(entry), timing=timing)
    began_s = time.monotonic()
    connection = Connection(settings, lambda _: None, lambda _: None, lambda: None)
    try:
        connection.handshake()
    finally:
        connection.close()
    return Finding(
        "ok", f"{entry.host}:{entry.tcp_port()} answers LLRP in {(time.monotonic() - began_s) * 1e3:.0f} ms"
    )


def flips(calibration: Path) -> Finding:
    """What the calibration says about how well handled garments will be found. Raises ReaderError."""
    from rfid_reader.antenna_calibration import load_calibration
    from rfid_reader.expected_flips import WORTHWHILE_F1, expected_of

    known = load_calibration(calibration)
    expected = expected_of(known)
    if expected is None:
        return Finding("weak", f"{calibration} knows no tag", "record a quiet store with its tags in reach")
    if expected.mean < WORTHWHILE_F1:
        remedy = "see what tagsight calibrate antenna --report says: more antennas, a faster mode, more power"
        return Finding("weak", expected.sentence, remedy)
    return Finding("ok", expected.sentence)


def private(secrets: list[Path]) -> Finding:
    """Files of passwords and keys are their owner's alone. Raises OSError."""
    loose = [file for file in secrets if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if loose:
        listed = ", ".join(str(file) for file in loose)
        return Finding("missing", f"other users can read {listed}", f"chmod 600 {' '.join(map(str, loose))}")
    return Finding("ok", f"{len(secrets)} file{'s' if len(secrets) > 1 else ''}, readable by the owner only")


def _secret_files(store: StoreConfig) -> list[Path]:
    named = [entry.password_file for entry in store.cameras]
    named.append(store.uplink.password_file)
    if isinstance(store.uplink.tls, Tls):
        named.append(store.uplink.tls.key)
    return [file for file in named if file is not None]


def broker(uplink: Uplink) -> Finding:
    """The broker lets this box in. Raises BrokerError."""
    from broker.mqtt import MqttClient
    from runtime.uplink.configured import broker_settings

    link = MqttClient(broker_settings(uplink), f"tagsight-doctor-{time.time_ns() % 10**9}")
    link.connect()
    link.disconnect()
    version = "5" if uplink.protocol == 5 else "3.1.1"
    return Finding(
        "ok",
        f"{uplink.host}:{uplink.tcp_port()} takes us by MQTT {version}" + (", TLS" if uplink.tls else ""),
    )


def certificates(uplink: Uplink, limit_s: float) -> Finding:
    """How long this box's and the broker's certificates are still good. Raises BrokerError, OSError."""
    from broker.certificates import expiry_of
    from broker.secrets import tls_context
    from runtime.uplink.configured import broker_settings

    now_s = time.time()
    left = {}
    tls = broker_settings(uplink).tls
    own_s = expiry_of(tls)
    if own_s is not None:
        left["this box's"] = (own_s - now_s) / DAY_S
    context = tls_context(tls)
    if context is not None:
        with contextlib.suppress(ssl.SSLError), _tls(context, uplink, limit_s) as link:
            expiry = (link.getpeercert() or {}).get("notAfter")
            if isinstance(expiry, str):
                left["the broker's"] = (ssl.cert_time_to_seconds(expiry) - now_s) / DAY_S
    if not left:
        return Finding("weak", "their age could not be seen", "see what the broker says above")
    found = ", ".join(f"{whose} is good for {days:.0f} days" for whose, days in left.items())
    if min(left.values()) <= 0:
        return Finding("missing", f"{found}: expired", "get new certificates")
    if min(left.values()) < SOON_DAYS:
        return Finding("weak", found, "get new certificates before they expire")
    return Finding("ok", found)


def _tls(context: ssl.SSLContext, uplink: Uplink, limit_s: float) -> ssl.SSLSocket:
    plain = socket.create_connection((uplink.host, uplink.tcp_port()), timeout=limit_s / 2)
    try:
        return context.wrap_socket(plain, server_hostname=uplink.host)
    except OSError:
        plain.close()
        raise
