"""One export verified: its folder, its manifest and signature, its records, and the table that was derived of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from taplogs.audit.contents_check import ContentsCheck
from taplogs.audit.evidence_file import read_evidence
from taplogs.audit.finding import Finding
from taplogs.audit.findings import Findings
from taplogs.audit.keys import PublicKey
from taplogs.audit.manifest import MOST_MANIFEST_BYTES, Manifest, decode_manifest, head_of
from taplogs.audit.manifest_check import manifest_findings
from taplogs.audit.signature import MOST_SIGNATURE_BYTES, BadSignature, parse_signature
from taplogs.core.export_names import MANIFEST, RECORDS, SIGNATURE, TABLE
from taplogs.errors import VerificationFailed

_KNOWN = (MANIFEST, SIGNATURE, RECORDS, TABLE)


class ExportCheck(Struct, frozen=True):
    """What was found of one export. Where there are no findings, what the manifest says is so.

    `text` are the manifest's bytes; `signed_by` is the id of the key that its signature holds for, and `comment` what
    is signed with it. `is_signed` says only that there is a signature. `sound` names the files that were checked, and
    about which there are no findings.
    """

    path: Path
    findings: list[Finding]
    manifest: Manifest | None = None
    text: bytes = b""
    is_signed: bool = False
    signed_by: str | None = None
    comment: str | None = None
    sound: Sequence[str] = ()

    @property
    def head(self) -> str | None:
        """What the next export of a chain refers to, and `--expect-head` takes."""
        return head_of(self.manifest.sequence, self.text) if self.manifest else None


def check_export(path: Path, key: PublicKey | None, processes: int) -> ExportCheck:
    """Return what is found of the export in a folder, whoever made it; what is wrong stands in the findings."""
    findings = Findings()
    try:
        names = _names_in(path, findings)
    except OSError as error:
        findings.add("nothing_found", "folder", f"it cannot be read: {error.strerror}")
        return ExportCheck(path, findings.all)
    if MANIFEST not in names:
        findings.add("nothing_found", "folder", f"there is no {MANIFEST}: this is no export, or not a finished one")
        return ExportCheck(path, findings.all)
    try:
        text = read_evidence(path / MANIFEST, MOST_MANIFEST_BYTES)
    except VerificationFailed as error:
        findings.add("file_unreadable", MANIFEST, error.message)
        return ExportCheck(path, findings.all)
    is_signed = SIGNATURE in names
    comment = _verified_comment(path, key, text, findings, is_signed=is_signed)
    signed_by = str(key.key_id) if key and comment is not None else None
    signed = {SIGNATURE} if signed_by else set()
    try:
        manifest = decode_manifest(text)
    except ValueError as error:
        findings.add("manifest_malformed", MANIFEST, f"it is no manifest: {error}")
        return ExportCheck(path, findings.all, None, text, is_signed, signed_by, comment, _sound(signed, findings))
    findings.add_all(manifest_findings(manifest))
    checked = {MANIFEST, *signed, *ContentsCheck(path, manifest, findings, processes).check(names)}
    return ExportCheck(path, findings.all, manifest, text, is_signed, signed_by, comment, _sound(checked, findings))


def _sound(checked: set[str], findings: Findings) -> list[str]:
    """Return the files that were checked, in order, without those that a finding is about."""
    faulty = {finding.where.partition(":")[0] for finding in findings.kept}
    return [name for name in (MANIFEST, RECORDS, TABLE, SIGNATURE) if name in checked - faulty]


def _names_in(path: Path, findings: Findings) -> set[str]:
    """Return the names of an export's files that are plain files; all else is a finding. Raises OSError."""
    names = set()
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name not in _KNOWN:
                findings.add("file_unexpected", entry.name, "it is not of an export")
            elif not entry.is_file(follow_symlinks=False):
                findings.add("file_kind", entry.name, "it is not a plain file, but a link or something else")
            else:
                names.add(entry.name)
    return names


def _verified_comment(
    path: Path, key: PublicKey | None, text: bytes, findings: Findings, *, is_signed: bool
) -> str | None:
    """Return the trusted comment of the signature of a manifest; None without a key.

    None, and a finding, where it does not hold; without a key, where it could hold for none.
    """
    if not is_signed:
        if key:
            findings.add("signature_missing", SIGNATURE, "the manifest is not signed")
        return None
    try:
        signature = read_evidence(path / SIGNATURE, MOST_SIGNATURE_BYTES)
        if key:
            return key.verify(text, signature)
        parse_signature(signature)
    except BadSignature as error:
        findings.add(error.fault, SIGNATURE, error.message)
    except VerificationFailed as error:
        findings.add("file_unreadable", SIGNATURE, error.message)
    return None
