"""Colours: by status, only where they are wanted, and by the precedence of settings."""

from __future__ import annotations

import subprocess

import pytest

from command import Command, Shown
from serving import Backend

LISTING = ["list", "-n", "6", "--columns", "status,id"]


def colored(shown: Shown) -> dict[str, str]:
    """Return the status of each row of a table and the colour that the terminal shows it in."""
    found = {}
    for number, line in enumerate(shown.screen.display):
        start = len(line) - len(line.lstrip())
        if "entry-" in line:
            found[line.split()[0]] = shown.screen.buffer[number][start].fg
    return found


def test_each_class_of_status_has_its_colour(taplogs: Command, logs: Backend) -> None:
    assert colored(taplogs.at(logs).on_terminal(*LISTING)) == {
        "200": "green",
        "201": "green",
        "302": "cyan",
        "404": "brown",  # what pyte calls SGR 33
        "422": "brown",
        "500": "red",
    }


def test_only_the_status_is_coloured(taplogs: Command, logs: Backend) -> None:
    shown = taplogs.at(logs).on_terminal(*LISTING)
    (row,) = [number for number, line in enumerate(shown.screen.display) if "entry-00119" in line]
    assert {shown.screen.buffer[row][column].fg for column in range(8, 30)} == {"default"}


CASES = [
    ([], {}, "", True),
    ([], {"NO_COLOR": "1"}, "", False),
    ([], {"NO_COLOR": ""}, "", True),
    ([], {"TERM": "dumb"}, "", False),
    ([], {"TERM": "dumb", "FORCE_COLOR": "1"}, "", True),
    ([], {"FORCE_COLOR": "0"}, "", False),
    ([], {"NO_COLOR": "1", "FORCE_COLOR": "1"}, "", False),
    ([], {"TAPLOGS_COLOR": "never"}, "", False),
    ([], {"TAPLOGS_COLOR": "always", "NO_COLOR": "1"}, "", True),
    ([], {}, "never", False),
    ([], {"NO_COLOR": "1"}, "always", False),
    ([], {"FORCE_COLOR": "1"}, "never", True),
    ([], {"TAPLOGS_COLOR": "always"}, "never", True),
    (["--color", "always"], {"NO_COLOR": "1"}, "never", True),
    (["--color", "always"], {"TAPLOGS_COLOR": "never"}, "", True),
    (["--color", "never"], {"FORCE_COLOR": "1"}, "always", False),
    (["--color=never"], {"TAPLOGS_COLOR": "always"}, "", False),
    (["--color", "auto"], {"TAPLOGS_COLOR": "never"}, "", True),
]


@pytest.mark.parametrize(("flags", "env", "config", "expected"), CASES)
def test_flag_goes_before_environment_before_config_file(
    taplogs: Command, logs: Backend, flags: list[str], env: dict[str, str], config: str, expected: bool
) -> None:
    if config:
        taplogs.configured(f'color = "{config}"')
    shown = taplogs.at(logs).on_terminal(*LISTING, *flags, env=env)
    assert shown.code == 0
    assert (b"\x1b[32m" in shown.raw) is expected
    assert (b"\x1b" in shown.raw) is expected


@pytest.mark.parametrize(
    ("flags", "env", "expected"),
    [
        ([], {}, False),
        (["--color", "auto"], {}, False),
        (["--color", "always"], {}, True),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_in_a_pipe_there_are_colours_only_where_they_are_asked_for(
    taplogs: Command, logs: Backend, flags: list[str], env: dict[str, str], expected: bool
) -> None:
    finished = taplogs.at(logs).here(*LISTING, "-o", "table", *flags, env=env)
    assert ("\x1b[32m200\x1b[0m" in finished.out) is expected
    assert ("\x1b" in finished.out) is expected


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_data_is_never_coloured(taplogs: Command, logs: Backend, form: str) -> None:
    assert "\x1b" not in taplogs.at(logs).here("list", "-o", form, "--color", "always", "-n", "6").out


@pytest.mark.parametrize(
    ("flags", "env", "expected"),
    [([], {}, True), (["--color", "never"], {}, False), ([], {"NO_COLOR": "1"}, False)],
)
def test_an_error_goes_by_the_same_settings(
    taplogs: Command, logs: Backend, flags: list[str], env: dict[str, str], expected: bool
) -> None:
    shown = taplogs.at(logs).on_terminal("list", "--since", "2x", *flags, env=env)
    assert shown.code == 2
    assert (b"\x1b[1;31merror: \x1b[0m" in shown.raw) is expected
    assert (b"\x1b" in shown.raw) is expected


@pytest.mark.parametrize(("flags", "expected"), [([], True), (["--color", "never"], False)])
def test_an_entry_goes_by_the_same_settings(taplogs: Command, logs: Backend, flags: list[str], expected: bool) -> None:
    shown = taplogs.at(logs).on_terminal("show", "entry-00003", *flags)
    assert (b"\x1b" in shown.raw) is expected


def test_standard_error_in_a_file_is_not_coloured_while_the_table_is(taplogs: Command, logs: Backend) -> None:
    shown = taplogs.at(logs).on_terminal(*LISTING, stderr=subprocess.DEVNULL)
    assert b"\x1b[32m" in shown.raw
    assert b"shown, there are more" not in shown.raw
