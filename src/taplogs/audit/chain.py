"""The export that another one goes on from: read with suspicion, and compared with what is asked now."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from taplogs.audit.checkpoint import Question
from taplogs.audit.evidence_file import read_evidence
from taplogs.audit.manifest import MANIFEST, MOST_MANIFEST_BYTES, ORDER, SIGNATURE, Manifest, Previous, decode_manifest
from taplogs.audit.signature import MOST_SIGNATURE_BYTES, BadSignature
from taplogs.errors import UsageError, VerificationFailed

Verify = Callable[[bytes, bytes], object]
"""Takes the bytes of a manifest and the text of its signature; raises BadSignature where that does not hold."""


class PreviousExport:
    """A finished export on this machine, as its manifest tells it."""

    def __init__(self, folder: Path, verify: Verify | None) -> None:
        """Read its manifest, and have its signature verified; raises UsageError, and BadSignature."""
        self._folder = folder
        try:
            text = read_evidence(folder / MANIFEST, MOST_MANIFEST_BYTES)
            if verify:
                verify(text, read_evidence(folder / SIGNATURE, MOST_SIGNATURE_BYTES))
            self.manifest: Manifest = decode_manifest(text)
        except BadSignature as error:
            raise BadSignature(error.fault, f"{folder}: {error.message}", error.hint) from None
        except VerificationFailed as error:
            raise self._refused(error.message) from None
        except ValueError as error:
            raise self._refused(f"{MANIFEST} is no manifest: {error}") from None
        if self.manifest.completeness.status != "complete":
            raise self._refused("it is not complete")
        self.sha256 = sha256(text).hexdigest()

    @property
    def since(self) -> str:
        """Where the next export begins."""
        return self.manifest.period.effective_until

    @property
    def company(self) -> str | None:
        """The company that all its entries are of."""
        return self.manifest.source.company_id

    def has_other_rules(self, question: Question) -> bool:
        """Return whether the redaction profile of that name had other rules then."""
        return self.manifest.redaction.profile_sha256 != question.profile_sha256

    @property
    def link(self) -> Previous:
        """What the next manifest says of it."""
        manifest = self.manifest
        return Previous(manifest.export_id, manifest.sequence, self.sha256, manifest.period.effective_until)

    def answers(self, question: Question) -> bool:
        """Return whether it is the answer to a question that has one answer for good: its period lies in the past."""
        period, previous = self.manifest.period, self.manifest.previous
        return (
            self._difference(question) is None
            and not self.has_other_rules(question)
            and question.until is not None
            and question.until == period.requested_until == period.effective_until
            and question.since == period.requested_since
            and question.previous == (previous.manifest_sha256 if previous else None)
        )

    def refuse_other_question(self, question: Question) -> None:
        """Raise UsageError where the next export would not answer the same question; it says which part differs."""
        if difference := self._difference(question):
            raise self._refused(difference)

    def _difference(self, question: Question) -> str | None:
        manifest, redaction = self.manifest, self.manifest.redaction
        parts = [
            ("source", manifest.source.base_url, question.source),
            ("environment", manifest.source.environment, question.environment),
            *(
                (f"filter {name}", manifest.query.filters.get(name), question.filters.get(name))
                for name in sorted({*manifest.query.filters, *question.filters})
            ),
            ("order", manifest.query.order, ORDER),
            # By its name: its rules may grow, with taplogs or by the company's hand, and the chain goes on.
            ("redaction profile", redaction.profile, question.profile),
        ]
        if redaction.key_fingerprint is not None:  # pseudonyms of an export with a key of its own go nowhere on
            parts.append(("pseudonym key's fingerprint", redaction.key_fingerprint, question.key_fingerprint))
        for name, before, now in parts:
            if before != now:
                return f"its {name} is {before or 'not given'}, here it is {now or 'not given'}"
        return None

    def _refused(self, reason: str) -> UsageError:
        return UsageError(
            f"--chain {self._folder} cannot be gone on from: {reason}",
            "a chain has one question: source, filters, redaction and pseudonym key stay the same",
        )
