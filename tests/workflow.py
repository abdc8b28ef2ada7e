"""Runs the workflow of a page of docs/ as GitHub Actions would: what its steps say, in a folder, line by line.

What GitHub gives a job is given here: secrets, variables, a folder, a shell, conditions. Actions of others (`uses`) are
not run. The package to install is named `taplogs`: pip finds it in the environment under test, and installs nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from command import Command

ROOT = Path(__file__).parent.parent
CONDITIONS = {None: False, "!cancelled()": None, "always()": None, "failure()": True}
"""A step's condition -> whether the job has to have failed before; None: it runs in any case."""


class Workflow:
    """The one workflow of a page, with its one job."""

    def __init__(self, page: str) -> None:
        """`page` is the name of a page in docs/."""
        self.text = (ROOT / "docs" / page).read_text("utf-8")
        (source,) = re.findall(r"^```yaml\n(.*?)^```", self.text, re.DOTALL | re.MULTILINE)
        self.document: dict[Any, Any] = yaml.safe_load(source)
        (self.job,) = self.document["jobs"].values()

    @property
    def run_steps(self) -> list[str]:
        """The names of the steps that run something."""
        return [step["name"] for step in self.job["steps"] if "run" in step]

    @property
    def names_not_explained(self) -> set[str]:
        """The variables and secrets that the text before the workflow does not name."""
        before = self.text.split("```yaml")[0]
        needed = re.findall(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}", self.text)
        return {name for name in needed if f"`{name}`" not in before}

    def assert_github_takes_it(self) -> None:
        """Fail where the document has members that GitHub Actions does not know."""
        assert set(self.document) - {"concurrency"} == {
            "name",
            True,
            "permissions",
            "jobs",
        }  # YAML 1.1 reads `on` as true
        assert set(self.document[True]) == {"schedule", "workflow_dispatch"}
        assert self.document["permissions"] == {"contents": "read"}
        for step in self.job["steps"]:
            assert len({"run", "uses"} & set(step)) == 1
            assert set(step) <= {"name", "run", "uses", "with", "env", "if"}
            assert condition_of(step) in CONDITIONS


@dataclass
class JobRun:
    """A job in a folder of its own: how each step ended that ran, and what it printed."""

    workflow: Workflow
    folder: Path
    codes: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return any(self.codes.values())

    def run(self, taplogs: Command, given: Mapping[str, str], tools: Path | None = None) -> JobRun:
        """Run every step that has lines; `given` are secrets and variables, `tools` go before those of the machine."""
        folders = [*([str(tools)] if tools else []), str(Path(sys.executable).parent), os.environ["PATH"]]
        environment = {
            **taplogs.environ(),
            "PATH": os.pathsep.join(folders),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(taplogs.folder / "summary.md"),
            "RUNNER_TEMP": str(taplogs.folder),
        }
        given = {"vars.TAPLOGS_PACKAGE": "taplogs", **given}
        job = self.workflow.job
        for step in job["steps"]:
            if "run" in step and CONDITIONS[condition_of(step)] in (None, self.failed):
                values = {**job["env"], **step.get("env", {})}
                own = {name: _filled(value, given) for name, value in values.items()}
                self._run_step(step["name"], step["run"], {**environment, **own})
        return self

    def _run_step(self, name: str, lines: str, environment: Mapping[str, str]) -> None:
        words = ["bash", "--noprofile", "--norc", "-e", "-c", lines]
        done = subprocess.run(words, env=environment, cwd=self.folder, capture_output=True, timeout=120)
        self.codes[name] = done.returncode
        self.messages[name] = done.stdout.decode() + done.stderr.decode()


def condition_of(step: Mapping[str, Any]) -> str | None:
    return _inner(step["if"]) if "if" in step else None


def _inner(expression: str) -> str:
    match = re.fullmatch(r"\$\{\{ (.*) \}\}", expression)
    assert match, expression
    return match[1]


def _filled(value: str, given: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda match: given[match[1]], value)
