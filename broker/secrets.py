"""Passwords, keys and certificates: only from files, only from files that others cannot read."""

from __future__ import annotations

import ssl
from pathlib import Path

from broker.errors import BrokerError
from broker.settings import TlsFiles
from tagsight.secret_files import open_to_others, read_secret


def check_private(path: Path, what: str) -> None:
    """Raises BrokerError where the file of a secret is absent or open to other users."""
    try:
        loose = open_to_others(path, what)
    except OSError as error:
        raise BrokerError(f"{path}: the {what} cannot be read ({error.strerror})") from error
    if loose:
        raise BrokerError(loose)


def read_password(path: Path) -> str:
    """The first line of a password file that only its owner can read. Raises TagsightError."""
    check_private(path, "password file")
    return read_secret(path)


def tls_context(tls: TlsFiles | bool) -> ssl.SSLContext | None:
    """What to speak TLS with, or None for none: TLS 1.2 or newer, the server's name checked.

    Raises BrokerError for files that are no certificate or key, or do not belong together.
    """
    if tls is False:
        return None
    files = TlsFiles() if tls is True else tls
    try:
        context = ssl.create_default_context(cafile=None if files.ca is None else str(files.ca))
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"{files.ca}: no certificate authority in PEM form ({error})") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 asks for RFC 5280 to the letter (key identifiers and more), which a store's own authority
    # seldom writes. Chain, dates and name are checked all the same, alike on every Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if files.cert is not None and files.key is not None:
        check_private(files.key, "private key")
        try:
            context.load_cert_chain(str(files.cert), str(files.key))
        except (OSError, ssl.SSLError) as error:
            raise BrokerError(
                f"{files.cert} and {files.key}: no certificate and its key in PEM form ({error})"
            ) from error
    return context
