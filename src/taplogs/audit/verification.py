"""Exports and proofs verified in one run: each by itself, all together, and against what their reader knows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from taplogs.audit.chain_check import chain_findings, head_findings, in_order, period_findings, requirement_findings
from taplogs.audit.evidence_file import read_evidence
from taplogs.audit.export_check import ExportCheck, check_export
from taplogs.audit.finding import Finding
from taplogs.audit.keys import PublicKey, read_public_key
from taplogs.audit.manifest import head_of
from taplogs.audit.proof import MOST_PROOF_BYTES, ProofCheck, check_proof
from taplogs.core.timespan import Window
from taplogs.errors import UsageError, VerificationFailed

Check = TypeVar("Check", ExportCheck, ProofCheck)


class Assurance(Struct, frozen=True):
    """What the reader of exports knows of them, or asks of them.

    `head` is that of the last export, `period` the time that all cover together, `required` some of `REQUIREMENTS`.
    """

    key: PublicKey | None
    is_chain: bool
    head: str | None
    period: Window | None
    required: Sequence[str]


class Verification(Struct, frozen=True):
    """All that was verified in one run; `common` are findings about several exports together.

    `period` is the time that they were to cover together.
    """

    exports: Sequence[ExportCheck]
    proofs: Sequence[tuple[str, ProofCheck]]
    common: Sequence[Finding]
    period: Window | None
    is_chain: bool
    is_anchored: bool

    @property
    def findings(self) -> list[tuple[str, Finding]]:
        """Every finding, after the name of what it is about."""
        found = [(str(check.path), finding) for check in self.exports for finding in check.findings]
        found += [(name, finding) for name, check in self.proofs for finding in check.findings]
        return found + [("", finding) for finding in self.common]

    def level(self, check: ExportCheck) -> str:
        """Return how much is proven of an export: integrity, signed, anchored, or both; none with any finding."""
        if check.findings or self.common or check.manifest is None:
            return "none"
        if check.signed_by is None:
            return "anchored" if self.is_anchored else "integrity"
        return "signed and anchored" if self.is_anchored else "signed"


def verify_paths(paths: Sequence[Path], assurance: Assurance, processes: int) -> Verification:
    """Return all that is found of the exports in folders, and of files with proofs.

    Raises UsageError where a file is among what has to be exports.
    """
    files = [path for path in paths if os.path.lexists(path) and not path.is_dir()]
    if files and (assurance.is_chain or assurance.period):
        option = "--chain" if assurance.is_chain else "--expect-period"
        raise UsageError(f"{option} is about exports, and {files[0]} is a file", "verify proofs by themselves")
    proofs = [(str(path), _check_file(path, assurance.key)) for path in files]
    exports = in_order(check_export(path, assurance.key, processes) for path in paths if path not in files)
    against_head = list(head_findings(_heads(exports, proofs), assurance.head)) if assurance.head else []
    common = [
        *(chain_findings(exports) if assurance.is_chain else ()),
        *against_head,
        *(period_findings(exports, assurance.period) if assurance.period else ()),
    ]
    is_anchored = assurance.head is not None and not against_head
    unmet = partial(
        requirement_findings, required=assurance.required, is_anchored=is_anchored, is_chain=assurance.is_chain
    )
    exports = [_with(check, unmet(check.manifest, is_signed=check.signed_by is not None)) for check in exports]
    proofs = [(name, _with(check, unmet(check.manifest, is_signed=check.level == "signed"))) for name, check in proofs]
    return Verification(exports, proofs, common, assurance.period, assurance.is_chain, is_anchored)


def _check_file(path: Path, key: PublicKey | None) -> ProofCheck:
    try:
        text = read_evidence(path, MOST_PROOF_BYTES)
    except VerificationFailed as error:
        return ProofCheck([Finding("file_unreadable", path.name, error.message)])
    with suppress(ValueError):
        read_public_key(text)
        return ProofCheck([Finding("proof_malformed", "file", "this is a public key; --pubkey takes it")])
    return check_proof(text, key)


def _heads(exports: Iterable[ExportCheck], proofs: Iterable[tuple[str, ProofCheck]]) -> Iterator[str]:
    """Yield the heads of exports, and of those that records with proofs are in."""
    yield from (check.head for check in exports if check.head)
    for _, check in proofs:
        if check.manifest:
            yield head_of(check.manifest.sequence, check.manifest.encode())


def _with(check: Check, findings: Iterable[Finding]) -> Check:
    """Return what was found of an export or a proof, and more."""
    return replace(check, findings=[*check.findings, *findings])
