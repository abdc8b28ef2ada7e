"""taplogs prove: one record of an export, with what shows that it is in it, and without the others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import BackendOptions, DisplayOptions
from taplogs.cli.session import Session
from taplogs.errors import UsageError

if TYPE_CHECKING:
    from taplogs.audit.proof import Proof

_EPILOG = """\b
The proof holds the record as it was exported, the hashes that lead from it to the root
of all records, and the signed manifest. 'taplogs verify' checks it. Of the other records
it tells how many there are, what the manifest tells, and the hash of one neighbour:
whoever guesses that record in every byte can see that the guess is right.

\b
Examples:
  taplogs prove monday --id 3f9a1c20b7de > proof.json
  taplogs verify proof.json --pubkey taplogs.pub
"""


def prove(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of an export.")],
    entry_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="The record with this id.")] = None,
    row: Annotated[
        int | None, typer.Option("--row", metavar="N", min=1, help="The record in this row; the first is 1.")
    ] = None,
) -> None:
    """Show one record of an export, and prove that it is in it."""
    from taplogs.audit.proving import prove as make_proof

    if (entry_id is None) == (row is None):
        raise UsageError("one of --id ID and --row N is needed, and only one", "give one of them")
    session = Session(context.obj, BackendOptions(), DisplayOptions())
    made = make_proof(folder, entry_id=entry_id, row=row)
    text = made.encode()
    screen = session.output.screen
    if screen.is_terminal:
        from taplogs.output.terminal import harmless_json

        text = harmless_json(text, ascii_only=not screen.unicode)
    session.output.write(text)
    session.output.flush()
    if made.signature is None:
        session.notice("the export is not signed, so anybody could have made this proof")
    if session.messages and session.messages.screen.is_terminal:
        _tell(session, made)


def _tell(session: Session, made: "Proof") -> None:
    """Tell a person what is proven, and what is not."""
    session.notice(
        f"this proves that the record is number {made.index + 1:,} of the {made.size:,} that were exported, and "
        "unchanged since. It does not prove that the backend told the truth, or that the manifest is yours: for that, "
        "'taplogs verify FILE --pubkey KEY'"
    )


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, prove, _EPILOG)
