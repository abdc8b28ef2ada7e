"""The files of deploy/: the command lines in them are run as they stand, but for where they listen and keep things."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from command import Command, interrupt

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = re.sub(r"\\\n\s*", "", (DEPLOY / "taplogs-gateway.service").read_text("utf-8"))
CONTAINER = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text("utf-8"))
KEY = "sk_live_" + "aB3" * 7 + "x"


def setting(name: str) -> str:
    """Return the value of a setting of the unit."""
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return str(value)


def instruction(name: str) -> list[str]:
    """Return the words of an instruction of the container file that stand in brackets."""
    (words,) = re.findall(rf"^{name}\b[^\[\n]*(\[.*\])$", CONTAINER, re.MULTILINE)
    return [str(word) for word in json.loads(words)]


def of_unit() -> list[str]:
    program, *arguments = shlex.split(setting("ExecStart"))
    assert program.endswith("/bin/taplogs")
    return arguments


def of_container() -> list[str]:
    assert instruction("ENTRYPOINT") == ["taplogs"]
    return instruction("CMD")


@contextmanager
def running(taplogs: Command, arguments: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command of deploy/ with its places in a folder of ours, on a free port; give that."""
    folder = taplogs.folder
    (folder / "read-key").write_text(KEY)
    (folder / "read-key").chmod(0o440)  # as systemd has it
    text = "\0".join(arguments)
    for place in ("${STATE_DIRECTORY}", "${CREDENTIALS_DIRECTORY}", "/var/lib/taplogs", "/run/secrets"):
        text = text.replace(place, str(folder))
    words = text.replace(":8321", ":0").split("\0")
    process = taplogs.start(*words, env={"CREDENTIALS_DIRECTORY": str(folder)})
    try:
        assert process.stdout
        line = process.stdout.readline().decode()
        assert line, process.communicate()[1].decode()
        yield process, int(line.rpartition(":")[2].removesuffix("/v1\n"))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("arguments", [of_unit(), of_container()], ids=["unit", "container"])
def test_the_command_starts_tells_its_health_and_ends_well(taplogs: Command, arguments: list[str]) -> None:
    with running(taplogs, arguments) as (process, port):
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/healthz", trust_env=False).json()["status"] == "ok"
        headers = {"authorization": f"Bearer {KEY}"}
        assert httpx.get(f"{url}/metrics", headers=headers, trust_env=False).status_code == 200
        assert interrupt(process, 15).code == 0
    assert (taplogs.folder / "logs.sqlite").exists()


def test_the_health_check_of_the_container_is_content_with_any_answer_and_with_nothing_else(taplogs: Command) -> None:
    program, option, script = instruction("HEALTHCHECK")
    assert (program, option) == ("python", "-c")
    with running(taplogs, of_container()) as (_, port):
        here = script.replace("8321", str(port))
        assert here != script
        assert subprocess.run([sys.executable, "-c", here]).returncode == 0
    assert subprocess.run([sys.executable, "-c", here], capture_output=True).returncode != 0


def test_both_leave_time_to_end_in() -> None:
    assert int(setting("TimeoutStopSec")) > 40
    assert "--stop-timeout 50" in CONTAINER


def test_the_unit_keeps_its_service_from_everything_it_does_not_need() -> None:
    assert setting("DynamicUser") == "yes"
    assert setting("ProtectSystem") == "strict"
    assert setting("CapabilityBoundingSet") == ""
    assert setting("LoadCredential").startswith("read-key:/")


def test_the_container_does_not_run_as_root() -> None:
    assert re.search(r"^USER [1-9][0-9]*$", CONTAINER, re.MULTILINE)
