"""Canonical timestamps as the store has them: whole milliseconds since 1970, in the order of time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_MINUTES_OF_DAY = 1440
_MILLISECONDS = 60_000
_TO_THE_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", re.ASCII)
_BELOW = re.compile(r":[0-5][0-9]\.[0-9]{3}Z", re.ASCII)
_MOST_REMEMBERED = 100_000


class Moments:
    """Turns timestamps into numbers and back. Minutes, and times within one, are looked up once."""

    def __init__(self) -> None:
        self._minutes = _MinuteNumbers()
        self._below = _NumbersWithin()
        self._minute_texts = _MinuteTexts()
        self._below_texts = _TextsWithin()

    def number(self, text: str) -> int:
        """Return the milliseconds since 1970 of a canonical timestamp; raises ValueError where it is not one."""
        return self._minutes[text[:16]] + self._below[text[16:]]

    def numbers(self, texts: Iterable[str]) -> list[int]:
        """Return the numbers of many timestamps; raises ValueError."""
        minutes, below = self._minutes, self._below
        return [minutes[text[:16]] + below[text[16:]] for text in texts]

    def text(self, number: int) -> str:
        """Return the canonical timestamp of a number; raises TypeError, ValueError, OverflowError where it is none."""
        return self._minute_texts[number // _MILLISECONDS] + self._below_texts[number % _MILLISECONDS]

    def texts(self, numbers: Iterable[int]) -> list[str]:
        """Return the canonical timestamps of many numbers."""
        minutes, below = self._minute_texts, self._below_texts
        return [minutes[number // _MILLISECONDS] + below[number % _MILLISECONDS] for number in numbers]


class _MinuteNumbers(dict[str, int]):
    def __missing__(self, text: str) -> int:
        if not _TO_THE_MINUTE.fullmatch(text):
            raise ValueError(f"{text!r} does not begin a canonical timestamp")
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        minutes = (datetime.fromisoformat(text + "+00:00") - _EPOCH) // _MINUTE
        number = self[text] = minutes * _MILLISECONDS
        return number


class _NumbersWithin(dict[str, int]):
    def __missing__(self, text: str) -> int:
        if not _BELOW.fullmatch(text):
            raise ValueError(f"{text!r} does not end a canonical timestamp")
        number = self[text] = int(text[1:3]) * 1000 + int(text[4:7])
        return number


class _MinuteTexts(dict[int, str]):
    def __init__(self) -> None:
        super().__init__()
        self._days: dict[int, str] = {}

    def __missing__(self, minutes: int) -> str:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
            self._days.clear()
        day, minute = divmod(minutes, _MINUTES_OF_DAY)
        date = self._days.get(day)
        if date is None:
            date = self._days[day] = (_EPOCH + day * _DAY).isoformat()[:11]
        text = self[minutes] = f"{date}{minute // 60:02d}:{minute % 60:02d}"
        return text


class _TextsWithin(dict[int, str]):
    def __missing__(self, number: int) -> str:
        seconds, milliseconds = divmod(number, 1000)
        text = self[number] = f":{seconds:02d}.{milliseconds:03d}Z"
        return text
