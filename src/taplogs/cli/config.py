"""taplogs config: read and change settings and profiles."""

import json
from typing import Annotated, Any

import typer

from taplogs.cli.command import build_group
from taplogs.cli.options import DisplayOptions, SourceOptions
from taplogs.cli.session import Session
from taplogs.config_edit import set_value
from taplogs.core.apikey import mask_keys
from taplogs.core.endpoint import EndpointTemplates
from taplogs.errors import UsageError
from taplogs.settings import SETTINGS, read_value, setting_named
from taplogs.sources.address import BackendAddress
from taplogs.zone import time_zone

_SUMMARY = "Read and change settings and profiles."
_EPILOG = """\b
Examples:
  taplogs config set base_url https://logs.example.com/v1 --profile team
  taplogs config set profile team
  taplogs config list
"""

Profile = Annotated[str | None, typer.Option("--profile", "-p", metavar="NAME", help="The profile that is meant.")]


def get(
    context: typer.Context,
    setting: Annotated[str, typer.Argument(metavar="SETTING", help="Its name, as config list shows it.")],
    profile: Profile = None,
) -> None:
    """Print the value of a setting."""
    session = _session(context, profile)
    value = session.settings.get(setting_named(setting).name)
    session.output.write_lines([session.output.screen.clean(mask_keys(_shown(value)))])
    session.output.flush()


def set_(
    context: typer.Context,
    setting: Annotated[str, typer.Argument(metavar="SETTING", help="Its name, as config list shows it.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.")],
    profile: Profile = None,
) -> None:
    """Save a setting; those of a backend go into the profile."""
    session = _session(context, profile)
    known = setting_named(setting)
    _refuse_keys(value)
    read = read_value(known, value, "this value")
    _try_out(known.name, read)
    if known.name == "profile" and read not in session.settings.config.profiles:
        raise UsageError(
            f"there is no profile {read!r}", f"'taplogs config set base_url URL --profile {read}' makes it"
        )
    target = (profile or session.settings.profile) if known.in_profile else None
    set_value(session.settings.config.path, known, read, target)
    place = f" in profile {target}" if target else ""
    session.notice(f"{known.name} is now {_shown(read)}{place} ({session.settings.config.path})")


def list_(
    context: typer.Context,
    profile: Profile = None,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json.")] = "text",
) -> None:
    """Show every setting, its value, and where it comes from."""
    if output not in ("text", "json"):
        raise UsageError(f"--output {output!r} is not a format of config list", "accepted: text, json")
    session = _session(context, profile)
    found = {name: session.settings.resolve(name) for name in SETTINGS}
    profiles = session.settings.config.profiles
    if output == "json":
        document = {
            "settings": {name: {"value": item.value, "origin": item.origin} for name, item in found.items()},
            "profiles": profiles,
        }
        session.output.write(mask_keys(json.dumps(document, indent=2)).encode() + b"\n")
    else:
        shown = {name: _shown(item.value) for name, item in found.items()}
        width = max(map(len, shown.values()))
        lines = [f"{name:<19} {shown[name]:<{width}}  {item.origin}" for name, item in found.items()]
        lines += ["", "profiles:"]
        lines += [f"  {name:<17} {table.get('base_url', '-')}" for name, table in profiles.items()]
        session.output.write_lines(session.output.screen.clean(mask_keys(line)) for line in lines)
    session.output.flush()


def path(context: typer.Context) -> None:
    """Print where the config file is."""
    session = _session(context, None)
    place = str(session.settings.config.path)
    session.output.write_lines([session.output.screen.clean(place) if session.output.screen.is_terminal else place])
    session.output.flush()


def _session(context: typer.Context, profile: str | None) -> Session:
    return Session(context.obj, SourceOptions(profile=profile), DisplayOptions())


def _refuse_keys(value: str) -> None:
    if mask_keys(value) != value:
        raise UsageError("an API key does not belong in the config file", "'taplogs auth login' stores it safely")


def _try_out(name: str, value: Any) -> None:
    """Use a value as a run would, so that what could not work is refused here; raises UsageError."""
    if name == "base_url":
        BackendAddress(value)
    elif name == "logs_path":
        BackendAddress("https://localhost", value)
    elif name == "tz":
        time_zone(value, "this value", {})
    elif name == "endpoint_templates":
        EndpointTemplates(value)
    elif name in ("redact", "export_redact"):
        from taplogs.redaction_file import profile_named

        profile_named(value)


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is None else str(value)


def build(name: str) -> Any:
    """Return the command."""
    return build_group(name, _SUMMARY, {"get": get, "set": set_, "list": list_, "path": path}, _EPILOG)
