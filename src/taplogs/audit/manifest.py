"""The manifest of an export: what it holds, which question it answers, and what was hidden, as data.

Times are canonical timestamps (see `core.timestamp`), digests are in lower-case hexadecimal. Its one text is RFC 8785
canonical JSON, and what is signed are exactly these bytes.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec import Struct

from taplogs.audit.canonical import canonical_json, fault_of_json
from taplogs.core.gap import Gap

SCHEMA = "taplogs.export/1"
INTERVAL = "[since,until)"
ORDER = "timestamp,id ascending"
MERKLE_ALGORITHM = "rfc6962-sha256"
MOST_MANIFEST_BYTES = 16 << 20


class _Part(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class Tool(_Part, frozen=True):
    """What the export was made with."""

    name: str
    version: str
    python: str
    platform: str


class Source(_Part, frozen=True):
    """Where the entries came from.

    `key_id` is the masked API key, `company_id` the one company of all entries; of none, that of the chain so far.
    """

    base_url: str
    environment: str | None
    key_id: str | None
    company_id: str | None


class Period(_Part, frozen=True):
    """Which window was asked for, and up to when it could be answered."""

    requested_since: str | None
    requested_until: str | None
    effective_until: str
    interval: str
    time_zone: str
    clock_skew_ms: int


class Query(_Part, frozen=True):
    """The filters as options and their values, and the order of the records."""

    filters: dict[str, str]
    order: str


class Key(_Part, frozen=True):
    """An entry's place in the total order."""

    timestamp: str
    id: str


class Completeness(_Part, frozen=True):
    """Whether all entries are there, and what speaks for it.

    The backend's counts are None where it cannot count what the filters ask for; `late_arrivals` are entries that
    came into the period behind the place that was being read.
    """

    status: str
    rows: int
    backend_count_before: int | None
    backend_count_after: int | None
    late_arrivals: int | None
    pages: int
    end_seen: bool
    first: Key | None
    last: Key | None
    duplicates_dropped: int
    retries: int
    gaps: list[Gap]


class Redaction(_Part, frozen=True):
    """What was hidden before anything was hashed: the profile, how, and how many values by which rule.

    `key_fingerprint` tells whether two exports share their pseudonyms; None where there are none, or the key was made
    for this export and forgotten.
    """

    profile: str
    profile_sha256: str
    method: str
    key_fingerprint: str | None
    fields_redacted: dict[str, int]


class Table(_Part, frozen=True):
    """How records.csv was derived."""

    formula_guard: bool
    guarded_cells: int
    byte_order_mark: bool
    columns: list[str]


class File(_Part, frozen=True):
    """One file of the export; the heading of a table is not a row."""

    name: str
    bytes: int
    rows: int
    sha256: str


class Merkle(_Part, frozen=True):
    """The root of the tree over the lines of records.jsonl (RFC 6962, section 2.1)."""

    algorithm: str
    size: int
    root: str


class Previous(_Part, frozen=True):
    """The export that this one goes on from."""

    export_id: str
    sequence: int
    manifest_sha256: str
    effective_until: str


class Manifest(_Part, frozen=True):
    """Everything that an export says of itself."""

    schema: str
    export_id: str
    sequence: int
    tool: Tool
    source: Source
    period: Period
    query: Query
    started_at: str
    finished_at: str
    completeness: Completeness
    redaction: Redaction
    csv: Table | None
    files: list[File]
    merkle: Merkle
    previous: Previous | None

    def encode(self) -> bytes:
        """Return its canonical bytes; raises ValueError for a lone surrogate."""
        return canonical_json(msgspec.to_builtins(self))


def decode_manifest(text: bytes) -> Manifest:
    """Return the manifest that `text` is; raises ValueError with the reason where it is none or not canonical."""
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise ValueError(fault_of_json(error)) from None
    if manifest.schema != SCHEMA:
        raise ValueError(f"its schema is {manifest.schema!r}, not {SCHEMA!r}")
    if manifest.encode() != text:
        raise ValueError("its bytes are not canonical JSON (RFC 8785)")
    return manifest


def head_of(sequence: int, text: bytes) -> str:
    """Return the head of a chain that ends with this manifest: `sequence:sha256`."""
    return f"{sequence}:{sha256(text).hexdigest()}"
