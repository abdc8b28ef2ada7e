"""What `verify` has found, for people: a paragraph for each export, each finding on a line; and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from taplogs.audit.export_check import ExportCheck
from taplogs.audit.finding import Finding
from taplogs.audit.proof import ProofCheck
from taplogs.audit.verification import Verification
from taplogs.core.export_names import MANIFEST, RECORDS, SIGNATURE, TABLE
from taplogs.output.terminal import Screen
from taplogs.output.wording import counted
from taplogs.output.wrapping import wrapped

SCHEMA = "taplogs.verification/1"
_NONE = "none"
_GOOD, _BAD, _DIM = "32", "1;31", "2"


def document(verification: Verification) -> dict[str, Any]:
    """Return what was found as one document for programs."""
    period = verification.period
    return {
        "schema": SCHEMA,
        "verified": not verification.findings,
        "exports": [_export_record(verification, check) for check in verification.exports],
        "proofs": [_proof_record(name, check) for name, check in verification.proofs],
        "chain": verification.is_chain,
        "period": period and {"since": period.since_text, "until": period.until_text},
        "findings": [_finding_record(finding) for finding in verification.common],
    }


def _export_record(verification: Verification, check: ExportCheck) -> dict[str, Any]:
    manifest = check.manifest
    return {
        "path": str(check.path),
        "level": verification.level(check),
        "exportId": manifest and manifest.export_id,
        "sequence": manifest and manifest.sequence,
        "rows": manifest and manifest.completeness.rows,
        "since": manifest and manifest.period.requested_since,
        "until": manifest and manifest.period.effective_until,
        "head": check.head,
        "signedBy": check.signed_by,
        "trustedComment": check.comment,
        "sound": list(check.sound),
        "findings": list(map(_finding_record, check.findings)),
    }


def _proof_record(name: str, check: ProofCheck) -> dict[str, Any]:
    return {
        "path": name,
        "level": _level(check),
        "id": check.entry and check.entry.id,
        "row": None if check.index is None else check.index + 1,
        "exportId": check.manifest and check.manifest.export_id,
        "trustedComment": check.trusted_comment,
        "findings": list(map(_finding_record, check.findings)),
    }


def _finding_record(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "where": finding.where, "message": finding.message}


class VerificationText:
    """What was found as lines of text. All of it but our own words was written by strangers."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def lines(self, verification: Verification) -> Iterator[str]:
        """Yield the lines for a person."""
        for check in verification.exports:
            yield from self._export(verification, check)
        for name, proof in verification.proofs:
            yield from self._proof(name, proof)
        if verification.common:
            yield "together"
            yield from self._failed(verification.common)
        else:
            yield from self._together(verification)
        if not verification.findings:
            yield from self._unproven(verification)

    @staticmethod
    def _together(verification: Verification) -> Iterator[str]:
        if verification.is_chain:
            yield f"chain: {counted(len(verification.exports), 'export')} without a gap"
        if period := verification.period:
            yield f"period: from {period.since_text} until {period.until_text} without a gap"

    def _export(self, verification: Verification, check: ExportCheck) -> Iterator[str]:
        manifest = check.manifest
        if manifest is None:
            yield self._screen.clean(str(check.path))
        else:
            records = counted(manifest.completeness.rows, "record")
            yield self._screen.clean(f"{check.path}: export {manifest.sequence}, {records}")
            since = manifest.period.requested_since or "the beginning"
            yield from self._indented(f"from {since} until {manifest.period.effective_until}")
        yield from self._failed(check.findings)
        for name in check.sound:
            yield from self._line("ok", _GOOD, f"{name}: {_what_holds(name, check)}")
        yield self._level(verification.level(check))
        if check.head:
            yield from self._indented(f"head: {check.head}")

    def _proof(self, name: str, proof: ProofCheck) -> Iterator[str]:
        yield self._screen.clean(name)
        yield from self._failed(proof.findings)
        if proof.entry and proof.manifest and proof.index is not None and not proof.findings:
            place = f"record {proof.index + 1:,} of {proof.manifest.merkle.size:,}"
            yield from self._line("ok", _GOOD, f"{proof.entry.id} is {place} of the export {proof.manifest.export_id}")
        yield self._level(_level(proof))

    def _level(self, level: str) -> str:
        return self._screen.paint(f"  level: {level}", _BAD if level == _NONE else _GOOD)

    def _failed(self, findings: Sequence[Finding]) -> Iterator[str]:
        for finding in findings:
            yield from self._line("FAIL", _BAD, f"{finding.where}: {finding.message} [{finding.code}]")

    def _line(self, mark: str, style: str, text: str) -> Iterator[str]:
        room = self._screen.width - 7 if self._screen.width else None
        first, *rest = wrapped(self._screen.clean(text), room)
        yield f"  {self._screen.paint(mark, style)}{' ' * (5 - len(mark))}{first}"
        yield from (f"       {line}" for line in rest)

    def _indented(self, text: str) -> Iterator[str]:
        room = self._screen.width - 2 if self._screen.width else None
        yield from (f"  {line}" for line in wrapped(self._screen.clean(text), room))

    def _unproven(self, verification: Verification) -> Iterator[str]:
        for sentence in _what_is_not_proven(verification):
            yield from (self._screen.paint(line, _DIM) for line in wrapped(sentence, self._screen.width))


def _level(proof: ProofCheck) -> str:
    return proof.level or _NONE


def _what_holds(name: str, check: ExportCheck) -> str:
    """Return what was verified of a file that is sound."""
    if name == SIGNATURE:
        return f"signed by {check.signed_by}: {check.comment}"
    if name == TABLE:
        return f"follows from {RECORDS} byte for byte"
    if name == RECORDS:  # where the manifest is faulty, so may be its period
        return "digest, Merkle root; each line canonical, in order, unique" + (
            ", in the period" if MANIFEST in check.sound else ""
        )
    profile = check.manifest.redaction.profile if check.manifest else ""
    return f"canonical, complete, agrees with itself; hidden: {profile}"


def _what_is_not_proven(verification: Verification) -> Iterator[str]:
    yield "Not proven: that the backend told the truth; only that nothing was changed since the export."
    unproven = [check.is_signed for check in verification.exports if check.signed_by is None]
    unproven += [check.is_signed for _, check in verification.proofs if check.level != "signed"]
    if any(unproven):
        yield "The signature was not checked: give --pubkey."
    elif unproven:
        yield "It is not signed: whoever can write to it could have made all of it anew."
    if verification.exports and not verification.is_anchored:
        yield "Nor that nothing was cut off at the end: --expect-head takes the head that you have kept."
    late = sum((check.manifest and check.manifest.completeness.late_arrivals) or 0 for check in verification.exports)
    if late:
        yield f"{counted(late, 'entry', 'entries')} came into the period while it was read, and not into the export."
