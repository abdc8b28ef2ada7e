"""Lengths of time: what each one means, and that everything else is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from taplogs.core.duration import parse_duration
from taplogs.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("2s", 2),
        ("1m", 60),
        ("1m30s", 90),
        ("0.5s", 0.5),
        ("24h", 86_400),
        (" 2 S ", 2),
        ("0.1s", 0.1),
        ("0.1s0.1s0.1s", 0.3),
    ],
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text, least=timedelta(seconds=0.1)) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "2", "s", "-2s", "+2s", "2x", "1d", "1mo", "2s1", "1e3s", ".5s", "99ms", "0s", "24h1ms", "٢s", "9" * 9 + "h"],
)
def test_any_other_length_of_time_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_duration(text, least=timedelta(seconds=0.1), option="--interval")
    assert refused.value.message.startswith(f"--interval {text!r} is not")
    assert refused.value.hint == "accepted: 0.1s to 24h, such as 500ms, 2s or 1m30s"
