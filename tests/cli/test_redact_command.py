"""taplogs redact: what would be hidden of an entry, the rules of a profile, a key for pseudonyms."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib

import pytest

from command import Command
from serving import Backend, log_entry, payload
from taplogs.core.redaction_profile import BUILT_IN_NAMES, built_in, parse_profile

ID = "entry-00001"
KEY = {"TAPLOGS_PSEUDONYM_KEY": "k" * 40}


@pytest.fixture
def here(taplogs: Command, backend: Backend) -> Command:
    """The command line beside a backend with two entries: one with something to hide, one without."""
    backend.store.add(
        [
            log_entry(
                1,
                request_url="https://partner-api.taptalent.io/v1/partner/jobs?token=Canary",
                request_payload=payload(
                    '{"candidate":{"email":"jane@canary.example","login":{"password":"Canary"}},'
                    '"jane@canary.example":{"password":"Canary"}}'
                ),
            ),
            log_entry(2, request_url="https://partner-api.taptalent.io/v1/partner/jobs"),
        ]
    )
    return taplogs.at(backend)


@pytest.fixture
def with_keyring(taplogs: Command) -> Command:
    return taplogs.with_env(
        PYTHON_KEYRING_BACKEND="keyring_in_file.FileKeyring", KEYRING_FILE=str(taplogs.folder / "keyring.json")
    )


def keys_of(taplogs: Command) -> dict[str, str]:
    path = taplogs.folder / "keyring.json"
    keys: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return keys


# -- --explain


def test_an_explanation_has_place_rule_and_what_stands_there(here: Command) -> None:
    finished = here.here("redact", "--explain", ID, "-o", "jsonl", env=KEY)
    assert finished.code == 0
    found = {row["place"]: (row["rule"], row["becomes"]) for row in finished.rows}
    assert found["$.requestUrl"] == ("field *token", "[redacted]")
    assert found["$.requestPayload.candidate.login.password"] == ("field *password", "[redacted]")
    rule, becomes = found["$.requestPayload.candidate.email"]
    assert "mail" in rule
    assert re.fullmatch("person-[0-9a-f]{16}", becomes)


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_an_explanation_shows_no_hidden_value_even_as_a_name(here: Command, form: str) -> None:
    finished = here.here("redact", "--explain", ID, "-o", form, env=KEY)
    assert finished.code == 0
    assert "anary" not in finished.out + finished.err
    assert "person-" in finished.out


def test_an_explanation_as_json_names_the_profile(here: Command) -> None:
    document = json.loads(here.here("redact", "--explain", ID, "-o", "json", "--redact", "secrets").out)
    assert list(document) == ["id", "profile", "profileSha256", "changes"]
    assert document["id"] == ID
    assert (document["profile"], document["profileSha256"]) == ("secrets", built_in("secrets").sha256)
    assert {change["becomes"] for change in document["changes"]} == {"[redacted]"}


def test_an_explanation_as_csv(here: Command) -> None:
    rows = list(csv.reader(io.StringIO(here.here("redact", "--explain", ID, "-o", "csv", env=KEY).out)))
    assert rows[0] == ["place", "rule", "becomes"]
    assert ["$.requestUrl", "field *token", "[redacted]"] in rows


def test_a_table_on_a_terminal_fits_it(here: Command) -> None:
    shown = here.on_terminal("redact", "--explain", ID, columns=80, env=KEY)
    assert shown.code == 0
    assert shown.lines[0].split() == ["PLACE", "RULE", "BECOMES"]
    assert max(len(line) for line in shown.plain.splitlines()) <= 80
    assert any(line.startswith("$.requestUrl ") and line.endswith("[redacted]") for line in shown.lines)
    assert shown.lines[-1] == f"personal hides 5 values of entry {ID}"


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_nothing_to_hide_is_said(here: Command, form: str) -> None:
    finished = here.here("redact", "--explain", "entry-00002", "-o", form, env=KEY)
    assert finished.code == 0
    assert finished.err == "nothing to hide in entry entry-00002 (personal)\n"
    assert finished.out in ("", "place,rule,becomes\r\n") or json.loads(finished.out)["changes"] == []


def test_the_profile_is_chosen_as_everywhere(here: Command) -> None:
    finished = here.here("redact", "--explain", ID, env={"TAPLOGS_EXPORT_REDACT": "none"})
    assert finished.err == f"nothing to hide in entry {ID} (none)\n"


def test_an_entry_that_is_not_there(here: Command) -> None:
    assert here.here("redact", "--explain", "nothing", env=KEY).code == 5


# -- --show


@pytest.mark.parametrize("name", BUILT_IN_NAMES)
def test_a_profile_that_is_printed_is_the_same_when_it_is_read(taplogs: Command, name: str) -> None:
    finished = taplogs.run("redact", "--show", "--redact", name)
    assert (finished.code, finished.err) == (0, "")
    again = parse_profile(tomllib.loads(finished.out), "company")
    assert again.sha256 == built_in(name).sha256


def test_the_profile_that_is_printed_without_a_choice_is_that_of_exports(taplogs: Command) -> None:
    assert taplogs.here("redact", "--show").out.startswith("# The rules of the redaction profile personal.")


def test_a_profile_of_ones_own_is_printed_with_what_it_extends(taplogs: Command) -> None:
    path = taplogs.folder / "company.toml"
    path.write_text('extends = "secrets"\nkeep = ["pin"]\n')
    printed = taplogs.here("redact", "--show", "--redact", str(path)).out
    other = taplogs.folder / "other.toml"
    other.write_text(printed)
    assert '"pin"' in printed
    assert "bearer token" in printed
    assert (
        taplogs.here("redact", "--show", "--redact", str(other)).out.partition("\n\n")[2]
        == (printed.partition("\n\n")[2])
    )


def test_a_profile_needs_no_backend_and_no_key(taplogs: Command) -> None:
    shown = taplogs.on_terminal("redact", "--show", "--redact", "secrets", columns=100)
    assert shown.code == 0
    assert tomllib.loads(shown.plain)["patterns"]


# -- --new-key


def test_a_new_key_is_stored_and_used(with_keyring: Command, backend: Backend) -> None:
    backend.store.add([log_entry(1, request_payload=payload('{"email":"jane@example.com"}'))])
    finished = with_keyring.run("redact", "--new-key")
    assert (finished.code, finished.out) == (0, "")
    ((name, key),) = keys_of(with_keyring).items()
    assert name == "taplogs pseudonym key"
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert key not in finished.err
    assert re.match(r"stored a new pseudonym key in the system keyring \(fingerprint [0-9a-f]{16}\)", finished.err)
    outs = {
        with_keyring.at(backend).run("show", ID, "--redact", "personal", env=env).out
        for env in ({}, {"TAPLOGS_PSEUDONYM_KEY": key})
    }
    assert len(outs) == 1


def test_a_key_is_replaced_only_by_force(with_keyring: Command) -> None:
    assert with_keyring.run("redact", "--new-key").code == 0
    before = keys_of(with_keyring)
    refused = with_keyring.run("redact", "--new-key")
    assert refused.code == 2
    assert "the system keyring has a pseudonym key already" in refused.err
    assert "--force replaces it" in refused.err
    assert keys_of(with_keyring) == before
    assert with_keyring.run("redact", "--new-key", "--force").code == 0
    assert list(keys_of(with_keyring)) == list(before)
    assert keys_of(with_keyring) != before


def test_what_goes_before_the_new_key_is_told(with_keyring: Command) -> None:
    finished = with_keyring.run("redact", "--new-key", env=KEY)
    assert "TAPLOGS_PSEUDONYM_KEY is set and goes before it" in finished.err
    assert KEY["TAPLOGS_PSEUDONYM_KEY"] not in finished.err


@pytest.mark.parametrize("name", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"])
def test_without_a_keyring_a_key_is_made_by_hand(taplogs: Command, name: str) -> None:
    finished = taplogs.run("redact", "--new-key", env={"PYTHON_KEYRING_BACKEND": name})
    assert finished.code == 1
    assert finished.err.startswith("error: the system keyring cannot store the key: ")
    assert "set TAPLOGS_PSEUDONYM_KEY to what 'openssl rand -hex 32' prints" in finished.err


def test_an_odd_keyring_does_not_have_the_key_repeated(taplogs: Command) -> None:
    env = {"PYTHON_KEYRING_BACKEND": "keyring_in_file.OddKeyring", "KEYRING_FILE": "x"}
    finished = taplogs.run("redact", "--new-key", "--force", env=env)
    assert finished.code == 1
    assert "the system keyring cannot store the key: cannot keep …" in finished.err
    assert not re.search("[0-9a-f]{20}", finished.err)


# -- how it is called


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "one of --explain ID, --show and --new-key"),
        (["--show", "--new-key"], "only one"),
        (["--show", "--explain", "x"], "only one"),
        (["--show", "--force"], "it goes with --new-key"),
        (["--explain", "x", "--force"], "it goes with --new-key"),
        (["--show", "-o", "json"], "it goes with --explain ID"),
        (["--explain", "x", "-o", "xml"], "accepted: table, json, jsonl, csv"),
    ],
)
def test_what_cannot_be_meant_is_told(taplogs: Command, words: list[str], told: str) -> None:
    finished = taplogs.with_env(TAPLOGS_BASE_URL="http://127.0.0.1:1").here("redact", *words)
    assert finished.code == 2
    assert told in finished.err
