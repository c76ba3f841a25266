"""A certificate authority for one run: what a shop's own would issue, and what has expired."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.settings import TlsFiles

DAY = datetime.timedelta(days=1)
MAY_SIGN = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "broker"


class Authority:
    """Signs requests and issues keys; everything lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        self.path = folder / "ca.pem"
        certificate = self._builder(self._name, self._key.public_key(), 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        certificate = certificate.add_extension(MAY_SIGN, critical=True)
        self.path.write_bytes(self._signed(certificate))

    def sign(self, request: Path, days: int = 30) -> Path:
        """The certificate for a request, valid for `days` (negative: it has expired)."""
        asked = x509.load_pem_x509_csr(request.read_bytes())
        key = asked.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey), "keys of ours are elliptic curves"
        certificate = self._builder(asked.subject, key, days).add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
        )
        path = request.with_suffix(".pem")
        path.write_bytes(self._signed(certificate))
        return path

    def issue(self, name: str, days: int = 30) -> TlsFiles:
        """Key and certificate for a common name."""
        folder = self.folder / name.replace("/", "-")
        key = ec.generate_private_key(ec.SECP256R1())
        folder.mkdir()
        key_path = folder / "key.pem"
        key_path.touch(mode=0o600)
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = folder / "request.csr"
        request.write_bytes(
            x509.CertificateSigningRequestBuilder()
            .subject_name(subject)
            .sign(key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
        return TlsFiles(ca=self.path, cert=self.sign(request, days), key=key_path)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def secured_settings(authority: Authority) -> list[str]:
    """Mosquitto's settings as docs/broker has them, with certificates of `authority` for localhost."""
    server = authority.issue("localhost")
    places = {
        "cafile": authority.path,
        "certfile": server.cert,
        "keyfile": server.key,
        "acl_file": EXAMPLE / "acl",
    }
    settings = []
    for line in (EXAMPLE / "mosquitto.conf").read_text().splitlines():
        key = line.partition(" ")[0]
        if line and not line.startswith(("#", "listener", "persistence")):
            settings.append(f"{key} {places[key]}" if key in places else line)
    return settings
