"""What an export keeps while it runs, so that a run that ended anywhere can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from taplogs.audit.canonical import fault_of_json
from taplogs.audit.manifest import Key
from taplogs.audit.records_file import Extent
from taplogs.core.gap import Gap
from taplogs.errors import TaplogsError
from taplogs.pseudonym_key import KEY_VARIABLE
from taplogs.whole_file import open_unless_link, replace_file

CHECKPOINT = "checkpoint.json"
_SCHEMA = "taplogs.checkpoint/1"
_MOST_BYTES = 1 << 24
_ANEW = "name another folder with -o; --force begins anew, and what is kept there is lost"


class _Part(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class Question(_Part, frozen=True):
    """What an export answers. Two runs with one question have one answer.

    `since` and `until` are what was typed where that is relative, so that time may go on between two runs, and
    canonical timestamps otherwise. `filters` are as the manifest shows them; `filters_sha256` tells apart what looks
    the same there. `key_fingerprint` is that of a lasting pseudonym key, None without one.
    """

    source: str
    environment: str | None
    filters: dict[str, str]
    filters_sha256: str
    since: str | None
    until: str | None
    profile: str
    profile_sha256: str
    key_fingerprint: str | None
    previous: str | None

    def differences(self, other: Question) -> Iterator[str]:
        """Yield in words what `other` asks differently."""
        texts = {**self.filters, "--since": self.since, "--until": self.until, "the source": self.source}
        others = {**other.filters, "--since": other.since, "--until": other.until, "the source": other.source}
        for name in dict.fromkeys([*texts, *others]):
            if texts.get(name) != others.get(name):
                yield f"{name} was {_shown(texts.get(name))} and is {_shown(others.get(name))}"
        if self.filters == other.filters and self.filters_sha256 != other.filters_sha256:
            yield "a filter differs in what is hidden of it, or in the endpoint templates"
        if self.environment != other.environment:
            yield f"the API key was a {self.environment} key and is a {other.environment} key"
        if self.profile_sha256 != other.profile_sha256:
            again = " with other rules" if self.profile == other.profile else ""
            yield f"the redaction profile was {self.profile} and is {other.profile}{again}"
        elif self.key_fingerprint != other.key_fingerprint:
            given = "another one" if other.key_fingerprint else f"not given ({KEY_VARIABLE})"
            yield f"the pseudonym key is {given}"
        if self.previous != other.previous:
            yield "--chain names another export"


class Beginning(_Part, frozen=True):
    """What is settled when an export begins, and holds for every run that goes on with it.

    `pseudonym_key`, in hexadecimal, is the key of this export where there is no lasting one. `gaps` are what the source
    is known to lack of the window.
    """

    export_id: str
    started_at: str
    question: Question
    requested_since: str | None
    requested_until: str | None
    effective_until: str
    time_zone: str
    clock_skew_ms: int
    count_before: int | None
    pseudonym_key: str | None
    gaps: tuple[Gap, ...] = ()


class Progress(_Part, frozen=True):
    """How far an export is; `companies` are the first two that its entries belong to.

    `left_out` is what the source could not read, in words, as a manifest may hold them: known at the end.
    """

    extent: Extent = Extent()
    first: Key | None = None
    last: Key | None = None
    companies: tuple[str | None, ...] = ()
    pages: int = 0
    retries: int = 0
    duplicates_dropped: int = 0
    redacted: dict[str, int] = {}
    end_seen: bool = False
    left_out: tuple[str, ...] = ()


class Checkpoint(_Part, frozen=True):
    """All that is known of an export that is not finished."""

    beginning: Beginning
    progress: Progress
    schema: str = _SCHEMA

    def write(self, folder: Path) -> None:
        """Put it into `folder`, in the place of the one before, for nobody else to read; raises OSError."""
        text = json.dumps(msgspec.to_builtins(self))  # not msgspec: an id may hold a lone surrogate
        replace_file(folder / CHECKPOINT, text.encode("ascii"), 0o600, durable=True)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint in `folder`, or None without one; raises TaplogsError for one that cannot be used."""
    path = folder / CHECKPOINT
    try:
        with open(path, "rb", opener=open_unless_link) as file:
            text = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    try:
        checkpoint = msgspec.convert(json.loads(text), Checkpoint)
    except (ValueError, RecursionError) as error:
        raise TaplogsError(f"{path} cannot be used: {fault_of_json(error)}", _ANEW) from None
    if checkpoint.schema != _SCHEMA:
        raise TaplogsError(f"{path} is of another version of taplogs: {checkpoint.schema}", _ANEW)
    return checkpoint


def _shown(text: str | None) -> str:
    return "not given" if text is None else repr(text)
