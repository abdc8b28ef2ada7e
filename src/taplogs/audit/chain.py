"""The export that another one goes on from, compared with what is asked now."""

from __future__ import annotations

import os
from pathlib import Path

from taplogs.audit.checkpoint import Question
from taplogs.audit.finished_export import FinishedExport, Verify
from taplogs.audit.manifest import Previous
from taplogs.audit.signature import BadSignature
from taplogs.core.export_names import MANIFEST, SIGNATURE
from taplogs.errors import UsageError, VerificationFailed
from taplogs.pseudonym_key import KEY_VARIABLE

_FOLDER = "--chain takes the folder of the export before"
_SAME_KEY = f"set {KEY_VARIABLE}, or --pseudonym-key-file, to the key that it was made with"
_SAME_QUESTION = "a chain has one question: source, filters, redaction and pseudonym key stay the same"


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
            raise self._refused(*_cause(folder, error.message, is_signed=verify is not None)) from None
        if not self._export.is_complete:
            raise self._refused("it is not complete", "a chain ends with a gap: export the period anew, without one")

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
            raise self._refused(difference, _SAME_KEY if self._export.lacks_key(question) else _SAME_QUESTION)

    def _refused(self, reason: str, hint: str) -> UsageError:
        return UsageError(f"the chain cannot go on from {self._folder}: {reason}", hint)


def _cause(folder: Path, fault: str, *, is_signed: bool) -> tuple[str, str]:
    """Return why the export in a folder cannot be read, `fault` as a rule, and what to do about it."""
    try:
        (folder / MANIFEST).stat()
    except FileNotFoundError:
        if os.path.lexists(folder):
            return fault, "an export has its manifest when it is complete: --resume completes one that ended early"
        return "there is no such folder", _FOLDER
    except NotADirectoryError:
        return "it is a file", _FOLDER
    except OSError:
        return fault, "whoever goes on with a chain has to be allowed to read it"
    if is_signed and not os.path.lexists(folder / SIGNATURE):
        return fault, "a signed export goes on from a signed one: leave --sign-key out, or begin a chain anew"
    return fault, "'taplogs verify' on the folder says more"
