"""Progress: only on a terminal, only for work that takes long, and gone at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from command import KEY, Command
from faulty_server import FaultyServer, page, reply
from serving import log_entry
from taplogs.core.entry import LogEntry
from taplogs.output.progress import Progress

BATCH = [log_entry()] * 100


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_short_work_shows_nothing() -> None:
    written: list[str] = []
    progress = Progress(written.append, Clock(), 80)
    progress.receive(100)
    assert len(list(progress.follow([BATCH, BATCH], until_first=False))) == 2
    assert written == []


def test_long_work_shows_a_line_that_is_rewritten_and_gone_at_the_end() -> None:
    written: list[str] = []
    clock = Clock()
    progress = Progress(written.append, clock, 80)
    progress.total = 400

    def batches() -> Iterator[list[LogEntry]]:
        for _ in range(4):
            clock.now += 0.5
            progress.receive(100)
            yield BATCH

    list(progress.follow(batches(), until_first=False))
    assert written == [
        "\r\x1b[K200 of 400 entries read, 200/s, 1 s left",
        "\r\x1b[K300 of 400 entries read, 200/s, 0 s left",
        "\r\x1b[K400 of 400 entries read, 200/s, 0 s left",
        "\r\x1b[K",
    ]


def test_the_line_is_gone_when_the_work_fails() -> None:
    written: list[str] = []
    clock = Clock()
    progress = Progress(written.append, clock, 80)

    def batches() -> Iterator[list[LogEntry]]:
        clock.now = 2.0
        progress.receive(100)
        yield BATCH
        raise OSError

    with pytest.raises(OSError):
        list(progress.follow(batches(), until_first=False))
    assert written[-1] == "\r\x1b[K"


@pytest.mark.parametrize(
    ("total", "seconds", "line"),
    [
        (None, 2.0, "100 entries read, 50/s"),
        (50, 2.0, "100 entries read, 50/s"),
        (100, 0.0, "100 of 100 entries read, 0/s, 0 s left"),
        (1_000_000, 10.0, "100 of 1,000,000 entries read, 10/s, 1666 min 30 s left"),
    ],
)
def test_the_line_says_how_far_the_work_is(total: int | None, seconds: float, line: str) -> None:
    written: list[str] = []
    progress = Progress(written.append, Clock(), 80)
    progress.receive(100)
    progress.total = total
    assert progress.line(seconds) == line


def test_on_a_terminal_it_is_seen_while_data_goes_elsewhere(taplogs: Command) -> None:
    first = reply(page([log_entry(2)], totalLogs=2, nextCursor="next"))
    second = reply(page([log_entry(1)], totalLogs=2))
    with FaultyServer([first], [1.2, second]) as server, (taplogs.folder / "out").open("wb") as out:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        shown = taplogs.on_terminal("list", "-n", "0", env=env, stdout=out)
    assert b"2 of 2 entries read" in shown.raw
    assert shown.lines == []
    assert (taplogs.folder / "out").read_bytes().count(b"\n") == 2


def test_it_gives_way_to_the_first_row_of_a_table(taplogs: Command) -> None:
    """Where a filter lets nothing through for long, the terminal must not stay silent; rows say enough themselves."""
    other = reply(page([log_entry(3, status_code=500)], totalLogs=3, nextCursor="a"))
    wanted = reply(page([log_entry(2)], totalLogs=3, nextCursor="b"))
    last = reply(page([log_entry(1)], totalLogs=3))
    with FaultyServer([other], [1.2, wanted], [1.2, last]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        shown = taplogs.on_terminal("list", "-n", "0", "--url", "jobs/1?", "--url", "jobs/2?", env=env)
    assert shown.raw.count(b"entries read") == 1
    assert b"2 of 3 entries read" in shown.raw
    assert len(shown.lines) == 3
