"""A server's certificate and its key, as files of PEM."""

from __future__ import annotations

import ssl
from pathlib import Path

from taplogs.errors import ConfigurationError


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what TLS connections are accepted with: TLS 1.2 or newer, and HTTP/1.1.

    Raises ConfigurationError, in words, for files that cannot be used.
    """
    _refuse_without(certificate, b"-----BEGIN CERTIFICATE-----", "certificate")
    _refuse_without(key, b"PRIVATE KEY-----", "private key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])

    def refuse() -> str:
        raise ConfigurationError(
            f"the key {key} is encrypted, and nobody is there to type its passphrase",
            f"'openssl pkey -in {key} -out FILE' writes it without one; keep that FILE readable to the server alone",
        )

    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigurationError(
                f"the key {key} does not belong to the certificate {certificate}",
                "the file of the certificate begins with the server's own, the authorities' follow",
            ) from None
        reason = (error.reason or "the files are damaged").replace("_", " ").lower()
        raise ConfigurationError(f"the certificate {certificate} and the key {key} cannot be used: {reason}") from None
    return context


def _refuse_without(path: Path, mark: bytes, what: str) -> None:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the {what} {path} cannot be read: {error.strerror}") from None
    if mark not in text:
        raise ConfigurationError(f"{path} holds no {what}", "PEM is what is read: it begins with -----BEGIN")
