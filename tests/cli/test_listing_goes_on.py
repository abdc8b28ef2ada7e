"""Where --limit cuts a listing: the command that is suggested shows the rest."""

from __future__ import annotations

import re
import shlex

import pytest

from command import Command, Finished
from serving import Backend, log_entry


def suggested(finished: Finished) -> str | None:
    """Return the command that standard error suggests, None without one."""
    match = re.search(r"([0-9,]+) shown, there are more\. The next ones:\n  (taplogs .*)\n", finished.err)
    return match[2] if match else None


def follow(taplogs: Command, *arguments: str) -> list[list[str]]:
    """Return the ids of a listing and of each one that is suggested after it."""
    pages = []
    words = list(arguments)
    while True:
        finished = taplogs.here(*words)
        assert finished.code == 0
        pages.append(finished.ids)
        command = suggested(finished)
        if command is None:
            return pages
        assert len(pages) < 130
        words = shlex.split(command)[1:]


@pytest.mark.parametrize("reverse", [[], ["--reverse"]], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("limit", [1, 7, 50, 119, 120])
def test_the_suggested_commands_show_exactly_the_rest(
    taplogs: Command, logs: Backend, limit: int, reverse: list[str]
) -> None:
    pages = follow(taplogs.at(logs), "list", "-n", str(limit), "--since", "2026-11-01", *reverse)
    whole = [f"entry-{number:05}" for number in range(1, 121)]
    assert [entry_id for ids in pages for entry_id in ids] == (whole if reverse else whole[::-1])
    assert {len(ids) for ids in pages[:-1]} <= {limit}


@pytest.mark.parametrize("reverse", [[], ["--reverse"]], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("spelling", ["-n 2", "-n2", "--limit 2", "--limit=2"])
@pytest.mark.parametrize("sizes", [(1, 2, 1), (3, 3), (9,), (1, 9, 1), (2, 2, 2)], ids=str)
def test_nothing_is_lost_among_equal_timestamps(
    taplogs: Command, backend: Backend, sizes: tuple[int, ...], spelling: str, reverse: list[str]
) -> None:
    entries = [
        log_entry(10 * second + number, timestamp=f"2026-11-01T10:00:00.{second:03}Z")
        for second, size in enumerate(sizes)
        for number in range(size)
    ]
    backend.store.add(entries)
    pages = follow(taplogs.at(backend), "list", *spelling.split(), *reverse)
    shown = dict.fromkeys(entry_id for ids in pages for entry_id in ids)
    whole = [entry.id for entry in entries]
    assert list(shown) == (whole if reverse else whole[::-1])


def test_a_relative_window_is_suggested_as_an_absolute_one(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(number) for number in (1, 2, 3)])
    finished = taplogs.at(backend).here("list", "--since=1200mo", "-n", "1", "--until", "now")
    command = suggested(finished)
    assert command
    words = shlex.split(command)
    assert words[:4] == ["taplogs", "list", "-n", "1"]
    assert words[4::2] == ["--since", "--until"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", word) for word in words[5::2])


@pytest.mark.parametrize(
    "pattern", ["it's", "a b  c", '"quoted"', "$HOME `id` $(id)", "back\\slash", "tab\there", "\x1b[31m", "é🎉", "* ?"]
)
def test_the_suggested_command_survives_a_shell(taplogs: Command, backend: Backend, pattern: str) -> None:
    client = [log_entry(number, client_id=pattern) for number in (1, 2, 3)]
    backend.store.add([*client, log_entry(4)])
    finished = taplogs.at(backend).here("list", "-n", "2", "--client-id", pattern)
    command = suggested(finished)
    assert command
    assert command.isprintable()
    rest = taplogs.at(backend).shell(command)
    assert rest.ids == ["entry-00001"]


def test_on_a_terminal_the_command_stays_in_one_piece(taplogs: Command, logs: Backend) -> None:
    pattern = "words " * 30 + "|E404"
    shown = taplogs.at(logs).on_terminal("list", "-n", "2", "--grep", pattern, columns=80)
    (command,) = [line for line in shown.plain.splitlines() if line.startswith("  taplogs list")]
    assert shlex.split(command)[:6] == ["taplogs", "list", "-n", "2", "--grep", pattern]


def test_a_listing_that_is_not_cut_suggests_nothing(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).here("list", "-n", "120").err == ""


def test_the_limit_counts_after_filtering(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("list", "--latency", ">1s", "-n", "3")
    assert finished.ids == ["entry-00120", "entry-00119", "entry-00118"]
    assert suggested(finished)
