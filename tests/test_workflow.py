"""The workflow of docs/monitoring.md is run, step by step, as GitHub Actions would, against the reference backend."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any

import pytest
import xmlschema

from command import Command
from serving import Backend, log_entry, payload
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp
from workflow import ROOT, JobRun, Workflow

WORKFLOW = Workflow("monitoring.md")
INSTALL, KEY, HOUR, ENDPOINTS, NEW, FAILED = WORKFLOW.run_steps


@pytest.fixture
def job(taplogs: Command) -> JobRun:
    folder = taplogs.folder / "workspace"
    folder.mkdir()
    return JobRun(WORKFLOW, folder)


def started(job: JobRun, taplogs: Command, backend: Backend, key: str | None = None) -> JobRun:
    """Run the job against a backend."""
    given = {"vars.TAPLOGS_BASE_URL": backend.url, "secrets.TAPLOGS_API_KEY": key or backend.key}
    return job.run(taplogs, given)


def entries(first: int, number: int, minutes_ago: int, **fields: Any) -> list[LogEntry]:
    """Return entries of the half hour that ended so many minutes ago."""
    end = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return [
        log_entry(first + index, timestamp=format_timestamp(end - timedelta(seconds=1800 * index / number)), **fields)
        for index in range(number)
    ]


def fill(backend: Backend, *, hour: bool = True, outage: bool = False) -> None:
    """Fill a backend with two days of a healthy API; `hour`: the last one has requests, `outage`: and it goes wrong."""
    known = {"status_code": 404, "response_payload": payload('{"error":{"code":"NOT_FOUND","message":"No such job."}}')}
    for day in range(2):
        backend.store.add(entries(1000 + 500 * day, 200, 120 + day * 1440))
        backend.store.add(entries(1200 + 500 * day, 2, 120 + day * 1440, **known))
    if hour:
        backend.store.add(entries(3000, 100, 1))
    if outage:
        broken = payload('{"error":{"code":"INTERNAL_ERROR","message":"##[add-mask]taplogs\\n::stop-commands::x"}}')
        url = "https://partner-api.taptalent.io/v1/partner/candidates"
        fields = {"status_code": 500, "latency_ms": 9000, "response_payload": broken, "request_url": url}
        backend.store.add(entries(4000, 30, 1, **fields))


OK = {INSTALL: 0, KEY: 0, HOUR: 0, ENDPOINTS: 0, NEW: 0}


def test_a_healthy_api_passes(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend)
    assert started(job, taplogs, backend).codes == OK
    notices = re.findall(r"^::notice title=taplogs check::(.*)$", "".join(job.messages.values()), re.MULTILINE)
    assert notices == ["2 assertions hold", "2 assertions hold", "1 assertion holds"]


def test_an_outage_fails_and_leaves_what_is_needed_to_find_it(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend, outage=True)
    assert started(job, taplogs, backend).codes == {**OK, HOUR: 3, ENDPOINTS: 3, NEW: 3, FAILED: 0}
    told = "".join(job.messages.values())
    assert "::error title=taplogs check::server error rate: 23.1 %25, max 0.5 %25, of 130 requests\n" in told
    assert "::error title=taplogs check::/v1/partner/candidates: error rate: 100.0 %25, max 10 %25" in told
    assert "::error title=taplogs check::new errors: 1, max 0, of 332 requests%0A" in told
    assert "##[" not in told
    schema = xmlschema.XMLSchema(ROOT / "tests" / "data" / "junit" / "junit-10.xsd")
    for report in ("hour.xml", "day.xml", "new-errors.xml"):
        schema.validate(job.folder / report)
        assert "<failure" in (job.folder / report).read_text("utf-8")
    assert (taplogs.folder / "summary.md").read_text("utf-8").count("### taplogs check") == 3
    left = {str(path.relative_to(job.folder)) for path in job.folder.rglob("*") if path.is_file()}
    assert left == {"hour.xml", "day.xml", "new-errors.xml", *(f"failed/{name}" for name in _FAILED_FILES)}
    assert all((job.folder / path).stat().st_size > 100 for path in left)
    (kept,) = (
        step["with"]["path"].split() for step in WORKFLOW.job["steps"] if "upload-artifact" in step.get("uses", "")
    )
    assert [path for path in left if not any(fnmatch(path, pattern.rstrip("/") + "*") for pattern in kept)] == []


_FAILED_FILES = ("errors.txt", "errors.json", "endpoints.csv")


def test_an_hour_without_requests_is_not_a_pass(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend, hour=False)
    assert started(job, taplogs, backend).codes == {**OK, HOUR: 3, FAILED: 0}
    assert "too few requests for all" in job.messages[HOUR]


def test_a_key_that_is_refused_is_not_an_assertion(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend)
    wrong = "sk_test_" + "Stranger" * 2 + "123456"
    codes = started(job, taplogs, backend, wrong).codes
    assert codes == {INSTALL: 0, KEY: 4, ENDPOINTS: 4, NEW: 4, FAILED: 4}
    assert not list(job.folder.glob("*.xml"))


def test_the_page_names_all_that_the_workflow_needs() -> None:
    assert WORKFLOW.names_not_explained == set()
    assert "`.github/workflows/api-health.yml`" in WORKFLOW.text


def test_the_workflow_is_one_that_github_takes() -> None:
    WORKFLOW.assert_github_takes_it()
