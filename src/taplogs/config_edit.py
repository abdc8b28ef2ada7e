"""Changing the config file: one value at a time, comments and order kept, replaced in one step."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from taplogs.errors import ConfigurationError, TaplogsError
from taplogs.settings import Setting
from taplogs.whole_file import replace_file


def set_value(path: Path, setting: Setting, value: Any, profile: str | None) -> None:
    """Set a value at the top of the file, or in the table of `profile`; raises TaplogsError where it cannot."""
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        document = tomlkit.parse(text)
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}", "mend the file, or move it away") from None
    except OSError as error:
        raise TaplogsError(f"{path} cannot be read: {error.strerror}") from None
    table: Any = document
    if profile is not None:
        profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
        new = tomlkit.inline_table() if isinstance(profiles, InlineTable) else tomlkit.table()
        table = profiles.setdefault(profile, new)
    table[setting.name] = value
    _replace(path, tomlkit.dumps(document))


def _replace(path: Path, text: str) -> None:
    target = path.resolve()  # a linked config file stays a link
    try:
        with suppress(FileExistsError):  # that it is no folder is told by the next step, in better words
            target.parent.mkdir(parents=True)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        replace_file(target, text.encode("utf-8"), mode)
    except OSError as error:
        raise TaplogsError(f"{path} cannot be written: {error.strerror}") from None
