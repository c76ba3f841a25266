"""Which cameras answer in this network: a WS-Discovery 1.0 probe for network video transmitters.

The probe goes out of every IPv4 interface as one datagram to 239.255.255.250:3702, three times, for one
may be lost; whoever is meant answers to the port it came from (ONVIF Core Specification, chapter 7).
"""

from __future__ import annotations

import select
import socket
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from urllib.parse import unquote, urlsplit

import ifaddr
from lxml import etree

from runtime.network_cameras.errors import OnvifError

GROUP, PORT = "239.255.255.250", 3702
TIMES, APART_S = 3, 0.3
MAX_DATAGRAM = 65_535
MAX_CAMERAS = 1024
"""No shop has more; what answers beyond is not listed."""
MAX_TEXT = 200

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
NETWORK = "http://www.onvif.org/ver10/network/wsdl"
SCOPE = "onvif://www.onvif.org/"


@dataclass(frozen=True)
class FoundCamera:
    """One that answered. `address` is what `probe` takes; what it does not say is empty."""

    address: str
    name: str
    hardware: str
    location: str


def find(seconds: float, interfaces: Iterable[IPv4Address] | None = None) -> list[FoundCamera]:
    """Ask out of these interfaces (all but loopback), wait, and list who answered, by address.

    Raises OnvifError where there is no network to ask in.
    """
    chosen = list(own_addresses() if interfaces is None else interfaces)
    sockets = [made for made in map(_socket, chosen) if made is not None]
    if not sockets:
        raise OnvifError(
            "no network interface can be asked; is a cable in, has this machine an IPv4 address?"
        )
    message = f"urn:uuid:{uuid.uuid4()}"
    found: dict[str, FoundCamera] = {}
    end_s = time.monotonic() + seconds
    sends_s = [time.monotonic() + APART_S * number for number in range(TIMES)]
    try:
        while (now_s := time.monotonic()) < end_s:
            if sends_s and now_s >= sends_s[0]:
                sends_s.pop(0)
                _send(sockets, _probe(message))
            wait_s = max(0.0, min([end_s, *sends_s[:1]]) - now_s)
            for ready in select.select(sockets, [], [], wait_s)[0]:
                body, (host, _) = ready.recvfrom(MAX_DATAGRAM)
                camera = read_answer(body, message, host)
                if camera is not None and len(found) < MAX_CAMERAS:
                    found[camera.address] = camera
    finally:
        for made in sockets:
            made.close()
    return [found[address] for address in sorted(found, key=_order)]


def own_addresses() -> list[IPv4Address]:
    """This machine's IPv4 addresses in networks."""
    addresses = [
        IPv4Address(one.ip) for adapter in ifaddr.get_adapters() for one in adapter.ips if one.is_IPv4
    ]
    return [one for one in addresses if not one.is_loopback]


def read_answer(body: bytes, message: str, host: str) -> FoundCamera | None:
    """The camera that a datagram from `host` tells of; None where it is no answer to the probe `message`."""
    try:
        root = etree.fromstring(body, _parser())
    except (etree.XMLSyntaxError, ValueError):
        return None
    if _text(root, f"{{{ADDRESSING}}}RelatesTo") != message:
        return None
    match = root.find(f".//{{{DISCOVERY}}}ProbeMatch")
    if match is None or "NetworkVideoTransmitter" not in _text(match, f"{{{DISCOVERY}}}Types"):
        return None
    address = _nearest(_text(match, f"{{{DISCOVERY}}}XAddrs").split(), host)
    if address is None:
        return None
    said = _scopes(_text(match, f"{{{DISCOVERY}}}Scopes").split())
    return FoundCamera(address, said.get("name", ""), said.get("hardware", ""), said.get("location", ""))


def _socket(interface: IPv4Address) -> socket.socket | None:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface.packed)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        made.bind((str(interface), 0))
    except OSError:
        made.close()
        return None
    return made


def _send(sockets: list[socket.socket], body: bytes) -> None:
    """One interface may be without a network; raises OnvifError where all are."""
    refusals: list[str] = []
    for made in sockets:
        try:
            made.sendto(body, (GROUP, PORT))
        except OSError as error:
            refusals.append(error.strerror or str(error))
    if len(refusals) == len(sockets):
        raise OnvifError(f"the network cannot be asked ({refusals[0]})")


def _probe(message: str) -> bytes:
    names = {"s": SOAP, "a": ADDRESSING, "d": DISCOVERY, "n": NETWORK}
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=names)
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    etree.SubElement(header, f"{{{ADDRESSING}}}Action").text = f"{DISCOVERY}/Probe"
    etree.SubElement(header, f"{{{ADDRESSING}}}MessageID").text = message
    etree.SubElement(header, f"{{{ADDRESSING}}}To").text = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
    probe = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP}}}Body"), f"{{{DISCOVERY}}}Probe")
    etree.SubElement(probe, f"{{{DISCOVERY}}}Types").text = "n:NetworkVideoTransmitter"
    return bytes(etree.tostring(envelope, xml_declaration=True, encoding="utf-8"))


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)


def _text(root: etree._Element, name: str) -> str:
    found = root.find(f".//{name}")
    return "" if found is None or found.text is None else found.text.strip()


def _nearest(addresses: Iterable[str], host: str) -> str | None:
    """Of a camera's own addresses the one that answered, else its first."""
    good = [one for one in addresses if _host(one) is not None]
    return next((one for one in good if _host(one) == host), good[0] if good else None)


def _host(address: str) -> str | None:
    if len(address) > MAX_TEXT or not address.isprintable():
        return None
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return host if parts.scheme in ("http", "https") else None


def _scopes(scopes: Iterable[str]) -> dict[str, str]:
    """`onvif://www.onvif.org/name/Front%20door` and its like, as what they say by their first word."""
    said: dict[str, str] = {}
    for scope in scopes:
        word, slash, rest = scope.removeprefix(SCOPE).partition("/")
        if scope.startswith(SCOPE) and slash:
            shown = "".join(letter for letter in unquote(rest)[:MAX_TEXT] if letter.isprintable())
            said.setdefault(word.lower(), shown)
    return said


def _order(address: str) -> tuple[int, str]:
    try:
        return int(IPv4Address(_host(address) or "")), address
    except ValueError:
        return 2**32, address
