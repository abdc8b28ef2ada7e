"""Help as text: options in their groups, nothing coloured or boxed, at the width of the terminal."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from taplogs.cli.panels import ARGUMENTS, ORDER, OTHER


class GroupedHelpCommand(TyperCommand):
    """A command whose help lists its options by what they are about."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; --compare, where the command has it, may stand without a value."""
        if any("--compare" in parameter.opts for parameter in self.params):
            from taplogs.cli.comparison import with_compared_window

            args = with_compared_window(args)
        ctx.allow_extra_args = True  # they are refused here, with what was probably meant
        rest: list[str] = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            from taplogs.cli.extra_words import unexpected

            takes_files = any("--source" in parameter.opts for parameter in self.params)
            raise unexpected(rest, ctx.command_path, ctx.params.get("source") or () if takes_files else None)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options, a section for each group."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(_section_of(parameter), []).append(record)
        for title in sorted(sections, key=ORDER.index):
            with formatter.section(title):
                formatter.write_dl(sections[title], col_max=28)


class HelpfulGroup(TyperGroup):
    """A command with commands of its own; called without one, it shows its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; none at all ask for help."""
        rest: list[str] = super().parse_args(ctx, args or ["--help"])
        return rest


def _section_of(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return ARGUMENTS
    return getattr(parameter, "rich_help_panel", None) or OTHER
