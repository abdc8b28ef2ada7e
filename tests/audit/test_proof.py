"""One record shown without the others: how a proof is made, and that nobody can make one of what is not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from command import Command, Shown, assert_harmless
from minisign import minisign
from serving import Backend, log_entry, payload, running_backend
from taplogs.audit.canonical import record_lines
from taplogs.audit.evidence_file import LONGEST_LINE
from taplogs.audit.keys import SecretKey, generate
from taplogs.audit.manifest import decode_manifest
from taplogs.audit.merkle import MerkleTree
from taplogs.audit.proof import MOST_PROOF_BYTES, Proof, ProofCheck, check_proof
from taplogs.audit.proving import prove
from taplogs.core.entry import NULL
from taplogs.errors import EntryNotFound, VerificationFailed

KEY = generate(os.urandom)
DAY = ("--since", "2026-11-01T00:00Z", "--until", "2026-11-02T00:00Z")
HOSTILE = "\x1b[2J\u202e<script>"


@pytest.fixture(scope="module")
def export(logs: Backend, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed export of 120 records, which no test changes."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "some.key").write_bytes(KEY.encode(None, os.urandom))
    (folder / "some.key").chmod(0o600)
    finished = (
        Command(folder).at(logs).run("export", *DAY, "--redact", "none", "-o", "export", "--sign-key", "some.key")
    )
    assert finished.code == 0, finished.err
    return folder / "export"


@pytest.fixture
def folder(export: Path, tmp_path: Path) -> Path:
    """A copy of the export, to be changed."""
    return Path(shutil.copytree(export, tmp_path / "export"))


def lines_of(export: Path) -> list[bytes]:
    return (export / "records.jsonl").read_bytes().splitlines()


def codes(check: ProofCheck) -> list[str]:
    return [finding.code for finding in check.findings]


# proofs that hold


@pytest.mark.parametrize("row", [1, 2, 64, 65, 119, 120])
def test_the_proof_of_a_record_holds_by_its_id_and_by_its_row(export: Path, row: int) -> None:
    line = lines_of(export)[row - 1]
    made = prove(export, entry_id=json.loads(line)["id"])
    assert made == prove(export, row=row)
    assert (made.record.encode(), made.index, made.size) == (line, row - 1, 120)
    check = check_proof(made.encode(), KEY.public_key)
    assert (check.findings, check.level, check.index) == ([], "signed", row - 1)
    assert check.entry is not None
    assert record_lines([check.entry]) == [line]
    assert check.trusted_comment is not None
    assert check_proof(made.encode(), None).level == "integrity"


def test_a_proof_is_checked_with_nothing_but_sha256_and_minisign(export: Path, tmp_path: Path) -> None:
    document = json.loads(prove(export, row=50).encode())
    digest = sha256(b"\0" + document["record"].encode()).digest()
    index, last = document["index"], document["size"] - 1
    for sibling in map(bytes.fromhex, document["path"]):
        while index == last and not index & 1:  # alone at its level
            index, last = index >> 1, last >> 1
        digest = sha256(b"\1" + (sibling + digest if index & 1 else digest + sibling)).digest()
        index, last = index >> 1, last >> 1
    assert digest.hex() == json.loads(document["manifest"])["merkle"]["root"]
    (tmp_path / "m").write_text(document["manifest"])
    (tmp_path / "m.minisig").write_text(document["signature"])
    assert minisign("-Vm", "m", "-P", KEY.public_key.line, folder=tmp_path).returncode == 0


def test_a_proof_is_canonical_json_and_shows_no_other_record(export: Path) -> None:
    text = prove(export, row=7).encode()
    document = json.loads(text)
    assert text == rfc8785.dumps(document) + b"\n"
    assert sorted(document) == ["index", "manifest", "path", "record", "schema", "signature", "size"]
    others = [json.loads(line)["id"] for line in lines_of(export)]
    named = {document["record"], document["manifest"]}
    first_and_last = {others[0], others[-1]}  # the manifest names these
    assert not [each for each in set(others) - first_and_last - {others[6]} if any(each in text for text in named)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_small_exports_have_proofs_too(taplogs: Command, count: int) -> None:
    with running_backend(taplogs.folder / "logs.db") as backend:
        backend.store.add([log_entry(number) for number in range(1, count + 1)])
        assert taplogs.at(backend).run("export", *DAY, "-o", "export").code == 0
    for row in range(1, count + 1):
        check = check_proof(prove(taplogs.folder / "export", row=row).encode(), None)
        assert (check.findings, check.level) == ([], "integrity")


def test_records_that_are_read_in_several_blocks_have_proofs_too(taplogs: Command) -> None:
    with running_backend(taplogs.folder / "logs.db") as backend:
        large = payload(json.dumps("x" * 400_000))
        backend.store.add([log_entry(number, request_payload=large if number % 5 else NULL) for number in range(1, 18)])
        assert taplogs.at(backend).run("export", *DAY, "-o", "export").code == 0
    for row in range(1, 18):
        made = prove(taplogs.folder / "export", entry_id=f"entry-{row:05}")
        assert (made.index, check_proof(made.encode(), None).findings) == (row - 1, [])


# the command


def test_the_command_prints_the_proof_and_nothing_else(taplogs: Command, export: Path) -> None:
    finished = taplogs.here("prove", str(export), "--id", "entry-00042")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.encode() == prove(export, entry_id="entry-00042").encode()


def test_a_person_is_told_what_is_proven_and_what_is_not(taplogs: Command, export: Path) -> None:
    with (taplogs.folder / "proof.json").open("wb") as file:
        shown = taplogs.on_terminal("prove", str(export), "--row", "42", stdout=file)
    assert shown.code == 0
    assert "number 42 of the 120" in shown.text
    assert "does not prove that the backend told the truth" in " ".join(shown.lines)
    assert check_proof((taplogs.folder / "proof.json").read_bytes(), KEY.public_key).findings == []


def test_an_export_without_a_signature_says_so(taplogs: Command, folder: Path) -> None:
    (folder / "manifest.json.minisig").unlink()
    finished = taplogs.here("prove", str(folder), "--row", "1")
    assert finished.code == 0
    assert finished.err == "the export is not signed, so anybody could have made this proof\n"
    assert codes(check_proof(finished.out.encode(), KEY.public_key)) == ["signature_missing"]
    assert check_proof(finished.out.encode(), None).level == "integrity"


def test_a_hostile_record_is_harmless_on_a_terminal_and_exact_in_a_file(taplogs: Command) -> None:
    with running_backend(taplogs.folder / "logs.db") as backend:
        backend.store.add([log_entry(1, user_agent=HOSTILE, request_payload=payload('["\u202e"]'))])
        assert taplogs.at(backend).run("export", *DAY, "--redact", "none", "-o", "export").code == 0
    shown: Shown = taplogs.on_terminal("prove", "export", "--row", "1", columns=200)
    assert_harmless(shown.raw)
    finished = taplogs.run("prove", "export", "--row", "1")
    assert json.loads(json.loads(finished.out)["record"])["userAgent"] == HOSTILE


@pytest.mark.parametrize("arguments", [[], ["--id", "a", "--row", "1"], ["--row", "0"], ["--row", "x"]])
def test_one_record_is_to_be_named(taplogs: Command, export: Path, arguments: list[str]) -> None:
    assert taplogs.here("prove", str(export), *arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--id", "entry-99999"], "has the id 'entry-99999'"),
        (["--id", 'entry-00001",'], "has the id"),
        (["--id", "entry-0000"], "has the id"),
        (["--id", ""], "has the id ''"),
        (["--id", "\udcff"], "has the id"),
        (["--row", "121"], "is in row 121"),
    ],
)
def test_a_record_that_is_not_there_is_told(taplogs: Command, export: Path, arguments: list[str], told: str) -> None:
    finished = taplogs.here("prove", str(export), *arguments)
    assert (finished.code, finished.out) == (5, "")
    assert told in finished.err
    assert "it has 120 records, and is unchanged" in finished.err


def change_a_byte(folder: Path) -> None:
    text = (folder / "records.jsonl").read_bytes()
    (folder / "records.jsonl").write_bytes(text.replace(b"192.0.2.1", b"192.0.2.2", 1))


def drop_the_last_line(folder: Path) -> None:
    lines = lines_of(folder)
    (folder / "records.jsonl").write_bytes(b"\n".join(lines[:-1]) + b"\n")


def double_a_line(folder: Path) -> None:
    lines = lines_of(folder)
    (folder / "records.jsonl").write_bytes(b"\n".join([*lines, lines[41]]) + b"\n")


def swap_two_lines(folder: Path) -> None:
    lines = lines_of(folder)
    (folder / "records.jsonl").write_bytes(b"\n".join([lines[1], lines[0], *lines[2:]]) + b"\n")


def cut_the_last_line_feed(folder: Path) -> None:
    (folder / "records.jsonl").write_bytes((folder / "records.jsonl").read_bytes()[:-1])


def link_the_records(folder: Path) -> None:
    (folder / "records.jsonl").rename(folder.parent / "elsewhere")
    (folder / "records.jsonl").symlink_to(folder.parent / "elsewhere")


def make_a_line_endless(folder: Path) -> None:
    (folder / "records.jsonl").write_bytes(b"x")
    os.truncate(folder / "records.jsonl", LONGEST_LINE + (2 << 20))


def pipe_for_records(folder: Path) -> None:
    (folder / "records.jsonl").unlink()
    os.mkfifo(folder / "records.jsonl")


def name_another_tree(folder: Path) -> None:
    manifest = decode_manifest((folder / "manifest.json").read_bytes())
    other = replace(manifest, merkle=replace(manifest.merkle, algorithm="sha1"))
    (folder / "manifest.json").write_bytes(other.encode())


def spoil_the_text(folder: Path) -> None:
    """Put bytes that are not UTF-8 into the record, and name the tree over them."""
    text = (folder / "records.jsonl").read_bytes().replace(b'{"id":"entry-00042",', b'{"id":"entry-00042",\xff')
    (folder / "records.jsonl").write_bytes(text)
    tree = MerkleTree()
    tree.extend(text.splitlines())
    manifest = decode_manifest((folder / "manifest.json").read_bytes())
    other = replace(manifest, merkle=replace(manifest.merkle, root=tree.root().hex()))
    (folder / "manifest.json").write_bytes(other.encode())


CHANGES: list[tuple[Callable[[Path], Any], str]] = [
    (change_a_byte, "was changed"),
    (drop_the_last_line, "has 119 records, but the manifest names 120"),
    (double_a_line, "several records have the id"),
    (swap_two_lines, "was changed"),
    (spoil_the_text, "record 42 is not text in UTF-8"),
    (cut_the_last_line_feed, "record 120 does not end with a line feed"),
    (link_the_records, "it is a link"),
    (make_a_line_endless, "record 1 has more than 128 MiB"),
    (pipe_for_records, "is not a regular file"),
    (name_another_tree, "a tree of another kind: 'sha1'"),
    (lambda folder: (folder / "records.jsonl").unlink(), "there is no"),
    (lambda folder: (folder / "records.jsonl").write_bytes(b""), "has 0 records"),
    (lambda folder: (folder / "manifest.json").unlink(), "there is no"),
    (lambda folder: (folder / "manifest.json").write_bytes(b"{}"), "is no manifest"),
    (lambda folder: (folder / "manifest.json").write_bytes(b"[" * 100000), "is no manifest"),
    (lambda folder: (folder / "manifest.json").write_bytes(b"\xff"), "is no manifest"),
    (lambda folder: (folder / "manifest.json.minisig").write_bytes(bytes(100_000)), "has more than 65,536 bytes"),
    (lambda folder: (folder / "manifest.json.minisig").write_bytes(b"\xff"), "is not a signature"),
]


@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_a_folder_that_was_changed_proves_nothing(
    taplogs: Command, folder: Path, change: Callable[[Path], Any], told: str
) -> None:
    change(folder)
    finished = taplogs.here("prove", str(folder), "--id", "entry-00042")
    assert (finished.code, finished.out) == (8, "")
    assert told in finished.err


def test_a_changed_folder_does_not_say_that_a_record_is_missing(folder: Path) -> None:
    change_a_byte(folder)
    with pytest.raises(VerificationFailed):
        prove(folder, entry_id="none")
    with pytest.raises(VerificationFailed):
        prove(folder, row=121)


def test_an_id_within_a_payload_is_not_the_records_own(taplogs: Command) -> None:
    with running_backend(taplogs.folder / "logs.db") as backend:
        backend.store.add([log_entry(1, request_payload=payload('{"id":"inner","x":1}'))])
        assert taplogs.at(backend).run("export", *DAY, "-o", "export").code == 0
    with pytest.raises(EntryNotFound):
        prove(taplogs.folder / "export", entry_id="inner")


# proofs of others


@pytest.fixture(scope="module")
def made(export: Path) -> Proof:
    return prove(export, row=42)


def signed_with(made: Proof, key: SecretKey, **changes: Any) -> Proof:
    """Return a proof whose manifest was changed and signed again by a key."""
    manifest = decode_manifest(made.manifest.encode())
    merkle = replace(manifest.merkle, **changes)
    text = replace(manifest, merkle=merkle).encode()
    return replace(made, manifest=text.decode(), signature=key.sign(text, "").decode())


FORGERIES: list[tuple[Callable[[Proof], Proof], list[str]]] = [
    (lambda made: replace(made, record=made.record.replace("192.0.2.1", "192.0.2.2")), ["merkle_root"]),
    (lambda made: replace(made, record=made.record.replace('{"id"', '{ "id"')), ["record_malformed", "merkle_root"]),
    (lambda made: replace(made, record="\x01"), ["record_malformed", "merkle_root"]),
    (lambda made: replace(made, record="[" * 100_000), ["record_malformed", "merkle_root"]),
    (lambda made: replace(made, record=made.record + "\n"), ["record_malformed", "merkle_root"]),
    (lambda made: replace(made, index=40), ["merkle_root"]),
    (lambda made: replace(made, index=120), ["path_malformed"]),
    (lambda made: replace(made, index=2**63), ["path_malformed"]),
    (lambda made: replace(made, size=121), ["merkle_size"]),
    (lambda made: replace(made, size=0), ["merkle_size"]),
    (lambda made: replace(made, path=made.path[:-1]), ["path_malformed"]),
    (lambda made: replace(made, path=[*made.path, made.path[0]]), ["path_malformed"]),
    (lambda made: replace(made, path=made.path * 10_000), ["path_malformed"]),
    (lambda made: replace(made, path=[made.path[0].upper(), *made.path[1:]]), ["path_malformed"]),
    (lambda made: replace(made, path=[made.path[0] + "\n", *made.path[1:]]), ["path_malformed"]),
    (lambda made: replace(made, path=made.path[::-1]), ["merkle_root"]),
    (lambda made: replace(made, manifest="{}"), ["manifest_malformed", "signature_wrong"]),
    (lambda made: replace(made, manifest=made.manifest + " "), ["manifest_malformed", "signature_wrong"]),
    (lambda made: replace(made, manifest="[" * 100_000), ["manifest_malformed", "signature_wrong"]),
    (lambda made: signed_with(made, generate(os.urandom)), ["signature_other_key"]),
    (lambda made: signed_with(made, SecretKey(KEY.public_key.key_id, bytes(32))), ["signature_wrong"]),
    (lambda made: signed_with(made, KEY, root="0" * 64), ["merkle_root"]),
    (lambda made: signed_with(made, KEY, size=119), ["merkle_size"]),
    (lambda made: signed_with(made, KEY, algorithm="sha1"), ["merkle_algorithm"]),
    (lambda made: replace(made, signature=None), ["signature_missing"]),
    (lambda made: replace(made, signature="x"), ["signature_malformed"]),
]


@pytest.mark.parametrize(("forge", "expected"), FORGERIES)
def test_a_forged_proof_is_found_out(made: Proof, forge: Callable[[Proof], Proof], expected: list[str]) -> None:
    forged = forge(made)
    check = check_proof(forged.encode(), KEY.public_key)
    assert codes(check) == expected
    assert check.level is None
    assert all(finding.message and finding.where for finding in check.findings)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'{"schema":"taplogs.proof/2","record":"","index":0,"size":0,"path":[],"manifest":"","signature":null}',
        b'{"schema":"taplogs.proof/1","record":"","index":-1,"size":0,"path":[],"manifest":"","signature":null}',
        b'{"schema":"taplogs.proof/1","record":"","index":1.0,"size":0,"path":[],"manifest":"","signature":null}',
        b'{"schema":"taplogs.proof/1","record":"\\ud800","index":0,"size":0,"path":[],"manifest":"","signature":null}',
    ],
)
def test_what_is_no_proof_is_told(text: bytes) -> None:
    assert codes(check_proof(text, None)) == ["proof_malformed"]


def test_what_is_no_signature_is_found_without_a_key_too(made: Proof) -> None:
    assert codes(check_proof(replace(made, signature="x").encode(), None)) == ["signature_malformed"]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 1_000_000, b'{"schema":"' + b"\xff"])
def test_nothing_of_a_parser_is_told(text: bytes) -> None:
    (finding,) = check_proof(text, None).findings
    assert not [word for word in ("codec", "recursion", "byte") if word in finding.message]


def test_a_proof_has_one_text_alone(made: Proof) -> None:
    text = made.encode()
    document = json.loads(text)
    assert check_proof(text[:-1], KEY.public_key).findings == []  # a shell takes the line feed away
    for other in (
        text + b"\n",
        b" " + text,
        json.dumps(document).encode(),
        json.dumps(document, separators=(",", ":"), sort_keys=True, indent=1).encode(),
        rfc8785.dumps(document | {"more": 1}),
        text.replace(b'{"index":41,', b'{"index":7,"index":41,'),
    ):
        assert codes(check_proof(other, KEY.public_key)) == ["proof_malformed"]


def test_a_proof_beyond_all_bounds_is_not_read() -> None:
    assert codes(check_proof(bytes(MOST_PROOF_BYTES + 1), None)) == ["proof_malformed"]


@settings(max_examples=300)
@given(data=st.data())
def test_a_changed_byte_of_a_proof_is_found(made: Proof, data: st.DataObject) -> None:
    text = bytearray(made.encode()[:-1])
    comment = text.index(b"untrusted comment: ") + 19
    unsigned = range(comment, text.index(b"\\n", comment))
    place = data.draw(st.integers(0, len(text) - 1).filter(lambda place: place not in unsigned))
    text[place] ^= data.draw(st.integers(1, 255))
    assert check_proof(bytes(text), KEY.public_key).findings


@given(st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode))
def test_hostile_bytes_are_findings_and_nothing_else(text: bytes) -> None:
    assert codes(check_proof(text, KEY.public_key)) == ["proof_malformed"]
