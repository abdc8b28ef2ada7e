"""Every reading command over every source: the rows that the backend gives over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from clickhouse import drop, new_address, url_of
from command import Command, Finished, sample_entries
from serving import Backend, running_backend
from taplogs.backend.load import load_file

REAL_REQUESTS = Path(__file__).parent.parent / "data" / "requests-2015.jsonl.gz"

COMMANDS = [
    ("list", "-n", "0", "-o", "jsonl"),
    ("list", "-n", "7", "--reverse", "-s", "4xx", "-o", "csv"),
    ("list", "--endpoint", "/v1/partner/jobs/{id}", "--latency", ">300ms", "-o", "table"),
    ("list", "--grep", "went wrong", "--since", "2026-11-01T00:00:30", "-n", "0", "-o", "jsonl"),
    ("show", "entry-00007", "-o", "json"),
    ("stats", "-o", "json"),
    ("stats", "--by", "endpoint,status", "-o", "csv"),
    ("stats", "--by", "hour", "--since", "2026-11-01", "--until", "2026-11-02", "-o", "json"),
    ("errors", "-o", "json"),
    ("check", "--max-error-rate", "60%", "--max-p95", "2s", "--by", "class", "-o", "json"),
    ("export", "-o", "-", "--format", "jsonl"),
    ("tail", "-n", "9", "--until", "+1s", "-o", "jsonl"),
]


@dataclass
class Source:
    """A place that holds the same entries as the backend, and how it is read."""

    command: Command
    options: tuple[str, ...]
    stdin: str | None = None

    def run(self, *arguments: str) -> Finished:
        words = (*arguments, "--redact", "none", *self.options)
        if self.stdin is None:
            return self.command.here(*words)
        return self.command.run(*words, stdin=self.stdin)


class Sources:
    """One backend, and its entries in every other place."""

    def __init__(self, folder: Path, backend: Backend) -> None:
        command = Command(folder)
        self.backend = Source(command.at(backend), ())
        self.address = new_address()
        clickhouse = ("--source", url_of(self.address))
        store = ("--source", f"sqlite:{folder / 'copy.sqlite'}")
        lines = self.backend.run("list", "-n", "0", "-o", "jsonl").out
        (folder / "logs.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))
        for target in ((), ("--to", store[1]), ("--to", clickhouse[1])):
            assert self.backend.run("sync", *target).code == 0
        self.others = {
            "archive": Source(command.at(backend).with_env(TAPLOGS_API_KEY=""), ("--source", "archive")),
            "file": Source(command, ("--source", str(folder / "logs.jsonl.zst"))),
            "standard input": Source(command, ("--source", "-"), lines),
            "sqlite": Source(command, store),
            "clickhouse": Source(command, clickhouse),
        }


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    with ExitStack() as opened:
        folder = tmp_path_factory.mktemp("sources")
        backend = opened.enter_context(running_backend(folder / "logs.db"))
        backend.store.add(sample_entries())
        found = Sources(folder, backend)
        opened.callback(drop, found.address)
        yield found


@pytest.mark.parametrize("name", ["archive", "file", "standard input", "sqlite", "clickhouse"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: " ".join(words[:5]))
def test_a_command_says_what_it_says_of_the_backend(sources: Sources, name: str, arguments: tuple[str, ...]) -> None:
    expected = sources.backend.run(*arguments)
    done = sources.others[name].run(*arguments)
    assert (done.code, done.out) == (expected.code, expected.out), done.err
    assert expected.out


def test_the_archive_of_real_requests_answers_as_the_backend_does(taplogs: Command, backend: Backend) -> None:
    load_file(backend.store, REAL_REQUESTS)
    here = taplogs.at(backend)
    assert here.here("sync", "--redact", "none").code == 0
    for arguments in (
        ("list", "-n", "0", "-o", "jsonl"),
        ("list", "-s", "error", "--grep", "(?i)phone", "-n", "20", "-o", "csv"),
        ("stats", "-o", "json"),
        ("stats", "--by", "endpoint", "-o", "csv"),
        ("stats", "--by", "client,class", "-o", "csv"),
        ("errors", "--top", "0", "-o", "json"),
        ("export", "-o", "-", "--format", "csv"),
    ):
        over_http = here.here(*arguments, "--redact", "none")
        archived = here.here(*arguments, "--redact", "none", "--source", "archive")
        assert (archived.code, archived.out) == (over_http.code, over_http.out)
        assert over_http.out
