"""What redaction does: to one entry, for people and for programs; and a profile as TOML to start from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from taplogs.core.redaction_profile import Profile
from taplogs.core.replacement import Change
from taplogs.output.grid import Cell, GridColumn, grid_lines
from taplogs.output.terminal import Screen

CHANGE_MEMBERS = ("place", "rule", "becomes")

_COLUMNS = (GridColumn("PLACE", flexible=True), GridColumn("RULE"), GridColumn("BECOMES"))
_WIDTH = 100
_HEADER = """\
# The rules of the redaction profile {name}. Saved as company.toml and changed, it is named by
# --redact ./company.toml. A file that holds `extends = "personal"` and rules of its own does, too.
# Without `extends` a file goes on from secrets; here all rules are written out.
"""


def change_lines(changes: Sequence[Change], screen: Screen) -> list[str]:
    """Return a table of changes, a line each."""
    rows = [[Cell(screen.clean(getattr(change, member))) for member in CHANGE_MEMBERS] for change in changes]
    return grid_lines(_COLUMNS, rows, screen)


def change_records(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return a record for each change."""
    return [{member: getattr(change, member) for member in CHANGE_MEMBERS} for change in changes]


def profile_toml(profile: Profile) -> str:
    """Return a profile as TOML that `parse_profile` makes the same rules of, what it extends written out."""
    parts = [_HEADER.format(name="".join(filter(str.isprintable, profile.name))) + 'extends = "none"\n']
    parts += [f"{name} = {_value(getattr(profile, name))}\n" for name in ("keep", "messages") if getattr(profile, name)]
    for member in ("fields", "parameters", "paths", "patterns"):
        for rule in getattr(profile, member):
            values = {name: getattr(rule, name) for name in rule.__struct_fields__}
            lines = [f"{name} = {_value(value)}\n" for name, value in values.items() if value not in (None, ())]
            parts.append(f"[[{member}]]\n{''.join(lines)}")
    return "\n".join(parts)


def _value(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return _string(value)
    strings = [_string(item) for item in value]
    line = f"[{', '.join(strings)}]"
    return line if len(line) < _WIDTH // 2 else "[\n" + "".join(f"    {line}\n" for line in _filled(strings)) + "]"


def _filled(strings: Sequence[str]) -> list[str]:
    """Return strings with commas in lines that are not wider than need be."""
    lines = [""]
    for text in strings:
        if lines[-1] and len(lines[-1]) + len(text) > _WIDTH - 6:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{text},"
    return lines


def _string(text: str) -> str:
    """Return a TOML string: a literal one where that saves doubling backslashes."""
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
