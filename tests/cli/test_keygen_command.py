"""taplogs keygen: two files that minisign knows, a secret for its owner alone, and nothing overwritten unasked."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from command import Command
from minisign import minisign
from taplogs.audit.keys import PublicKey, SecretKey, generate
from taplogs.audit.passphrase_cost import Cost
from taplogs.cli.passphrase import ask_passphrase, new_passphrase
from taplogs.cli.runtime import Runtime
from taplogs.errors import ConfigurationError
from taplogs.signing_key import PASSPHRASE_VARIABLE, find_public_key, find_signing_key, write_key_pair

PASSPHRASE = "correct horse canary"
CHEAP = Cost(operations=32768, memory=1 << 24)
KEY = generate(os.urandom)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def unasked() -> str:
    raise AssertionError("nobody is to be asked for a passphrase")


def signs_for(secret: SecretKey, public: PublicKey) -> bool:
    return public.verify(b"message", secret.sign(b"message", "")) == ""


def secret_file(folder: Path, passphrase: str | None = None) -> Path:
    path = folder / "some.key"
    path.write_bytes(KEY.encode(passphrase, os.urandom, CHEAP))
    path.chmod(0o600)
    return path


# the command


def test_a_pair_of_keys_is_made_and_the_public_one_is_printed(taplogs: Command) -> None:
    finished = taplogs.run("keygen", "--no-passphrase")
    secret, public = taplogs.folder / "taplogs.key", taplogs.folder / "taplogs.pub"
    assert finished.code == 0
    assert (mode_of(secret), mode_of(public)) == (0o600, 0o644)
    key = find_public_key(str(public))
    assert finished.out == f"{key.line}\n"
    assert signs_for(find_signing_key(secret, {}, unasked), key)
    assert f"made the public key taplogs.pub (id {key.key_id})" in finished.err
    assert finished.err.endswith("  minisign -Vm DIR/manifest.json -p taplogs.pub\n")
    assert secret.read_text().splitlines()[1] not in finished.err


def test_a_passphrase_from_standard_input_protects_the_key_for_minisign_too(taplogs: Command) -> None:
    finished = taplogs.run("keygen", "-s", "audit.key", stdin=f"{PASSPHRASE}\n")
    assert finished.code == 0
    assert "canary" not in finished.err
    (taplogs.folder / "message").write_bytes(b"message")
    wrong = minisign("-Sm", "message", "-s", "audit.key", folder=taplogs.folder, typed="another\n")
    assert (wrong.returncode, "Wrong password" in wrong.stderr) == (2, True)
    minisign("-Sm", "message", "-s", "audit.key", folder=taplogs.folder, typed=f"{PASSPHRASE}\n")
    assert minisign("-Vm", "message", "-p", "audit.pub", folder=taplogs.folder).returncode == 0


def test_a_passphrase_is_typed_twice_and_not_shown(taplogs: Command) -> None:
    typed = {"Passphrase of the new key:": f"{PASSPHRASE}\n", "once more:": f"{PASSPHRASE}\n"}
    shown = taplogs.on_terminal("keygen", typed=typed)
    assert shown.code == 0
    assert b"canary" not in shown.raw
    key = find_signing_key(taplogs.folder / "taplogs.key", {}, lambda: PASSPHRASE)
    assert key.public_key.line in shown.text


def test_two_passphrases_that_differ_make_no_key(taplogs: Command) -> None:
    typed = {"Passphrase of the new key:": f"{PASSPHRASE}\n", "once more:": "another\n"}
    shown = taplogs.on_terminal("keygen", typed=typed)
    assert shown.code == 2
    assert "the two passphrases differ" in shown.text
    assert not list(taplogs.folder.glob("taplogs.*"))


@pytest.mark.parametrize("stdin", ["", "\n", "\r\n"])
def test_an_empty_passphrase_is_refused_with_the_way_out(taplogs: Command, stdin: str) -> None:
    finished = taplogs.here("keygen", "-s", str(taplogs.folder / "x.key"), stdin=stdin)
    assert finished.code == 2
    assert "an empty passphrase protects nothing" in finished.err
    assert "--no-passphrase" in finished.err
    assert not list(taplogs.folder.glob("x.*"))


def test_the_end_of_input_at_the_prompt_is_no_passphrase(taplogs: Command) -> None:
    shown = taplogs.on_terminal("keygen", typed={"Passphrase of the new key:": "\x04"})
    assert shown.code == 2
    assert "an empty passphrase protects nothing" in " ".join(shown.lines)


def test_a_passphrase_that_is_no_text_is_told(taplogs: Command) -> None:
    finished = taplogs.with_env(PYTHONIOENCODING="utf-8:strict").shell("printf '\\xff\\n' | taplogs keygen")
    assert finished.code == 2
    assert "standard input is not text" in finished.err


@pytest.mark.parametrize("passphrase", ["x" * 1001, "two\nlines", "ä" * 501])
def test_a_passphrase_that_minisign_could_not_read_is_refused(taplogs: Command, passphrase: str) -> None:
    path = str(taplogs.folder / "x.key")
    finished = taplogs.here("keygen", "-s", path, env={PASSPHRASE_VARIABLE: passphrase})
    assert finished.code == 2
    assert passphrase not in finished.err


def test_without_standard_input_the_way_out_is_told(taplogs: Command) -> None:
    finished = taplogs.shell("taplogs keygen <&-")
    assert finished.code == 2
    assert f"hint: set {PASSPHRASE_VARIABLE}" in finished.err


def test_the_environment_gives_the_passphrase(taplogs: Command) -> None:
    runtime = Runtime([], environ={PASSPHRASE_VARIABLE: PASSPHRASE}, stdin=None)
    assert new_passphrase(runtime) == PASSPHRASE
    path = secret_file(taplogs.folder, PASSPHRASE)
    assert find_signing_key(path, runtime.environ, unasked).public_key == KEY.public_key


@pytest.mark.parametrize("existing", ["taplogs.key", "taplogs.pub"])
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_a_key_that_exists_is_not_overwritten(taplogs: Command, existing: str, kind: str) -> None:
    path = taplogs.folder / existing
    if kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(taplogs.folder / "elsewhere")
    finished = taplogs.run("keygen", "--no-passphrase")
    assert finished.code == 2
    assert f"{existing} exists, and nothing was written" in finished.err
    assert [each.name for each in taplogs.folder.glob("taplogs.*")] == [existing]
    assert not (taplogs.folder / "elsewhere").exists()
    assert kind != "file" or path.read_text() == "mine"


def test_force_replaces_both(taplogs: Command) -> None:
    for name in ("taplogs.key", "taplogs.pub"):
        (taplogs.folder / name).write_text("old")
    (taplogs.folder / "taplogs.key").chmod(0o644)
    assert taplogs.run("keygen", "--no-passphrase", "--force").code == 0
    assert mode_of(taplogs.folder / "taplogs.key") == 0o600
    public = find_public_key(str(taplogs.folder / "taplogs.pub"))
    assert signs_for(find_signing_key(taplogs.folder / "taplogs.key", {}, unasked), public)
    assert sorted(path.name for path in taplogs.folder.glob("*taplogs*")) == ["taplogs.key", "taplogs.pub"]


def test_one_file_cannot_be_both(taplogs: Command) -> None:
    assert taplogs.here("keygen", "--no-passphrase", "-s", "x.pub").code == 2


def test_a_folder_that_is_not_there_is_told(taplogs: Command) -> None:
    finished = taplogs.run("keygen", "--no-passphrase", "-s", "nowhere/x.key")
    assert finished.code == 1
    assert finished.err.splitlines() == [
        "error: nowhere/x.key cannot be written: there is no folder nowhere",
        "hint: make the folder first, or name another one with --secret-key",
    ]


def test_a_key_that_would_be_lost_is_told_after_the_other_way(taplogs: Command) -> None:
    (taplogs.folder / "taplogs.key").touch()
    hint = taplogs.run("keygen", "--no-passphrase").err.splitlines()[-1]
    assert hint.startswith("hint: --secret-key names another file; --force makes new keys in place of the old: ")


def test_a_public_key_that_is_to_sign_is_told_whatever_its_mode(taplogs: Command) -> None:
    assert taplogs.run("keygen", "--no-passphrase").code == 0
    run = taplogs.run("export", "--demo", "-o", "out", "--sign-key", "taplogs.pub")
    assert (run.code, run.err.splitlines()[0]) == (
        2,
        "error: taplogs.pub is a public key, and only the secret key signs",
    )


def test_where_the_public_key_cannot_be_written_there_is_no_secret_one(taplogs: Command) -> None:
    finished = taplogs.run("keygen", "--no-passphrase", "-p", "nowhere/x.pub")
    assert finished.code == 1
    assert not (taplogs.folder / "taplogs.key").exists()


def test_a_pair_that_came_in_between_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(ConfigurationError, match="exists"):
        write_key_pair(tmp_path / "a", b"secret", tmp_path / "b", b"public", replace=False)
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == "mine"


def test_too_little_memory_for_a_passphrase_is_told(taplogs: Command) -> None:
    finished = taplogs.shell(f"ulimit -v 700000; echo {PASSPHRASE} | taplogs keygen")
    assert finished.code == 1
    assert "a passphrase takes 1024 MiB of memory" in finished.err
    assert not list(taplogs.folder.glob("taplogs.*"))


# keys that are given


def test_a_wrong_passphrase_is_told_with_where_it_came_from(tmp_path: Path) -> None:
    path = secret_file(tmp_path, PASSPHRASE)
    with pytest.raises(ConfigurationError, match="does not open") as caught:
        find_signing_key(path, {}, lambda: "another canary")
    assert "canary" not in caught.value.message
    with pytest.raises(ConfigurationError, match=f"taken from {PASSPHRASE_VARIABLE}") as caught:
        find_signing_key(path, {PASSPHRASE_VARIABLE: "another canary"}, unasked)
    assert "canary" not in caught.value.message


def test_a_secret_key_that_others_can_read_does_not_sign(tmp_path: Path) -> None:
    path = secret_file(tmp_path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        find_signing_key(path, {}, unasked)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (KEY.public_key.encode(), "is a public key"),
        (b"", "1 line, not 2"),
        (b"untrusted comment: x\nAAAA\n", "not a secret key of minisign"),
        (b"-----BEGIN PRIVATE KEY-----\nx\n", "does not begin with 'untrusted comment:'"),
        (b"\xff\xfe", "it is not text"),
        (KEY.encode(None, os.urandom).replace(b"A", b"!", 1), "not base64"),
    ],
)
def test_what_is_no_secret_key_is_told(tmp_path: Path, text: bytes, told: str) -> None:
    path = tmp_path / "some.key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=told) as caught:
        find_signing_key(path, {}, unasked)
    assert caught.value.exit_code == 2


def test_a_missing_secret_key_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file") as caught:
        find_signing_key(tmp_path / "none.key", {}, unasked)
    assert "taplogs keygen" in (caught.value.hint or "")


def test_a_public_key_is_read_from_a_file_or_from_its_one_line(tmp_path: Path) -> None:
    (tmp_path / "some.pub").write_bytes(KEY.public_key.encode())
    assert find_public_key(str(tmp_path / "some.pub")) == find_public_key(KEY.public_key.line) == KEY.public_key


@pytest.mark.parametrize(
    ("text", "told"), [(KEY.encode(None, os.urandom), "it is a secret key"), (b"x", "line feed"), (b"\0" * 99, "holds")]
)
def test_what_is_no_public_key_is_told(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / "some.pub").write_bytes(text)
    with pytest.raises(ConfigurationError, match=told):
        find_public_key(str(tmp_path / "some.pub"))


@pytest.mark.parametrize("named", ["none.pub", "", ".", "RWQ=", "x" * 5000])
def test_a_public_key_that_is_nowhere_is_told(tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        find_public_key(named)


def test_the_passphrase_of_a_signing_key_is_read_from_standard_input(tmp_path: Path) -> None:
    runtime = Runtime([], environ={}, stdin=io.StringIO(f"{PASSPHRASE}\r\n"))
    path = secret_file(tmp_path, PASSPHRASE)
    key = find_signing_key(path, runtime.environ, lambda: ask_passphrase(runtime, path))
    assert key.public_key == KEY.public_key


def test_a_signing_key_without_anybody_to_give_the_passphrase_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="takes a passphrase, and none was given"):
        ask_passphrase(Runtime([], environ={}, stdin=None), tmp_path / "some.key")
