"""Whether a manifest agrees with itself: counts, times, names, and what it says of how complete the export is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from taplogs.audit.finding import Finding
from taplogs.audit.manifest import INTERVAL, MERKLE_ALGORITHM, ORDER, Manifest
from taplogs.audit.records_table import COLUMNS
from taplogs.core.export_names import MANIFEST, RECORDS, TABLE
from taplogs.core.timestamp import is_canonical, parse_timestamp

_INACCURACY_MS = 1000
"""How far two readings of one clock, and the skew between two, may be apart."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def manifest_findings(manifest: Manifest) -> Iterator[Finding]:
    """Yield what is wrong with a manifest as far as it alone tells."""
    for check in _CHECKS:
        for member, code, message in check(manifest):
            yield Finding(code, f"{MANIFEST}:{member}", message)


_Fault = tuple[str, str, str]
"""Member, code and message."""


def _files(manifest: Manifest) -> Iterator[_Fault]:
    names = [file.name for file in manifest.files]
    if names not in ([RECORDS], [RECORDS, TABLE]):
        yield (
            "files",
            "manifest_files",
            f"an export has {RECORDS} and perhaps {TABLE}, not {', '.join(map(repr, names))}",
        )
    if (manifest.csv is None) == (TABLE in names):
        yield "csv", "manifest_csv", f"it speaks of {TABLE} in one place and not in the other"
    if manifest.csv and manifest.csv.columns != list(COLUMNS):
        yield "csv.columns", "manifest_csv", "its columns are not the members of an entry"
    for file in manifest.files:
        if not _DIGEST.fullmatch(file.sha256):
            yield "files", "manifest_digest", f"what should be the SHA-256 of {file.name!r} is none"
        if file.rows != manifest.completeness.rows:
            rows, all_rows = f"{file.rows:,}", f"{manifest.completeness.rows:,}"
            yield "files", "manifest_counts", f"{file.name!r} has {rows} records and the export {all_rows}"


def _merkle(manifest: Manifest) -> Iterator[_Fault]:
    merkle = manifest.merkle
    if merkle.algorithm != MERKLE_ALGORITHM:
        yield "merkle.algorithm", "merkle_algorithm", f"{merkle.algorithm!r} is not {MERKLE_ALGORITHM}"
    if not _DIGEST.fullmatch(merkle.root):
        yield "merkle.root", "manifest_digest", "what should be a root is none"
    if merkle.size != manifest.completeness.rows:
        sizes = f"{merkle.size:,} leaves, and the export has {manifest.completeness.rows:,} records"
        yield "merkle.size", "manifest_counts", f"the tree has {sizes}"


def _times(manifest: Manifest) -> Iterator[_Fault]:
    period = manifest.period
    texts = {
        "period.requestedSince": period.requested_since,
        "period.requestedUntil": period.requested_until,
        "period.effectiveUntil": period.effective_until,
        "startedAt": manifest.started_at,
        "finishedAt": manifest.finished_at,
    }
    wrong = [name for name, text in texts.items() if text is not None and not _is_time(text)]
    for name in wrong:
        yield name, "manifest_time", f"{texts[name]!r} is not a time as a manifest has it"
    if wrong:
        return
    if period.requested_since and period.requested_since >= period.effective_until:
        yield "period", "manifest_period", "it ends before it begins"
    if period.requested_until and period.requested_until < period.effective_until:
        yield "period.effectiveUntil", "manifest_period", "it ends later than was asked for"
    ahead = parse_timestamp(period.effective_until) - parse_timestamp(manifest.finished_at)
    if ahead // timedelta(milliseconds=1) > period.clock_skew_ms + _INACCURACY_MS:
        yield "period.effectiveUntil", "manifest_period", "it ends later than the export was finished"
    if manifest.finished_at < manifest.started_at:
        yield "finishedAt", "manifest_time", "it was finished before it was started"


def _constants(manifest: Manifest) -> Iterator[_Fault]:
    if manifest.period.interval != INTERVAL:
        yield "period.interval", "manifest_period", f"{manifest.period.interval!r} is not {INTERVAL}"
    if manifest.query.order != ORDER:
        yield "query.order", "manifest_order", f"{manifest.query.order!r} is not {ORDER!r}"


def _completeness(manifest: Manifest) -> Iterator[_Fault]:
    completeness = manifest.completeness
    if completeness.status not in ("complete", "incomplete"):
        yield "completeness.status", "manifest_status", f"{completeness.status!r} is neither complete nor incomplete"
    elif completeness.status == "incomplete" or completeness.gaps or not completeness.end_seen:
        gaps = [f"from {gap.since or 'the beginning'} until {gap.until}: {gap.reason}" for gap in completeness.gaps]
        yield "completeness", "incomplete", f"the export has a gap: {'; '.join(gaps) or 'the end was not seen'}"
    if (completeness.first is None, completeness.last is None) != (completeness.rows == 0,) * 2:
        yield "completeness", "manifest_counts", "first and last are there where there are records, and only there"


def _counts(manifest: Manifest) -> Iterator[_Fault]:
    completeness = manifest.completeness
    numbers = {
        "completeness.rows": completeness.rows,
        "completeness.backendCountBefore": completeness.backend_count_before,
        "completeness.backendCountAfter": completeness.backend_count_after,
        "completeness.lateArrivals": completeness.late_arrivals,
        "completeness.pages": completeness.pages,
        "completeness.duplicatesDropped": completeness.duplicates_dropped,
        "completeness.retries": completeness.retries,
        **{f"redaction.fieldsRedacted.{name}": count for name, count in manifest.redaction.fields_redacted.items()},
        **({"csv.guardedCells": manifest.csv.guarded_cells} if manifest.csv else {}),
        **{f"files.{file.name}": min(file.bytes, file.rows) for file in manifest.files},
    }
    for name, number in numbers.items():
        if number is not None and not 0 <= number < 2**53:
            yield name, "manifest_counts", f"{number} is no count"
    others = {"period.clockSkewMs": manifest.period.clock_skew_ms, "sequence": manifest.sequence}
    for name, number in others.items():
        if abs(number) >= 2**53:
            yield name, "manifest_counts", "it is beyond all measure"
    before, after = completeness.backend_count_before, completeness.backend_count_after
    known = [count for count in (before, after) if count is not None]
    came = completeness.rows + completeness.duplicates_dropped
    if known and came < min(known) and completeness.status == "complete":
        yield "completeness", "gap", f"the backend counted {min(known):,} entries, and {came:,} came"
    late = None if after is None else max(0, after - completeness.rows)
    if completeness.status == "complete" and completeness.late_arrivals != late:
        yield "completeness.lateArrivals", "manifest_counts", "it is not what the counts tell"


def _sequence(manifest: Manifest) -> Iterator[_Fault]:
    previous = manifest.previous
    if manifest.sequence < 1 or (previous is None) != (manifest.sequence == 1):
        yield (
            "sequence",
            "manifest_sequence",
            "the first export of a chain has no previous one, and every other has one",
        )
    if previous is None:
        return
    if previous.sequence != manifest.sequence - 1:
        yield "previous.sequence", "manifest_sequence", f"before {manifest.sequence} comes not {previous.sequence}"
    if previous.effective_until != manifest.period.requested_since:
        yield "previous.effectiveUntil", "chain_gap", "the period does not begin where the one before ends"
    if not _DIGEST.fullmatch(previous.manifest_sha256):
        yield "previous.manifestSha256", "manifest_digest", "what should be a SHA-256 is none"


def _redaction(manifest: Manifest) -> Iterator[_Fault]:
    if not _DIGEST.fullmatch(manifest.redaction.profile_sha256):
        yield "redaction.profileSha256", "manifest_digest", "what should be a SHA-256 is none"


_CHECKS: tuple[Callable[[Manifest], Iterator[_Fault]], ...] = (
    _constants,
    _times,
    _files,
    _merkle,
    _completeness,
    _counts,
    _sequence,
    _redaction,
)


def _is_time(text: str) -> bool:
    try:
        parse_timestamp(text)
    except ValueError:
        return False
    return is_canonical(text)
