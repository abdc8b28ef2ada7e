"""taplogs verify: a matrix of tampering, each found, named, and told by exit code 8."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from command import Command, Finished
from evidence import NAMES, Evidence, another, changed, leaves, make_chain
from serving import log_entry, running_backend
from taplogs.audit.evidence_file import Watched
from taplogs.audit.manifest import head_of
from taplogs.core.timestamp import format_timestamp

FILES = ("records.jsonl", "records.csv", "manifest.json", "manifest.json.minisig")
PLACES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    make_chain(folder)
    return folder


@pytest.fixture
def folder(taplogs: Command, originals: Path) -> Path:
    """Give copies of the exports, to tamper with."""
    for name in NAMES:
        shutil.copytree(originals / name, taplogs.folder / name)
    for key in originals.glob("*.pub"):
        shutil.copy(key, taplogs.folder)
    return taplogs.folder


@pytest.fixture
def one(folder: Path) -> Evidence:
    return Evidence(folder / "one")


@pytest.fixture
def two(folder: Path) -> Evidence:
    return Evidence(folder / "two")


class Verify:
    """The command in the folder of the exports."""

    def __init__(self, taplogs: Command, folder: Path) -> None:
        self._taplogs = taplogs
        self._folder = folder

    def __call__(self, *words: str) -> Finished:
        paths = [str(self._folder / word) if (self._folder / word).exists() else word for word in words]
        return self._taplogs.here("verify", *paths)

    def signed(self, *words: str) -> Finished:
        return self(*words, "--pubkey", "k.pub")

    def codes(self, *words: str) -> set[str]:
        """Return the codes of all findings, which there must be."""
        finished = self(*words, "--json")
        document = json.loads(finished.out)
        found = [*document["findings"], *(item for part in _parts(document) for item in part["findings"])]
        assert (finished.code, document["verified"]) == ((8, False) if found else (0, True))
        return {finding["code"] for finding in found}


def _parts(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [*document["exports"], *document["proofs"]]


@pytest.fixture
def verify(taplogs: Command, folder: Path) -> Verify:
    return Verify(taplogs, folder)


@pytest.fixture
def head(folder: Path) -> str:
    return head_of(3, (folder / "three" / "manifest.json").read_bytes())


# What is untouched


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["one"], "integrity"),
        (["one", "--pubkey", "k.pub"], "signed"),
        (["three", "two", "one", "--chain", "--pubkey", "k.pub", "--expect-head", "HEAD"], "signed and anchored"),
    ],
)
def test_what_is_untouched_passes_and_says_how_much_is_proven(
    verify: Verify, head: str, words: list[str], level: str
) -> None:
    finished = verify(*[head if word == "HEAD" else word for word in words])
    assert finished.code == 0, finished.out
    assert f"level: {level}\n" in finished.out
    assert "Not proven: that the backend told the truth" in finished.out


def test_a_key_may_be_given_as_its_line(verify: Verify, folder: Path) -> None:
    assert verify("one", "--pubkey", (folder / "k.pub").read_text("utf-8").splitlines()[1]).code == 0


# Bytes


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", PLACES)
def test_a_changed_byte_is_found(verify: Verify, one: Evidence, name: str, place: float) -> None:
    content = bytearray(one.read(name))
    lines = bytes(content).splitlines(keepends=True)
    start = len(lines[0]) if name.endswith(".minisig") else 0  # the first line of a signature is not signed
    position = start + int((len(content) - start) * place)
    content[position] ^= 1
    one.write(name, bytes(content))
    assert verify.signed("one").code == 8
    if not name.endswith(".minisig"):
        assert name in verify("one").out


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [lambda text: text + b"\n", lambda text: text[:-1], lambda _: b""])
def test_a_file_that_was_made_longer_or_shorter_is_found(
    verify: Verify, one: Evidence, name: str, change: Callable[[bytes], bytes]
) -> None:
    one.write(name, change(one.read(name)))
    assert verify.signed("one").code == 8


# The manifest

NEEDS_KEY = {
    "exportId", "tool.name", "tool.version", "tool.python", "tool.platform", "source.baseUrl", "source.environment",
    "source.keyId", "period.timeZone", "period.clockSkewMs", "period.requestedUntil", "query.filters", "startedAt",
    "completeness.pages", "completeness.retries", "completeness.duplicatesDropped", "completeness.backendCountBefore",
    "redaction.profile", "redaction.profileSha256", "redaction.method", "redaction.keyFingerprint",
    "redaction.fieldsRedacted", "period.requestedSince", "period.effectiveUntil", "finishedAt",
}  # fmt: skip
"""Members that only their maker knows: without the signature nobody can tell that they were changed."""


def test_every_member_of_a_manifest_is_covered(verify: Verify, one: Evidence) -> None:
    manifest = one.manifest
    unseen = set()
    for path, _ in leaves(manifest):
        one.write_manifest(changed(manifest, path, another))
        assert verify.signed("one").code == 8, path
        if verify("one").code == 0:
            unseen.add(".".join(str(step) for step in path if isinstance(step, str)))
    assert unseen <= NEEDS_KEY


def test_a_member_that_is_left_out_or_added_is_found(verify: Verify, one: Evidence) -> None:
    manifest = one.manifest
    for name in manifest:
        one.write_manifest({member: value for member, value in manifest.items() if member != name})
        assert verify.codes("one") == {"manifest_malformed"}, name
    one.write_manifest({**manifest, "note": "x"})
    assert verify.codes("one") == {"manifest_malformed"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema":"taplogs.export/2"}',
        b"\xff\xfe",
        b'{"sequence":' + b"9" * 10_000 + b"}",
    ],
    ids=["empty", "null", "cut", "deep list", "deep object", "other schema", "not UTF-8", "huge number"],
)
def test_what_is_no_manifest_is_found(verify: Verify, one: Evidence, content: bytes) -> None:
    one.write("manifest.json", content)
    assert verify.codes("one") == {"manifest_malformed"}


def test_a_manifest_with_spaces_is_not_canonical(verify: Verify, one: Evidence) -> None:
    one.write("manifest.json", json.dumps(one.manifest, sort_keys=True).encode())
    assert verify.codes("one") == {"manifest_malformed"}


def test_a_member_that_stands_twice_is_not_canonical(verify: Verify, one: Evidence) -> None:
    one.write("manifest.json", one.read("manifest.json").replace(b'"sequence":1', b'"sequence":1,"sequence":1'))
    assert verify.codes("one") == {"manifest_malformed"}


def test_a_manifest_beyond_all_bounds_is_not_read(verify: Verify, one: Evidence) -> None:
    os.truncate(one.path / "manifest.json", 1 << 40)
    assert verify.codes("one") == {"file_unreadable"}


@pytest.mark.parametrize("name", ["../two/records.jsonl", "/etc/passwd", "records.jsonl\0", "RECORDS.JSONL", ""])
def test_names_that_lead_elsewhere_are_never_opened(verify: Verify, one: Evidence, name: str) -> None:
    manifest = one.manifest
    manifest["files"][0]["name"] = name
    one.write_manifest(manifest)
    assert {"manifest_files", "file_unexpected"} <= verify.codes("one")


def test_a_file_that_is_named_twice_is_found(verify: Verify, one: Evidence) -> None:
    manifest = one.manifest
    manifest["files"].append(manifest["files"][0])
    one.write_manifest(manifest)
    assert "manifest_files" in verify.codes("one")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"status": "incomplete"}, "incomplete"),
        ({"endSeen": False}, "incomplete"),
        ({"gaps": [{"since": None, "until": "2026-11-01T00:00:40.000Z", "reason": "lost"}]}, "incomplete"),
        ({"backendCountBefore": 99, "backendCountAfter": 99}, "gap"),
        ({"lateArrivals": 7}, "manifest_counts"),
    ],
)
def test_a_gap_is_no_pass(verify: Verify, one: Evidence, members: dict[str, Any], code: str) -> None:
    manifest = one.manifest
    manifest["completeness"] |= members
    one.write_manifest(manifest)
    assert code in verify.codes("one")


@pytest.mark.parametrize(
    ("until", "skew", "codes"),
    [
        ("2036-01-01T00:00:00.000Z", 0, {"manifest_period"}),
        ("2036-01-01T00:00:00.000Z", 10**30, {"manifest_counts"}),
        ("2026-11-30T00:01:30.000Z", 88_000, {"manifest_period"}),
        ("2026-11-30T00:01:30.000Z", 90_000, set()),
    ],
)
def test_a_period_that_ends_later_than_the_export_was_finished_is_found(
    verify: Verify, one: Evidence, until: str, skew: int, codes: set[str]
) -> None:
    manifest = one.manifest
    manifest["period"] |= {"requestedUntil": None, "effectiveUntil": until, "clockSkewMs": 77_777}
    manifest["finishedAt"] = manifest["startedAt"] = "2026-11-30T00:00:00.000Z"
    one.write_manifest(manifest)
    one.write("manifest.json", one.read("manifest.json").replace(b":77777,", b":%d," % skew))
    assert verify.codes("one") == codes


# The folder


def test_a_missing_file_is_found(verify: Verify, one: Evidence) -> None:
    for name, code in (("records.csv", "file_missing"), ("records.jsonl", "file_missing")):
        (one.path / name).unlink()
        assert code in verify.codes("one")
    (one.path / "manifest.json").unlink()
    assert verify.codes("one") == {"nothing_found"}


@pytest.mark.parametrize("name", ["note.txt", ".partial", ".DS_Store", "\x1b[2Jclear"])
def test_what_is_not_of_an_export_is_found(verify: Verify, one: Evidence, name: str) -> None:
    one.write(name, b"x")
    finished = verify("one")
    assert finished.code == 8
    assert "it is not of an export [file_unexpected]" in finished.out
    assert "\x1b" not in finished.out


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_found_and_not_opened(verify: Verify, one: Evidence, name: str, kind: str) -> None:
    path = one.path / name
    kept = path.rename(one.path.parent / "kept")
    if kind == "link":
        path.symlink_to(kept)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert "file_kind" in verify.codes("one")


def test_nothing_to_verify_is_no_pass(verify: Verify, folder: Path) -> None:
    (folder / "empty").mkdir()
    assert verify.codes("empty") == {"nothing_found"}
    assert verify.codes(str(folder / "not there")) == {"nothing_found"}


# Records


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], "record_order"),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], "record_order"),
        (lambda lines: [*lines, lines[0]], "record_order"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b"entry-00039", b"entry-00001")], "record_repeated"),
        (lambda lines: [lines[0].replace(b":00:01.", b":59:01."), *lines[1:]], "record_period"),
        (lambda lines: [lines[0].replace(b'"GET"', b'"GET" '), *lines[1:]], "record_not_canonical"),
        (lambda lines: [lines[0].replace(b'"method"', b'"m\\u0065thod"'), *lines[1:]], "record_not_canonical"),
        (
            lambda lines: [lines[0].replace(b'"latencyMs":12', b'"latencyMs":12,"x":1'), *lines[1:]],
            "record_not_canonical",
        ),
        (lambda lines: [lines[0].replace(b":200,", b':"x",'), *lines[1:]], "record_malformed"),
        (lambda lines: [lines[0].replace(b'"company"', b'"other"'), *lines[1:]], "source_company"),
    ],
)
def test_a_forgery_whose_digests_all_fit_is_found_by_what_the_records_are(
    verify: Verify, one: Evidence, forge: Callable[[list[bytes]], list[bytes]], code: str
) -> None:
    one.forge(forge(one.lines))
    assert code in verify.codes("one")
    assert verify.signed("one").code == 8


@pytest.mark.parametrize("row", [0, 17, -1])
def test_a_row_that_was_dropped_is_found(verify: Verify, one: Evidence, row: int) -> None:
    lines = one.lines
    del lines[row]
    one.write("records.jsonl", b"".join(lines))
    assert {"file_rows", "file_size", "file_digest", "merkle_root", "table_derivation"} <= verify.codes("one")


def test_a_forgery_without_a_flaw_is_found_by_the_signature_alone(verify: Verify, one: Evidence) -> None:
    one.forge(one.lines[:-1])
    assert verify("one").code == 0
    assert verify.codes("one", "--pubkey", "k.pub") == {"signature_wrong"}


@pytest.mark.parametrize(
    ("old", "new"), [(b"entry-00007", b"entry-00008"), (b"'=cmd|x", b"=cmd|x"), (b"\r\n", b"\n"), (b"id,", b"ID,")]
)
def test_a_table_that_does_not_follow_from_the_records_is_found(
    verify: Verify, one: Evidence, old: bytes, new: bytes
) -> None:
    text = one.read("records.csv")
    assert old in text
    one.write("records.csv", text.replace(old, new, 1))
    assert {"file_digest", "table_derivation"} <= verify.codes("one")


def test_swapped_files_are_found(verify: Verify, one: Evidence, two: Evidence) -> None:
    for name in FILES:
        ours, theirs = one.read(name), two.read(name)
        one.write(name, theirs)
        assert verify.signed("one").code == 8, name
        one.write(name, ours)
    assert verify.signed("one").code == 0


def test_every_finding_is_named_not_only_the_first(verify: Verify, one: Evidence) -> None:
    one.write("extra", b"")
    (one.path / "records.csv").unlink()
    one.write("records.jsonl", one.read("records.jsonl").replace(b'"GET"', b'"PUT"', 1))
    assert {"file_unexpected", "file_missing", "file_digest", "merkle_root"} <= verify.codes("one")


# Signatures


def test_another_key_is_told_from_a_wrong_signature(verify: Verify, one: Evidence, folder: Path) -> None:
    assert verify.codes("one", "--pubkey", "other.pub") == {"signature_other_key"}
    (one.path / "manifest.json.minisig").unlink()
    assert verify.codes("one", "--pubkey", "k.pub") == {"signature_missing"}
    assert verify("one").code == 0


def test_a_trusted_comment_that_was_changed_is_found(verify: Verify, one: Evidence) -> None:
    one.write("manifest.json.minisig", one.read("manifest.json.minisig").replace(b"sequence 1", b"sequence 2"))
    assert verify.codes("one", "--pubkey", "k.pub") == {"signature_comment_wrong"}


@pytest.mark.parametrize("content", [b"", b"\xff", b"untrusted comment: x\n"])
def test_what_is_no_signature_is_found_without_a_key_too(verify: Verify, one: Evidence, content: bytes) -> None:
    one.write("manifest.json.minisig", content)
    assert verify.codes("one") == {"signature_malformed"}


# Chains


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["one", "three"], "chain_sequence"),
        (["two", "three"], "chain_beginning"),
        (["one", "two"], "head"),
        (["one", "two", "two", "three"], "chain_sequence"),
    ],
    ids=["the middle", "the beginning", "the tail", "one twice"],
)
def test_a_chain_that_is_not_whole_is_found(verify: Verify, head: str, words: list[str], code: str) -> None:
    assert code in verify.codes(*words, "--chain", "--expect-head", head)


def test_a_link_that_was_replaced_by_another_export_is_found(verify: Verify, two: Evidence) -> None:
    two.forge(two.lines[:-1])
    assert verify.codes("one", "two", "three", "--chain") == {"chain_link"}


@pytest.mark.parametrize(
    ("period", "code"),
    [
        (("2026-11-01T00:00:00Z", "2026-11-01T00:02:00Z"), 0),
        (("2026-11-01T00:00:00Z", "2026-11-01T00:02:01Z"), 8),
        (("2026-11-01", "2026-11-02"), 8),
    ],
)
def test_the_time_that_exports_cover_is_held_against_what_was_expected(
    verify: Verify, period: tuple[str, str], code: int
) -> None:
    words = ("one", "two", "three", "--expect-period", *period, "--tz", "UTC")
    finished = verify(*words)
    assert finished.code == code
    told = "period: from 2026-11-01T00:00:00.000Z until 2026-11-01T00:02:00.000Z without a gap\n"
    assert (told in finished.out) is (code == 0)
    assert json.loads(verify(*words, "--json").out)["period"]["since"] == "2026-11-01T00:00:00.000Z"


def test_a_gap_in_the_middle_of_a_period_is_named(verify: Verify) -> None:
    finished = verify("one", "three", "--expect-period", "2026-11-01T00:00:00Z", "2026-11-01T00:02:00Z")
    gap = "from 2026-11-01T00:00:40.000Z until 2026-11-01T00:01:10.000Z"
    assert finished.code == 8
    assert gap in finished.out


@pytest.mark.parametrize(
    ("required", "words", "met"),
    [
        ("signed", ["--pubkey", "k.pub"], True),
        ("signed", [], False),
        ("csv,redacted", [], True),
        ("chained", [], False),
        ("anchored", [], False),
    ],
)
def test_what_is_required_and_not_met_is_a_finding(
    verify: Verify, required: str, words: list[str], *, met: bool
) -> None:
    assert verify.codes("one", "--require", required, *words) == (set() if met else {"requirement"})


def test_what_is_required_of_what_is_not_there_is_no_finding_more(verify: Verify) -> None:
    assert verify.codes("nowhere", "--require", "redacted,csv") == {"nothing_found"}


def test_an_export_that_is_named_twice_is_no_chain(verify: Verify) -> None:
    assert "it is named twice [chain_sequence]" in verify("one", "one", "--chain").out


def test_a_public_key_among_what_is_verified_is_told(verify: Verify, folder: Path) -> None:
    assert "FAIL file: this is a public key; --pubkey takes it" in verify("one", str(folder / "k.pub")).out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--expect-period", "foo", "bar"], "--expect-period 'foo' is not understood"),
        (["--expect-period", "1d", "now"], "it depends on what time it is now"),
        (["--expect-period", "2026-11-02", "2026-11-01"], "hint: the earlier of the two times comes first"),
        (["--expect-head", "3:abc"], "all 64 digits of a SHA-256"),
    ],
)
def test_what_is_wrong_with_an_expectation_is_said(verify: Verify, words: list[str], told: str) -> None:
    finished = verify("one", *words)
    assert (finished.code, told in finished.err, "--since" in finished.err) == (2, True, False)


@pytest.mark.parametrize(
    "words",
    [
        ["--expect-head", "3"],
        ["--expect-head", "0:" + "a" * 64],
        ["--expect-period", "1d", "now"],
        ["--require", "magic"],
        ["--pubkey", "no.pub"],
        ["--output", "xml"],
    ],
)
def test_wrong_usage_is_told_before_anything_is_read(verify: Verify, words: list[str]) -> None:
    assert verify("one", *words).code == 2


# Proofs


def test_a_proof_is_verified_like_an_export(verify: Verify, taplogs: Command, folder: Path) -> None:
    proof = taplogs.here("prove", str(folder / "one"), "--id", "entry-00007").out
    (folder / "proof.json").write_text(proof, "utf-8")
    finished = verify.signed("proof.json")
    assert finished.code == 0
    assert "entry-00007 is record 7 of 39" in finished.out
    (folder / "proof.json").write_text(proof.replace("jobs/7?", "jobs/8?"), "utf-8")
    assert verify.codes("proof.json") == {"merkle_root"}
    assert "  level: none\n" in verify("proof.json").out


def test_a_proof_says_too_that_its_signature_was_not_checked(verify: Verify, taplogs: Command, folder: Path) -> None:
    for name in ("signed", "unsigned"):
        (folder / name).write_text(taplogs.here("prove", str(folder / "one"), "--row", "1").out, "utf-8")
        (folder / "one" / "manifest.json.minisig").unlink(missing_ok=True)
    assert "The signature was not checked: give --pubkey." in verify("signed").out
    assert "It is not signed" in verify("unsigned").out
    assert "was not checked" not in verify.signed("signed").out


# Many rows: several processes


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of more rows than one process checks at once."""
    folder = tmp_path_factory.mktemp("many")
    start = datetime(2026, 11, 1, tzinfo=UTC)
    with running_backend(folder / "logs.db") as backend:
        backend.store.add(
            log_entry(
                timestamp=format_timestamp(start + timedelta(milliseconds=number)),
                id=f"entry-{number:06}",
                created_at=None,
                updated_at=None,
            )
            for number in range(140_000)
        )
        run = Command(folder).at(backend).here("export", "-o", str(folder / "many"), "--redact", "none")
        assert run.code == 0, run.err
    return folder / "many"


@pytest.mark.parametrize("row", [0, 65_535, 65_536, 131_072, 139_999])
def test_a_row_of_any_segment_is_checked(taplogs: Command, many: Path, row: int) -> None:
    copy = shutil.copytree(many, taplogs.folder / "copy")
    lines = (copy / "records.jsonl").read_bytes().splitlines(keepends=True)
    lines[row] = lines[row].replace(b'"latencyMs":12', b'"latencyMs": 12')
    (copy / "records.jsonl").write_bytes(b"".join(lines))
    finished = taplogs.run("verify", str(copy), "--json")
    found = json.loads(finished.out)["exports"][0]["findings"]
    assert finished.code == 8
    assert {"record_not_canonical", "merkle_root", "file_digest"} <= {finding["code"] for finding in found}
    assert f"records.jsonl:{row + 1}" in [finding["where"] for finding in found]


def test_many_rows_without_a_flaw_pass(taplogs: Command, many: Path) -> None:
    assert taplogs.run("verify", str(many)).code == 0


def test_order_and_ids_are_checked_across_segments(taplogs: Command, many: Path) -> None:
    evidence = Evidence(shutil.copytree(many, taplogs.folder / "copy"))
    lines = evidence.lines
    repeated = lines[139_999].replace(b"entry-139999", b"entry-000005")
    evidence.forge([*lines[:65_535], lines[65_536], lines[65_535], *lines[65_537:139_999], repeated])
    found = json.loads(taplogs.run("verify", str(evidence.path), "--json").out)["exports"][0]["findings"]
    assert {finding["code"] for finding in found} == {"record_order", "record_repeated"}


def test_more_findings_than_anybody_reads_are_counted(taplogs: Command, many: Path) -> None:
    copy = shutil.copytree(many, taplogs.folder / "copy")
    text = (copy / "records.jsonl").read_bytes().replace(b'"latencyMs":12', b'"latencyMs": 12')
    (copy / "records.jsonl").write_bytes(text)
    finished = taplogs.run("verify", str(copy))
    assert finished.code == 8
    assert "and 139,900 more of this kind" in finished.out
    assert len(finished.out.splitlines()) < 250


def test_a_file_that_is_changed_while_it_is_read_is_found(one: Evidence) -> None:
    with Watched(one.path / "records.jsonl") as watched:
        assert not watched.has_changed()
        one.write("records.jsonl", one.read("records.jsonl"))
        assert watched.has_changed()


@pytest.mark.parametrize("row", [1, 20, 39])
def test_the_first_record_that_differs_in_a_table_is_named(verify: Verify, one: Evidence, row: int) -> None:
    name = f"entry-{row:05}".encode()
    one.write("records.csv", one.read("records.csv").replace(name, b"entry-99999"))
    assert f"records.csv:record {row}: it is not what follows from records.jsonl" in verify("one").out


@pytest.mark.parametrize("cut", [1, 100, 10_000])
def test_numbers_are_those_of_the_file_where_it_breaks_off(verify: Verify, one: Evidence, cut: int) -> None:
    kept = one.read("records.jsonl")[:-cut]
    one.write("records.jsonl", kept)
    lines = kept.count(b"\n")
    found = json.loads(verify("one", "--json").out)["exports"][0]["findings"]
    assert [(finding["where"], finding["message"]) for finding in found] == [
        ("records.jsonl", f"record {lines + 1} does not end with a line feed"),
        ("records.jsonl", f"it has {len(kept):,} bytes, the manifest says {len(kept) + cut:,}"),
        ("records.jsonl", "its SHA-256 is not that of the manifest"),
        ("records.jsonl", f"it has {lines} lines, the manifest says 39"),
        ("records.csv", "it cannot be derived: records.jsonl has lines that are no records"),
    ]


def test_of_a_line_that_is_too_long_only_that_is_said(verify: Verify, one: Evidence) -> None:
    os.truncate(one.path / "records.jsonl", 1 << 40)
    assert "records.jsonl: record 40 has more than 128 MiB" in verify("one").out
    assert verify.codes("one") == {"record_malformed", "table_derivation"}


def test_what_is_sound_is_said_beside_what_is_not(verify: Verify, one: Evidence) -> None:
    one.write("records.csv", one.read("records.csv") + b"x")
    finished = verify.signed("one")
    marks = [line.split(":")[0].strip() for line in finished.out.splitlines() if line.startswith(("  ok", "  FAIL"))]
    assert marks == [
        *["FAIL records.csv"] * 3,
        "ok   manifest.json",
        "ok   records.jsonl",
        "ok   manifest.json.minisig",
    ]
    assert "  level: none\n" in finished.out
    (export,) = json.loads(verify.signed("one", "--json").out)["exports"]
    assert (export["level"], export["sound"]) == ("none", ["manifest.json", "records.jsonl", "manifest.json.minisig"])


def test_a_table_is_not_sound_without_the_records_it_follows_from(verify: Verify, one: Evidence) -> None:
    (one.path / "records.jsonl").unlink()
    (export,) = json.loads(verify("one", "--json").out)["exports"]
    assert export["sound"] == ["manifest.json"]


def test_a_last_line_without_its_end_is_named(verify: Verify, one: Evidence) -> None:
    one.write("records.jsonl", one.read("records.jsonl")[:-1])
    assert "records.jsonl: record 39 does not end with a line feed" in verify("one").out
