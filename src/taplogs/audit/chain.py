"""The export that another one goes on from, compared with what is asked now."""

from __future__ import annotations

from pathlib import Path

from taplogs.audit.checkpoint import Question
from taplogs.audit.finished_export import FinishedExport, Verify
from taplogs.audit.manifest import Previous
from taplogs.audit.signature import BadSignature
from taplogs.errors import UsageError, VerificationFailed


class PreviousExport:
    """The last export of a chain, which is to get one more."""

    def __init__(self, folder: Path, verify: Verify | None) -> None:
        """Read its manifest, and have its signature verified; raises UsageError, and BadSignature."""
        self._folder = folder
        try:
            self._export = FinishedExport(folder, verify)
        except BadSignature as error:
            raise BadSignature(error.fault, f"{folder}: {error.message}", error.hint) from None
        except VerificationFailed as error:
            raise self._refused(error.message) from None
        if not self._export.is_complete:
            raise self._refused("it is not complete")

    @property
    def sha256(self) -> str:
        """The digest of its manifest."""
        return self._export.sha256

    @property
    def since(self) -> str:
        """Where the next export begins."""
        return self._export.manifest.period.effective_until

    @property
    def company(self) -> str | None:
        """The company of all entries of the chain so far; None where there is not one."""
        return self._export.manifest.source.company_id

    @property
    def link(self) -> Previous:
        """What the next manifest says of it."""
        manifest = self._export.manifest
        return Previous(manifest.export_id, manifest.sequence, self.sha256, manifest.period.effective_until)

    def has_other_rules(self, question: Question) -> bool:
        """Return whether the redaction profile of that name had other rules then."""
        return self._export.has_other_rules(question)

    def refuse_other_question(self, question: Question) -> None:
        """Raise UsageError where the next export would not answer the same question; it says which part differs."""
        if difference := self._export.difference(question):
            raise self._refused(difference)

    def _refused(self, reason: str) -> UsageError:
        return UsageError(
            f"--chain {self._folder} cannot be gone on from: {reason}",
            "a chain has one question: source, filters, redaction and pseudonym key stay the same",
        )
