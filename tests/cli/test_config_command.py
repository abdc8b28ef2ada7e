"""taplogs config: values and their origins, and changes that leave the rest of the file as it was."""

from __future__ import annotations

import json
import os
import stat
import tomllib

import pytest

from command import Command

TEAM = """\
# Settings of the team.
profile = "team"   # not production
tz = "Europe/Berlin"

[profiles.team]
# Where the logs are.
base_url = "https://logs.example.com/v1"
"""


def origins(taplogs: Command, *arguments: str, **env: str) -> dict[str, tuple[object, str]]:
    finished = taplogs.here("config", "list", "-o", "json", *arguments, env=env)
    assert finished.code == 0
    settings = json.loads(finished.out)["settings"]
    return {name: (item["value"], item["origin"]) for name, item in settings.items()}


def test_every_value_knows_its_origin(taplogs: Command) -> None:
    found = origins(taplogs.configured(TEAM), TAPLOGS_LIMIT="7", NO_COLOR="1", TAPLOGS_TIMEOUT="5")
    assert found == {
        "profile": ("team", f"file {taplogs.config}"),
        "base_url": ("https://logs.example.com/v1", f"file {taplogs.config}"),
        "logs_path": ("/partner/logs", "default"),
        "ca_file": (None, "default"),
        "key_file": (None, "default"),
        "parallel": (4, "default"),
        "timeout": (5.0, "environment TAPLOGS_TIMEOUT"),
        "max_wait": (60.0, "default"),
        "tz": ("Europe/Berlin", f"file {taplogs.config}"),
        "color": ("never", "environment NO_COLOR"),
        "limit": (7, "environment TAPLOGS_LIMIT"),
        "redact": ("secrets", "default"),
        "export_redact": ("personal", "default"),
        "pseudonym_key_file": (None, "default"),
        "archive": (str(taplogs.folder / "archive"), "environment TAPLOGS_ARCHIVE"),
        "endpoint_templates": ([], "default"),
    }


def test_a_flag_goes_before_the_environment_before_the_file(taplogs: Command) -> None:
    taplogs.configured(TEAM)
    production = "https://partner-api.taptalent.io/v1"
    assert origins(taplogs)["profile"] == ("team", f"file {taplogs.config}")
    assert origins(taplogs, TAPLOGS_PROFILE="sandbox")["profile"] == ("sandbox", "environment TAPLOGS_PROFILE")
    found = origins(taplogs, "--profile", "production", TAPLOGS_PROFILE="sandbox")
    assert found["profile"] == ("production", "flag --profile")
    assert found["base_url"] == (production, "built-in profile production")


def test_the_list_in_words(taplogs: Command) -> None:
    lines = taplogs.configured(TEAM).run("config", "list").out.splitlines()
    assert lines[0].split(maxsplit=2) == ["profile", "team", f"file {taplogs.config}"]
    assert [line.split() for line in lines[-4:]] == [
        ["profiles:"],
        ["production", "https://partner-api.taptalent.io/v1"],
        ["sandbox", "https://sandbox.partner-api.taptalent.io/v1"],
        ["team", "https://logs.example.com/v1"],
    ]


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("base_url", "https://logs.example.com/v1\n"),
        ("base-url", "https://logs.example.com/v1\n"),
        ("limit", "50\n"),
        ("max_wait", "60\n"),
        ("ca_file", "-\n"),
        ("endpoint_templates", "-\n"),
    ],
)
def test_get_prints_the_value_alone(taplogs: Command, name: str, out: str) -> None:
    assert taplogs.configured(TEAM).here("config", "get", name).out == out


def test_get_of_another_profile(taplogs: Command) -> None:
    finished = taplogs.configured(TEAM).here("config", "get", "base_url", "-p", "sandbox")
    assert finished.out == "https://sandbox.partner-api.taptalent.io/v1\n"


def test_path_names_the_file(taplogs: Command) -> None:
    assert taplogs.here("config", "path").out == f"{taplogs.config}\n"


def test_without_a_variable_the_file_is_in_the_folder_of_the_platform(taplogs: Command) -> None:
    xdg = taplogs.folder / "xdg"
    finished = taplogs.run("config", "path", env={"TAPLOGS_CONFIG": "", "XDG_CONFIG_HOME": str(xdg)})
    assert finished.out == f"{xdg}/taplogs/config.toml\n"
    assert not xdg.exists()


def test_a_change_keeps_comments_and_everything_else(taplogs: Command) -> None:
    finished = taplogs.configured(TEAM).run("config", "set", "timeout", "5", "--profile", "team")
    assert finished.err == f"timeout is now 5 in profile team ({taplogs.config})\n"
    assert taplogs.config.read_text() == TEAM + "timeout = 5.0\n"


def test_a_change_of_a_value_keeps_its_comment(taplogs: Command) -> None:
    taplogs.configured(TEAM).here("config", "set", "profile", "sandbox")
    assert taplogs.config.read_text() == TEAM.replace('"team"', '"sandbox"', 1)


def test_a_setting_of_all_profiles_is_written_above_the_tables(taplogs: Command) -> None:
    taplogs.configured(TEAM).here("config", "set", "limit", "5")
    document = tomllib.loads(taplogs.config.read_text())
    assert document["limit"] == 5
    assert document["profiles"] == {"team": {"base_url": "https://logs.example.com/v1"}}
    assert "# Where the logs are.\n" in taplogs.config.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[profiles]\n",
        "[profiles.other]\nparallel = 2\n",
        'profiles.other.base_url = "https://a.example"\n',
        'profiles = { other = { base_url = "https://a.example" } }\n',
        "[profiles.team]\n\n[profiles.other]\n",
        "[profiles.'a b']\nparallel = 2\n",
    ],
)
def test_a_new_profile_is_made_in_any_file(taplogs: Command, text: str) -> None:
    taplogs.configured(text)
    assert taplogs.here("config", "set", "base_url", "https://b.example", "-p", "team").code == 0
    assert taplogs.here("config", "set", "limit", "9").code == 0
    document = tomllib.loads(taplogs.config.read_text())
    assert document["limit"] == 9
    assert document["profiles"]["team"] == {"base_url": "https://b.example"}
    before = tomllib.loads(text).get("profiles", {})
    assert {name: table for name, table in document["profiles"].items() if name != "team"} == {
        name: table for name, table in before.items() if name != "team"
    }


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("parallel", "8", 8),
        ("timeout", "2.5", 2.5),
        ("limit", "0", 0),
        ("color", "never", "never"),
        ("tz", "Asia/Tokyo", "Asia/Tokyo"),
        ("base-url", "http://127.0.0.1:8321/v1", "http://127.0.0.1:8321/v1"),
        ("logs_path", "/logs", "/logs"),
        ("endpoint_templates", "/v1/{a}, /v2/{b}/c", ["/v1/{a}", "/v2/{b}/c"]),
    ],
)
def test_a_value_is_stored_with_its_type_and_read_again(
    taplogs: Command, name: str, value: str, stored: object
) -> None:
    assert taplogs.here("config", "set", name, value).code == 0
    document = tomllib.loads(taplogs.config.read_text())
    table = document.get("profiles", {}).get("production", document)
    assert table == {name.replace("-", "_"): stored}
    assert origins(taplogs)[name.replace("-", "_")] == (stored, f"file {taplogs.config}")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("base_url", "logs", "is not an http or https URL"),
        ("base_url", "http://logs.example.com", "use https"),
        ("logs_path", "logs", "does not start with /"),
        ("tz", "Nowhere", "is not a time zone"),
        ("endpoint_templates", "/a/{b", "is not understood"),
        ("parallel", "0", "is not a whole number from 1"),
        ("limit", "", "is not a whole number from 0"),
    ],
)
def test_a_value_that_could_not_be_used_is_refused(taplogs: Command, name: str, value: str, told: str) -> None:
    finished = taplogs.here("config", "set", name, value)
    assert finished.code == 2
    assert told in finished.err
    assert not taplogs.config.exists()


def test_a_key_does_not_belong_in_the_file(taplogs: Command) -> None:
    finished = taplogs.here("config", "set", "key_file", "sk_live_0123456789012345678901")
    assert finished.code == 2
    assert "'taplogs auth login' stores it safely" in finished.err


def test_a_broken_file_is_not_overwritten(taplogs: Command) -> None:
    finished = taplogs.configured("limit = ").here("config", "set", "limit", "5")
    assert finished.code == 2
    assert taplogs.config.read_text() == "limit = "


def test_a_link_stays_a_link(taplogs: Command) -> None:
    target = taplogs.folder / "dotfiles.toml"
    target.write_text("limit = 1\n")
    taplogs.config.parent.mkdir()
    taplogs.config.symlink_to(target)
    taplogs.here("config", "set", "limit", "5")
    assert taplogs.config.is_symlink()
    assert target.read_text() == "limit = 5\n"


def test_the_mode_of_the_file_is_kept(taplogs: Command) -> None:
    taplogs.configured("limit = 1\n")
    taplogs.config.chmod(0o600)
    taplogs.here("config", "set", "limit", "5")
    assert stat.S_IMODE(taplogs.config.stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_told(taplogs: Command) -> None:
    finished = taplogs.run("config", "set", "limit", "5", env={"TAPLOGS_CONFIG": "/proc/nowhere/config.toml"})
    assert finished.code == 1
    assert finished.err.startswith("error: /proc/nowhere/config.toml cannot be written: ")
    assert finished.err.count("\n") == 1


def test_a_folder_that_is_a_file_is_told(taplogs: Command) -> None:
    (taplogs.folder / "config").write_text("a file")
    finished = taplogs.run("config", "set", "limit", "5")
    assert finished.code in (1, 2)
    assert "Not a directory" in finished.err
    assert "unexpected" not in finished.err


def test_nothing_else_is_left_beside_the_file(taplogs: Command) -> None:
    taplogs.here("config", "set", "limit", "5")
    assert os.listdir(taplogs.config.parent) == ["config.toml"]  # noqa: PTH208 - names are what is compared


def test_a_profile_is_used_by_a_listing(taplogs: Command) -> None:
    taplogs.here("config", "set", "base_url", "http://127.0.0.1:1/v1", "-p", "own")
    finished = taplogs.here("list", "-p", "own", "--max-wait", "0", env={"TAPLOGS_API_KEY": "sk_test_" + "a" * 22})
    assert finished.code == 6
    assert "no answer from http://127.0.0.1:1/v1/partner/logs" in finished.err
