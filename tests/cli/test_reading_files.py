"""Every reading command over files: the same rows as over HTTP."""

from __future__ import annotations

import gzip
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from command import KEY, Command, sample_entries, wait_until
from files import json_array, json_lines
from running_tail import QUICK, recent, tailing
from serving import Backend, log_entry

NO_REDACTION = ("--redact", "none")


def zstd(content: bytes) -> bytes:
    return zstandard.compress(content)


@pytest.fixture
def exported(taplogs: Command, logs: Backend, tmp_path: Path) -> Path:
    """The folder of an export of everything, as it is."""
    done = taplogs.at(logs).here("export", "-o", str(tmp_path / "export"), *NO_REDACTION)
    assert done.code == 0
    return tmp_path / "export"


COMMANDS = [
    ("list", "-n", "0", "-o", "jsonl"),
    ("list", "--reverse", "-n", "7", "-s", "4xx,5xx", "-o", "jsonl"),
    ("stats", "--by", "status", "-o", "json"),
    ("stats", "-o", "json"),
    ("errors", "-o", "json"),
    ("check", "--max-error-rate", "99%", "-o", "json"),
    ("show", "entry-00007", "-o", "json"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: " ".join(words[:3]))
def test_a_command_says_of_files_what_it_says_of_the_backend(
    taplogs: Command, logs: Backend, exported: Path, arguments: tuple[str, ...]
) -> None:
    expected = taplogs.at(logs).here(*arguments, *NO_REDACTION)
    assert expected.code == 0
    for source in (exported, exported / "records.jsonl", exported / "records.csv"):
        done = taplogs.here(*arguments, *NO_REDACTION, "--source", str(source))
        assert (done.code, done.out) == (0, expected.out), done.err


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd])
@pytest.mark.parametrize("table", [(), ("--csv-raw",)])
def test_an_export_gives_the_same_entries_in_every_form(
    taplogs: Command, backend: Backend, tmp_path: Path, table: tuple[str, ...], compress: Callable[[bytes], bytes]
) -> None:
    backend.store.add([*sample_entries(), log_entry(900, user_agent="=cmd", client_id="'x", request_url="@SUM(1)")])
    folder = tmp_path / "export"
    assert taplogs.at(backend).here("export", "-o", str(folder), *NO_REDACTION, *table).code == 0
    expected = taplogs.at(backend).here("list", "-n", "0", *NO_REDACTION)
    for name in ("records.jsonl", "records.csv"):
        path = tmp_path / f"{name}.packed"
        path.write_bytes(compress((folder / name).read_bytes()))
        done = taplogs.here("list", "-n", "0", *NO_REDACTION, "--source", str(path))
        assert done.out == expected.out
        assert "entry-00001" in done.out


def test_standard_input_is_a_source(taplogs: Command, exported: Path) -> None:
    text = (exported / "records.jsonl").read_text()
    done = taplogs.run("stats", "--source", "-", "-o", "json", stdin=text)
    assert done.code == 0
    assert f'"requests": {len(text.splitlines())},' in done.out


def test_what_a_shell_puts_in_a_pipe_is_a_source(taplogs: Command, exported: Path) -> None:
    records = shlex.quote(str(exported / "records.jsonl"))
    words = ["bash", "-c", f'"$0" -m taplogs list -n 0 --source <(gzip -c {records})']
    done = subprocess.run([*words, sys.executable], env=taplogs.environ(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == len((exported / "records.jsonl").read_text().splitlines())


def test_an_export_that_was_changed_is_not_read_unless_asked_for(taplogs: Command, exported: Path) -> None:
    records = exported / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"statusCode":500', b'"statusCode":200', 1))
    done = taplogs.here("list", "--source", str(exported))
    assert (done.code, done.out) == (8, "")
    assert "records.jsonl" in done.err
    assert taplogs.here("list", "--source", str(exported), "--no-verify").code == 0


def test_bad_lines_are_told_and_a_failure_where_that_is_asked_for(taplogs: Command, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mlogs.jsonl"
    path.write_bytes(json_lines([log_entry(1)]) + f"\x1b[31m {KEY}\n".encode())
    done = taplogs.here("list", "--source", str(path))
    assert done.code == 0
    assert len(done.rows) == 1
    assert "logs.jsonl is not a log entry and was left out: line 2 (not JSON: " in done.err
    assert "\x1b[31m" not in done.err
    strict = taplogs.here("list", "--source", str(path), "--strict", "-o", "table")
    assert (strict.code, strict.out) == (1, "")
    assert "logs.jsonl:2: not JSON" in strict.err
    assert "\x1b[31m" not in strict.err


WHAT_IS_LEFT_OUT = {
    "lines": (json_lines([log_entry(1)]) + b"bad\nworse\n", "2 lines of logs are not log entries and were left out: "),
    "document": (json_array([log_entry(1), log_entry(2)])[:-9], "logs is incomplete, and what follows is missing: "),
    "gzip": (gzip.compress(json_lines([log_entry(1)]))[:-5], "logs is incomplete, and what follows is missing: "),
}


@pytest.mark.parametrize(
    "arguments",
    [("export", "-o", "out", "--allow-partial", *NO_REDACTION), ("export", "-o", "out"), ("sync", "--to", "sqlite:X")],
    ids=["export --allow-partial", "export", "sync"],
)
@pytest.mark.parametrize(("content", "words"), WHAT_IS_LEFT_OUT.values(), ids=WHAT_IS_LEFT_OUT)
def test_what_is_made_of_files_that_are_not_whole_is_incomplete(
    taplogs: Command, arguments: tuple[str, ...], content: bytes, words: str
) -> None:
    (taplogs.folder / "logs").write_bytes(content)
    done = taplogs.run(*arguments, "--source", "logs")
    assert done.code == 7
    assert f"the {arguments[0]} is incomplete: {words}" in done.err


@pytest.mark.parametrize(("content", "words"), WHAT_IS_LEFT_OUT.values(), ids=WHAT_IS_LEFT_OUT)
def test_a_check_of_files_that_are_not_whole_is_no_pass(taplogs: Command, content: bytes, words: str) -> None:
    (taplogs.folder / "logs").write_bytes(content)
    done = taplogs.run("check", "--max-error-rate", "100%", "--since", "2026-11-01", "--source", "logs")
    assert done.code == 7
    assert f"error: not all of the window was checked: {words}" in done.err
    assert done.err.endswith("\nhint: mend what is left out, or take it out of the file\n")


def test_a_name_that_means_nothing_is_a_usage_error(taplogs: Command, tmp_path: Path) -> None:
    done = taplogs.here("list", "--source", str(tmp_path / "none*.jsonl"))
    assert (done.code, done.out) == (2, "")
    assert "no file matches" in done.err


@pytest.mark.parametrize("command", ["list", "tail", "sync", "show", "export -o out"])
@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("*.jsonl", "put the pattern in quotes: --source '*.jsonl'"),
        ("logs/*", "put the pattern in quotes: --source 'logs/*'"),
    ],
)
def test_a_pattern_without_quotes_is_understood_as_one(taplogs: Command, command: str, pattern: str, hint: str) -> None:
    (taplogs.folder / "logs").mkdir()
    for name in ("a.jsonl", "b.jsonl", "c.jsonl", "logs/a.csv", "logs/b.jsonl"):
        (taplogs.folder / name).write_bytes(json_lines([log_entry(1)]))
    done = taplogs.shell(f"taplogs {command} --source {pattern}")
    assert done.code == (5 if command == "show" else 2)
    assert f"hint: {hint}\n" in done.err


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("logs.csv", "argument: logs.csv", "files are read with --source: --source logs.csv"),
        ("*.csv", "arguments: logs.csv more.csv", "put the pattern in quotes: --source '*.csv'"),
        ("logs.csv nothing", "arguments: logs.csv nothing", "'taplogs list --help' shows what it takes"),
    ],
)
def test_files_that_are_named_without_an_option_are_told_with_it(
    taplogs: Command, words: str, message: str, hint: str
) -> None:
    for name in ("logs.csv", "more.csv"):
        (taplogs.folder / name).touch()
    done = taplogs.shell(f"taplogs list {words}")
    assert (done.code, done.err) == (2, f"error: unexpected extra {message}\nhint: {hint}\n")


def test_sources_may_be_many(taplogs: Command, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.jsonl").write_bytes(json_lines([log_entry(number)]))
    names = [str(tmp_path / f"{number}.jsonl") for number in (1, 2)]
    assert taplogs.here("list", "--source", names[0], "--source", names[1]).ids == ["entry-00002", "entry-00001"]


def test_no_key_and_no_backend_are_needed(taplogs: Command, tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(json_lines([log_entry(1)]))
    done = taplogs.here("show", "entry-00001", "--source", str(tmp_path / "logs"), "-o", "curl")
    assert done.code == 0
    assert "curl" in done.out


def test_a_file_that_grows_or_is_replaced_is_followed(taplogs: Command, tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(json_lines([recent(1, 5)]))
    with tailing(taplogs, "--source", str(path)) as tail:
        wait_until(lambda: len(tail.lines) == 1)
        with path.open("ab") as file:
            file.write(json_lines([recent(2)]))
        wait_until(lambda: len(tail.lines) == 2)
        (tmp_path / "new").write_bytes(json_lines([recent(3)]))
        (tmp_path / "new").replace(path)
        wait_until(lambda: len(tail.lines) == 3)
        assert tail.ids == ["entry-00001", "entry-00002", "entry-00003"]


def test_what_is_waited_for_is_said(taplogs: Command) -> None:
    for name in ("a", "b", "c.gz"):
        content = json_lines([recent(ord(name[0]), 5)])
        (taplogs.folder / name).write_bytes(gzip.compress(content) if name == "c.gz" else content)
    for names, words in (
        (["a"], "waiting for new lines in a, Ctrl-C ends it\n"),
        (["a", "b"], "waiting for new lines in 2 files, Ctrl-C ends it\n"),
        (["a", "c.gz"], "waiting for new lines in a, Ctrl-C ends it\n"),
        (["a", "-s", "5xx"], "no entries match yet (--status 5xx); waiting for new lines in a, Ctrl-C ends it\n"),
        (["a", "-n", "0", "-s", "5xx"], "waiting for new lines in a (--status 5xx), Ctrl-C ends it\n"),
    ):
        sources = [word for name in names for word in (["--source", name] if name in ("a", "b", "c.gz") else [name])]
        with tailing(taplogs, *sources) as tail:
            wait_until(lambda: tail.told)
            assert tail.err == words


def test_the_archive_says_what_brings_new_entries(taplogs: Command, backend: Backend) -> None:
    backend.store.add([recent(1, 5)])
    assert taplogs.at(backend).here("sync").code == 0
    with tailing(taplogs.at(backend), "--source", "archive") as tail:
        wait_until(lambda: tail.told and tail.lines)
        assert tail.err == "waiting for what 'taplogs sync' pulls into the archive, Ctrl-C ends it\n"
        assert tail.ids == ["entry-00001"]


def test_what_cannot_grow_is_followed_to_its_end(taplogs: Command) -> None:
    content = json_lines([recent(1, 500), recent(2, 5)])
    (taplogs.folder / "logs.zst").write_bytes(zstd(content))
    for words, stdin in (("logs.zst", ""), ("-", content.decode())):
        done = taplogs.run("tail", *QUICK, "--source", words, stdin=stdin)
        assert (done.code, done.ids, done.err) == (0, ["entry-00001", "entry-00002"], "")


def test_where_nothing_of_what_cannot_grow_matches_that_is_said(taplogs: Command) -> None:
    done = taplogs.run("tail", *QUICK, "--source", "-", "-s", "5xx", stdin=json_lines([recent(1)]).decode())
    assert (done.code, done.out, done.err) == (0, "", "no entries match (--status 5xx)\n")


def test_a_strict_tail_does_not_judge_a_line_before_it_ends(taplogs: Command) -> None:
    path = taplogs.folder / "logs"
    first, second = json_lines([recent(1, 3)]), json_lines([recent(2)])
    path.write_bytes(first)
    with tailing(taplogs, "--source", "logs", "--strict") as tail, path.open("ab", buffering=0) as file:
        wait_until(lambda: len(tail.lines) == 1)
        for part in (second[:50], second[50:], b"{broken"):
            file.write(part)
            time.sleep(0.3)
            assert tail.process.poll() is None
        assert tail.ids == ["entry-00001", "entry-00002"]
        file.write(b"\n")
        assert tail.wait() == 1
        assert "error: logs:3: not JSON" in tail.err
