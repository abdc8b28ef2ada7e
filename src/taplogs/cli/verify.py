"""taplogs verify: whether exports are complete and unchanged; offline, and without an API key."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import BackendOptions, DisplayOptions
from taplogs.cli.panels import ASSURANCE, OUTPUT
from taplogs.cli.session import Session
from taplogs.core.timespan import Window, is_relative, parse_window
from taplogs.errors import UsageError, VerificationFailed, chosen

if TYPE_CHECKING:
    from taplogs.audit.export_check import ExportCheck
    from taplogs.audit.keys import PublicKey
    from taplogs.audit.proof import ProofCheck
    from taplogs.output.verification_view import Verification

_EPILOG = """\b
Without --pubkey it is only proven that the files agree with each other. With it, that whoever has
the secret key has signed them. With --expect-head, too, that nothing was cut off at the end.

\b
Exit code 8 says that something was found, or nothing to verify. Every finding is named.

\b
Examples:
  taplogs verify november --pubkey taplogs.pub
  taplogs verify audit-* --chain --pubkey taplogs.pub --expect-head 3:9f2c…
  taplogs verify audit-* --chain --expect-period 2026-10-01 2026-11-01 --tz UTC
  taplogs verify proof.json --pubkey taplogs.pub
"""


def verify(
    context: typer.Context,
    display: DisplayOptions,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR...", help="Exports, or proofs of single records.")
    ] = None,
    pubkey: Annotated[
        str | None,
        typer.Option(
            "--pubkey",
            "-P",
            metavar="KEY",
            help="The public key that signatures have to hold for: a file, or its line.",
            rich_help_panel=ASSURANCE,
        ),
    ] = None,
    chain: Annotated[
        bool,
        typer.Option("--chain", help="The exports are one chain, in whatever order.", rich_help_panel=ASSURANCE),
    ] = False,
    expect_head: Annotated[
        str | None,
        typer.Option(
            "--expect-head",
            metavar="HEAD",
            help="The head of the last export, as export printed it.",
            rich_help_panel=ASSURANCE,
        ),
    ] = None,
    expect_period: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--expect-period", metavar="FROM UNTIL", help="Together they cover this time.", rich_help_panel=ASSURANCE
        ),
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(
            "--require",
            metavar="LIST",
            help="signed, anchored, complete, csv, redacted, chained; comma-separated.",
            rich_help_panel=ASSURANCE,
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json (text).", rich_help_panel=OUTPUT)
    ] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Verify that exports are complete and unchanged, offline and without an API key."""
    from taplogs.audit.chain_check import REQUIREMENTS

    session = Session(context.obj, BackendOptions(), display)
    format_name = "json" if as_json else chosen("--output", output, ("text", "json"))
    required = [chosen("--require", word.strip(), REQUIREMENTS) for word in require.split(",")] if require else []
    if expect_head is not None and not re.fullmatch(r"[1-9][0-9]{0,15}:[0-9a-f]{64}", expect_head):
        raise UsageError(f"--expect-head {expect_head!r} is no head", "a head is a number, a colon and a SHA-256")
    period = _window(session, *expect_period) if expect_period else None
    if not paths:  # a pattern that matches nothing is no success
        raise VerificationFailed("there is nothing to verify", "name the folders of exports, or files of proofs")
    if expect_head is not None and len(paths) > 1 and not chain:
        raise UsageError("--expect-head is about one export, or about a chain", "add --chain")
    verification = _verified(
        paths, _public_key(pubkey), chain=chain, head=expect_head, period=period, required=required
    )
    _write(session, format_name, verification)
    _conclude(verification)


def _window(session: Session, since: str, until: str) -> Window:
    if is_relative(since) or is_relative(until):
        raise UsageError(
            f"--expect-period {since} {until}: it depends on what time it is now",
            "give times such as 2026-11-01 or 2026-11-01T00:00:00Z",
        )
    return parse_window(since, until, now=session.runtime.clock(), zone=session.zone)


def _public_key(named: str | None) -> "PublicKey | None":
    if named is None:
        return None
    from taplogs.signing_key import find_public_key

    return find_public_key(named)


def _verified(
    paths: Sequence[Path],
    key: "PublicKey | None",
    *,
    chain: bool,
    head: str | None,
    period: Window | None,
    required: Sequence[str],
) -> "Verification":
    """Return all that is found."""
    from taplogs.audit.chain_check import (
        chain_findings,
        head_findings,
        in_order,
        period_findings,
        requirement_findings,
    )
    from taplogs.audit.evidence_file import read_evidence
    from taplogs.audit.export_check import check_export
    from taplogs.audit.finding import Finding
    from taplogs.audit.proof import MOST_PROOF_BYTES, ProofCheck, check_proof
    from taplogs.audit.segment_processes import processors
    from taplogs.output.verification_view import Verification

    proofs, exports = [], []
    for path in paths:
        if not path.is_dir() and os.path.lexists(path):
            try:
                proofs.append((str(path), check_proof(read_evidence(path, MOST_PROOF_BYTES), key)))
            except VerificationFailed as error:
                proofs.append((str(path), ProofCheck([Finding("file_unreadable", path.name, error.message)])))
        else:
            exports.append(check_export(path, key, processors()))
    exports = in_order(exports)
    if proofs and (chain or period):
        option = "--chain" if chain else "--expect-period"
        raise UsageError(f"{option} is about exports, and {proofs[0][0]} is a file", "verify proofs by themselves")
    common = list(chain_findings(exports)) if chain else []
    against_head = list(head_findings([*exports, *_exports_of(proofs)], head)) if head else []
    common += against_head
    common += period_findings(exports, period) if period else []
    is_anchored = head is not None and not against_head
    for manifest, findings, is_signed in [
        *((check.manifest, check.findings, check.signed_by is not None) for check in exports),
        *((proof.manifest, proof.findings, proof.level == "signed") for _, proof in proofs),
    ]:
        findings += requirement_findings(
            manifest, required, is_signed=is_signed, is_anchored=is_anchored, is_chain=chain
        )
    return Verification(exports, proofs, common, chain, is_anchored)


def _exports_of(proofs: "Sequence[tuple[str, ProofCheck]]") -> "Iterator[ExportCheck]":
    """Yield what proofs say of the exports that their records are in."""
    from taplogs.audit.export_check import ExportCheck

    for name, proof in proofs:
        if proof.manifest:
            yield ExportCheck(Path(name), [], proof.manifest, proof.manifest.encode())


def _write(session: Session, format_name: str, verification: "Verification") -> None:
    from taplogs.output.verification_view import VerificationText, document

    if format_name == "json":
        from taplogs.output.records import write_records

        write_records("json", document(verification), [], session.output)
        return
    session.output.write_lines(VerificationText(session.output.screen).lines(verification))
    session.output.flush()


def _conclude(verification: "Verification") -> None:
    """Raise VerificationFailed where anything was found, or nothing was there."""
    from taplogs.output.wording import counted

    found = verification.findings
    if found:
        name, finding = found[0]
        more = f", and {counted(len(found) - 1, 'more finding')}" if len(found) > 1 else ""
        place = f"{name}, {finding.where}" if name else finding.where
        raise VerificationFailed(f"{place}: {finding.message}{more}", "what is not proven must not be relied on")


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, verify, _EPILOG)
