"""What a redaction profile is named by: one of the built-in names, or a TOML file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from taplogs.core.redaction_profile import BUILT_IN_NAMES, Profile, built_in, parse_profile
from taplogs.errors import ConfigurationError

_ENDING = ".toml"
_MOST_BYTES = 1_000_000


def profile_named(text: str) -> Profile:
    """Return the profile that `text` names; raises ConfigurationError with what is accepted.

    A file's name ends in .toml or holds a slash, so that a misspelt name is not taken for a file.
    """
    if text in BUILT_IN_NAMES:
        return built_in(text)
    path = Path(text).expanduser()
    if not text.endswith(_ENDING) and len(path.parts) < 2 and text[:1] not in ("~", "."):
        near = get_close_matches(text, BUILT_IN_NAMES, n=1)
        raise ConfigurationError(
            f"there is no redaction profile {text!r}" + (f"; is {near[0]!r} meant?" if near else ""),
            f"accepted: {', '.join(BUILT_IN_NAMES)}, or a TOML file such as ./company{_ENDING}",
        )
    return _from_file(text, path)


def _from_file(text: str, path: Path) -> Profile:
    import tomllib

    name = path.name if path.name.endswith(_ENDING) else text
    hint = "'taplogs redact --show' prints a profile to start from"
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ConfigurationError(f"the redaction profile {text} is larger than {_MOST_BYTES:,} bytes", hint)
        document = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the redaction profile {text} cannot be read: {error.strerror}", hint) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        fault = "too deeply nested" if isinstance(error, RecursionError) else error
        raise ConfigurationError(f"the redaction profile {text} is not TOML: {fault}", hint) from None
    try:
        return parse_profile(document, name)
    except ConfigurationError as error:
        place = "" if name == text else f"{text}: "
        raise ConfigurationError(f"{place}{error.message}", error.hint) from None
