"""Key pairs in minisign's files: made, read, written; what they sign and verify.

secret  base64("Ed" + "Sc", or zeros without a passphrase, + "B2" + salt + cost + hidden part)
        the hidden part is key id + seed (RFC 8032) + point + checksum, a BLAKE2b-256
public  base64("Ed" + key id + point)
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import NoReturn

from msgspec import Struct

from taplogs.audit.minisign_text import ALGORITHM, UNTRUSTED, KeyId, comment_of, decode_line, encode_line, split_lines
from taplogs.audit.passphrase_cost import USUAL, Cost, keystream
from taplogs.audit.signature import PREHASHED, BadSignature, Signature, parse_signature, signed_bytes, signed_comment

_ENCRYPTED = b"Sc"
_PLAIN = b"\0\0"
_CHECKSUM = b"B2"
_PUBLIC_BYTES = 2 + 8 + 32
_SECRET_BYTES = 2 + 2 + 2 + 32 + 8 + 8 + _PUBLIC_BYTES - 2 + 32 + 32
_HIDDEN_BYTES = 8 + 64 + 32

_PRIME = 2**255 - 19
_ORDER_EIGHT = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = {0, 1, _PRIME - 1, _ORDER_EIGHT, _PRIME - _ORDER_EIGHT}
"""The y of the eight points of small order: under such a key one signature holds for any message."""


class WrongPassphrase(ValueError):
    """The passphrase is not that of the key, or the key is damaged."""


class PublicKey(Struct, frozen=True):
    """What verifies; `point` is the Ed25519 key."""

    key_id: KeyId
    point: bytes

    @classmethod
    def from_line(cls, line: str) -> PublicKey:
        """Return the key that one line of base64 is, as `minisign -P` takes it; raises ValueError."""
        binary = decode_line(line)
        if len(binary) == _SECRET_BYTES:
            raise ValueError("it is a secret key, and nobody but its owner should have it")
        if len(binary) != _PUBLIC_BYTES or binary[:2] != ALGORITHM:
            raise ValueError("it is not a public key of minisign")
        height = int.from_bytes(binary[10:], "little") & ~(1 << 255)
        if height >= _PRIME or height in _SMALL_ORDER:
            raise ValueError("under this key anything would count as signed")
        return cls(KeyId(binary[2:10]), binary[10:])

    @property
    def line(self) -> str:
        """The key on one line."""
        return encode_line(ALGORITHM + self.key_id.number + self.point)

    def encode(self) -> bytes:
        """Return the text of its file."""
        return f"{UNTRUSTED}minisign public key {self.key_id}\n{self.line}\n".encode("ascii")

    def verify(self, message: bytes, signature_text: bytes) -> str:
        """Return the trusted comment of a signature that holds for `message`; raises BadSignature."""
        signature = parse_signature(signature_text)
        if signature.key_id != self.key_id:
            raise BadSignature(
                "signature_other_key", f"it was signed by the key {signature.key_id}, not by {self.key_id}"
            )
        if not self._holds(signature.signature, signed_bytes(message, signature.algorithm)):
            raise BadSignature("signature_wrong", f"the signature by the key {self.key_id} does not hold")
        comment = signature.trusted_comment
        if not self._holds(signature.comment_signature, signature.signature + comment.encode("utf-8")):
            raise BadSignature("signature_comment_wrong", "the trusted comment of the signature was changed")
        return comment

    def _holds(self, signature: bytes, message: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.point).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SecretKey:
    """What signs. The secret leaves it by `encode` alone; `str`, `repr` and errors show the id."""

    __slots__ = ("__seed", "public_key")

    def __init__(self, key_id: KeyId, seed: bytes) -> None:
        """Take the 32 bytes of the seed, from which all else follows."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.__seed = seed
        self.public_key = PublicKey(key_id, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())

    def sign(self, message: bytes, trusted_comment: str) -> bytes:
        """Return the text of the .minisig file for `message`.

        Raises ValueError for a trusted comment that is not one line of reasonable length.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self.__seed)
        signature = key.sign(signed_bytes(message, PREHASHED))
        comment_signature = key.sign(signed_comment(signature, trusted_comment))
        return Signature(PREHASHED, self.public_key.key_id, signature, trusted_comment, comment_signature).encode()

    def encode(self, passphrase: str | None, random_bytes: Callable[[int], bytes], cost: Cost = USUAL) -> bytes:
        """Return the text of its file, which a passphrase opens; for None anybody can use it.

        Raises TaplogsError where there is not enough memory for the passphrase.
        """
        secret = self.public_key.key_id.number + self.__seed + self.public_key.point
        if passphrase is None:  # minisign writes nothing but zeros here, too
            binary = ALGORITHM + _PLAIN + _CHECKSUM + bytes(32 + 16) + secret + bytes(32)
            return f"{UNTRUSTED}minisign unencrypted secret key\n{encode_line(binary)}\n".encode("ascii")
        salt = random_bytes(32)
        hidden = _hidden(secret + _checksum(secret), passphrase, salt, cost)
        costs = cost.operations.to_bytes(8, "little") + cost.memory.to_bytes(8, "little")
        binary = ALGORITHM + _ENCRYPTED + _CHECKSUM + salt + costs + hidden
        return f"{UNTRUSTED}minisign encrypted secret key\n{encode_line(binary)}\n".encode("ascii")

    def __repr__(self) -> str:
        return f"SecretKey({self.public_key.key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret key is not to be pickled")


def generate(random_bytes: Callable[[int], bytes]) -> SecretKey:
    """Return a new key."""
    return SecretKey(KeyId(random_bytes(8)), random_bytes(32))


def read_public_key(text: bytes) -> PublicKey:
    """Return the key of a public key file; raises ValueError with the reason."""
    return PublicKey.from_line(_key_line(text))


def read_secret_key(text: bytes, passphrase: Callable[[], str]) -> SecretKey:
    """Return the key of a secret key file; `passphrase` is asked for one where the key is encrypted.

    Raises ValueError with a reason that repeats nothing of the file, WrongPassphrase (one, too), and TaplogsError where
    there is not enough memory for the passphrase.
    """
    binary = decode_line(_key_line(text))
    if len(binary) == _PUBLIC_BYTES and binary[:2] == ALGORITHM:
        raise ValueError("it is a public key, and only the secret key signs")
    if len(binary) != _SECRET_BYTES or binary[:2] != ALGORITHM or binary[4:6] != _CHECKSUM:
        raise ValueError("it is not a secret key of minisign")
    method, salt, hidden = binary[2:4], binary[6:38], binary[-_HIDDEN_BYTES:]
    if method == _PLAIN:
        return _opened(hidden, may_lack_checksum=True)
    if method != _ENCRYPTED:
        raise ValueError("it is encrypted in a way that minisign does not know")
    cost = Cost(int.from_bytes(binary[38:46], "little"), int.from_bytes(binary[46:54], "little"))
    cost.parameters()  # what cannot be opened is told before anybody types a passphrase
    return _opened(_hidden(hidden, passphrase(), salt, cost), may_lack_checksum=False)


def _opened(plain: bytes, *, may_lack_checksum: bool) -> SecretKey:
    secret, checksum = plain[:-32], plain[-32:]
    # minisign leaves out the checksum of a key that never was encrypted.
    if checksum != _checksum(secret) and not (may_lack_checksum and checksum == bytes(32)):
        raise ValueError("it is damaged") if may_lack_checksum else WrongPassphrase("the passphrase is wrong")
    key = SecretKey(KeyId(secret[:8]), secret[8:40])
    if key.public_key.point != secret[40:]:
        raise ValueError("it is damaged")
    return key


def _hidden(binary: bytes, passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """Return bytes hidden under a passphrase, or hidden ones made plain again."""
    mask = keystream(passphrase, salt, cost, len(binary))
    return bytes(one ^ other for one, other in zip(binary, mask, strict=True))


def _checksum(secret: bytes) -> bytes:
    return blake2b(ALGORITHM + secret, digest_size=32).digest()


def _key_line(text: bytes) -> str:
    comment, line = split_lines(text, 2)
    comment_of(comment, UNTRUSTED)
    return line
