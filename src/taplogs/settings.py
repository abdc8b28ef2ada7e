"""Settings and where each value came from: a flag, the environment, the config file, the default; in that order.

The config file is TOML. Settings of a backend stand in the table of a profile, all others at the top:

    profile = "team"
    tz = "Europe/Berlin"

    [profiles.team]
    base_url = "https://logs.example.com/v1"
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct

from taplogs.errors import ConfigurationError

BUILT_IN_PROFILES: dict[str, dict[str, str]] = {
    "production": {"base_url": "https://partner-api.taptalent.io/v1"},
    "sandbox": {"base_url": "https://sandbox.partner-api.taptalent.io/v1"},
}


class Value(Struct, frozen=True):
    """A setting's value and where it came from, in words."""

    value: Any
    origin: str


class Setting(Struct, frozen=True):
    """One thing that can be set: how a value is read (raising ValueError), and what it is without one."""

    name: str
    read: Callable[[Any], Any]
    meaning: str
    default: object = None
    in_profile: bool = False
    convention: Callable[[Mapping[str, str]], Value | None] | None = None
    """What variables say that all programs obey; ours goes before them."""

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"TAPLOGS_{self.name.upper()}"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value.strip()


def _whole_number(lowest: int, highest: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = str(value).strip()
        is_number = not isinstance(value, bool) and text.isascii() and text.isdigit() and len(text) < 20
        if not is_number or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return read


def _seconds(least: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        try:
            number = float("nan" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            number = math.nan
        if not least <= number <= 86_400:
            raise ValueError(f"a number of seconds from {least:g} to a day")
        return number

    return read


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return read


def color_convention(environ: Mapping[str, str]) -> Value | None:
    """Return what NO_COLOR (no-color.org) and FORCE_COLOR say, in this order."""
    if environ.get("NO_COLOR"):
        return Value("never", "environment NO_COLOR")
    if environ.get("FORCE_COLOR"):
        return Value("never" if environ["FORCE_COLOR"] == "0" else "always", "environment FORCE_COLOR")
    return None


def _templates(value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of templates such as /v1/partner/stages/{name}")
    return [item.strip() for item in items if item.strip()]


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("profile", _text, "the profile that is used without --profile", "production"),
        Setting("base_url", _text, "the logging backend, such as https://logs.example.com/v1", in_profile=True),
        Setting("logs_path", _text, "the log endpoint below the base URL", "/partner/logs", in_profile=True),
        Setting("ca_file", _text, "a file of PEM certificates to trust as well", in_profile=True),
        Setting("key_file", _text, "a file that holds the API key", in_profile=True),
        Setting("parallel", _whole_number(1, 64), "how many slices of a long listing are read at once", 4, True),
        Setting("timeout", _seconds(0.1), "the longest that one request may take, in seconds", 60.0, True),
        Setting("max_wait", _seconds(0), "the longest that a run waits for retries, in seconds", 60.0, True),
        Setting("tz", _text, "the time zone of times you read and type, an IANA name; local without it"),
        Setting(
            "color", _one_of("auto", "always", "never"), "when output is coloured", "auto", convention=color_convention
        ),
        Setting("limit", _whole_number(0, 10**9), "how many entries list shows; 0 for all", 50),
        # Not of a profile: what is hidden, and what people are called, does not depend on which backend is asked.
        Setting("redact", _text, "what is hidden from readers: none, secrets, personal, or a TOML file", "secrets"),
        Setting("export_redact", _text, "what is hidden in exports: as for redact", "personal"),
        Setting("pseudonym_key_file", _text, "a file that holds the key of pseudonyms"),
        Setting("archive", _text, "the folder of the archive; the platform's place for it without one"),
        Setting("endpoint_templates", _templates, "your own endpoint templates, before the built-in ones", ()),
    )
}


class ConfigFile:
    """The config file as it was read. A missing one is empty."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self.path = path
        self._document = document

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        """Return the file at `path`, checked; raises ConfigurationError that names file, line or setting."""
        if not path.exists():
            return cls(path, {})
        import tomllib

        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} is not TOML: {error}", "mend the file, or move it away") from None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
        _check(document, path)
        return cls(path, document)

    @property
    def profiles(self) -> dict[str, dict[str, Any]]:
        """Every profile by name, the built-in ones included."""
        own: dict[str, dict[str, Any]] = self._document.get("profiles", {})
        return {name: {**BUILT_IN_PROFILES.get(name, {}), **own.get(name, {})} for name in {**BUILT_IN_PROFILES, **own}}

    def has(self, setting: Setting, profile: str) -> bool:
        """Return whether the file itself sets it (for the profile, where it belongs to one)."""
        return setting.name in self._table(setting, profile)

    def get(self, setting: Setting, profile: str) -> Any:
        """Return the raw value that the file sets."""
        return self._table(setting, profile)[setting.name]

    def _table(self, setting: Setting, profile: str) -> Mapping[str, Any]:
        table: Mapping[str, Any] = (
            self._document.get("profiles", {}).get(profile, {}) if setting.in_profile else self._document
        )
        return table


class Settings:
    """Every setting of one run. Values are read when they are asked for; a bad one raises ConfigurationError."""

    def __init__(self, flags: Mapping[str, object], environ: Mapping[str, str], config: ConfigFile) -> None:
        """`flags`: setting name -> what the command line says; None where it says nothing."""
        self._flags = flags
        self._environ = environ
        self.config = config

    @property
    def profile(self) -> str:
        """The profile of this run; raises ConfigurationError for one that does not exist."""
        found = self.resolve("profile")
        if found.value not in self.config.profiles:
            raise ConfigurationError(
                f"there is no profile {found.value!r} ({found.origin})",
                f"profiles: {', '.join(self.config.profiles)}; "
                f"'taplogs config set base_url URL --profile {found.value}' makes it",
            )
        return str(found.value)

    def get(self, name: str) -> Any:
        """Return the value of a setting."""
        return self.resolve(name).value

    def resolve(self, name: str) -> Value:
        """Return a setting's value and its origin."""
        setting = SETTINGS[name]
        flag = self._flags.get(name)
        if flag is not None:
            option = f"--{name.replace('_', '-')}"
            return Value(read_value(setting, flag, option), f"flag {option}")
        if self._environ.get(setting.variable):
            origin = f"environment {setting.variable}"
            return Value(read_value(setting, self._environ[setting.variable], origin), origin)
        if setting.convention and (said := setting.convention(self._environ)):
            return said
        profile = self.profile if setting.in_profile else ""
        if self.config.has(setting, profile):
            origin = f"file {self.config.path}"
            return Value(read_value(setting, self.config.get(setting, profile), origin), origin)
        if setting.in_profile and name in BUILT_IN_PROFILES.get(profile, {}):
            return Value(BUILT_IN_PROFILES[profile][name], f"built-in profile {profile}")
        return Value(setting.default, "default")


def read_value(setting: Setting, value: Any, origin: str) -> Any:
    """Return a setting's value from text or TOML; raises ConfigurationError that names it and what it takes."""
    try:
        return setting.read(value)
    except ValueError as error:
        raise ConfigurationError(f"{setting.name} {value!r} ({origin}) is not {error}", setting.meaning) from None


def setting_named(name: str) -> Setting:
    """Return the setting of this name, written with - or _; raises ConfigurationError with what is near."""
    setting = SETTINGS.get(name.replace("-", "_"))
    if setting is None:
        near = get_close_matches(name, SETTINGS, n=1)
        raise ConfigurationError(
            f"there is no setting {name!r}" + (f"; is {near[0]!r} meant?" if near else ""),
            f"settings: {', '.join(SETTINGS)}",
        )
    return setting


def config_path(environ: Mapping[str, str]) -> Path:
    """Return where the config file is, or would be: TAPLOGS_CONFIG, or the platform's place for it."""
    if environ.get("TAPLOGS_CONFIG"):
        return Path(environ["TAPLOGS_CONFIG"]).expanduser()
    from platformdirs import user_config_path

    return user_config_path("taplogs", appauthor=False) / "config.toml"


def _check(document: Mapping[str, Any], path: Path) -> None:
    """Raise ConfigurationError for what no setting explains, and for values that are not what it takes."""
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(table, dict) for table in profiles.values()):
        raise ConfigurationError(f"{path}: profiles are tables, such as [profiles.team]")
    tables = [("", {name: value for name, value in document.items() if name != "profiles"}), *profiles.items()]
    for profile, table in tables:
        for name, value in table.items():
            setting = setting_named(name) if name in SETTINGS else None
            place = f"{path}, [profiles.{profile}]" if profile else str(path)
            if setting is None or setting.in_profile is not bool(profile):
                allowed = ", ".join(key for key, known in SETTINGS.items() if known.in_profile is bool(profile))
                raise ConfigurationError(f"{place}: {name!r} is not a setting here", f"settings here: {allowed}")
            read_value(setting, value, place)
