"""Wrong usage: exit 2, the offending text, what is accepted, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from command import KEY, Command
from faulty_server import FaultyServer, error_body, reply


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A backend that keeps what it is asked."""
    with FaultyServer([reply(error_body("INTERNAL_ERROR", "Nobody should ask."), 500)]) as running:
        yield running


CASES = [
    ("list --nonsense", "--nonsense", "--help"),
    ("list --statuss 4xx", "--statuss", "--status"),
    ("list unexpected", "unexpected", "--help"),
    ("list --status", "--status", "--help"),
    ("list --status 4xy", "'4xy'", "4xx, 404, 400-404, ok, error"),
    ("list -s 600-400", "'600-400'", "4xx, 404"),
    ("list --method FETCH", "'FETCH'", "GET"),
    ("list --since 2x", "--since '2x'", "30s 15m 2h 2d"),
    ("list --until 1month3", "--until '1month3'", "30s 15m 2h 2d"),
    ("list --since 01/03/2026", "'01/03/2026'", "2026-11-01"),
    ("list --since 2026-02-30", "'2026-02-30'", "2026-11-01"),
    ("list --since 1h --until 2h", "--since 1h", "starts with --since and ends before --until"),
    ("list --latency fast", "'fast'", ">500ms"),
    ("list --latency 2s-1s", "'2s-1s'", ">500ms"),
    ("list --ip 300.0.0.1", "'300.0.0.1'", "203.0.113"),
    ("list --grep (", "'('", "regular expression"),
    ("list -o table --columns time", "'time'", "timestamp, method, url, status, latency, id"),
    ("list -o csv --columns nothing", "'nothing'", "id, timestamp, method, requestUrl"),
    ("list --columns ,", "--columns is empty", "timestamp"),
    ("list -o yaml", "'yaml'", "table, json, jsonl, csv"),
    ("list --limit -5", "'-5' (--limit)", "0 for all"),
    ("list --limit many", "'many' (--limit)", "a whole number from 0"),
    ("list -n 1e3", "'1e3' (--limit)", "a whole number from 0"),
    ("list -n 10000000000", "'10000000000' (--limit)", "a whole number from 0"),
    ("list --parallel 0", "'0' (--parallel)", "a whole number from 1"),
    ("list --timeout soon", "'soon' (--timeout)", "a number of seconds"),
    ("list --timeout nan", "'nan' (--timeout)", "a number of seconds"),
    ("list --max-wait -1", "'-1' (--max-wait)", "a number of seconds"),
    ("list --tz Mars/Olympus", "'Mars/Olympus'", "Europe/Berlin"),
    ("list --color sometimes", "'sometimes' (--color)", "auto, always, never"),
    ("list --profile nobody", "'nobody' (flag --profile)", "production, sandbox"),
    ("list --source ftp://logs.example.com", "'ftp://logs.example.com'", "https://logs.example.com/v1, demo, archive"),
    ("list --source http://logs.example.com", "'http://logs.example.com'", "use https"),
    ("list --source https://logs.example.com?a=b", "'https://logs.example.com?a=b'", "such as https://"),
    ("list --source https://[1", "'https://[1'", "such as https://"),
    ("list --demo --source http://127.0.0.1", "--demo and --source", "give one of them"),
    ("list --ca-file /nonexistent --source https://127.0.0.1:1", "No such file", "PEM certificates"),
    ("show", "ID...", "--help"),
    ("show a -o yaml", "'yaml'", "text, json"),
    ("show a --curl --har", "--curl and --har", "give one of them"),
    ("show a --request --response", "--request and --response", "give one of them"),
    ("show a --curl -o text", "--curl and --output", "give one of them"),
    ("auth nothing", "'nothing'", "--help"),
    ("auth status -o yaml", "'yaml'", "text, json"),
    ("auth status --demo", "demo", "leave --source and --demo out"),
    ("auth login --demo", "demo", "leave --source and --demo out"),
    ("auth login sk_test_1", "unexpected extra argument", "--help"),
    ("config get", "SETTING", "--help"),
    ("config get nothing", "'nothing'", "base_url"),
    ("config get colour", "is 'color' meant?", "base_url"),
    ("config set color blue", "'blue'", "auto, always, never"),
    ("config set parallel x", "'x'", "a whole number from 1"),
    ("config set profile nobody", "'nobody'", "config set base_url URL --profile nobody"),
    ("config list -o yaml", "'yaml'", "text, json"),
    ("config list --profile nobody", "'nobody'", "production, sandbox"),
    ("serve --listen nowhere", "'nowhere'", "HOST:PORT"),
    ("serve --listen 127.0.0.1:99999", "'127.0.0.1:99999'", "HOST:PORT"),
    ("serve --rate fast", "'fast'", "100/min"),
    ("serve --threads 0", "--threads", "--help"),
    ("serve --revoke-key sk_test_none", "'sk_test_none'", "keys of this store: none"),
]


@pytest.mark.parametrize(("line", "offending", "accepted"), CASES)
def test_wrong_usage_is_told_and_nothing_is_sent(
    taplogs: Command, server: FaultyServer, line: str, offending: str, accepted: str
) -> None:
    finished = taplogs.here(*line.split(), env={"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY})
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.startswith("error: ")
    assert offending in finished.err
    assert accepted in finished.err
    assert not server.requests


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("TAPLOGS_PROFILE", "nobody", "production, sandbox"),
        ("TAPLOGS_BASE_URL", "nowhere", "https://partner-api.taptalent.io/v1"),
        ("TAPLOGS_LOGS_PATH", "logs", "does not start with /"),
        ("TAPLOGS_PARALLEL", "some", "a whole number from 1"),
        ("TAPLOGS_TIMEOUT", "-1", "a number of seconds"),
        ("TAPLOGS_MAX_WAIT", "inf", "a number of seconds"),
        ("TAPLOGS_LIMIT", "all", "a whole number from 0"),
        ("TAPLOGS_COLOR", "yes", "auto, always, never"),
        ("TAPLOGS_TZ", "Nowhere", "Europe/Berlin"),
        ("TZ", "Nowhere", "Europe/Berlin"),
        ("TAPLOGS_ENDPOINT_TEMPLATES", "jobs", "/v1/partner/jobs/{id}"),
        ("TAPLOGS_CA_FILE", "/nonexistent", "PEM certificates"),
    ],
)
def test_a_bad_variable_is_told_and_nothing_is_sent(
    taplogs: Command, server: FaultyServer, name: str, value: str, accepted: str
) -> None:
    env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY, name: value}
    if name == "TAPLOGS_CA_FILE":
        env["TAPLOGS_BASE_URL"] = server.url.replace("http:", "https:")
    finished = taplogs.here("list", env=env)
    assert (finished.code, finished.out) == (2, "")
    assert value in finished.err or name == "TAPLOGS_CA_FILE"
    assert accepted in finished.err
    assert not server.requests


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("limit = ", "is not TOML: "),
        ("limit = 1\nlimit = 2", "is not TOML: "),
        ("limit = 'many'", "limit 'many' ("),
        ("limit = true", "limit True ("),
        ("limit = -1", "limit -1 ("),
        ("limit = 1.5", "limit 1.5 ("),
        ("color = 1", "color 1 ("),
        ("tz = ''", "tz '' ("),
        ("tz = ['UTC']", "tz ['UTC'] ("),
        ("timeout = 5", "'timeout' is not a setting here"),
        ("nonsense = 1", "'nonsense' is not a setting here"),
        ("api_key = 'x'", "'api_key' is not a setting here"),
        ("endpoint_templates = 'jobs'", "'jobs' is not understood"),
        ("endpoint_templates = [1]", "endpoint_templates [1] ("),
        ("profiles = 1", "profiles are tables"),
        ("profiles.team = 1", "profiles are tables"),
        ("[profiles.team]\nlimit = 1", "[profiles.team]: 'limit' is not a setting here"),
        ("[profiles.team]\nbase_url = 1", "base_url 1 ("),
        ("[profiles.team]\ntimeout = true", "timeout True ("),
        ("[profiles.team]\ntimeout = '1 minute'", "timeout '1 minute' ("),
        ("[profiles.team]\nparallel = 0", "parallel 0 ("),
        ("profile = 'team'", "there is no profile 'team' (file "),
        ("profile = 'team'\n[profiles.team]\nparallel = 2", "the profile 'team' names no backend"),
        ("profile = 'team'\n[profiles.team]\nbase_url = 'logs'", "the base URL 'logs' is not an http or https URL"),
        ("[nonsense]\na = 1", "'nonsense' is not a setting here"),
    ],
)
def test_a_bad_config_file_is_told(taplogs: Command, text: str, told: str) -> None:
    finished = taplogs.configured(text).here("list", env={"TAPLOGS_API_KEY": KEY})
    assert (finished.code, finished.out) == (2, "")
    assert told in finished.err
    assert "unexpected" not in finished.err


def test_a_config_file_that_is_not_utf8_is_told(taplogs: Command) -> None:
    taplogs.configured("")
    taplogs.config.write_bytes(b"tz = '\xff'")
    finished = taplogs.here("list")
    assert finished.code == 2
    assert f"{taplogs.config} is not TOML: " in finished.err


def test_a_folder_instead_of_a_config_file_is_told(taplogs: Command) -> None:
    taplogs.config.mkdir(parents=True)
    finished = taplogs.here("list")
    assert finished.code == 2
    assert f"{taplogs.config} cannot be read: Is a directory" in finished.err


def test_a_missing_config_file_is_an_empty_one(taplogs: Command) -> None:
    assert taplogs.here("config", "get", "limit").out == "50\n"
