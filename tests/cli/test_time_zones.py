"""The time zone of a run: the one that is named, or TZ, or this machine's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from command import Command
from serving import Backend
from taplogs.errors import UsageError
from taplogs.zone import in_zone, time_zone

TOKYO = str(files("tzdata") / "zoneinfo" / "Asia" / "Tokyo")
WINTER = datetime(2026, 1, 15, 12, tzinfo=UTC)
SUMMER = datetime(2026, 7, 15, 12, tzinfo=UTC)


def hours(name: str | None, environ: dict[str, str], moment: datetime) -> float:
    offset = moment.astimezone(time_zone(name, "--tz", environ)).utcoffset()
    assert offset is not None
    return offset / timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "environ", "winter", "summer"),
    [
        ("Europe/Berlin", {"TZ": "Asia/Tokyo"}, 1, 2),
        ("local", {"TZ": "Asia/Tokyo"}, 9, 9),
        ("LOCAL", {"TZ": "Asia/Tokyo"}, 9, 9),
        (None, {"TZ": "America/New_York"}, -5, -4),
        ("", {"TZ": "America/New_York"}, -5, -4),
        (None, {"TZ": ":Europe/Berlin"}, 1, 2),
        ("UTC", {}, 0, 0),
    ],
)
def test_a_zone_is_named(name: str | None, environ: dict[str, str], winter: float, summer: float) -> None:
    assert (hours(name, environ, WINTER), hours(name, environ, SUMMER)) == (winter, summer)


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/passwd", "Europe/Berlin\0", "\x1b[31m", "CET-1CEST"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a time zone") as caught:
        time_zone(name, "--tz", {})
    assert "Europe/Berlin or UTC, or local" in (caught.value.hint or "")


@pytest.mark.parametrize("variable", ["Nowhere", "Europe", "berlin summer"])
def test_what_is_no_zone_in_the_environment_is_refused(variable: str) -> None:
    with pytest.raises(UsageError, match="TZ"):
        time_zone(None, "default", {"TZ": variable})


@pytest.mark.parametrize(
    ("variable", "local"),
    [
        (f":{TOKYO}", "09:00:12.000"),
        (TOKYO, "09:00:12.000"),
        ("/nowhere", "00:00:12.000"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "01:00:12.000"),
        ("<+0330>-3:30", "03:30:12.000"),
        ("EST5EDT", "20:00:12.000"),
        ("UTC0", "00:00:12.000"),
        (":", "00:00:12.000"),
    ],
)
def test_what_the_c_library_understands_in_tz_is_understood(
    taplogs: Command, logs: Backend, variable: str, local: str
) -> None:
    finished = taplogs.at(logs).run(
        "list", "-o", "table", "--since", "2026-11-01T00:00:12Z", "-n", "1", "--reverse", env={"TZ": variable}
    )
    assert finished.code == 0
    assert variable == ":" or f" {local} " in finished.out


def test_the_ends_of_the_calendar_are_shown_in_utc() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert in_zone(first, time_zone("America/New_York", "--tz", {})) == first
    assert in_zone(last, time_zone("Asia/Tokyo", "--tz", {})) == last
