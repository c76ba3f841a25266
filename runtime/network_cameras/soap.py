"""A camera's ONVIF services as Python objects: zeep over ONVIF's own WSDL, answers of bounded size."""

from __future__ import annotations

import datetime
import importlib.util
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import urllib3
import zeep.exceptions
from requests.auth import HTTPDigestAuth
from zeep import Client, Settings
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from runtime.network_cameras.errors import OnvifError

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
SERVICES = {DEVICE: ("devicemgmt.wsdl", "DeviceBinding"), MEDIA: ("media.wsdl", "MediaBinding")}
MAX_ANSWER = 4 << 20
"""Bytes of one answer; the longest seen, of profiles with all their settings, have some hundred thousand."""
CONNECT_S, READ_S = 5.0, 10.0
MAX_S = 30.0
"""For all answers together: a camera that trickles them is given up."""
PART = 16_384

logging.getLogger("zeep.xsd").setLevel(logging.CRITICAL)
"""It would print a trace of each value that is none, and leave the value out."""


class OnvifServices:
    """Asks the services of one camera. Every call raises what zeep and requests raise, and OnvifError."""

    def __init__(self, name: str, username: str | None, password: str | None) -> None:
        self._transport = _Bounded(name, username, password)
        self._login = username, password
        self._clients: dict[str, Client] = {}

    def service(self, space: str, address: str, clock_off: datetime.timedelta | None = None) -> Any:
        """What answers at an address, logged in where there is a login, by the camera's own clock."""
        username, password = self._login
        client = self._client(space)
        client.wsse = None
        if username is not None:
            created = datetime.datetime.now(datetime.timezone.utc) + (clock_off or datetime.timedelta())
            client.wsse = UsernameToken(
                username, password or "", use_digest=True, created=created, zulu_timestamp=True
            )
        return client.create_service(f"{{{space}}}{SERVICES[space][1]}", address)

    def close(self) -> None:
        self._transport.session.close()

    def _client(self, space: str) -> Client:
        if space not in self._clients:
            settings = Settings(strict=False, xml_huge_tree=False, forbid_entities=True)
            file = _definitions() / SERVICES[space][0]
            self._clients[space] = Client(str(file), transport=self._transport, settings=settings)
        return self._clients[space]


def _definitions() -> Path:
    """The folder of ONVIF's own definitions, which come with onvif-zeep-async."""
    found = importlib.util.find_spec("onvif")
    if found is None or not found.submodule_search_locations:
        raise ImportError("onvif-zeep-async")
    return Path(found.submodule_search_locations[0], "wsdl")


class _Bounded(Transport):
    """HTTP that follows nobody, believes any certificate (cameras sign their own), and reads so much."""

    def __init__(self, name: str, username: str | None, password: str | None) -> None:
        session = requests.Session()
        session.trust_env = False
        session.verify = False
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        super().__init__(session=session)
        self._name = name
        self._auth = None if username is None else HTTPDigestAuth(username, password or "")
        self._end_s = time.monotonic() + MAX_S

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> requests.Response:
        """The answer, whole. A camera that wants HTTP's Digest login besides ONVIF's gets it."""
        response: requests.Response
        with self.session.post(
            address,
            data=message,
            headers=headers,
            auth=self._auth,
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_S, READ_S),
        ) as response:
            body = bytearray()
            for part in response.iter_content(PART):
                body += part
                if len(body) > MAX_ANSWER:
                    raise OnvifError(
                        f"{self._name}: its answer is longer than {MAX_ANSWER >> 20} MiB: no camera"
                    )
                if time.monotonic() > self._end_s:
                    raise OnvifError(f"{self._name}: gave no whole answer within {MAX_S:g} s")
        response._content = bytes(body)
        if response.status_code in (401, 403):
            raise zeep.exceptions.TransportError("unauthorized", response.status_code)
        return response
