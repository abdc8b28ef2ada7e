"""taplogs auth: how a key comes in, where it is kept, which one is used, and that it goes nowhere else."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

from command import KEY, Command
from faulty_server import FaultyServer, error_body, page, reply
from serving import Backend, log_entry

OTHER_KEY = "sk_test_" + "Another" * 3 + "9"
MASKED = "sk_test_…ry7Z"


@pytest.fixture
def with_keyring(taplogs: Command) -> Command:
    """The command line beside a keyring that keeps its keys in a file."""
    return taplogs.with_env(
        PYTHON_KEYRING_BACKEND="keyring_in_file.FileKeyring", KEYRING_FILE=str(taplogs.folder / "keyring.json")
    )


def keyring_of(taplogs: Command) -> dict[str, str]:
    path = taplogs.folder / "keyring.json"
    keys: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return keys


def key_file_of(taplogs: Command) -> Path:
    return taplogs.config.parent / "credentials" / "keys.json"


def origin_of(backend: Backend) -> str:
    return backend.url.removesuffix("/v1")


def at_url(taplogs: Command, backend: Backend) -> Command:
    """Return the command line with the backend, and without a key."""
    return taplogs.with_env(TAPLOGS_BASE_URL=backend.url)


def test_a_key_from_standard_input_goes_into_the_keyring_and_is_used(with_keyring: Command, logs: Backend) -> None:
    run = at_url(with_keyring, logs).run
    finished = run("auth", "login", stdin=logs.key + "\n")
    assert (finished.code, finished.out) == (0, "")
    assert finished.err == f"stored sk_test_…{logs.key[-4:]} for {origin_of(logs)} in the system keyring\n"
    assert keyring_of(with_keyring) == {f"taplogs {origin_of(logs)}": logs.key}
    assert run("list", "-n", "1").ids == ["entry-00120"]


def test_a_key_typed_at_a_prompt_is_not_echoed(with_keyring: Command, logs: Backend) -> None:
    shown = at_url(with_keyring, logs).on_terminal("auth", "login", typed={"API key": logs.key + "\n"})
    assert shown.code == 0
    assert shown.lines[0] == f"API key for {logs.url.removesuffix('/v1')}:"
    assert logs.key not in shown.raw.decode()
    assert f"stored sk_test_…{logs.key[-4:]} for" in shown.text
    assert list(keyring_of(with_keyring).values()) == [logs.key]


def test_a_key_is_read_without_white_space_around_it(with_keyring: Command, logs: Backend) -> None:
    assert at_url(with_keyring, logs).run("auth", "login", stdin=f"  {logs.key}\r\n").code == 0
    assert list(keyring_of(with_keyring).values()) == [logs.key]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        ("\n", "it is empty"),
        ("hunter2", "it does not start with sk_live_ or sk_test_"),
        (KEY[:-1], "21 characters follow its prefix, not 22"),
        (KEY + "1", "23 characters follow its prefix, not 22"),
        (KEY[:-1] + "!", "it holds something else than letters and digits"),
        (f"Bearer {KEY}", "it does not start with"),
    ],
)
def test_a_malformed_key_is_refused_and_not_repeated(
    with_keyring: Command, logs: Backend, text: str, told: str
) -> None:
    finished = at_url(with_keyring, logs).here("auth", "login", stdin=text)
    assert finished.code == 4
    assert told in finished.err
    assert not text.strip() or text.strip() not in finished.err
    assert keyring_of(with_keyring) == {}


@pytest.mark.parametrize("option", [[], ["--insecure-storage"]], ids=["keyring", "file"])
def test_a_refused_key_is_not_stored(with_keyring: Command, logs: Backend, option: list[str]) -> None:
    finished = at_url(with_keyring, logs).run("auth", "login", *option, stdin=KEY)
    assert finished.code == 4
    assert f"refuses the API key {MASKED}" in finished.err
    assert keyring_of(with_keyring) == {}
    assert not key_file_of(with_keyring).exists()


def test_a_key_that_cannot_be_checked_is_stored_and_that_is_said(with_keyring: Command) -> None:
    with FaultyServer([reply(error_body("INTERNAL_ERROR", "No."), 500)]) as server:
        env = {"TAPLOGS_BASE_URL": server.url}
        finished = with_keyring.run("auth", "login", "--max-wait", "0", stdin=KEY, env=env)
    assert finished.code == 0
    assert finished.err.startswith("the key could not be checked: ")
    assert list(keyring_of(with_keyring).values()) == [KEY]


def test_without_a_check_nothing_is_sent(with_keyring: Command) -> None:
    with FaultyServer([reply(error_body("UNAUTHORIZED", "No."), 401)]) as server:
        env = {"TAPLOGS_BASE_URL": server.url}
        assert with_keyring.run("auth", "login", "--no-check", stdin=KEY, env=env).code == 0
    assert list(keyring_of(with_keyring).values()) == [KEY]
    assert not server.requests


def test_a_live_key_for_the_sandbox_is_refused_before_anything_is_sent(with_keyring: Command) -> None:
    finished = with_keyring.run("auth", "login", "--profile", "sandbox", stdin=KEY.replace("test", "live"))
    assert finished.code == 4
    assert "sk_live_…ry7Z is a live key, but sandbox.partner-api.taptalent.io takes test keys" in finished.err
    assert keyring_of(with_keyring) == {}


def test_a_closed_standard_input_is_told(taplogs: Command) -> None:
    finished = taplogs.shell("taplogs auth login <&-")
    assert finished.code == 4
    assert "there is no standard input" in finished.err


@pytest.mark.parametrize(
    "backend_name",
    [
        "keyring.backends.fail.Keyring",
        "keyring.backends.null.Keyring",
        "nowhere.Keyring",
        "nonsense",
        "keyring_in_file.OddKeyring",
    ],
)
def test_without_a_keyring_that_keeps_it_a_key_is_not_stored_anywhere(taplogs: Command, backend_name: str) -> None:
    env = {"PYTHON_KEYRING_BACKEND": backend_name, "KEYRING_FILE": str(taplogs.folder / "keyring.json")}
    finished = taplogs.run("auth", "login", "--no-check", stdin=KEY.replace("test", "live"), env=env)
    assert finished.code == 1
    assert finished.err.startswith("error: the system keyring cannot store the key: ")
    assert "--insecure-storage" in finished.err
    assert "Canary" not in finished.err
    assert not key_file_of(taplogs).exists()


@pytest.mark.parametrize("backend_name", ["nowhere.Keyring", "nonsense", "keyring_in_file.OddKeyring"])
def test_a_keyring_that_cannot_be_read_is_told(taplogs: Command, backend_name: str) -> None:
    env = {"PYTHON_KEYRING_BACKEND": backend_name, "KEYRING_FILE": "none"}
    finished = taplogs.run("list", env=env)
    assert finished.code == 4
    assert "the system keyring cannot be read: " in finished.err


@pytest.mark.parametrize("backend_name", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"])
def test_a_machine_without_a_keyring_has_no_key(taplogs: Command, backend_name: str) -> None:
    finished = taplogs.run("list", env={"PYTHON_KEYRING_BACKEND": backend_name})
    assert finished.code == 4
    assert "there is no API key" in finished.err


def test_a_keyring_that_does_not_answer_is_given_up(taplogs: Command) -> None:
    env = {"PYTHON_KEYRING_BACKEND": "keyring_in_file.HangingKeyring"}
    begun = time.monotonic()
    finished = taplogs.run("list", env=env)
    assert finished.code == 4
    assert "the system keyring did not answer within 5 s; is it locked?" in finished.err
    assert 4.9 < time.monotonic() - begun < 20


def test_insecure_storage_is_a_private_file_in_a_private_folder(taplogs: Command, logs: Backend) -> None:
    run = at_url(taplogs, logs).run
    finished = run("auth", "login", "--insecure-storage", stdin=logs.key)
    path = key_file_of(taplogs)
    assert finished.err == f"stored sk_test_…{logs.key[-4:]} for {origin_of(logs)} in the file {path}\n"
    assert json.loads(path.read_text()) == {origin_of(logs): logs.key}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["keys.json"]
    assert run("list", "-n", "1").ids == ["entry-00120"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_stored_key_that_others_can_read_is_not_used(taplogs: Command, logs: Backend, mode: int) -> None:
    here = at_url(taplogs, logs).here
    here("auth", "login", "--insecure-storage", stdin=logs.key)
    key_file_of(taplogs).chmod(mode)
    finished = here("list")
    assert finished.code == 4
    assert f"{key_file_of(taplogs)} can be read by others (mode {mode:04o}); the key in it was not used" in finished.err
    assert f"chmod 600 {key_file_of(taplogs)}" in finished.err


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '"text"'])
def test_a_damaged_file_of_keys_is_told(taplogs: Command, logs: Backend, text: str) -> None:
    here = at_url(taplogs, logs).here
    here("auth", "login", "--insecure-storage", stdin=logs.key)
    key_file_of(taplogs).write_text(text)
    finished = here("list")
    assert finished.code == 4
    assert f"{key_file_of(taplogs)} does not hold stored keys" in finished.err


def test_a_folder_that_cannot_be_written_is_told(taplogs: Command) -> None:
    taplogs.config.parent.parent.joinpath("config").write_text("not a folder")
    finished = taplogs.run("auth", "login", "--no-check", "--insecure-storage", stdin=KEY.replace("test", "live"))
    assert finished.code == 1
    assert "Not a directory" in finished.err
    assert "unexpected" not in finished.err


@pytest.mark.parametrize("option", [[], ["--insecure-storage"]], ids=["keyring", "file"])
def test_a_stored_key_is_sent_to_no_other_origin(with_keyring: Command, logs: Backend, option: list[str]) -> None:
    at_url(with_keyring, logs).run("auth", "login", *option, stdin=logs.key)
    with FaultyServer([reply(page([]))]) as other:
        finished = with_keyring.run("list", env={"TAPLOGS_BASE_URL": other.url})
        localhost = at_url(with_keyring, logs).run(
            "list", env={"TAPLOGS_BASE_URL": logs.url.replace("127.0.0.1", "localhost")}
        )
    assert (finished.code, localhost.code) == (4, 4)
    assert f"there is no API key for {other.url}\n" in finished.err
    assert not other.requests


def test_the_keys_of_several_backends_are_kept_side_by_side(taplogs: Command) -> None:
    for url, key in (("http://127.0.0.1:1", KEY), ("http://127.0.0.1:2", OTHER_KEY), ("http://127.0.0.1:1", OTHER_KEY)):
        env = {"TAPLOGS_BASE_URL": url}
        taplogs.here("auth", "login", "--no-check", "--insecure-storage", stdin=key, env=env)
    assert json.loads(key_file_of(taplogs).read_text()) == {
        "http://127.0.0.1:1": OTHER_KEY,
        "http://127.0.0.1:2": OTHER_KEY,
    }


def test_environment_goes_before_key_file_before_keyring_before_file(with_keyring: Command, logs: Backend) -> None:
    keys = [f"sk_test_{name * 22}" for name in "abcd"]
    for key in keys:
        logs.keys.add(key)
    run = at_url(with_keyring, logs).run
    file = with_keyring.folder / "key"
    file.write_text(keys[1])
    file.chmod(0o600)
    run("auth", "login", stdin=keys[2])
    run("auth", "login", "--insecure-storage", stdin=keys[3])

    def used(*arguments: str, **env: str) -> tuple[str, str]:
        status = json.loads(run("auth", "status", "-o", "json", *arguments, env=env).out)
        return status["key"], status["keyOrigin"]

    option = ["--key-file", str(file)]
    assert used(*option, TAPLOGS_API_KEY=keys[0]) == ("sk_test_…aaaa", "environment TAPLOGS_API_KEY")
    assert used(*option) == ("sk_test_…bbbb", f"file {file}")
    assert used(TAPLOGS_KEY_FILE=str(file)) == ("sk_test_…bbbb", f"file {file}")
    assert used() == ("sk_test_…cccc", "system keyring")
    (with_keyring.folder / "keyring.json").unlink()
    assert used() == ("sk_test_…dddd", f"file {key_file_of(with_keyring)}")


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (KEY, 0o644, "can be read by others (mode 0644)"),
        ("hunter2", 0o600, "it does not start with"),
        ("", 0o600, "it is empty"),
        ("\ud800", 0o600, "it is not text"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_told(taplogs: Command, text: str, mode: int, told: str) -> None:
    file = taplogs.folder / "key"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    file.chmod(mode)
    finished = taplogs.here("list", "--key-file", str(file))
    assert finished.code == 4
    assert told in finished.err
    assert "hunter2" not in finished.err


def test_a_key_file_that_is_not_there_is_told(taplogs: Command) -> None:
    finished = taplogs.here("list", "--key-file", "nowhere")
    assert finished.code == 4
    assert "the key file nowhere cannot be read: No such file or directory" in finished.err


def test_a_key_file_may_be_a_pipe(taplogs: Command, logs: Backend) -> None:
    finished = at_url(taplogs, logs).shell('taplogs list -n 1 --key-file <(echo "$KEY")', env={"KEY": logs.key})
    assert finished.ids == ["entry-00120"]


def test_status_in_words(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("auth", "status")
    assert (finished.code, finished.err) == (0, "")
    assert dict(line.split(maxsplit=1) for line in finished.out.splitlines()) == {
        "profile": "production",
        "backend": logs.url,
        "backendOrigin": "environment TAPLOGS_BASE_URL",
        "key": f"sk_test_…{logs.key[-4:]}",
        "keyOrigin": "environment TAPLOGS_API_KEY",
        "environment": "test",
        "accepted": "yes",
    }


def test_status_as_json(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.with_env(TAPLOGS_API_KEY=logs.key).run("auth", "status", "-o", "json", "--source", logs.url)
    assert json.loads(finished.out) == {
        "profile": "production",
        "backend": logs.url,
        "backendOrigin": "flag --source",
        "key": f"sk_test_…{logs.key[-4:]}",
        "keyOrigin": "environment TAPLOGS_API_KEY",
        "environment": "test",
        "accepted": True,
    }


def test_the_status_of_a_refused_key_is_shown_and_fails(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("auth", "status", "-o", "json", env={"TAPLOGS_API_KEY": KEY})
    assert finished.code == 4
    assert json.loads(finished.out)["accepted"] is False
    assert finished.error["code"] == "authentication"


def test_the_status_without_a_backend_is_unknown(taplogs: Command) -> None:
    env = {"TAPLOGS_BASE_URL": "http://127.0.0.1:1", "TAPLOGS_API_KEY": KEY}
    finished = taplogs.here("auth", "status", "--max-wait", "0", env=env)
    assert finished.code == 6
    assert "accepted       unknown" in finished.out


def test_the_status_without_a_key_fails(taplogs: Command) -> None:
    finished = taplogs.here("auth", "status")
    assert (finished.code, finished.out) == (4, "")


def test_logout_forgets_the_key_wherever_it_was_stored(with_keyring: Command, logs: Backend) -> None:
    run = at_url(with_keyring, logs).run
    run("auth", "login", stdin=logs.key)
    run("auth", "login", "--insecure-storage", stdin=logs.key)
    finished = run("auth", "logout")
    assert (finished.code, finished.err) == (0, f"forgot the key for {origin_of(logs)}\n")
    assert keyring_of(with_keyring) == {}
    assert json.loads(key_file_of(with_keyring).read_text()) == {}
    assert run("list").code == 4


def test_logout_without_a_stored_key_says_so(with_keyring: Command, logs: Backend) -> None:
    finished = with_keyring.at(logs).run("auth", "logout")
    assert finished.code == 0
    assert finished.err.splitlines() == [
        f"no key was stored for {origin_of(logs)}",
        "TAPLOGS_API_KEY is still set in the environment",
    ]


def test_logout_leaves_the_keys_of_other_backends(taplogs: Command) -> None:
    for url in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
        env = {"TAPLOGS_BASE_URL": url}
        taplogs.here("auth", "login", "--no-check", "--insecure-storage", stdin=KEY, env=env)
    taplogs.here("auth", "logout", env={"TAPLOGS_BASE_URL": "http://127.0.0.1:1"})
    assert json.loads(key_file_of(taplogs).read_text()) == {"http://127.0.0.1:2": KEY}


def test_logout_forgets_the_file_also_where_the_keyring_does_not_answer(taplogs: Command) -> None:
    env = {"TAPLOGS_BASE_URL": "http://127.0.0.1:1"}
    taplogs.here("auth", "login", "--no-check", "--insecure-storage", stdin=KEY, env=env)
    finished = taplogs.run("auth", "logout", env=env | {"PYTHON_KEYRING_BACKEND": "keyring_in_file.HangingKeyring"})
    assert finished.code == 4
    assert json.loads(key_file_of(taplogs).read_text()) == {}


def test_an_option_never_takes_a_key(taplogs: Command) -> None:
    helps = [
        taplogs.here(*words, "--help").out for words in (["list"], ["show"], ["auth", "login"], ["auth", "status"])
    ]
    assert all("--key " not in text and "--api-key" not in text for text in helps)


def test_a_key_is_checked_with_one_small_request(with_keyring: Command) -> None:
    with FaultyServer([reply(page([log_entry()]))]) as server:
        with_keyring.run("auth", "login", stdin=KEY, env={"TAPLOGS_BASE_URL": server.url})
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "fields=summary" in request.target


def test_the_home_of_stored_keys_is_below_the_config_folder(taplogs: Command) -> None:
    env = {
        "TAPLOGS_CONFIG": "",
        "XDG_CONFIG_HOME": str(taplogs.folder / "xdg"),
        "TAPLOGS_BASE_URL": "http://127.0.0.1:1",
    }
    taplogs.run("auth", "login", "--no-check", "--insecure-storage", stdin=KEY, env=env)
    path = taplogs.folder / "xdg" / "taplogs" / "credentials" / "keys.json"
    assert json.loads(path.read_text()) == {"http://127.0.0.1:1": KEY}
    assert os.access(path, os.R_OK)
