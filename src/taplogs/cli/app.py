"""The assembly: which commands there are. A command's module is imported when it is called, not before."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer

from taplogs import __version__
from taplogs.cli.help import HelpfulGroup
from taplogs.cli.runtime import Runtime

# name -> module with a `build(name)` that returns the command, and its line in the help
_COMMANDS = {
    "list": ("taplogs.cli.list", "List log entries, newest first."),
    "show": ("taplogs.cli.show", "Show everything about an entry."),
    "tail": ("taplogs.cli.tail", "Show the last entries, then new ones as they arrive."),
    "stats": ("taplogs.cli.stats", "Measure requests, errors and latency."),
    "errors": ("taplogs.cli.errors", "Group repeated errors, with how often, since when and for whom."),
    "check": ("taplogs.cli.check", "Check assertions about requests, for CI: exit 3 where one does not hold."),
    "export": ("taplogs.cli.export", "Export entries with what proves them complete and unchanged."),
    "verify": ("taplogs.cli.verify", "Verify that exports are complete and unchanged, offline."),
    "prove": ("taplogs.cli.prove", "Show one record of an export, and prove that it is in it."),
    "redact": ("taplogs.cli.redact", "Show what redaction hides, print its rules, make its key."),
    "keygen": ("taplogs.cli.keygen", "Make a pair of keys that sign exports and verify them."),
    "sync": ("taplogs.cli.sync", "Pull what is new into the local archive."),
    "archive": ("taplogs.cli.archive", "Look after the local archive: status, verify, prune, path, vacuum."),
    "auth": ("taplogs.cli.auth", "Store, forget and check the API key."),
    "config": ("taplogs.cli.config", "Read and change settings and profiles."),
    "serve": ("taplogs.cli.serve", "Run the reference logging backend."),
}

_NAME = "taplogs"

COMPLETION_VARIABLE = "_TAPLOGS_COMPLETE"
"""What a shell's completion sets when it calls the program."""

_HELP = """The command line for API request logs.

\b
Try it now, without a key:
  taplogs list --demo --status 4xx --since 2d
  taplogs show --demo ID
"""

_EPILOG = """\b
Exit codes: 0 success, 1 failure, 2 wrong usage, 3 assertion not met,
4 API key, 5 no such entry, 6 backend, 7 incomplete, 8 verification failed,
130 interrupted, 141 pipe closed.
"""


class CommandGroup(HelpfulGroup):
    """The top of the command line; it imports only the commands that are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        """Return the names of all commands, in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is typer's
        """Return a command by name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = import_module(_COMMANDS[cmd_name][0]).build(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that `args` begin with; an unknown one is told with what is near."""
        for name in _COMMANDS if args and args[0] not in _COMMANDS else ():
            self.commands.setdefault(name, typer.core.TyperCommand(name))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is typer's
        """Write the commands and their lines, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


def run(runtime: Runtime) -> int:
    """Run the command that the arguments name, and return its exit code; raises TaplogsError and usage errors."""
    application = typer.Typer(
        cls=CommandGroup,
        help=_HELP,
        epilog=_EPILOG,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    application.callback()(_root)
    command = typer.main.get_command(application)
    if runtime.environ.get(COMPLETION_VARIABLE):
        command.main(args=list(runtime.arguments), prog_name=_NAME, complete_var=COMPLETION_VARIABLE)
    # Not `main` otherwise: it takes a closed pipe for a failure like any other.
    try:
        with command.make_context(_NAME, list(runtime.arguments), obj=runtime) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def command_names() -> Iterable[str]:
    """Return the names of all commands, in the order of the help."""
    return tuple(_COMMANDS)


def _show_version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(f"taplogs {__version__}", file=context.obj.stdout)
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
