"""Completion: what a shell is told, by the protocol of typer's scripts."""

from __future__ import annotations

import sys

import pytest

from command import Command
from taplogs.cli.app import command_names


def completed(taplogs: Command, line: str) -> list[str]:
    """Return what bash would offer at the end of a line."""
    words = line.split(" ")
    env = {"_TAPLOGS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    finished = taplogs.run(env=env)
    assert (finished.code, finished.err) == (0, "")
    return finished.out.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("taplogs ", [*command_names()]),
        ("taplogs t", ["tail"]),
        ("taplogs tail --in", ["--interval"]),
        ("taplogs li", ["list"]),
        ("taplogs x", []),
        ("taplogs auth ", ["login", "logout", "status"]),
        ("taplogs config s", ["set"]),
        ("taplogs list --sta", ["--status"]),
        ("taplogs list --status 4xx --co", ["--columns", "--company-id", "--color"]),
        ("taplogs show --c", ["--curl", "--ca-file", "--color"]),
        ("taplogs serve --l", ["--listen", "--load"]),
    ],
)
def test_bash_is_offered_commands_and_options(taplogs: Command, line: str, offered: list[str]) -> None:
    assert sorted(completed(taplogs, line)) == sorted(offered)


@pytest.mark.parametrize(
    ("shell", "part"),
    [
        ("bash", "complete -o default -F _taplogs_completion taplogs"),
        ("zsh", "#compdef taplogs"),
        ("fish", "--command taplogs"),
    ],
)
def test_a_script_for_the_shell_is_printed(taplogs: Command, shell: str, part: str) -> None:
    source = taplogs.run(env={"_TAPLOGS_COMPLETE": f"source_{shell}"})
    assert source.code == 0
    assert part in source.out


def test_the_script_can_be_asked_for_by_an_option(taplogs: Command) -> None:
    finished = taplogs.run("--show-completion", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    shell = taplogs.run("--show-completion", "bash", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert "_TAPLOGS_COMPLETE" in finished.out + shell.out


def test_the_script_works_in_bash(taplogs: Command) -> None:
    line = """
        eval "$(_TAPLOGS_COMPLETE=source_bash taplogs)"
        COMP_WORDS=(taplogs conf); COMP_CWORD=1
        _taplogs_completion taplogs
        echo "${COMPREPLY[@]}"
    """
    place = taplogs.folder / "bin"
    place.mkdir()
    (place / "taplogs").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m taplogs "$@"\n')
    (place / "taplogs").chmod(0o755)
    finished = taplogs.shell(f'unset -f taplogs; PATH="{place}:$PATH"\n' + line)
    assert finished.out == "config\n"
