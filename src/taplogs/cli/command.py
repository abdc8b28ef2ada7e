"""From a function to a command: its option groups spread out, its help grouped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from taplogs.cli.help import GroupedHelpCommand, HelpfulGroup
from taplogs.cli.option_groups import expand_groups


def build_command(name: str, function: Callable[..., None], epilog: str = "") -> Any:
    """Return the command that `function` is; its docstring is the help, `epilog` what follows the options."""
    application = typer.Typer(add_completion=False, rich_markup_mode=None)
    application.command(name, cls=GroupedHelpCommand, epilog=epilog)(expand_groups(function))
    return typer.main.get_command(application)


def build_group(name: str, summary: str, commands: dict[str, Callable[..., None]], epilog: str = "") -> Any:
    """Return a command with commands of its own."""
    application = typer.Typer(
        name=name, cls=HelpfulGroup, help=summary, epilog=epilog, add_completion=False, rich_markup_mode=None
    )
    application.callback()(lambda: None)
    for command, function in commands.items():
        application.command(command, cls=GroupedHelpCommand)(expand_groups(function))
    return typer.main.get_command(application)
