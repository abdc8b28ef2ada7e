"""What a run imports: start-up is most of the time of a short command, so heavy modules stay out of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from command import Command
from files import json_lines
from serving import Backend, log_entry

_TELL = """
import atexit, sys
sys.modules["click"] = None  # tests bring click along, users do not; where it is, httpx imports rich and more
atexit.register(lambda: sys.stderr.write("\\n" + " ".join(sys.modules)))
sys.argv[0] = "taplogs"
from taplogs.__main__ import run
run()
"""


def modules_after(taplogs: Command, *arguments: str) -> set[str]:
    """Return the names of the modules that a run has imported at its end, top-level names included."""
    done = subprocess.run(
        [sys.executable, "-c", _TELL, *arguments],
        env=taplogs.environ({"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout
    return set(done.stderr.decode().rpartition("\n")[2].split()) - {"click"}


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What Python itself imports here before it runs anything: `site` may import on its own."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, check=True, timeout=60
    )
    return set(done.stdout.decode().split())


def test_the_version_imports_next_to_nothing(taplogs: Command, bare: set[str]) -> None:
    found = modules_after(taplogs, "--version") - bare
    assert found <= {"atexit", "gc", "taplogs", "taplogs.__main__", "__future__"}


HELP_WITHOUT = ("httpx", "httpcore", "rich", "sqlite3", "msgspec", "keyring", "werkzeug", "dateutil", "json", "asyncio")
LIST_WITHOUT = (
    "rich",
    "werkzeug",
    "waitress",
    "sqlite3",
    "keyring",
    "dateutil",
    "pygments",
    "click",
    "markdown_it",
    "tomlkit",
    "platformdirs",
    "jsonschema",
    "pydantic",
    "asyncio",
    "taplogs.backend",
    "taplogs.output.detail",
    "taplogs.output.har",
    "taplogs.sources.sqlite",
    "taplogs.core.stats",
)


def test_the_help_imports_nothing_that_only_work_needs(taplogs: Command, bare: set[str]) -> None:
    found = modules_after(taplogs, "--help") - bare
    assert not found & set(HELP_WITHOUT)
    assert not [name for name in found if name.startswith(("taplogs.core.", "taplogs.sources.", "taplogs.output."))]


@pytest.mark.parametrize("arguments", [[], ["-o", "table"], ["--since", "2026-10-31", "-s", "4xx"], ["-o", "csv"]])
def test_a_listing_imports_no_library_that_it_does_not_use(
    taplogs: Command, logs: Backend, bare: set[str], arguments: list[str]
) -> None:
    found = modules_after(taplogs.at(logs), "list", *arguments) - bare
    assert "httpx" in found
    assert not found & set(LIST_WITHOUT)


def test_following_imports_no_more_than_a_listing_may(taplogs: Command, logs: Backend, bare: set[str]) -> None:
    found = modules_after(taplogs.at(logs), "tail", "--max", "1") - bare
    assert not found & set(LIST_WITHOUT)


def test_a_listing_leaves_zstandard_to_httpx(taplogs: Command, logs: Backend, bare: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import httpx, sys; print(*sys.modules)"], capture_output=True, check=True, timeout=60
    )
    by_httpx = {name for name in done.stdout.decode().split() if name.startswith("zstandard")}
    found = modules_after(taplogs.at(logs), "list")
    assert {name for name in found if name.startswith("zstandard")} <= by_httpx


def test_files_are_read_without_what_only_the_network_or_tables_need(taplogs: Command, bare: set[str]) -> None:
    path = taplogs.folder / "logs.jsonl"
    path.write_bytes(json_lines([log_entry(1)]))
    found = modules_after(taplogs, "list", "--source", str(path)) - bare
    assert "taplogs.sources.file_source" in found
    assert not found & {*LIST_WITHOUT, "httpx", "httpcore", "zstandard", "csv", "tempfile"} - {"platformdirs"}


def test_a_config_file_brings_only_its_parser(taplogs: Command, logs: Backend) -> None:
    found = modules_after(taplogs.configured("limit = 5\n").at(logs), "list")
    assert "tomllib" in found
    assert "tomlkit" not in found
