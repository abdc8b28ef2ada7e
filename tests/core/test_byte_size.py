"""Numbers of bytes as people type them."""

from __future__ import annotations

import pytest

from taplogs.core.byte_size import parse_byte_size
from taplogs.errors import UsageError

MOST = 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("65536", 65536), ("10B", 10), ("64KiB", 65536), ("64 kib", 65536), ("1MiB", 2**20), ("16MiB", MOST)],
)
def test_a_size_is_understood(text: str, size: int) -> None:
    assert parse_byte_size(text, most=MOST) == size


@pytest.mark.parametrize("text", ["", "KiB", "64KB", "64K", "-1", "1.5MiB", "17MiB", "٣", "1e3", "9" * 13])
def test_anything_else_is_refused_with_what_is_taken(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_byte_size(text, most=MOST, option="--max-body")
    assert refused.value.message.startswith("--max-body ")
    assert refused.value.hint == "accepted: 0 to 16MiB, such as 65536, 64KiB or 1MiB"
