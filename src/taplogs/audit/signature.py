"""Signatures in minisign's format: Ed25519 over the BLAKE2b-512 of a message, and once more over its trusted comment.

    untrusted comment: anything at all, which is not signed
    base64("ED" + key id + signature)
    trusted comment: signed
    base64(signature of the first signature + the trusted comment)

minisign before 0.10 signed the message itself ("Ed"), and `minisign -Sl` still does. That is as good a signature, and
`minisign -V` takes it without being asked to, so it is taken here too: both are to come to the same verdict.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

from msgspec import Struct

from taplogs.audit.minisign_text import (
    ALGORITHM,
    TRUSTED,
    UNTRUSTED,
    KeyId,
    comment_of,
    decode_line,
    encode_line,
    has_control_characters,
    split_lines,
)
from taplogs.errors import VerificationFailed

PREHASHED = b"ED"
MOST_SIGNATURE_BYTES = 64 << 10
"""What is read of the file of a signature."""

_COMMENT = "signature from minisign secret key"
_SIGNATURE_BYTES = 64
_PARTS_BYTES = 2 + 8 + _SIGNATURE_BYTES
_MOST_COMMENT_BYTES = 8000
"""minisign reads lines of 8191 bytes."""

Fault = Literal[
    "signature_missing", "signature_malformed", "signature_other_key", "signature_wrong", "signature_comment_wrong"
]


class BadSignature(VerificationFailed):
    """A signature that does not hold; `fault` is the kind of it for programs, as `Finding.code` has it."""

    def __init__(self, fault: Fault, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.fault: Fault = fault


class Signature(Struct, frozen=True):
    """What a .minisig file says, not verified yet."""

    algorithm: bytes
    key_id: KeyId
    signature: bytes
    trusted_comment: str
    comment_signature: bytes

    def encode(self) -> bytes:
        """Return the text of its file."""
        first = encode_line(self.algorithm + self.key_id.number + self.signature)
        second = encode_line(self.comment_signature)
        lines = [UNTRUSTED + _COMMENT, first, TRUSTED + self.trusted_comment, second]
        return "".join(f"{line}\n" for line in lines).encode("utf-8")


def signed_bytes(message: bytes, algorithm: bytes) -> bytes:
    """Return what of a message is signed."""
    return blake2b(message).digest() if algorithm == PREHASHED else message


def signed_comment(signature: bytes, trusted_comment: str) -> bytes:
    """Return what is signed of a trusted comment, which holds for one signature alone.

    Raises ValueError for a comment that minisign would not read as it was written.
    """
    comment = trusted_comment.encode("utf-8")
    if has_control_characters(trusted_comment) or len(comment) > _MOST_COMMENT_BYTES:
        raise ValueError(f"a trusted comment is one line of {_MOST_COMMENT_BYTES} bytes at most")
    return signature + comment


def parse_signature(text: bytes) -> Signature:
    """Return what the text of a .minisig file says; raises BadSignature where it is none."""
    try:
        return _parsed(text)
    except ValueError as error:
        raise BadSignature("signature_malformed", f"it is not a signature of minisign: {error}") from None


def _parsed(text: bytes) -> Signature:
    untrusted, first, trusted, second = split_lines(text, 4)
    comment_of(untrusted, UNTRUSTED)
    comment = comment_of(trusted, TRUSTED)
    parts, comment_signature = decode_line(first), decode_line(second)
    if len(parts) != _PARTS_BYTES or len(comment_signature) != _SIGNATURE_BYTES:
        raise ValueError("a line is too short or too long for a signature")
    algorithm = parts[:2]
    if algorithm not in (PREHASHED, ALGORITHM):
        raise ValueError("its algorithm is not that of minisign")
    return Signature(algorithm, KeyId(parts[2:10]), parts[10:], comment, comment_signature)
