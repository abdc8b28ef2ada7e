"""The workflow of docs/audit.md is run, night after night, as GitHub Actions would, against the reference backend."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from command import Command
from serving import Backend, log_entry
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp
from workflow import JobRun, Workflow

WORKFLOW = Workflow("audit.md")
INSTALL, EXPORT, FORGET, CHECK, HEAD = WORKFLOW.run_steps
OK = dict.fromkeys(WORKFLOW.run_steps, 0)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def nights(taplogs: Command, backend: Backend) -> Nights:
    """Give the nights of a backend with four days of entries, before the first one."""
    backend.store.add([entry for day in range(1, 5) for entry in entries_of(day)])
    return Nights(taplogs, backend)


def entries_of(days_ago: int, count: int = 20) -> list[LogEntry]:
    """Return entries of one day, an hour apart from midnight on."""
    start = MIDNIGHT - timedelta(days=days_ago)
    return [
        log_entry(1000 * days_ago + hour, timestamp=format_timestamp(start + timedelta(hours=hour)))
        for hour in range(count)
    ]


class Nights:
    """The job, run on several nights. A `date` that is some days behind stands for the others."""

    def __init__(self, taplogs: Command, backend: Backend) -> None:
        self.archive = taplogs.folder / "archive"
        self.archive.mkdir()
        self._taplogs = taplogs
        taplogs.here("keygen", "--no-passphrase", "--secret-key", str(self._key), "--public-key", str(self._public))
        self._given = {
            "vars.TAPLOGS_BASE_URL": backend.url,
            "vars.TAPLOGS_ARCHIVE": str(self.archive),
            "vars.TAPLOGS_PUBLIC_KEY": self._public.read_text("utf-8").splitlines()[1],
            "secrets.TAPLOGS_API_KEY": backend.key,
            "secrets.TAPLOGS_SIGN_KEY": self._key.read_text("utf-8"),
            "secrets.TAPLOGS_PSEUDONYM_KEY": "7f" * 32,
        }

    def run(self, days_ago: int, api_key: str | None = None, *, cut_off: bool = False) -> JobRun:
        """Run the job; `cut_off`: its disk fills up before the export is finished."""
        tools = self._taplogs.folder / f"tools-{days_ago}-{cut_off}"
        tools.mkdir(exist_ok=True)
        if cut_off:
            table = self.folder(days_ago) / ".partial" / "records.csv"
            full = f"strace -f -qqo /dev/null -P {table} -e trace=write -e inject=write:error=ENOSPC"
            (tools / "taplogs").write_text(f'#!/bin/sh\nexec {full} {sys.executable} -m taplogs "$@"\n', "utf-8")
            (tools / "taplogs").chmod(0o755)
        (tools / "date").write_text(f'#!/bin/sh\nexec /bin/date -d "{days_ago} days ago" "$@"\n', "utf-8")
        (tools / "date").chmod(0o755)
        job = JobRun(WORKFLOW, self._taplogs.folder)
        given = {**self._given, **({"secrets.TAPLOGS_API_KEY": api_key} if api_key else {})}
        return job.run(self._taplogs, given, tools=tools)

    @property
    def exports(self) -> list[Path]:
        return sorted(self.archive.iterdir())

    @property
    def rows(self) -> list[int]:
        """Of each finished export, the number of its records."""
        manifests = sorted(self.archive.glob("*/manifest.json"))
        return [json.loads(path.read_bytes())["completeness"]["rows"] for path in manifests]

    def folder(self, days_ago: int) -> Path:
        """The folder of a night's export."""
        return self.archive / format_timestamp(MIDNIGHT - timedelta(days=days_ago))[:10]

    @property
    def _key(self) -> Path:
        return self._taplogs.folder / "made.key"

    @property
    def _public(self) -> Path:
        return self._taplogs.folder / "made.pub"


def test_night_after_night_a_chain_grows_that_holds_each_entry_once(nights: Nights) -> None:
    for night in (2, 1, 0):
        job = nights.run(night)
        assert job.codes == OK, job.messages
    assert nights.rows == [40, 20, 20]


def test_a_night_that_was_left_out_is_made_up_for(nights: Nights) -> None:
    assert [nights.run(night).codes for night in (2, 0)] == [OK, OK]
    assert nights.rows == [40, 40]


def test_a_night_that_was_cut_off_is_finished_by_the_next_one(nights: Nights) -> None:
    assert nights.run(3).codes == OK
    assert nights.run(2, cut_off=True).codes == {INSTALL: 0, EXPORT: 7, FORGET: 0}
    assert [path.name for path in nights.folder(2).iterdir()] == [".partial"]
    job = nights.run(1)
    assert job.codes == OK, job.messages
    assert nights.rows == [20, 20, 20]


def test_a_night_that_was_cut_off_and_cannot_be_gone_on_with_is_made_up_for(nights: Nights) -> None:
    assert nights.run(2, cut_off=True).codes[EXPORT] == 7
    (nights.folder(2) / ".partial" / "records.jsonl").write_bytes(b"")
    for night in (1, 0):
        job = nights.run(night)
        assert job.codes == OK, job.messages
    assert nights.rows == [60, 20]


def test_a_night_that_was_cut_off_is_finished_when_the_job_is_run_again(nights: Nights) -> None:
    assert nights.run(0, cut_off=True).codes[EXPORT] == 7
    assert nights.run(0).codes == OK
    assert nights.rows == [80]


def test_a_job_that_is_run_again_has_nothing_to_do(nights: Nights) -> None:
    first, again = nights.run(0), nights.run(0)
    assert (first.codes, again.codes) == (OK, OK)
    assert first.messages[HEAD] == again.messages[HEAD]


def test_the_head_that_is_printed_is_the_one_that_verify_takes(nights: Nights, taplogs: Command) -> None:
    head = nights.run(0).messages[HEAD].strip()
    (export,) = nights.exports
    assert taplogs.here("verify", str(export), "--expect-head", head).code == 0


def test_what_was_changed_since_fails_the_job_the_next_night(nights: Nights) -> None:
    nights.run(1)
    records = nights.exports[0] / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"GET"', b'"PUT"', 1))
    assert nights.run(0).codes == {INSTALL: 0, EXPORT: 0, FORGET: 0, CHECK: 8}


def test_a_key_that_is_refused_leaves_no_export_and_no_signing_key(nights: Nights, taplogs: Command) -> None:
    assert nights.run(0, "sk_test_" + "Stranger" * 2 + "123456").codes == {INSTALL: 0, EXPORT: 4, FORGET: 0}
    assert nights.exports == []
    assert not (taplogs.folder / "taplogs.key").exists()


def test_the_page_names_all_that_the_workflow_needs() -> None:
    assert WORKFLOW.names_not_explained == set()
    assert "`.github/workflows/api-audit.yml`" in WORKFLOW.text


def test_the_workflow_is_one_that_github_takes() -> None:
    WORKFLOW.assert_github_takes_it()
