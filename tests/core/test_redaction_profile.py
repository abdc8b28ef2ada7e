"""Redaction profiles: what they say, how they are told apart, and what is refused."""

from __future__ import annotations

import json
import tomllib
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from taplogs.core.redaction_profile import BUILT_IN_NAMES, built_in, parse_profile
from taplogs.errors import ConfigurationError

OWN = """
extends = "personal"
keep = ["nickname", "$.requestPayload.job.name"]
messages = ["$.responsePayload.faults"]

[[fields]]
names = ["badge", "*staffNumber"]
label = "badge"

[[parameters]]
names = ["who"]

[[paths]]
path = "$.requestPayload.items[*].ref"
label = "badge"

[[patterns]]
name = "staff number"
pattern = '\\bE-(?P<value>[0-9]{6})\\b'
contains = ["E-"]
"""


def test_a_profile_goes_before_the_one_that_it_extends() -> None:
    profile, personal = parse_profile(tomllib.loads(OWN), "own"), built_in("personal")
    assert (profile.name, profile.fields[0].names, profile.fields[1:]) == (
        "own",
        ("badge", "*staffNumber"),
        personal.fields,
    )
    assert profile.patterns[1:] == personal.patterns
    assert profile.keep[2:] == personal.keep
    assert profile.labels == personal.labels | {"badge"}


def test_the_built_in_profiles_are_as_a_file_would_say_them() -> None:
    assert BUILT_IN_NAMES == ("none", "secrets", "personal")
    for name in BUILT_IN_NAMES:
        profile = built_in(name)
        document = {key: value for key, value in msgspec.to_builtins(profile).items() if key != "name"}
        document["extends"] = "none"
        assert parse_profile(document, name) == profile


def test_a_profile_that_does_not_say_what_it_extends_hides_secrets_all_the_same() -> None:
    assert parse_profile({}, "own").sha256 == built_in("secrets").sha256


def test_a_profile_makes_pseudonyms_where_it_has_labels() -> None:
    assert [built_in(name).pseudonyms for name in BUILT_IN_NAMES] == [False, False, True]
    assert [built_in(name).hides_nothing for name in BUILT_IN_NAMES] == [True, False, False]


def test_the_hash_is_of_the_rules_as_canonical_json() -> None:
    profile = parse_profile({"extends": "none", "fields": [{"names": ["é"], "label": "x"}]}, "own")
    rules = {"fields": [{"names": ["é"], "label": "x"}], "parameters": [], "paths": [], "patterns": []}
    text = json.dumps(rules | {"keep": [], "messages": []}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert profile.sha256 == sha256(text.encode()).hexdigest()
    assert len({built_in(name).sha256 for name in BUILT_IN_NAMES}) == 3


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"extends": "persons"}, ["'persons'", "$.extends", "none, secrets, personal"]),
        ({"extends": 1}, ["$.extends"]),
        ({"field": []}, ["`field`", "[[fields]]"]),
        ({"fields": [{"names": ["a"], "labels": "x"}]}, ["`labels`", "$.fields[0]"]),
        ({"fields": [{"label": "x"}]}, ["`names`", "$.fields[0]"]),
        ({"fields": [{"names": "a"}]}, ["$.fields[0].names"]),
        ({"fields": [{"names": ["a", "-"]}]}, ["'-'", "$.fields[0].names[1]"]),
        ({"fields": [{"names": ["a*"]}]}, ["'a*'"]),
        ({"parameters": [{"names": ["a"], "label": "A b"}]}, ["'A b'", "$.parameters[0].label", "a-z"]),
        ({"paths": [{"path": "requestPayload.a"}]}, ["'requestPayload.a'", "$.paths[0].path"]),
        ({"paths": [{"path": "$"}]}, ["'$'"]),
        ({"paths": [{"path": "$.requestPayload.a[0]"}]}, ["'[0]'", "[*]"]),
        ({"paths": [{"path": "$.requestPayload..  "}]}, ["'..  '"]),
        ({"paths": [{"path": "$.userAgent.a"}]}, ["only payloads have members"]),
        ({"messages": ["$.nothing"]}, ["'nothing'", "$.messages[0]", "requestPayload"]),
        ({"keep": ["$.id"]}, ["'id'", "$.keep[0]"]),
        ({"keep": [""]}, ["''", "$.keep[0]"]),
        ({"patterns": [{"name": "x", "pattern": "(a"}]}, ["'(a'", "$.patterns[0].pattern", "unterminated"]),
        ({"patterns": [{"name": "x", "pattern": "a*"}]}, ["'a*'", "at least one character"]),
        ({"patterns": [{"name": "x", "pattern": "a", "hint": "("}]}, ["'('", "$.patterns[0].hint"]),
        ({"patterns": [{"name": "x", "pattern": "a", "hint": "(a)"}]}, ["'(a)'", "$.patterns[0].hint", "(?:…)"]),
        ({"patterns": [{"name": "x", "pattern": "a", "check": "luhn"}]}, ["'luhn'", "card, email, iban, telephone"]),
        ({"patterns": [{"name": "x", "pattern": "a", "contains": [""]}]}, ["$.patterns[0].contains"]),
        *(
            ({"paths": [{"path": f"$.{name}"}]}, [f"'{name}'", "$.paths[0].path", "requestUrl, requestPayload"])
            for name in ("id", "timestamp", "method", "statusCode", "latencyMs", "createdAt", "updatedAt")
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(document: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_profile(document, "own")
    text = f"{refused.value.message} {refused.value.hint}"
    assert "'own'" in text
    assert [part for part in told if part not in text] == []


def test_another_name_than_those_built_in_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'everything'"):
        built_in("everything")
