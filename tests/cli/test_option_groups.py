"""Groups of options: declared once as a Struct, spread out on the command line."""

from __future__ import annotations

from inspect import signature
from typing import Annotated

import pytest
from msgspec import Struct
from typer import Option

from taplogs.cli.again import without_options
from taplogs.cli.failure import wants_json
from taplogs.cli.option_groups import expand_groups
from taplogs.cli.options import DisplayOptions, FilterOptions, SourceOptions, settings_flags
from taplogs.settings import SETTINGS


class Place(Struct, frozen=True):
    """A group for tests: one field without a default, one with."""

    name: Annotated[str, Option("--name")]
    near: Annotated[bool, Option("--near")] = False


def test_a_group_becomes_its_fields() -> None:
    def command(number: int, place: Place, last: str = "x") -> None: ...

    parameters = signature(expand_groups(command)).parameters
    assert list(parameters) == ["number", "name", "near", "last"]
    assert parameters["name"].default is parameters["name"].empty
    assert parameters["near"].default is False
    assert parameters["last"].default == "x"
    assert {parameter.kind for parameter in parameters.values()} == {parameters["name"].KEYWORD_ONLY}


def test_the_command_gets_its_group() -> None:
    calls = []

    def command(number: int, place: Place) -> None:
        calls.append((number, place))

    expand_groups(command)(number=1, name="here", near=True)
    assert calls == [(1, Place("here", True))]


def test_a_command_without_groups_stays_as_it_is() -> None:
    def command(number: int = 1) -> None: ...

    assert list(signature(expand_groups(command)).parameters) == ["number"]


@pytest.mark.parametrize("group", [FilterOptions, SourceOptions, DisplayOptions])
def test_every_shared_option_may_be_left_out(group: type[Struct]) -> None:
    assert group() == group()


def test_options_that_override_settings_are_named_like_them() -> None:
    flags = settings_flags(SourceOptions(), DisplayOptions())
    assert set(flags) - set(SETTINGS) == {"source", "demo", "strict", "no_verify", "debug"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("list -o json", True),
        ("list -ojson", True),
        ("list --output json -n 5", True),
        ("list --output=jsonl", True),
        ("-o json list", True),
        ("list -o csv", False),
        ("list -o jsonx", False),
        ("list --grep json", False),
        ("list", False),
        ("", False),
    ],
)
def test_a_command_line_asks_for_json_or_not(line: str, expected: bool) -> None:
    assert wants_json(line.split()) is expected


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("list --since 1h -n 5", "list -n 5"),
        ("list --since=1h --until=now -n5", "list -n5"),
        ("list --until", "list"),
        ("list --sincerely --since 1h x", "list --sincerely x"),
        ("list", "list"),
    ],
)
def test_options_are_taken_out_with_their_values(line: str, kept: str) -> None:
    assert without_options(line.split(), ("--since", "--until")) == kept.split()


@pytest.mark.parametrize(
    "line", ["list -n 5 -s 4xx", "list -n5 -s 4xx", "list --limit=5 -s 4xx", "list --limit 5 -s 4xx"]
)
def test_a_short_option_is_taken_out_in_every_spelling(line: str) -> None:
    assert without_options(line.split(), ("--limit", "-n")) == ["list", "-s", "4xx"]
