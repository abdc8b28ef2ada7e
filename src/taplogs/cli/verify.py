"""taplogs verify: whether exports are complete and unchanged; offline, and without an API key."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import BackendOptions, DisplayOptions
from taplogs.cli.panels import ASSURANCE, OUTPUT
from taplogs.cli.session import Session
from taplogs.core.timespan import Window, is_relative, parse_instant
from taplogs.errors import UsageError, VerificationFailed, chosen

if TYPE_CHECKING:
    from taplogs.audit.keys import PublicKey
    from taplogs.audit.verification import Verification

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
    from taplogs.audit.segment_processes import processors
    from taplogs.audit.verification import Assurance, verify_paths

    session = Session(context.obj, BackendOptions(), display)
    format_name = "json" if as_json else chosen("--output", output, ("text", "json"))
    required = [chosen("--require", word.strip(), REQUIREMENTS) for word in require.split(",")] if require else []
    if expect_head is not None and not re.fullmatch(r"[1-9][0-9]{0,15}:[0-9a-f]{64}", expect_head):
        raise UsageError(
            f"--expect-head {expect_head!r} is no head",
            "a head is a number, a colon and all 64 digits of a SHA-256, as export printed it",
        )
    period = _window(session, *expect_period) if expect_period else None
    if not paths:  # a pattern that matches nothing is no success
        raise VerificationFailed("there is nothing to verify", "name the folders of exports, or files of proofs")
    if expect_head is not None and len(paths) > 1 and not chain:
        raise UsageError("--expect-head is about one export, or about a chain", "add --chain")
    assurance = Assurance(_public_key(pubkey), chain, expect_head, period, required)
    verification = verify_paths(paths, assurance, processors())
    _write(session, format_name, verification)
    _conclude(verification)


def _window(session: Session, since: str, until: str) -> Window:
    now = session.runtime.clock()
    window = Window(
        parse_instant(since, now=now, zone=session.zone, option="--expect-period"),
        parse_instant(until, now=now, zone=session.zone, option="--expect-period"),
    )
    if is_relative(since) or is_relative(until):
        raise UsageError(
            f"--expect-period {since} {until}: it depends on what time it is now",
            "give times such as 2026-11-01 or 2026-11-01T00:00:00Z",
        )
    if window.since_text >= window.until_text:
        raise UsageError(
            f"--expect-period {since} {until}: it ends ({window.until_text}) before it begins ({window.since_text})",
            "the earlier of the two times comes first",
        )
    return window


def _public_key(named: str | None) -> "PublicKey | None":
    if named is None:
        return None
    from taplogs.signing_key import find_public_key

    return find_public_key(named)


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
        raise VerificationFailed(f"{place}: {finding.message}{more}")


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, verify, _EPILOG)
