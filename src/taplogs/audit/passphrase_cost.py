"""A key out of a passphrase, as minisign makes it: scrypt, with what it costs stored beside the key."""

from __future__ import annotations

from hashlib import scrypt

from msgspec import Struct

from taplogs.errors import TaplogsError

_BLOCKS = 8  # r of scrypt, always


class Cost(Struct, frozen=True):
    """How many operations a guess of the passphrase takes, and how many bytes of memory."""

    operations: int
    memory: int

    def parameters(self) -> tuple[int, int]:
        """Return N and p of scrypt (RFC 7914), as libsodium picks them (pwhash_scryptsalsa208sha256, `pickparams`).

        Raises ValueError where no minisign would have chosen such a cost, which could keep a machine busy for hours.
        """
        if self.operations > MOST.operations or self.memory > MOST.memory:
            raise ValueError("what opening it is to cost is out of all bounds")
        operations = max(self.operations, 32768)
        if operations < self.memory // 32:
            return _power_below(operations // (_BLOCKS * 4)), 1
        rounds = _power_below(self.memory // (_BLOCKS * 128))
        return rounds, operations // 4 // rounds // _BLOCKS


USUAL = Cost(operations=1 << 25, memory=1 << 30)
"""What minisign takes: about three seconds and 1 GiB for each guess."""

MOST = Cost(operations=1 << 28, memory=1 << 30)


def keystream(passphrase: str, salt: bytes, cost: Cost, length: int) -> bytes:
    """Return `length` bytes that hide a key under a passphrase.

    Raises ValueError for a cost out of bounds, and TaplogsError where there is not as much memory.
    """
    rounds, parallel = cost.parameters()
    most = 128 * _BLOCKS * (rounds + parallel + 2)
    password = passphrase.encode("utf-8", "surrogateescape")
    try:
        return scrypt(password, salt=salt, n=rounds, r=_BLOCKS, p=parallel, maxmem=most, dklen=length)
    except (MemoryError, ValueError):
        raise TaplogsError(
            f"a passphrase takes {most >> 20} MiB of memory to be turned into a key, and there is not as much",
            "use a machine with more memory, or a key without a passphrase on a disk that is encrypted",
        ) from None


def _power_below(most: int) -> int:
    """Return the smallest power of two, from 2 on, that is more than half of `most`."""
    return max(2, 1 << (most // 2).bit_length())
