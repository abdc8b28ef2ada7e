"""The opaque cursor of a listing: a position in the total order, as text that survives a URL.

    base64url( order (1 byte) | timestamp (24) | id (UTF-8) | check (8) )

The check tells an edited or shortened cursor from a whole one. It is no secret: a cursor grants nothing that its
bearer could not ask for with `endDate`. Cursors outlive a restart of the server, so an export may be resumed later.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

from taplogs.core.query import Order
from taplogs.core.timestamp import is_canonical, parse_timestamp
from taplogs.sources.sqlite_query import Position

_ORDER_BYTES = {Order.NEWEST_FIRST: b"d", Order.OLDEST_FIRST: b"a"}
_CHECK_SIZE = 8


def encode_cursor(position: Position, order: Order) -> str:
    """Return the cursor that goes on beyond `position`."""
    timestamp, entry_id = position
    content = _ORDER_BYTES[order] + f"{timestamp}{entry_id}".encode()
    return urlsafe_b64encode(content + _check(content)).rstrip(b"=").decode("ascii")


def decode_cursor(text: str, order: Order) -> Position:
    """Return the position of a cursor; raises ValueError where it is not one, or was made for the other order."""
    try:
        whole = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        content = whole[:-_CHECK_SIZE]
        position = content[1:].decode("utf-8")
        parse_timestamp(position[:24])
    except (binascii.Error, ValueError):
        raise ValueError("is not a cursor") from None
    timestamp, entry_id = position[:24], position[24:]
    order_byte = content[:1]
    if whole[len(content) :] != _check(content) or not is_canonical(timestamp):
        raise ValueError("is not a cursor")
    if order_byte != _ORDER_BYTES[order]:
        raise ValueError("was made for the other order")
    if encode_cursor((timestamp, entry_id), order) != text:  # base64 decoding passes over what it does not know
        raise ValueError("is not a cursor")
    return timestamp, entry_id


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECK_SIZE, person=b"taplogs cursor").digest()
