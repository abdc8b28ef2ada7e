"""An export on this machine that has its final names, as its manifest tells it: read with suspicion."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from taplogs.audit.checkpoint import Question
from taplogs.audit.evidence_file import read_evidence
from taplogs.audit.manifest import MOST_MANIFEST_BYTES, File, decode_manifest
from taplogs.audit.records_table import TableForm
from taplogs.audit.signature import MOST_SIGNATURE_BYTES
from taplogs.audit.terms import terms_asked, terms_of
from taplogs.core.export_names import MANIFEST, SIGNATURE, TABLE
from taplogs.core.timespan import is_relative
from taplogs.errors import VerificationFailed
from taplogs.pseudonym_key import KEY_VARIABLE

Verify = Callable[[bytes, bytes], object]
"""Takes the bytes of a manifest and the text of its signature; raises BadSignature where that does not hold."""


class FinishedExport:
    """A manifest that was read, and the files beside it as far as their names and lengths go."""

    def __init__(self, folder: Path, verify: Verify | None) -> None:
        """Read its manifest, and have its signature verified; raises VerificationFailed, and BadSignature."""
        self._folder = folder
        text = read_evidence(folder / MANIFEST, MOST_MANIFEST_BYTES)
        if verify:
            verify(text, read_evidence(folder / SIGNATURE, MOST_SIGNATURE_BYTES))
        try:
            self.manifest = decode_manifest(text)
        except ValueError as error:
            raise VerificationFailed(f"{MANIFEST} is no manifest: {error}") from None
        self.sha256 = sha256(text).hexdigest()

    @property
    def is_complete(self) -> bool:
        """Whether it lacks nothing of its period."""
        return self.manifest.completeness.status == "complete"

    def has_other_rules(self, question: Question) -> bool:
        """Return whether the redaction profile of that name had other rules then."""
        return self.manifest.redaction.profile_sha256 != question.profile_sha256

    def difference(self, question: Question) -> str | None:
        """Return in words which part of a question it answers differently; None where none."""
        for name, before, now in terms_of(self.manifest).differences(terms_asked(question)):
            if self.lacks_key(question) and before == self.manifest.redaction.key_fingerprint:
                return f"its pseudonyms were made with a lasting key, and here is none ({KEY_VARIABLE})"
            return f"its {name} is {before or 'not given'}, here it is {now or 'not given'}"
        return None

    def lacks_key(self, question: Question) -> bool:
        """Return whether the key is missing that its pseudonyms were made with."""
        is_lasting = self.manifest.redaction.key_fingerprint is not None
        return is_lasting and self.manifest.redaction.profile == question.profile and question.key_fingerprint is None

    def unlike(self, question: Question) -> str | None:
        """Return in words why it is not the answer to a question for good; None where it is.

        A question has one answer for good where its period lies in the past, and does not depend on when it is asked.
        """
        period, previous = self.manifest.period, self.manifest.previous
        if difference := self.difference(question):
            return difference
        if self.has_other_rules(question):
            return f"its redaction profile {question.profile} had other rules"
        if question.previous != (previous.manifest_sha256 if previous else None):
            return "--chain names another export, or none"
        if question.since != period.requested_since:
            return f"it begins at {period.requested_since or 'the beginning'}, and {_asked('--since', question.since)}"
        if question.until != period.effective_until:
            return f"it ends at {period.effective_until}, and {_asked('--until', question.until)}"
        if period.requested_until != period.effective_until:  # it has an answer for good by chance
            return f"it ends at {period.effective_until}, which is when it was made"
        return None

    def lacking(self, form: TableForm | None) -> str | None:
        """Return in words what it lacks of itself, or of a table of this form; None where nothing.

        Of its files only the lengths are looked at.
        """
        if not self.is_complete:
            return "it is incomplete, and was finished so with --allow-partial: nothing is left to go on with"
        for file in self.manifest.files:
            if fault := self._fault(file):
                return fault
        csv = self.manifest.csv
        if form and not csv:
            return f"it has no {TABLE}"
        if form and csv and form != TableForm(csv.formula_guard, csv.byte_order_mark):
            return f"its {TABLE} is of another form (--csv-raw, --excel)"
        return None

    def _fault(self, file: File) -> str | None:
        try:
            status = os.lstat(self._folder / file.name)
        except OSError as error:
            return f"{file.name}: {error.strerror}"
        if not stat.S_ISREG(status.st_mode):
            return f"{file.name} is not a plain file"
        if status.st_size != file.bytes:
            return f"{file.name} has {status.st_size:,} bytes, its manifest says {file.bytes:,}"
        return None


def _asked(option: str, bound: str | None) -> str:
    """Return in words what a bound is that an export may have or not."""
    if bound is None:
        return f"{option} is not given" + (", so that the end is now" if option == "--until" else "")
    return f"{option} {bound} is " + ("another time in each run" if is_relative(bound) else "another time")
