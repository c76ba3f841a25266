"""Why a broker refuses or cannot be reached, in words that say what to check."""

from __future__ import annotations

import socket
import ssl

from paho.mqtt.reasoncodes import ReasonCode

CONNECT_TIMEOUT_S = 5.0


def reason_text(reason: ReasonCode) -> str:
    """The reason in words, with its number."""
    return f"{str(reason).lower()} (reason {reason.value})"


def why_unreachable(error: Exception, section: str = "uplink") -> str:
    """What is wrong between here and the broker that a section of store.yaml names."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the broker's certificate is not accepted ({error.verify_message}); "
            f"check {section}.tls.ca and {section}.host"
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"TLS failed ({error.reason or error}); check that the port speaks TLS and the certificates fit"
        )
    if isinstance(error, socket.gaierror):
        return f"no such host; check {section}.host and the name server"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens there; check {section}.host and {section}.port, and that the broker runs"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_S:.0f} s; check {section}.host and the network"
    return f"cannot be reached ({error})"
