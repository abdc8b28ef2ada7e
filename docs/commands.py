"""Writes docs/commands.md from the help texts; with --check, fails where the file is not current."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from taplogs.cli.app import command_names

TARGET = Path(__file__).with_name("commands.md")
GROUPS = {
    "archive": ("status", "verify", "prune", "path", "vacuum"),
    "auth": ("login", "logout", "status"),
    "config": ("get", "set", "list", "path"),
}

INTRODUCTION = """# Commands

Generated from the help texts by `python docs/commands.py`; do not edit.
"""


def main() -> int:
    """Write or check the page; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where the page is not current")
    page = render()
    if not parser.parse_args().check:
        TARGET.write_text(page, "utf-8")
        return 0
    if TARGET.read_text("utf-8") != page:
        print(f"{TARGET.name} is not current: run python docs/commands.py", file=sys.stderr)
        return 1
    return 0


def render() -> str:
    """Return the page."""
    sections = [INTRODUCTION, section()]
    for name in command_names():
        sections.append(section(name))
        sections += [section(name, command) for command in GROUPS.get(name, ())]
    return "\n".join(sections)


def section(*words: str) -> str:
    """Return the section of one command: its heading and its help at 100 columns."""
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
    finished = subprocess.run(
        [sys.executable, "-m", "taplogs", *words, "--help"], capture_output=True, check=True, env=environment
    )
    title = " ".join(("taplogs", *words))
    return f"{'#' * (2 + (len(words) > 1))} {title}\n\n```text\n{finished.stdout.decode().rstrip()}\n```\n"


if __name__ == "__main__":
    raise SystemExit(main())
