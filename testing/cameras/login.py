"""The login of a fake network camera: Basic, and Digest with its nonces (RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re

from testing.cameras.manner import Manner

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class CameraLogin:
    """Of one connection."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._nonce, self._used = "n0", 0

    def challenges(self, nonce: str) -> list[str]:
        """What a viewer is asked for, by each way that is offered; from now on with that nonce."""
        self._nonce, self._used = nonce, 0
        digest = f'Digest realm="camera", nonce="{self._nonce}"'
        digest += f', qop="{self._manner.protection}"' if self._manner.protection else ""
        named = {"Basic": 'Basic realm="camera"', "MD5": digest, "SHA-256": f"{digest}, algorithm=SHA-256"}
        return [named.get(way, f'{way} realm="camera"') for way in self._manner.login]

    def knows(self, method: str, authorization: str) -> bool:
        """Whether that is the login, by one of the ways offered."""
        manner = self._manner
        scheme, _, rest = authorization.partition(" ")
        if scheme == "Basic":
            right = base64.b64encode(f"{manner.user}:{manner.password}".encode()).decode()
            return "Basic" in manner.login and rest == right
        given: dict[str, str] = {
            name: a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', rest)
        }
        algorithm = given.get("algorithm", "MD5")
        self._used += 1
        if (
            scheme != "Digest"
            or algorithm not in manner.login
            or given["nonce"] != self._nonce
            or self._used > manner.nonces
        ):
            return False

        def digest(*words: str) -> str:
            return _HASHES[algorithm](":".join(words).encode()).hexdigest()

        secret = digest(manner.user, "camera", manner.password)
        asked = digest(method, given["uri"])
        if not manner.protection:
            return bool(given["response"] == digest(secret, given["nonce"], asked))
        if given.get("qop", "none") not in manner.protection.split(","):
            return False
        if given["qop"] == "auth-int":
            asked = digest(method, given["uri"], digest(""))
        counted = (given["nc"], given["cnonce"], given["qop"])
        return bool(given["response"] == digest(secret, given["nonce"], *counted, asked))
