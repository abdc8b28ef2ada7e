"""The workflow of docs/monitoring.md is run, line by line, as GitHub Actions would, against the reference backend.

What GitHub gives a job is given here: secrets, variables, a folder, a shell, conditions. Actions of others (`uses`) are
not run. The package to install is named `taplogs`: pip finds it in the environment under test, and installs nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import xmlschema
import yaml

from command import Command
from serving import Backend, log_entry, payload
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0])
(JOB,) = WORKFLOW["jobs"].values()
RUN_STEPS = [step["name"] for step in JOB["steps"] if "run" in step]
INSTALL, KEY, HOUR, ENDPOINTS, NEW, FAILED = RUN_STEPS

_RUNS = {None: False, "!cancelled()": None, "failure()": True}
"""A step's condition -> whether the job has to have failed before; None: it runs in any case."""


@dataclass
class JobRun:
    """A job in a folder of its own: which lines were run, with which exit codes, and what they printed."""

    folder: Path
    codes: dict[str, list[int]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return any(any(codes) for codes in self.codes.values())

    def run(self, environment: Mapping[str, str], given: Mapping[str, str]) -> JobRun:
        """Run every step that has lines; `given` are secrets and variables."""
        for step in JOB["steps"]:
            condition = _inner(step["if"]) if "if" in step else None
            if "run" in step and _RUNS[condition] in (None, self.failed):
                values = {**JOB["env"], **step.get("env", {})}
                own = {name: _filled(value, given) for name, value in values.items()}
                self._run_lines(step["name"], step["run"].splitlines(), {**environment, **own})
        return self

    def _run_lines(self, name: str, lines: Sequence[str], environment: Mapping[str, str]) -> None:
        self.codes[name] = []
        for line in lines:
            words = ["bash", "--noprofile", "--norc", "-e", "-c", line]
            done = subprocess.run(words, env=environment, cwd=self.folder, capture_output=True, timeout=120)
            self.codes[name].append(done.returncode)
            self.messages[name] = self.messages.get(name, "") + done.stdout.decode() + done.stderr.decode()
            if done.returncode:
                return


def _inner(expression: str) -> str:
    match = re.fullmatch(r"\$\{\{ (.*) \}\}", expression)
    assert match, expression
    return match[1]


def _filled(value: str, given: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda match: given[match[1]], value)


@pytest.fixture
def job(taplogs: Command) -> JobRun:
    folder = taplogs.folder / "workspace"
    folder.mkdir()
    return JobRun(folder)


def started(job: JobRun, taplogs: Command, backend: Backend, key: str | None = None) -> JobRun:
    """Run the job against a backend."""
    environment = {
        **taplogs.environ(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(taplogs.folder / "summary.md"),
    }
    given = {
        "vars.TAPLOGS_BASE_URL": backend.url,
        "vars.TAPLOGS_PACKAGE": "taplogs",
        "secrets.TAPLOGS_API_KEY": key or backend.key,
    }
    return job.run(environment, given)


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


OK = {INSTALL: [0], KEY: [0], HOUR: [0], ENDPOINTS: [0], NEW: [0]}


def test_a_healthy_api_passes(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend)
    assert started(job, taplogs, backend).codes == OK
    notices = re.findall(r"^::notice title=taplogs check::(.*)$", "".join(job.messages.values()), re.MULTILINE)
    assert notices == ["2 assertions hold", "2 assertions hold", "1 assertion holds"]


def test_an_outage_fails_and_leaves_what_is_needed_to_find_it(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend, outage=True)
    assert started(job, taplogs, backend).codes == {**OK, HOUR: [3], ENDPOINTS: [3], NEW: [3], FAILED: [0, 0, 0, 0]}
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
    (kept,) = (step["with"]["path"].split() for step in JOB["steps"] if "upload-artifact" in step.get("uses", ""))
    assert [path for path in left if not any(fnmatch(path, pattern.rstrip("/") + "*") for pattern in kept)] == []


_FAILED_FILES = ("errors.txt", "errors.json", "endpoints.csv")


def test_an_hour_without_requests_is_not_a_pass(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend, hour=False)
    assert started(job, taplogs, backend).codes == {**OK, HOUR: [3], FAILED: [0, 0, 0, 0]}
    assert "too few requests for all" in job.messages[HOUR]


def test_a_key_that_is_refused_is_not_an_assertion(job: JobRun, taplogs: Command, backend: Backend) -> None:
    fill(backend)
    wrong = "sk_test_" + "Stranger" * 2 + "123456"
    codes = started(job, taplogs, backend, wrong).codes
    assert codes == {INSTALL: [0], KEY: [4], ENDPOINTS: [4], NEW: [4], FAILED: [0, 4]}
    assert not list(job.folder.glob("*.xml"))


def test_the_page_names_all_that_the_workflow_needs() -> None:
    text = PAGE.split("```yaml")[0]
    needed = re.findall(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}", PAGE)
    assert {name for name in needed if f"`{name}`" not in text} == set()
    assert "`.github/workflows/api-health.yml`" in text


def test_the_workflow_is_one_that_github_takes() -> None:
    assert set(WORKFLOW) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads `on` as true
    assert set(WORKFLOW[True]) == {"schedule", "workflow_dispatch"}
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for step in JOB["steps"]:
        assert len({"run", "uses"} & set(step)) == 1
        assert set(step) <= {"name", "run", "uses", "with", "env", "if"}
        assert (_inner(step["if"]) if "if" in step else None) in _RUNS
