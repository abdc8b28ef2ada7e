"""taplogs redact: what redaction would do to an entry, a profile to start from, a key for pseudonyms."""

from typing import Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import DisplayOptions, Format, SourceOptions
from taplogs.cli.session import Session
from taplogs.errors import UsageError

_EPILOG = """\b
Without --redact the profile here is the one that export uses: personal, or the setting export_redact.
The pseudonym key is taken from TAPLOGS_PSEUDONYM_KEY, --pseudonym-key-file or the system
keyring, in that order; without one pseudonyms hold for one run only.

\b
Examples:
  taplogs redact --explain 3f9a1c20b7de
  taplogs redact --explain 3f9a1c20b7de --redact ./company.toml
  taplogs redact --show --redact secrets > company.toml
  taplogs redact --new-key
"""


def redact(
    context: typer.Context,
    source: SourceOptions,
    display: DisplayOptions,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="ID", help="Show what would be hidden of this entry, and why.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the profile as TOML, to make your own of it.")] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make a pseudonym key and store it in the system keyring.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="With --new-key: replace the key there is.")] = False,
    output: Format = None,
) -> None:
    """Show what redaction hides, print its rules, and make the key of its pseudonyms.

    No value that is hidden is shown, and no key.
    """
    if (explain is not None) + show + new_key != 1:
        raise UsageError("one of --explain ID, --show and --new-key is needed, and only one", "give one of them")
    if force and not new_key:
        raise UsageError("--force is about a pseudonym key", "it goes with --new-key")
    if output is not None and explain is None:
        raise UsageError("--output is about an explanation", "it goes with --explain ID")
    session = Session(context.obj, source, display, redaction="export_redact", export_redact=source.redact)
    if explain is not None:
        _explain(session, explain, output)
    elif show:
        _show(session)
    else:
        _make_key(session, force=force)


def _explain(session: Session, entry_id: str, output: str | None) -> None:
    from taplogs.core.replacement import Change
    from taplogs.output.records import report_format, write_records
    from taplogs.output.redaction_view import CHANGE_MEMBERS, change_lines, change_records
    from taplogs.output.wording import counted

    format_name = report_format(output, session.output.screen)
    redactor = session.redactor
    with session.unredacted_source() as source:
        entry = source.get(entry_id)
    # The name of a member may be what is to be hidden, too.
    changes = [Change(redactor.text(change.place), change.rule, change.becomes) for change in redactor.explain(entry)]
    if format_name != "table":
        records = change_records(changes)
        profile = redactor.profile
        document = {"id": entry.id, "profile": profile.name, "profileSha256": profile.sha256, "changes": records}
        write_records(format_name, document, records, session.output, CHANGE_MEMBERS)
    elif changes:
        session.output.write_lines(change_lines(changes, session.output.screen))
        session.output.flush()
    if changes:
        session.notice(f"{redactor.profile.name} hides {counted(len(changes), 'value')} of entry {entry.id}")
    else:
        session.notice(f"nothing to hide in entry {entry.id} ({redactor.profile.name})")


def _show(session: Session) -> None:
    from taplogs.output.redaction_view import profile_toml

    text = profile_toml(session.redaction_profile)
    screen = session.output.screen
    if screen.is_terminal:
        session.output.write_lines(map(screen.clean, text.splitlines()))
    else:
        session.output.write(text.encode("utf-8"))
    session.output.flush()


def _make_key(session: Session, *, force: bool) -> None:
    from taplogs.core.pseudonym import Pseudonyms
    from taplogs.pseudonym_key import KEY_VARIABLE, store_new_key

    key = store_new_key(session.runtime.random_bytes, replace=force)
    session.notice(
        f"stored a new pseudonym key in the system keyring (fingerprint {Pseudonyms(key.key).fingerprint}); "
        "whoever is to make the same pseudonyms needs the same key"
    )
    earlier = [KEY_VARIABLE] if session.runtime.environ.get(KEY_VARIABLE) else []
    earlier += ["pseudonym_key_file"] if session.settings.get("pseudonym_key_file") else []
    if earlier:
        session.notice(f"{' and '.join(earlier)} is set and goes before it")


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, redact, _EPILOG)
