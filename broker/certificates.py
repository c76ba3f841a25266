"""This device's certificate: how long it is valid, and how to ask for one."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.errors import BrokerError
from broker.settings import TlsFiles
from contract.envelope import Origin


def expiry_of(tls: TlsFiles | bool) -> float | None:
    """When our own certificate expires, UTC seconds; None where none is configured. Raises BrokerError."""
    return None if isinstance(tls, bool) or tls.cert is None else expiry_s(tls.cert)


def expiry_s(path: Path) -> float:
    """When the first of the certificates in a PEM file expires, UTC seconds. Raises BrokerError."""
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise BrokerError(f"{path}: the certificate cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BrokerError(f"{path}: no certificate in PEM form") from error
    return min(certificate.not_valid_after_utc.timestamp() for certificate in certificates)


def provision(origin: Origin, folder: Path) -> tuple[Path, Path]:
    """Write a new private key (mode 0600) and a certificate request for SITE/DEVICE; returns both paths.

    Raises BrokerError where a key is there already: a key is never overwritten.
    """
    key_path, request_path = folder / "device.key", folder / "device.csr"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"{origin.site}/{origin.device}"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, origin.site),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        request_path.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    except FileExistsError as error:
        raise BrokerError(
            f"{key_path}: there is a key already; move it away if a new one is wanted"
        ) from error
    except OSError as error:
        raise BrokerError(f"{folder}: the key cannot be written ({error.strerror})") from error
    return key_path, request_path
