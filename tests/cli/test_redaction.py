"""Redaction on the command line: nothing that is hidden is in any output; how a profile and its key are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import Command, Finished
from serving import Backend, log_entry, payload, running_backend

WINDOW = ("--since", "2026-10-31", "--until", "2026-11-02")
FORMATS = ("table", "json", "jsonl", "csv")
ID = "entry-00007"
PERSON = "jane.roe@example.com"
PSEUDONYM_KEY = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend whose entries hold a secret in payload, query string, user agent and error message."""
    with running_backend(tmp_path_factory.mktemp("planted") / "logs.db") as running:
        running.store.add(
            log_entry(
                number,
                status_code=422,
                method="POST",
                request_url="https://partner-api.taptalent.io/v1/partner/jobs?token=CanaryOfTheQuery",
                user_agent="robot Bearer CanaryOfTheAgent",
                request_payload=payload(f'{{"password":"CanaryOfThePayload","email":"{PERSON}"}}'),
                response_payload=payload('{"error":{"code":"REFUSED","message":"no password=CanaryOfTheMessage"}}'),
            )
            for number in range(1, 31)
        )
        yield running


@pytest.fixture
def here(taplogs: Command, planted: Backend) -> Command:
    return taplogs.at(planted)


READING: dict[str, tuple[tuple[str, ...], int, set[str]]] = {
    **{f"list {form}": (("list", "-o", form, *WINDOW), 0, {"Query"}) for form in FORMATS},
    "list more columns": (("list", "-o", "csv", "--columns", "requestUrl,userAgent,requestPayload"), 0, {"Payload"}),
    "tail table": (("tail", "-n", "2", "--max", "2", *WINDOW[:2], "-o", "table"), 0, {"Query"}),
    "tail jsonl": (("tail", "-n", "2", "--max", "2", "-o", "jsonl"), 0, {"Payload", "Agent"}),
    **{f"show {form}": (("show", ID, "-o", form), 0, {"Query", "Agent", "Payload"}) for form in ("text", "json")},
    "show --curl": (("show", ID, "--curl"), 0, {"Query", "Payload"}),
    "show --har": (("show", ID, "--har"), 0, {"Query", "Agent", "Payload"}),
    "show --request": (("show", ID, "--request"), 0, {"Payload"}),
    "show --response": (("show", ID, "--response"), 0, {"Message"}),
    **{f"stats {form}": (("stats", "--by", "user-agent", "-o", form, *WINDOW), 0, {"Agent"}) for form in FORMATS},
    **{f"stats in all {form}": (("stats", "-o", form, *WINDOW), 0, set()) for form in FORMATS},
    **{f"errors {form}": (("errors", "-o", form, *WINDOW), 0, {"Message"}) for form in FORMATS},
    **{
        f"check {form}": (
            ("check", "--max-error-rate", "1%", "--by", "user-agent", "-o", form, "--github", *WINDOW),
            3,
            {"Agent"},
        )
        for form in FORMATS
    },
    **{
        f"check new errors {form}": (("check", "--max-new-errors", "0", "-o", form, *WINDOW), 3, {"Message"})
        for form in FORMATS
    },
}


def canaries_in(finished: Finished) -> set[str]:
    text = finished.out + finished.err
    return {name for name in ("Query", "Agent", "Payload", "Message") if f"CanaryOfThe{name}" in text}


@pytest.mark.parametrize("case", READING)
def test_a_secret_is_in_no_output_in_a_pipe(here: Command, case: str) -> None:
    words, code, _ = READING[case]
    finished = here.here(*words, "--debug")
    assert finished.code == code
    assert "anary" not in finished.out + finished.err


@pytest.mark.parametrize("case", READING)
def test_without_redaction_it_is(here: Command, case: str) -> None:
    words, code, expected = READING[case]
    finished = here.here(*words, "--redact", "none")
    assert finished.code == code
    assert canaries_in(finished) >= expected


@pytest.mark.parametrize(
    "case",
    [name for name in READING if not name.endswith(("json", "jsonl", "csv")) or name in ("list json", "show json")],
)
def test_a_secret_is_in_no_output_on_a_terminal(here: Command, case: str) -> None:
    words, code, _ = READING[case]
    shown = here.on_terminal(*words, columns=160)
    assert shown.code == code
    assert b"anary" not in shown.raw


def test_a_report_in_a_file_holds_no_secret(here: Command) -> None:
    report = here.folder / "report.xml"
    summary = here.folder / "summary.md"
    words = ("check", "--max-error-rate", "1%", "--by", "user-agent", "--github", "--junit", str(report), *WINDOW)
    assert here.here(*words, env={"GITHUB_STEP_SUMMARY": str(summary)}).code == 3
    assert "Bearer [redacted]" in report.read_text()
    assert "anary" not in report.read_text() + summary.read_text()


def test_the_entries_of_an_error_group_are_redacted_and_found_by_its_hash(here: Command) -> None:
    group = json.loads(here.here("errors", "-o", "json", *WINDOW).out)["groups"][0]["group"]
    finished = here.here("errors", group, "-o", "jsonl", *WINDOW)
    assert finished.code == 0
    assert len(finished.rows) == 30
    assert "anary" not in finished.out


def test_what_is_hidden_can_be_looked_for(here: Command) -> None:
    finished = here.here("list", "--grep", "CanaryOfThePayload", "-o", "jsonl", "-n", "0")
    assert len(finished.rows) == 30
    assert "anary" not in finished.out


def test_a_curl_command_with_something_hidden_says_so(here: Command) -> None:
    assert "values hidden; --redact none has the request as it was sent" in here.here("show", ID, "--curl").err
    assert here.here("show", ID, "--curl", "--redact", "none").err == ""


def test_secrets_leave_people_alone_and_personal_does_not(here: Command) -> None:
    assert PERSON in here.here("show", ID).out
    finished = here.here("show", ID, "--redact", "personal")
    assert PERSON not in finished.out
    assert "anary" not in finished.out


# -- the profile


def test_a_flag_goes_before_the_environment_before_the_file(here: Command) -> None:
    here.configured('redact = "personal"\n')
    assert PERSON not in here.here("show", ID).out
    none = {"TAPLOGS_REDACT": "none"}
    assert "CanaryOfThePayload" in here.here("show", ID, env=none).out
    finished = here.here("show", ID, "--redact", "secrets", env=none)
    assert PERSON in finished.out
    assert "CanaryOfThePayload" not in finished.out


def test_a_profile_of_ones_own_is_a_file(here: Command) -> None:
    (here.folder / "company.toml").write_text('extends = "secrets"\n[[fields]]\nnames = ["email"]\nlabel = "contact"\n')
    finished = here.here("show", ID, "--redact", str(here.folder / "company.toml"))
    assert '"email": "contact-' in finished.out
    assert "anary" not in finished.out


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, ["cannot be read: No such file or directory", "taplogs redact --show"]),
        ("keep = nothing", ["is not TOML", "line 1, column 8"]),
        ("fields = 1", ["company.toml", "$.fields", "a profile has extends"]),
        ('extends = "everything"', ["'everything'", "extends", "none, secrets, personal"]),
        ('[[patterns]]\nname = "x"\npattern = "("', ["patterns[0].pattern", "'('"]),
        ('[[fields]]\nnames = ["a"]\nlable = "b"', ["company.toml", "lable"]),
        ("x = " + "[" * 10_000, ["is not TOML"]),
        ("# " + "x" * 1_000_001, ["larger than 1,000,000 bytes"]),
    ],
)
def test_a_profile_that_cannot_be_used_is_told_before_anything_is_sent(
    taplogs: Command, content: str | None, told: list[str]
) -> None:
    path = taplogs.folder / "company.toml"
    if content is not None:
        path.write_text(content)
    for words in (["list", "--source", "http://127.0.0.1:1"], ["config", "set"]):
        value = ["redact", str(path)] if words[0] == "config" else ["--redact", str(path)]
        finished = taplogs.here(*words, *value)
        assert finished.code == 2
        assert str(path) in finished.err
        assert not [text for text in told if text not in finished.err]


def test_a_profile_that_is_no_text_is_told(taplogs: Command) -> None:
    path = taplogs.folder / "company.toml"
    path.write_bytes(b"keep = ['\xff']")
    finished = taplogs.here("list", "--redact", str(path))
    assert finished.code == 2
    assert f"the redaction profile {path} is not TOML" in finished.err


@pytest.mark.parametrize("words", [["list", "--redact", "secret"], ["config", "set", "redact", "secret"]])
def test_a_name_that_no_profile_has_is_told_with_the_near_one(taplogs: Command, words: list[str]) -> None:
    finished = taplogs.here(*words)
    assert finished.code == 2
    assert "there is no redaction profile 'secret'; is 'secrets' meant?" in finished.err
    assert "accepted: none, secrets, personal, or a TOML file such as ./company.toml" in finished.err
    assert not taplogs.config.exists()


def test_the_settings_are_kept_and_shown(taplogs: Command) -> None:
    assert taplogs.here("config", "set", "redact", "personal").code == 0
    assert taplogs.here("config", "get", "redact").out == "personal\n"
    assert taplogs.here("config", "set", "pseudonym-key-file", "/keys/pseudonym").code == 0
    settings = json.loads(taplogs.here("config", "list", "-o", "json").out)["settings"]
    assert settings["redact"] == {"value": "personal", "origin": f"file {taplogs.config}"}
    assert settings["pseudonym_key_file"]["value"] == "/keys/pseudonym"


@pytest.mark.parametrize("command", ["list", "show", "tail", "stats", "errors", "check", "redact"])
def test_every_command_that_reads_entries_can_be_told_what_to_hide(taplogs: Command, command: str) -> None:
    text = taplogs.run(command, "--help").out
    assert text.count("--redact PROFILE") == 1
    assert text.count("--pseudonym-key-file FILE") == 1


@pytest.mark.parametrize("words", [["auth", "login"], ["auth", "status"], ["serve"], ["config", "list"]])
def test_no_other_command_can(taplogs: Command, words: list[str]) -> None:
    assert "--redact" not in taplogs.run(*words, "--help").out


# -- the key of pseudonyms


def pseudonym(finished: Finished) -> str:
    assert finished.code == 0
    name: str = json.loads(finished.out)["requestPayload"]["email"]
    assert name.startswith("person-")
    return name


SHOW = ("show", ID, "--redact", "personal")


def key_file(taplogs: Command, text: str, mode: int = 0o600) -> str:
    path = taplogs.folder / "pseudonym.key"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def with_keyring(taplogs: Command, **keys: str) -> Command:
    """Return the command beside a keyring in a file that holds these keys."""
    path = taplogs.folder / "keyring.json"
    path.write_text(json.dumps(keys))
    return taplogs.with_env(PYTHON_KEYRING_BACKEND="keyring_in_file.FileKeyring", KEYRING_FILE=str(path))


def test_one_key_makes_one_pseudonym_wherever_it_comes_from(here: Command) -> None:
    from_environment = here.here(*SHOW, env={"TAPLOGS_PSEUDONYM_KEY": PSEUDONYM_KEY})
    file = key_file(here, f"  {PSEUDONYM_KEY}\n")
    from_file = here.here(*SHOW, "--pseudonym-key-file", file)
    from_setting = here.here(*SHOW, env={"TAPLOGS_PSEUDONYM_KEY_FILE": file})
    from_keyring = with_keyring(here, **{"taplogs pseudonym key": PSEUDONYM_KEY}).run(*SHOW)
    found = [from_environment, from_file, from_setting, from_keyring]
    assert len({pseudonym(finished) for finished in found}) == 1
    assert {finished.err for finished in found} == {""}


def test_environment_goes_before_file_before_keyring(here: Command) -> None:
    command = with_keyring(here, **{"taplogs pseudonym key": "c" * 32})
    option = ("--pseudonym-key-file", key_file(here, "b" * 32))
    environment = {"TAPLOGS_PSEUDONYM_KEY": "a" * 32}
    first, second, third = (
        pseudonym(command.run(*SHOW, *option, env=environment)),
        pseudonym(command.run(*SHOW, *option)),
        pseudonym(command.run(*SHOW)),
    )
    assert len({first, second, third}) == 3
    assert first == pseudonym(here.here(*SHOW, env=environment))


def test_without_a_key_pseudonyms_hold_for_one_run_and_that_is_said(here: Command) -> None:
    runs = [here.here(*SHOW), here.here(*SHOW)]
    assert len({pseudonym(finished) for finished in runs}) == 2
    for finished in runs:
        assert finished.err.startswith("pseudonyms hold for this run only: 'taplogs redact --new-key' makes")
        assert "TAPLOGS_PSEUDONYM_KEY" in finished.err
        assert "openssl rand -hex 32" in finished.err


@pytest.mark.parametrize("name", ["none", "secrets"])
def test_a_key_is_looked_for_only_where_there_are_pseudonyms(here: Command, name: str) -> None:
    finished = here.here("show", ID, "--redact", name, env={"TAPLOGS_PSEUDONYM_KEY": "short"})
    assert (finished.code, finished.err) == (0, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("short", "it has 5 characters"),
        ("x" * 31, "it has 31 characters"),
        (" " * 40, "it has 0 characters"),
        ("x" * 32 + "\n" + "y" * 32, "it has more than one line"),
    ],
)
def test_a_key_that_cannot_be_one_is_told_and_not_repeated(here: Command, text: str, told: str) -> None:
    file = key_file(here, text)
    for finished in (
        here.here(*SHOW, env={"TAPLOGS_PSEUDONYM_KEY": text}),
        here.here(*SHOW, "--pseudonym-key-file", file),
    ):
        assert finished.code == 2
        assert told in finished.err
        assert "at least 32 characters" in finished.err
        assert text not in finished.err


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_can_read_is_not_used(here: Command, mode: int) -> None:
    file = key_file(here, PSEUDONYM_KEY, mode)
    finished = here.here(*SHOW, "--pseudonym-key-file", file)
    assert finished.code == 2
    assert f"{file} can be read by others (mode {mode:04o}); the key in it was not used" in finished.err


def test_a_key_file_that_is_not_there_is_told(here: Command) -> None:
    finished = here.here(*SHOW, "--pseudonym-key-file", "nowhere")
    assert finished.code == 2
    assert "the key file nowhere cannot be read" in finished.err


def test_a_keyring_that_fails_is_told_and_nothing_is_made_up(here: Command) -> None:
    finished = here.run(*SHOW, env={"PYTHON_KEYRING_BACKEND": "keyring_in_file.OddKeyring", "KEYRING_FILE": "x"})
    assert finished.code == 2
    assert finished.out == ""
    assert "the system keyring cannot be read: no such luck" in finished.err
    assert "set TAPLOGS_PSEUDONYM_KEY instead" in finished.err


@pytest.mark.parametrize("style", [[], ["--debug"]])
@pytest.mark.parametrize(
    "words", [["list"], ["show", ID], ["errors"], ["redact", "--explain", ID], ["redact", "--show"]]
)
def test_the_pseudonym_key_is_in_no_output(here: Command, words: list[str], style: list[str]) -> None:
    finished = here.here(*words, "--redact", "personal", *style, env={"TAPLOGS_PSEUDONYM_KEY": PSEUDONYM_KEY})
    assert finished.code == 0
    assert PSEUDONYM_KEY not in finished.out + finished.err


def test_no_file_holds_the_pseudonym_key(here: Command) -> None:
    here.run("list", "--demo", "--redact", "personal", env={"TAPLOGS_PSEUDONYM_KEY": PSEUDONYM_KEY})
    holding: list[Path] = [
        path for path in here.folder.rglob("*") if path.is_file() and PSEUDONYM_KEY.encode() in path.read_bytes()
    ]
    assert holding == []


def test_groups_of_errors_are_the_same_under_any_pseudonym_key(taplogs: Command, backend: Backend) -> None:
    backend.store.add(
        log_entry(
            number,
            status_code=404,
            response_payload=payload(f'{{"error":{{"message":"There is no person{number}@example.com."}}}}'),
        )
        for number in range(1, 6)
    )
    words = ("errors", "-o", "jsonl", "--redact", "personal", *WINDOW)
    (group,), (again,) = (taplogs.at(backend).here(*words).rows for _ in range(2))
    assert group["group"] == again["group"]
    assert group["requests"] == 5
    assert group["message"] == "There is no {id}."


@pytest.mark.parametrize("env", [{"TAPLOGS_REDACT": "none"}, {}], ids=["readers see all", "as usual"])
def test_what_readers_may_see_says_nothing_about_exports(taplogs: Command, env: dict[str, str]) -> None:
    finished = taplogs.here("redact", "--show", env=env)
    assert finished.out.startswith("# The rules of the redaction profile personal.")
