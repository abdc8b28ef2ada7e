"""taplogs verify: what is asked of it, and that it never says more than it has shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from command import Command, Finished
from evidence import NAMES, Evidence, make_chain
from taplogs.audit.manifest import head_of


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    make_chain(folder)
    assert (folder / "one" / "manifest.json").exists()
    return folder


@pytest.fixture
def folder(taplogs: Command, originals: Path) -> Path:
    """Give copies of the exports, and a proof of a record of the last one."""
    for name in NAMES:
        shutil.copytree(originals / name, taplogs.folder / name)
    shutil.copy(originals / "k.pub", taplogs.folder)
    proof = taplogs.here("prove", str(taplogs.folder / "three"), "--row", "3").out
    (taplogs.folder / "proof.json").write_text(proof, "utf-8")
    return taplogs.folder


@pytest.fixture
def head(folder: Path) -> str:
    return head_of(3, (folder / "three" / "manifest.json").read_bytes())


def verify(taplogs: Command, *words: str) -> Finished:
    return taplogs.here(
        "verify", *(str(taplogs.folder / word) if (taplogs.folder / word).exists() else word for word in words)
    )


def test_no_folder_at_all_is_no_pass(taplogs: Command) -> None:
    run = verify(taplogs)
    assert run.code == 8
    assert "there is nothing to verify" in run.err


@pytest.mark.usefixtures("folder")
def test_a_head_is_about_one_export_or_about_a_chain(taplogs: Command, head: str) -> None:
    run = verify(taplogs, "one", "three", "--expect-head", head)
    assert run.code == 2
    assert "add --chain" in run.err
    assert verify(taplogs, "three", "--expect-head", head).code == 0
    assert verify(taplogs, *NAMES, "--chain", "--expect-head", head).code == 0


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["--expect-head", "HEAD"], "anchored"),
        (["--expect-head", "HEAD", "--pubkey", "k.pub"], "signed and anchored"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_head_anchors_what_is_signed_or_not(taplogs: Command, head: str, words: list[str], level: str) -> None:
    run = verify(taplogs, "three", *(head if word == "HEAD" else word for word in words))
    assert f"  level: {level}\n" in run.out


@pytest.mark.usefixtures("folder")
def test_a_proof_is_held_against_the_head_of_its_export(taplogs: Command, head: str) -> None:
    assert verify(taplogs, "proof.json", "--expect-head", head).code == 0
    assert verify(taplogs, "proof.json", "--expect-head", f"3:{'0' * 64}").code == 8


@pytest.mark.parametrize("words", [["--chain"], ["--expect-period", "2026-11-01", "2026-11-02"]])
@pytest.mark.usefixtures("folder")
def test_a_proof_is_no_part_of_a_chain_or_a_period(taplogs: Command, words: list[str]) -> None:
    assert verify(taplogs, "proof.json", *words).code == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["proof.json", "--require", "signed"], 8),
        (["proof.json", "--require", "signed", "--pubkey", "k.pub"], 0),
        (["one", "--require", "complete,csv"], 0),
        (["one", "--require", "chained"], 8),
        (["one", "--chain", "--require", "chained"], 0),
        ([*NAMES, "--chain", "--require", "signed,chained", "--pubkey", "k.pub"], 0),
        ([*NAMES, "--chain", "--require", "anchored", "--pubkey", "k.pub"], 8),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_required_has_to_be_shown_of_exports_and_of_proofs(
    taplogs: Command, words: list[str], code: int
) -> None:
    assert verify(taplogs, *words).code == code


def test_exports_of_other_questions_do_not_cover_a_period_together(taplogs: Command, folder: Path) -> None:
    two = Evidence(folder / "two")
    two.write_manifest(two.manifest | {"query": two.manifest["query"] | {"filters": {"--status": "4xx"}}})
    period = ("--expect-period", "2026-11-01T00:00:00Z", "2026-11-01T00:01:10Z", "--tz", "UTC")
    assert verify(taplogs, "one", "two", *period).code == 8


def test_a_profile_without_rules_is_not_redaction(taplogs: Command) -> None:
    (taplogs.folder / "bare.toml").write_text('extends = "none"\n', "utf-8")
    words = ("export", "--demo", "--since", "2h", "--redact", "bare.toml", "-o", "bare")
    assert "this export holds personal data" in taplogs.run(*words).err
    run = verify(taplogs, "bare", "--require", "redacted")
    assert (run.code, "--require: it is not redacted [requirement]" in run.out) == (8, True)


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**30])
def test_a_clock_that_is_beyond_all_measure_is_found(taplogs: Command, folder: Path, number: int) -> None:
    one = Evidence(folder / "one")
    text = one.read("manifest.json")
    skew = b'"clockSkewMs":%d' % one.manifest["period"]["clockSkewMs"]
    one.write("manifest.json", text.replace(skew, b'"clockSkewMs":%d' % number))
    assert "beyond all measure" in verify(taplogs, "one").out


def test_an_error_is_json_where_json_is_asked_for(taplogs: Command) -> None:
    run = verify(taplogs, "--json")
    assert json.loads(run.err)["error"]["code"] == "verification"
