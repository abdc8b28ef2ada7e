"""What `--source` names, as data: a backend, the demo, the archive, a store, or files."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from taplogs.errors import UsageError

ACCEPTED = (
    "accepted: the URL of a logging backend, such as https://logs.example.com/v1, demo, archive, "
    "a file such as logs.jsonl, - for standard input, sqlite:PATH, clickhouse://…"
)


class Kind(StrEnum):
    """The kinds of places that entries come from."""

    BACKEND = "backend"
    DEMO = "demo"
    ARCHIVE = "archive"
    SQLITE = "sqlite"
    CLICKHOUSE = "clickhouse"
    FILES = "files"


class Place(Struct, frozen=True):
    """One place: its kind, and what was typed; several texts only for files."""

    kind: Kind
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """What was typed, in one text."""
        return " ".join(self.texts)

    @property
    def path(self) -> str:
        """What stands behind the colon of `sqlite:PATH`."""
        return self.text.partition(":")[2]


DEMO = Place(Kind.DEMO, ("demo",))
DEMO_ARCHIVE = Place(Kind.ARCHIVE, ("archive of the demo",))


def place_named(texts: Sequence[str]) -> Place:
    """Return the place that one or more texts name; raises UsageError."""
    kinds = [_kind(text) for text in texts]
    if len(texts) > 1 and {*kinds} != {Kind.FILES}:
        raise UsageError(
            f"--source names several places: {', '.join(texts)}", "only files can be read together; give one of them"
        )
    return Place(kinds[0], tuple(texts))


def _kind(text: str) -> Kind:
    if text.startswith(("http://", "https://")):
        return Kind.BACKEND
    if text in ("demo", "archive"):
        return Kind(text)
    scheme, colon, rest = text.partition(":")
    if scheme == "sqlite" and colon and rest:
        return Kind.SQLITE
    if scheme.partition("+")[0] == "clickhouse" and rest.startswith("//"):
        return Kind.CLICKHOUSE
    if not text or "://" in text or (scheme == "sqlite" and colon):
        raise UsageError(f"--source {text!r} is not understood", ACCEPTED)
    return Kind.FILES
