"""The table: it fits its width, its columns are aligned, and only the URL gives way."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyte.screens import wcwidth
from rich.cells import cell_len

from command import Command, screen_of
from serving import Backend, log_entry
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.output.table import COLUMNS, LocalTimes, Table, columns_named, shorten, show_latency, text_width
from taplogs.output.terminal import Screen

UUID = "6d19fe20-999b-4620-a0e8-b027b26196d1"
LONG_URL = "https://partner-api.taptalent.io/v1/partner/candidates/bulk/resume/{}?perPage=100&filter=" + "x" * 150


def drawn(entries: list[LogEntry], width: int | None, columns: str | None = None, *, unicode: bool = True) -> list[str]:
    """Return the lines of a table of `entries`."""
    screen = Screen(is_terminal=width is not None, width=width, color=False, unicode=unicode)
    table = Table(columns_named(columns), screen, UTC)
    return [table.header(entries[:100]), *map(table.row, entries)]


def on_screen(lines: list[str], width: int) -> list[str]:
    """Return what a terminal of this width shows of `lines`: more lines than these where one wraps."""
    raw = "".join(f"{line}\r\n" for line in lines).encode()
    return [line.rstrip() for line in screen_of(raw, width, 300).display if line.strip()]


def cells(text: str) -> int:
    """Return how many columns a text takes on a terminal that knows nothing of clusters of characters."""
    return sum(max(0, wcwidth(character)) for character in text)


def mixed_entries(entry_id: str) -> list[LogEntry]:
    """Return entries whose every column has its longest usual content in some row."""
    methods = ("GET", "DELETE", "OPTIONS", "PATCH")
    return [
        log_entry(
            number,
            id=entry_id[: -len(str(number))] + str(number),
            method=methods[number % 4],
            request_url=LONG_URL.format(number) if number % 2 else f"https://partner-api.taptalent.io/v1/j/{number}",
            status_code=(200, 404, 503)[number % 3],
            latency_ms=(3, 870, 1240, 99_000, None)[number % 5],
        )
        for number in range(1, 40)
    ]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("entry_id", ["3f9a1c20b7de", UUID, "1234567"])
def test_no_row_wraps_and_every_id_is_whole(width: int, entry_id: str) -> None:
    entries = mixed_entries(entry_id)
    lines = on_screen(drawn(entries, width), width)
    assert len(lines) == 40
    for line, entry in zip(lines[1:], entries, strict=True):
        assert line.endswith(f" {entry.id}")


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("entry_id", ["3f9a1c20b7de", UUID])
def test_the_status_stands_at_the_same_place_in_all_rows(width: int, entry_id: str) -> None:
    entries = mixed_entries(entry_id)
    heading, *rows = on_screen(drawn(entries, width), width)
    end = re.search("STATUS|CODE", heading).end()  # type: ignore[union-attr]  # it is there, or this fails
    for row, entry in zip(rows, entries, strict=True):
        assert row[end - 4 : end + 1] == f" {entry.status_code} "


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_long_url_loses_its_middle(width: int) -> None:
    (_, row) = drawn([log_entry(request_url=LONG_URL.format(7))], width)
    assert cell_len(row) == width
    url = re.search(r"\S*…\S*", row)
    assert url
    head, tail = url[0].split("…")
    assert LONG_URL.format(7).removeprefix("https://partner-api.taptalent.io").startswith(head)
    assert LONG_URL.format(7).endswith(tail)
    assert abs(len(head) - len(tail)) <= 1


def test_at_80_columns_the_url_is_still_of_use_beside_uuids() -> None:
    _, *rows = drawn(mixed_entries(UUID), 80)
    urls = [row.split()[3] for row in rows if "…" in row]
    assert urls
    assert min(map(len, urls)) >= 8


def test_a_table_that_fits_is_left_as_it_is() -> None:
    entries = [log_entry(number) for number in range(3)]
    assert drawn(entries, 200) == drawn(entries, None)


def test_a_later_id_that_is_longer_takes_its_room_from_the_url() -> None:
    entries = [log_entry(number, request_url=LONG_URL.format(number)) for number in range(150)]
    entries[140] = log_entry(140, id="a-much-longer-id-than-those-before", request_url=LONG_URL.format(140))
    lines = on_screen(drawn(entries, 120), 120)
    assert len(lines) == 151
    assert lines[141].endswith(" a-much-longer-id-than-those-before")


@pytest.mark.parametrize("width", [80, 120, 160])
def test_where_rows_come_later_the_url_has_the_room_that_the_first_one_leaves(width: int) -> None:
    first, later = log_entry(1, request_url="https://h/a"), log_entry(2, request_url="https://h/" + "b" * 200)
    screen = Screen(is_terminal=True, width=width, color=False, unicode=True)
    table = Table(columns_named(None), screen, UTC, fills=True)
    lines = [table.header([first]), table.row(first), table.row(later)]
    assert [len(line) for line in lines[1:]] == [width, width]
    assert lines[2].count("b") > width - 75


def test_a_later_method_that_is_longer_takes_its_room_from_the_url() -> None:
    entries = [log_entry(number, request_url=LONG_URL.format(number)) for number in range(150)]
    entries[140] = log_entry(140, method="UNSUBSCRIBE", request_url=LONG_URL.format(140))
    lines = on_screen(drawn(entries, 120), 120)
    assert len(lines) == 151
    assert lines[141].index(" 200 ") == lines[140].index(" 200 ")


@pytest.mark.parametrize("width", [80, 120])
def test_in_colour_the_same_columns_are_seen(width: int) -> None:
    entries = mixed_entries(UUID)
    plain = drawn(entries, width)
    table = Table(columns_named(None), Screen(is_terminal=True, width=width, color=True, unicode=True), UTC)
    colored = [table.header(entries), *map(table.row, entries)]
    assert colored != plain
    assert on_screen(colored, width) == on_screen(plain, width)


def test_several_flexible_columns_give_way_together() -> None:
    entries = [log_entry(request_url=LONG_URL.format(7), user_agent="agent " * 30)]
    heading, row = drawn(entries, 100, "url,user-agent,endpoint,id")
    assert cell_len(row) <= 100
    assert row.endswith("entry-00001")
    assert heading.split("  ")[0] == "URL"


def test_a_column_may_be_named_twice() -> None:
    _, row = drawn([log_entry()], 100, "id,id")
    assert row == "entry-00001  entry-00001"


TEXTS = {
    "cjk": "/jobs/東京都庁舎/求人一覧/エンジニア募集/詳細",
    "hangul": "/jobs/서울특별시/채용공고/개발자",
    "combining": "/jobs/Zu\u0308rich/cafe\u0301/n\u0303" + "e\u0301" * 40,
    "zalgo": "/jobs/h" + "\u0321\u034e\u0317" * 5 + "e",
    "emoji": "/jobs/🎉🚀🔥/party",
    "family": "/jobs/👨\u200d👩\u200d👧/family",
    "flag": "/jobs/🇩🇪🇯🇵/flags",
    "skin": "/jobs/👍🏽/thumb",
    "keycap": "/jobs/1\ufe0f\u20e3/one",
    "heart": "/jobs/❤\ufe0f/heart",
    "arabic": "/jobs/مهندس/تفاصيل",
    "devanagari": "/jobs/नौकरी/विवरण",
    "full width": "/jobs/ＡＢＣ／１２３",
    "long cjk": "/jobs/" + "求人" * 60,
}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_wide_and_combining_characters_stay_aligned(text: str, width: int) -> None:
    urls = [f"https://partner-api.taptalent.io{path}" for path in (text, "/plain", text * 3)]
    entries = [log_entry(number, request_url=url) for number, url in enumerate(urls)]
    lines = drawn(entries, width)
    assert max(map(cells, lines)) <= width
    assert len({(cells(row[: row.index(" 200 ")]), cells(row)) for row in lines[1:]}) == 1
    # pyte stops drawing at a character without width that it does not know as a combining one.
    if all(wcwidth(character) or unicodedata.combining(character) for line in lines for character in line):
        assert len(on_screen(lines, width)) == 4


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_without_unicode_a_table_is_ascii_only(text: str) -> None:
    entries = [log_entry(number, request_url="https://a.example" + text * 4, user_agent=text) for number in range(3)]
    lines = drawn(entries, 100, "url,user-agent,id", unicode=False)
    assert "".join(lines).isascii()
    assert {len(line) for line in lines[1:]} == {100}


def test_the_locale_c_is_ascii_only_on_a_real_terminal(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(1, request_url="https://a.example/求人?" + "é" * 200, user_agent="Ünicode")])
    for arguments in (["list"], ["show", "entry-00001"], ["list", "-o", "json"], ["show", "entry-00001", "--curl"]):
        shown = taplogs.at(backend).on_terminal(*arguments, columns=80, env={"LC_ALL": "C"})
        assert shown.code == 0
        assert shown.raw.isascii()
        assert "entry-00001" in shown.text or "--curl" in arguments


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_on_a_real_terminal_the_table_fits(taplogs: Command, logs: Backend, columns: int) -> None:
    shown = taplogs.at(logs).on_terminal("list", "-n", "20", columns=columns)
    rows = [line for line in shown.lines if line.startswith(("TIME", "2026", "11-"))]
    assert len(rows) == 21
    assert max(map(len, rows)) <= columns
    assert all(re.search(r" entry-\d{5}\Z", row) for row in rows[1:])


def test_the_variable_columns_goes_before_the_size_of_the_terminal(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(1, request_url=LONG_URL.format(1))])
    shown = taplogs.at(backend).on_terminal("list", columns=200, env={"COLUMNS": "90"})
    assert [len(line) for line in shown.plain.splitlines()][1] == 90


WIDE_TEXT = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="\xa0…."), max_size=60)


@given(WIDE_TEXT, st.integers(1, 40), st.sampled_from(["…", "..."]))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, room: int, ellipsis: str) -> None:
    short = shorten(text, room, ellipsis)
    assert text_width(short) <= room
    if room > len(ellipsis):
        head, _, tail = short.partition(ellipsis)
        assert text.startswith(head)
        assert text.endswith(tail)


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=30), st.integers(4, 29))
def test_a_shortened_ascii_text_fills_its_room(text: str, room: int) -> None:
    assert len(shorten(text, room, "…")) == room


@pytest.mark.parametrize("character", ["a", "é", "東", "🎉", "\u0301", "ｱ", "Ａ", "ß", "ﷺ", "한"])
def test_the_width_of_a_character_is_that_of_the_terminal(character: str) -> None:
    assert text_width(character) == max(0, wcwidth(character)), unicodedata.name(character)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"),
        (0, "0ms"),
        (999, "999ms"),
        (1000, "1.00s"),
        (1240, "1.24s"),
        (9994, "9.99s"),
        (9995, "10.0s"),
        (61_300, "61.3s"),
        (99_949, "99.9s"),
        (99_950, "100s"),
        (3_600_000, "3600s"),
        (2**53 - 1, "9007199254741s"),
    ],
)
def test_a_latency_is_short(milliseconds: int | None, text: str) -> None:
    assert show_latency(milliseconds) == text


@pytest.mark.parametrize(
    ("zone", "timestamp", "shown"),
    [
        ("UTC", "2026-11-01T10:20:30.456Z", "2026-11-01 10:20:30.456"),
        ("Europe/Berlin", "2026-03-29T00:59:59.999Z", "2026-03-29 01:59:59.999"),
        ("Europe/Berlin", "2026-03-29T01:00:00.000Z", "2026-03-29 03:00:00.000"),
        ("America/New_York", "2026-11-01T05:30:00.000Z", "2026-11-01 01:30:00.000"),
        ("America/New_York", "2026-11-01T06:30:00.000Z", "2026-11-01 01:30:00.000"),
        ("Asia/Kathmandu", "2026-11-01T23:00:00.000Z", "2026-11-02 04:45:00.000"),
        ("Europe/Amsterdam", "1900-01-01T00:00:00.000Z", "1900-01-01 00:00:00.000"),
        ("America/New_York", "0001-01-01T00:00:00.000Z", "0001-01-01 00:00:00.000"),
        ("Asia/Tokyo", "9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59.999"),
    ],
)
def test_a_time_is_shown_in_the_zone(zone: str, timestamp: str, shown: str) -> None:
    expected = shown
    if zone == "Europe/Amsterdam":
        offset = ZoneInfo(zone).utcoffset(log_entry(timestamp=timestamp).instant)
        expected = (log_entry(timestamp=timestamp).instant + (offset or 0)).isoformat(" ", "milliseconds")[:23]  # type: ignore[operator]
    assert LocalTimes(ZoneInfo(zone), milliseconds=True).show(timestamp) == expected


def test_an_entry_from_the_first_day_of_the_calendar_is_listed_and_shown(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(1, created_at="0001-01-01T00:00:00.000Z")])
    run = taplogs.at(backend).here
    table = run("list", "-o", "table", "--columns", "id,created-at", "--tz", "America/New_York")
    assert "0001-01-01 00:00:00.000" in table.out
    shown = run("show", "entry-00001", "-o", "text", "--tz", "America/New_York")
    assert "0001-01-01 00:00:00.000+00:00" in shown.out


def test_own_templates_are_used_by_the_column() -> None:
    templates = EndpointTemplates(["/v1/partner/{all}/7"])
    table = Table([COLUMNS["endpoint"]], Screen(False, None, False, True), UTC, templates)
    entries = [log_entry(7), log_entry(8)]
    table.header(entries)
    assert [table.row(entry).strip() for entry in entries] == ["/v1/partner/{all}/7", "/v1/partner/jobs/{id}"]
