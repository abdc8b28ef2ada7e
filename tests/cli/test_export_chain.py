"""taplogs export --chain: where the next export begins, what it says of the one before, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from command import Command
from exported import PSEUDONYM_KEY, Exported
from faulty_server import FaultyServer, page, reply
from serving import Backend, log_entry, running_backend
from taplogs.audit.keys import generate
from taplogs.audit.passphrase_cost import Cost

OCTOBER = ("--until", "2026-11-01T00:01:00")
PLAIN = ("--redact", "none")


@pytest.fixture
def export(taplogs: Command, logs: Backend) -> Command:
    return taplogs.at(logs).with_env(**PSEUDONYM_KEY)


def made(command: Command, folder: str, *options: str) -> Exported:
    run = command.run("export", "-o", folder, *options)
    assert run.code == 0, run.err
    found = Exported(command.folder / folder)
    found.assert_consistent()
    return found


def changed(found: Exported, part: str, **members: Any) -> None:
    """Change a part of a manifest, whose bytes stay canonical."""
    manifest = found.manifest
    manifest[part] = {**manifest[part], **members}
    (found.folder / "manifest.json").write_bytes(rfc8785.dumps(manifest))


def test_the_next_export_begins_where_the_one_before_ends(export: Command) -> None:
    first = made(export, "1", *OCTOBER)
    second = made(export, "2", "--chain", "1")
    assert second.manifest["sequence"] == 2
    assert second.manifest["previous"] == {
        "exportId": first.manifest["exportId"],
        "sequence": 1,
        "manifestSha256": sha256(first.text).hexdigest(),
        "effectiveUntil": "2026-11-01T00:01:00.000Z",
    }
    assert second.manifest["period"]["requestedSince"] == "2026-11-01T00:01:00.000Z"
    assert [*first.ids, *second.ids] == made(export, "all").ids
    assert made(export, "3", "--chain", "2").manifest["sequence"] == 3


def test_the_beginning_may_be_given_where_it_is_that(export: Command) -> None:
    made(export, "1", *OCTOBER)
    assert made(export, "2", "--chain", "1", "--since", "2026-11-01T00:01:00").manifest["sequence"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--since", "2026-11-01"),
            "--since 2026-11-01 (2026-11-01T00:00:00.000Z) is not where the export before ends",
        ),
        (("--until", "2026-11-01"), "is before 2026-11-01T00:01:00.000Z, where the export before ends"),
        (("--status", "404"), "its filter --status is not given, here it is 404"),
        (("--redact", "secrets"), "its redaction profile is personal, here it is secrets"),
        (("--source", "http://127.0.0.1:9/v1"), "its source is http://127.0.0.1:"),
    ],
)
def test_another_question_is_refused_and_what_differs_is_said(
    export: Command, options: tuple[str, ...], words: str
) -> None:
    made(export, "1", *OCTOBER)
    run = export.run("export", "-o", "2", "--chain", "1", *options)
    assert run.code == 2
    assert words in run.err
    assert not (export.folder / "2").exists()


def test_another_pseudonym_key_is_refused(export: Command) -> None:
    made(export, "1", *OCTOBER)
    run = export.run("export", "-o", "2", "--chain", "1", env={"TAPLOGS_PSEUDONYM_KEY": "quite another key, " * 3})
    assert run.code == 2
    assert "its pseudonym key's fingerprint is" in run.err


def test_a_profile_whose_rules_have_grown_does_not_break_the_chain(export: Command) -> None:
    """A new taplogs, or the company itself, may have a profile hide more than it did the night before."""
    rules = export.folder / "ours.toml"
    rules.write_text('extends = "personal"\n')
    made(export, "1", *OCTOBER, "--redact", str(rules))
    rules.write_text('extends = "personal"\n[[fields]]\nnames = ["stage"]\nlabel = "stage"\n')
    assert "has other rules than in 1" in export.run("export", "-o", "2", "--chain", "1", "--redact", str(rules)).err
    assert export.run("verify", "1", "2", "--chain").code == 0


def test_the_folder_of_the_export_before_is_not_written_to(export: Command) -> None:
    first = made(export, "1", *OCTOBER)
    run = export.run("export", "-o", "./1", "--chain", "1", "--force")
    assert (run.code, "is the folder that -o names" in run.err) == (2, True)
    first.assert_consistent()


def test_another_company_is_refused(taplogs: Command) -> None:
    key = {"TAPLOGS_API_KEY": "sk_test_" + "Zz9" * 7 + "Q"}
    entries = [log_entry(1, company_id="ours"), log_entry(90, company_id="theirs")]

    def answer(request: Any) -> list[bytes]:
        return [reply(page(entries[1:] if "startDate" in request.target else entries[:1], totalLogs=1))]

    with FaultyServer(answer) as server:
        command = taplogs.with_env(**key, TAPLOGS_BASE_URL=server.url)
        made(command, "1", *OCTOBER, *PLAIN)
        run = command.run("export", "-o", "2", "--chain", "1", *PLAIN)
    assert run.code == 2
    assert "are not all of the company 'ours'" in run.err
    assert not (taplogs.folder / "2").exists()


def test_an_incomplete_export_is_not_gone_on_from(export: Command) -> None:
    changed(made(export, "1", *OCTOBER), "completeness", status="incomplete")
    run = export.run("export", "-o", "2", "--chain", "1")
    assert (run.code, "it is not complete" in run.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "it is not JSON"),
        (b"{}", "Object missing required field `schema`"),
        (b"[" * 100_000, "Expected `object`"),
        (b'{"schema":"taplogs.export/9"}', "Object missing required field"),
        (b'{"schema":"\xff"}', "it is not text in UTF-8"),
        (b'{"schema":' + b"[" * 100_000, "Expected `str`"),
        (b'{"x":' + b"[" * 100_000, "Object contains unknown field `x`"),
        (b"1" * 5000, ""),
        (b"[1e999999999]", "Expected `object`"),
    ],
)
def test_a_manifest_that_is_none_is_refused(export: Command, text: bytes, fault: str) -> None:
    (export.folder / "1").mkdir()
    (export.folder / "1" / "manifest.json").write_bytes(text)
    run = export.run("export", "-o", "2", "--chain", "1")
    assert (run.code, f"the chain cannot go on from 1: manifest.json is no manifest: {fault}" in run.err) == (
        2,
        True,
    )


def test_a_manifest_that_is_not_canonical_is_refused(export: Command) -> None:
    found = made(export, "1", *OCTOBER)
    (found.folder / "manifest.json").write_text(json.dumps(found.manifest))
    run = export.run("export", "-o", "2", "--chain", "1")
    assert (run.code, "its bytes are not canonical JSON" in run.err) == (2, True)


def test_a_manifest_that_is_a_link_is_refused(export: Command) -> None:
    found = made(export, "1", *OCTOBER)
    shutil.move(found.folder / "manifest.json", export.folder / "elsewhere.json")
    (found.folder / "manifest.json").symlink_to(export.folder / "elsewhere.json")
    run = export.run("export", "-o", "2", "--chain", "1")
    assert (run.code, "it is a link" in run.err) == (2, True)


def test_a_chain_needs_no_lasting_pseudonym_key(taplogs: Command, logs: Backend) -> None:
    first = made(taplogs.at(logs), "1", *OCTOBER)
    assert first.manifest["redaction"]["keyFingerprint"] is None
    assert "of this export alone" in first.manifest["redaction"]["method"]
    assert made(taplogs.at(logs), "2", "--chain", "1").manifest["sequence"] == 2


def test_a_chain_that_began_with_a_lasting_key_goes_on_with_it(taplogs: Command, logs: Backend) -> None:
    made(taplogs.at(logs).with_env(**PSEUDONYM_KEY), "1", *OCTOBER)
    run = taplogs.at(logs).run("export", "-o", "2", "--chain", "1")
    assert run.code == 2
    assert run.err.splitlines()[-2:] == [
        "error: the chain cannot go on from 1: its pseudonyms were made with a lasting key, and here is none "
        "(TAPLOGS_PSEUDONYM_KEY)",
        "hint: set TAPLOGS_PSEUDONYM_KEY, or --pseudonym-key-file, to the key that it was made with",
    ]


@pytest.mark.parametrize(
    ("named", "words", "hint"),
    [
        ("nowhere", "there is no such folder", "--chain takes the folder of the export before"),
        ("file", "it is a file", "--chain takes the folder of the export before"),
        ("empty", "there is no empty/manifest.json", "--resume completes one that ended early"),
        ("broken", "manifest.json is no manifest", "'taplogs verify' on the folder says more"),
        ("unsigned", "there is no unsigned/manifest.json.minisig", "leave --sign-key out"),
        ("looped", "looped/manifest.json cannot be read: it is a link", "has to be allowed to read it"),
    ],
)
@pytest.mark.usefixtures("keys")
def test_each_cause_has_a_hint_of_its_own(export: Command, named: str, words: str, hint: str) -> None:
    (export.folder / "file").touch()
    for name in ("empty", "broken", "looped"):
        (export.folder / name).mkdir()
    (export.folder / "broken" / "manifest.json").write_text("{}")
    (export.folder / "looped" / "manifest.json").symlink_to("manifest.json")
    made(export, "unsigned", *OCTOBER)
    signed = ("--sign-key", "audit.key") if named == "unsigned" else ()
    run = export.run("export", "-o", "2", "--chain", named, *signed)
    assert run.code == 2
    assert f"error: the chain cannot go on from {named}: {words}" in run.err
    assert hint in run.err.splitlines()[-1]


# Signatures


@pytest.fixture
def keys(export: Command) -> Path:
    """A secret key, and the public one beside it."""
    assert export.run("keygen", "--no-passphrase", "-s", "audit.key").code == 0
    assert export.run("keygen", "--no-passphrase", "-s", "other.key").code == 0
    return export.folder / "audit.key"


def test_minisign_verifies_what_was_signed_and_nothing_else(export: Command, keys: Path) -> None:
    found = made(export, "1", *OCTOBER, "--sign-key", str(keys))

    def verified(key: str) -> bool:
        words = ["minisign", "-V", "-p", str(export.folder / key), "-m", str(found.folder / "manifest.json")]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    assert verified("audit.pub")
    assert not verified("other.pub")
    (found.folder / "manifest.json").write_bytes(found.text.replace(b'"rows":', b'"rows": '))
    assert not verified("audit.pub")


def test_a_signed_chain_is_gone_on_with_by_the_key_that_signed_it(export: Command, keys: Path) -> None:
    made(export, "1", *OCTOBER, "--sign-key", str(keys))
    assert made(export, "2", "--chain", "1", "--sign-key", str(keys)).manifest["sequence"] == 2
    run = export.run("export", "-o", "3", "--chain", "2", "--sign-key", "other.key")
    assert run.code == 8
    assert "2: it was signed by the key" in run.err


def test_what_is_not_signed_is_not_gone_on_from_with_a_key(export: Command, keys: Path) -> None:
    made(export, "1", *OCTOBER)
    run = export.run("export", "-o", "2", "--chain", "1", "--sign-key", str(keys))
    assert run.code == 2
    assert "there is no 1/manifest.json.minisig" in run.err


def test_an_export_that_was_changed_is_not_gone_on_from_with_a_key(export: Command, keys: Path) -> None:
    changed(made(export, "1", *OCTOBER, "--sign-key", str(keys)), "completeness", rows=5)
    run = export.run("export", "-o", "2", "--chain", "1", "--sign-key", str(keys))
    assert (run.code, "does not hold" in run.err) == (8, True)
    assert not (export.folder / "2").exists()


def test_a_passphrase_is_asked_for_before_anything_is_sent(export: Command) -> None:
    locked = export.folder / "locked.key"
    locked.write_bytes(generate(os.urandom).encode("correct horse", os.urandom, Cost(32768, 1 << 24)))
    locked.chmod(0o600)
    words = ("--sign-key", "locked.key", "--source", "http://127.0.0.1:9/v1")
    wrong = export.run("export", "-o", "1", *words, stdin="no\n")
    assert (wrong.code, "the passphrase does not open" in wrong.err) == (2, True)
    found = made(export.with_env(TAPLOGS_SIGN_PASSPHRASE="correct horse"), "1", *words[:2])
    assert (found.folder / "manifest.json.minisig").exists()


# Nights without an entry


def test_a_chain_does_not_change_its_company_through_an_export_without_entries(
    taplogs: Command, tmp_path: Path
) -> None:
    nights = [("1", "ours", 1, "2026-11-01T00:01:00"), ("2", "", 0, "2026-11-01T00:02:00"), ("3", "theirs", 150, None)]
    with running_backend(tmp_path / "logs.db") as backend:
        command = taplogs.at(backend)
        for before, (folder, company, number, until) in zip([None, "1", "2"], nights, strict=True):
            if company:
                backend.store.add([log_entry(number, company_id=company)])
            chain = ("--chain", before) if before else ()
            run = command.run("export", "-o", folder, *PLAIN, *chain, *(("--until", until) if until else ()))
    assert Exported(taplogs.folder / "2").manifest["source"]["companyId"] == "ours"
    assert taplogs.run("verify", "1", "2", "--chain").code == 0
    assert run.code == 2
    assert "are not all of the company 'ours'" in run.err
