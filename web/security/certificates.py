"""A self-signed certificate for a box without one of its own, and the fingerprint to know it by."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from web.errors import WebError
from web.security.private_files import write_private

VALID_DAYS = 397
"""What browsers accept at most."""
RENEW_DAYS = 30


def self_signed(folder: Path, names: Iterable[str]) -> tuple[Path, Path]:
    """Certificate and key for these names and addresses, made where there are none or they end soon.

    Raises WebError where the folder takes none.
    """
    cert, key = folder / "self-signed.pem", folder / "self-signed.key"
    wanted = {name.lower() for name in (*names, "localhost", "127.0.0.1", socket.gethostname())}
    if not (cert.is_file() and key.is_file() and _serves(cert, wanted)):
        _make(cert, key, wanted)
    return cert, key


def fingerprint(cert: Path) -> str:
    """SHA-256 of the certificate, as browsers show it. Raises WebError."""
    return ":".join(f"{byte:02X}" for byte in _read(cert).fingerprint(hashes.SHA256()))


def days_left(cert: Path) -> float:
    """Until it ends. Raises WebError."""
    return (_end(_read(cert)) - datetime.now(timezone.utc)) / timedelta(days=1)


def _read(cert: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(cert.read_bytes())
    except (OSError, ValueError) as error:
        raise WebError(
            f"{cert}: not a certificate that can be read ({error}); a PEM file is right"
        ) from error


def _end(cert: x509.Certificate) -> datetime:
    later = getattr(cert, "not_valid_after_utc", None)
    return later if isinstance(later, datetime) else cert.not_valid_after.replace(tzinfo=timezone.utc)


def _serves(cert: Path, wanted: set[str]) -> bool:
    try:
        found = _read(cert)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (WebError, x509.ExtensionNotFound):
        return False
    has = {str(each.value).lower() for each in names}
    return wanted <= has and _end(found) - datetime.now(timezone.utc) > timedelta(days=RENEW_DAYS)


def _make(cert: Path, key: Path, names: set[str]) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tagsight")])
    now = datetime.now(timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(
            x509.SubjectAlternativeName([_general(each) for each in sorted(names)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    write_private(
        key,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    write_private(cert, built.public_bytes(serialization.Encoding.PEM))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
