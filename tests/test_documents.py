"""The examples of the README and of docs/ are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import running_backend
from taplogs.backend.load import load_file
from taplogs.core.redaction_profile import built_in
from taplogs.redaction_file import profile_named

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_of(page: Path) -> list[str]:
    """Return the lines after `$ ` in the console blocks of a page."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a reader of these pages: a backend to read from, and a configuration of their own."""
    with running_backend(tmp_path / "logs.db") as backend:
        load_file(backend.store, ROOT / "tests" / "data" / "requests-2015.jsonl.gz")
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith("TAPLOGS_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TAPLOGS_BASE_URL": backend.url,
            "TAPLOGS_API_KEY": backend.key,
            "TAPLOGS_CONFIG": str(tmp_path / "config.toml"),
            "TAPLOGS_CACHE_DIR": str(tmp_path / "cache"),
            "TAPLOGS_ARCHIVE": str(tmp_path / "archive"),
        }


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page)], ids=lambda page: page.name)
def test_every_example_of_a_page_runs_and_prints_something(page: Path, environment: dict[str, str]) -> None:
    script = "set -eo pipefail\n"
    for number, command in enumerate(commands_of(page)):
        script += f"exec >{number}.out 2>{number}.err\n{command}\n"
    folder = Path(environment["TAPLOGS_CONFIG"]).parent
    finished = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, timeout=120
    )
    last = max(folder.glob("*.err"), key=lambda file: int(file.stem))
    assert finished.returncode == 0, f"{commands_of(page)[int(last.stem)]}: {last.read_text()}"
    silent = [
        command
        for number, command in enumerate(commands_of(page))
        if not re.match(r"\w+=", command) and not (folder / f"{number}.out").read_text("utf-8")
    ]
    assert silent == []


def profiles_of(page: Path) -> list[str]:
    """Return the redaction profiles that a page shows."""
    blocks: list[str] = re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if "extends" in block]


@pytest.mark.parametrize("page", [page for page in PAGES if profiles_of(page)], ids=lambda page: page.name)
def test_every_redaction_profile_of_a_page_can_be_used(page: Path, tmp_path: Path) -> None:
    for text in profiles_of(page):
        (tmp_path / "company.toml").write_text(text)
        assert profile_named(str(tmp_path / "company.toml")).labels > built_in("personal").labels


def test_the_page_of_commands_says_what_the_help_says() -> None:
    finished = subprocess.run([sys.executable, "docs/commands.py", "--check"], cwd=ROOT, capture_output=True)
    assert finished.returncode == 0, finished.stderr.decode()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_lists_the_exit_codes_that_there_are() -> None:
    from taplogs.errors import ExitCode

    rows = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {int(number) for number in rows} == {int(code) for code in ExitCode}
