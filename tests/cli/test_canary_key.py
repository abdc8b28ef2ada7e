"""A canary: whatever goes wrong, the key appears nowhere but in the Authorization header."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import KEY, Command, Finished, sample_entries, wait_until
from faulty_server import RESET, SILENCE, FaultyServer, Script, error_body, page, reply
from serving import Backend, log_entry

BEARER = f"Authorization: Bearer {KEY}"
SECRET = "Canary7"

ECHOES: dict[str, Script] = {
    "in the message": [reply(error_body("INTERNAL_ERROR", f"bad header {BEARER}"), 500)],
    "in the code": [reply(error_body(BEARER, "no"), 500)],
    "cut short": [reply(error_body("E", "x" * (200 - len(KEY) + 9) + KEY), 500)],
    "cut shorter": [reply(error_body("E", "x" * (200 - len(KEY) + 5) + KEY), 500)],
    "in a refusal": [reply(error_body("UNAUTHORIZED", BEARER), 401)],
    "in a page": [reply(f"<html><pre>{BEARER}</pre></html>".encode(), 502, "text/html")],
    "in a page, cut short": [reply(b"x" * (200 - len(KEY) + 10) + KEY.encode(), 502, "text/html")],
    "instead of entries": [reply(f"<html>{BEARER}</html>".encode(), content_type="text/html")],
    "in JSON of another kind": [reply(json.dumps({"headers": BEARER}).encode())],
    "in a field of the wrong type": [reply(json.dumps({"logs": [{"id": "1", "statusCode": BEARER}]}).encode())],
    "in a redirect": [reply(b"", 302, Location=f"https://evil.example/?key={KEY}")],
    "in the content type": [reply(b"[", content_type=f"text/{KEY}")],
    "in the encoding": [reply(b"[]", Content_Encoding=KEY)],
    "in Retry-After": [reply(b"", 429, Retry_After=KEY)],
    "in the status line": [f"HTTP/1.1 500 {KEY}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()],
    "in no HTTP at all": [f"SSH-2.0-{KEY}\r\n".encode()],
    "in a broken header": [f"HTTP/1.1 200 OK\r\n{KEY} {KEY}\r\n\r\n".encode()],
    "in a truncated body": [reply(page([log_entry(id=KEY)]))[:-30]],
    "before a reset": [f"HTTP/1.1 200 OK\r\nX: {KEY}\r\n".encode(), RESET],
    "not found": [reply(error_body("NOT_FOUND", BEARER), 404)],
}


def assert_absent(finished: Finished) -> None:
    text = finished.out + finished.err
    assert KEY not in text
    assert SECRET not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("name", ECHOES)
def test_a_backend_that_echoes_the_key(taplogs: Command, name: str, form: str) -> None:
    with FaultyServer(ECHOES[name]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        for words in (["list"], ["show", "some-id"], ["auth", "status"]):
            style = ["-o", "json" if form == "json" else "table" if words == ["list"] else "text"]
            finished = taplogs.here(*words, *style, "--debug", "--max-wait", "0", env=env)
            assert finished.code in (4, 5, 6)
            assert_absent(finished)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("max_wait", ["0", "1"])
def test_retries_that_are_told(taplogs: Command, max_wait: str) -> None:
    with FaultyServer([reply(error_body("E", BEARER), 503)]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        assert_absent(taplogs.run("list", "--debug", "--max-wait", max_wait, env=env))


WRONG_PLACES = [
    (["list", "--status", KEY], {}),
    (["list", "--since", KEY], {}),
    (["list", "--latency", KEY], {}),
    (["list", "--columns", KEY], {}),
    (["list", "--tz", KEY], {}),
    (["list", "--profile", KEY], {}),
    (["list", "--source", KEY], {}),
    (["list", "--source", f"https://user:{KEY}@127.0.0.1/v1"], {}),
    (["list", "--source", f"https://127.0.0.1/v1?key={KEY}"], {}),
    (["list", "--source", f"http://{KEY}.example/"], {}),
    (["list", "--key-file", KEY], {}),
    (["list", "--ca-file", KEY, "--source", "https://127.0.0.1:1"], {}),
    (["list", f"--{KEY}"], {}),
    (["list", KEY], {}),
    ([KEY], {}),
    (["show", KEY, "--har", "--curl"], {}),
    (["auth", "login", KEY], {}),
    (["auth", KEY], {}),
    (["config", "get", KEY], {}),
    (["config", "set", "base_url", KEY], {}),
    (["config", "set", "base_url", f"https://a.example/{KEY}"], {}),
    (["config", "set", "key_file", KEY], {}),
    (["config", "set", "tz", KEY], {}),
    (["config", "set", "nothing", KEY], {}),
    (["serve", "--listen", KEY], {}),
    (["serve", "--rate", KEY], {}),
    (["serve", "--revoke-key", KEY], {}),
    (["serve", "--load", KEY, "--listen", "127.0.0.1:0"], {}),
    (["list"], {"TAPLOGS_API_KEY": KEY + "x"}),
    (["list"], {"TAPLOGS_API_KEY": f"Bearer {KEY}"}),
    (["list"], {"TAPLOGS_API_KEY": KEY[:-1]}),
    (["list"], {"TAPLOGS_BASE_URL": f"https://{KEY}@127.0.0.1"}),
    (["list"], {"TAPLOGS_BASE_URL": KEY}),
    (["list"], {"TAPLOGS_LIMIT": KEY}),
    (["list"], {"TZ": KEY}),
]


@pytest.mark.parametrize("style", [[], ["--debug"]], ids=["", "debug"])
@pytest.mark.parametrize(("words", "env"), WRONG_PLACES, ids=[" ".join(map(str, case)) for case in WRONG_PLACES])
def test_a_key_in_a_wrong_place_is_not_repeated(
    taplogs: Command, words: list[str], env: dict[str, str], style: list[str]
) -> None:
    if style and words[0] in ("config", KEY):
        style = []
    finished = taplogs.here(*words, *style, env=env)
    assert finished.code not in (0, 130)
    assert_absent(finished)


@pytest.mark.parametrize(
    "command", [["list"], ["list", "-o", "json"], ["get", "base_url"], ["get", "key_file", "-p", "team"]]
)
def test_a_key_in_the_config_file_is_not_repeated(taplogs: Command, command: list[str]) -> None:
    taplogs.configured(
        f'profile = "team"\n[profiles.team]\nbase_url = "https://a.example/{KEY}"\n'
        f'key_file = "{KEY}"\n[profiles.{KEY}]\n'
    )
    finished = taplogs.here("config", *command)
    assert finished.code == 0
    assert_absent(finished)


@pytest.mark.parametrize(
    "text", [f"api_key = '{KEY}'", f"'{KEY}' = 1", f"limit = '{KEY}'", f"limit = {KEY}", f"[profiles]\n{KEY} = 1"]
)
def test_a_key_in_a_broken_config_file_is_not_repeated(taplogs: Command, text: str) -> None:
    finished = taplogs.configured(text).here("list")
    assert finished.code == 2
    assert_absent(finished)


def test_the_suggested_command_does_not_repeat_a_key(taplogs: Command, backend: Backend) -> None:
    url = f"https://a.example/?key={KEY}"
    backend.store.add([log_entry(number, request_url=url) for number in range(3)])
    finished = taplogs.at(backend).here("list", "--url", KEY, "-n", "2")
    assert "there are more" in finished.err
    assert KEY not in finished.err


def broken_environment(folder: Path, module: str) -> str:
    """Return a PYTHONPATH where importing `module` fails in a way that nobody foresaw, the key in its message."""
    place = folder / "broken"
    place.mkdir()
    (place / f"{module}.py").write_text(
        "import os\nsecret = os.environ['TAPLOGS_API_KEY']\nraise ArithmeticError(f'odd: {secret}')\n"
    )
    return str(place)


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("httpx", ["list"]),
        ("tomllib", ["list"]),
        ("rich", ["show", "entry-00001", "-o", "text"]),
        ("waitress", ["serve"]),
    ],
)
def test_an_unforeseen_error_tells_its_place_and_no_values(
    taplogs: Command, backend: Backend, module: str, words: list[str], debug: list[str]
) -> None:
    taplogs.configured("limit = 5")
    env = {
        "PYTHONPATH": broken_environment(taplogs.folder, module),
        "TAPLOGS_BASE_URL": backend.url,
        "TAPLOGS_API_KEY": KEY,
    }
    backend.keys.add(KEY)
    backend.store.add([log_entry(1)])
    finished = taplogs.run(*words, *debug, env=env)
    assert finished.code == 1
    assert finished.out == ""
    assert "error: unexpected error: ArithmeticError: odd: sk_test_…ry7Z" in finished.err
    assert "this is a fault of taplogs; --debug shows where" in finished.err
    assert_absent(finished)
    assert (f"{module}.py" in finished.err) is bool(debug)


def test_an_unforeseen_error_with_json_is_one_object(taplogs: Command) -> None:
    env = {"PYTHONPATH": broken_environment(taplogs.folder, "httpx"), "TAPLOGS_API_KEY": KEY}
    finished = taplogs.run("list", "-o", "json", "--source", "http://127.0.0.1:1", env=env)
    assert (finished.code, finished.error["code"]) == (1, "failure")
    assert_absent(finished)


def test_the_list_of_processes_does_not_show_the_key(taplogs: Command) -> None:
    file = taplogs.folder / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    with FaultyServer([SILENCE]) as server:
        process = taplogs.start("list", "--key-file", str(file), "--source", server.url)
        wait_until(lambda: server.requests)
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")  # what ps shows to everybody
        process.kill()
        process.communicate()
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert words[2:5] == [b"taplogs", b"list", b"--key-file"]
    assert SECRET.encode() not in b" ".join(words)


def test_no_file_holds_the_key_but_the_one_it_was_to_be_stored_in(taplogs: Command, backend: Backend) -> None:
    backend.keys.add(KEY)
    backend.store.add(sample_entries(6))
    env = {"TAPLOGS_BASE_URL": backend.url, "TAPLOGS_API_KEY": KEY}
    for words in (
        ["list", "--debug"],
        ["list", "--demo", "-n", "1"],
        ["show", "entry-00003", "--curl"],
        ["show", "entry-00003", "--har"],
        ["auth", "status"],
        ["config", "set", "limit", "5"],
        ["config", "list"],
    ):
        finished = taplogs.here(*words, env=env)
        assert finished.code == 0
        assert_absent(finished)
    taplogs.here("auth", "login", "--insecure-storage", stdin=KEY, env={"TAPLOGS_BASE_URL": backend.url})
    holding = [path for path in taplogs.folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holding == [taplogs.config.parent / "credentials" / "keys.json"]
