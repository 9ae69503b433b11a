"""A certificate for this machine, for clients that speak to a gateway over TLS only, such as boto3 with a bearer token.

An authority is made for it alone and its key thrown away, so whoever trusts it trusts nothing but this one certificate.
"""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway_project.first_run import write_private

NAMES = ("localhost", "127.0.0.1", "::1")
# Apple's clients take none that is valid for longer.
LIFETIME = timedelta(days=825)
CLOCKS_DIFFER = timedelta(hours=1)


class NoName(ValueError):
    """What is neither a host's name nor an IP address."""


def make(folder: Path, names: Sequence[str], now: datetime) -> tuple[Path, Path]:
    """Writes a new pair and returns its paths. The certificate's file holds the authority too: it is what clients are told to trust."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    chain, key = _made(names, now)
    certificate_file, key_file = files(folder)
    write_private(key_file, key, replace=True)
    write_private(certificate_file, chain, replace=True)
    certificate_file.chmod(0o644)
    return certificate_file, key_file


def files(folder: Path) -> tuple[Path, Path]:
    return folder / "cert.pem", folder / "key.pem"


def is_usable(folder: Path, names: Sequence[str], now: datetime) -> bool:
    """Whether there is a pair that is valid for these names for some time to come."""
    certificate_file, key_file = files(folder)
    if not (certificate_file.is_file() and key_file.is_file()):
        return False
    try:
        leaf = x509.load_pem_x509_certificates(certificate_file.read_bytes())[0]
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return set(map(_name, names)) <= set(found) and now + timedelta(days=30) < leaf.not_valid_after_utc


def _made(names: Sequence[str], now: datetime) -> tuple[str, str]:
    """(certificate and authority, key) as PEM."""
    authority_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    authority = _authority(authority_key, now)
    leaf = (
        _begun("Tallygate on this machine", authority.subject, key, now)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, SHA256())
    )
    chain = leaf.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)
    return chain.decode(), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _authority(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    # A name of its own each time: clients that meet two authorities of one name may try the wrong one only.
    title = f"Tallygate development authority {x509.random_serial_number() % 16**8:08x}"
    return (
        _begun(title, None, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )


def _begun(title: str, issuer: x509.Name | None, key: EllipticCurvePrivateKey, now: datetime) -> x509.CertificateBuilder:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    return x509.CertificateBuilder(
        issuer or name, name, key.public_key(), x509.random_serial_number(), now - CLOCKS_DIFFER, now + LIFETIME - CLOCKS_DIFFER
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    if not text or not text.isascii() or set(text) & set(" /:@*"):
        raise NoName(f"{text!r} is neither the name of a host nor an IP address")
    return x509.DNSName(text)
