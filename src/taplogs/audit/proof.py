"""One record of an export, shown without the others, and the check of it: offline, and without the folder.

A proof holds the record's line, its path up the Merkle tree, and the manifest that names the root, with its signature.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from taplogs.audit.canonical import canonical_json, fault_of_json, record_lines
from taplogs.audit.finding import Finding
from taplogs.audit.keys import PublicKey
from taplogs.audit.manifest import MERKLE_ALGORITHM, Manifest, decode_manifest
from taplogs.audit.merkle import leaf_hash, root_from_path
from taplogs.audit.signature import BadSignature, parse_signature
from taplogs.core.decoding import MalformedBody, decode_entry
from taplogs.core.entry import LogEntry

SCHEMA = "taplogs.proof/1"

MOST_PROOF_BYTES = 320 << 20
"""Enough for the longest record, every quote in it escaped."""

_LONGEST_PATH = 64

Level = Literal["integrity", "signed"]


class Proof(Struct, frozen=True, forbid_unknown_fields=True):
    """`record` is the line of `index` (the first is 0) among `size`; `path` leads up to the root, in hexadecimal.

    `manifest` and `signature` are the texts of their files, byte for byte.
    """

    schema: str
    record: str
    index: Annotated[int, Meta(ge=0)]
    size: Annotated[int, Meta(ge=0)]
    path: list[str]
    manifest: str
    signature: str | None

    def encode(self) -> bytes:
        """Return its canonical bytes (RFC 8785) and a line feed; raises ValueError for a lone surrogate."""
        return canonical_json(msgspec.to_builtins(self)) + b"\n"


class ProofCheck(Struct, frozen=True):
    """What a proof has shown: that holds where there are no findings.

    `level` is what it then reaches: `signed` by the given key, or mere `integrity`, which anybody could have made.
    `is_signed` says only that there is a signature.
    """

    findings: list[Finding]
    level: Level | None = None
    entry: LogEntry | None = None
    index: int | None = None
    manifest: Manifest | None = None
    trusted_comment: str | None = None
    is_signed: bool = False


def check_proof(text: bytes, public_key: PublicKey | None) -> ProofCheck:
    """Return what a proof shows, whoever made it; with a key only what that key has signed holds.

    Nothing is raised for what is wrong with it: that stands in the findings.
    """
    try:
        proof = _decode(text)
    except ValueError as error:
        return ProofCheck([Finding("proof_malformed", "proof", f"this is no proof of taplogs: {error}")])
    findings = []
    entry, manifest, comment = _entry_of(proof.record), None, None
    if entry is None:
        findings.append(Finding("record_malformed", "record", "the record is not the canonical line of a log entry"))
    try:
        manifest = decode_manifest(proof.manifest.encode("utf-8"))
    except ValueError as error:
        findings.append(Finding("manifest_malformed", "manifest", f"it is no manifest: {error}"))
    if manifest is not None:
        findings += _path_findings(proof, manifest)
    try:
        comment = _verified_comment(proof, public_key)
    except BadSignature as error:
        findings.append(Finding(error.fault, "signature", f"the manifest is not proven: {error.message}"))
    level: Level = "integrity" if public_key is None else "signed"
    is_signed = proof.signature is not None
    return ProofCheck(findings, None if findings else level, entry, proof.index, manifest, comment, is_signed)


def _decode(text: bytes) -> Proof:
    """Return the proof that a text is; raises ValueError."""
    if len(text) > MOST_PROOF_BYTES:
        raise ValueError(f"it has more than {MOST_PROOF_BYTES >> 20} MiB")
    try:
        proof = msgspec.json.decode(text, type=Proof)
    except (ValueError, RecursionError) as error:
        raise ValueError(fault_of_json(error)) from None
    if proof.schema != SCHEMA:
        raise ValueError(f"its schema is {proof.schema!r}, not {SCHEMA!r}")
    if proof.encode() != text.removesuffix(b"\n") + b"\n":
        raise ValueError("its bytes are not canonical JSON (RFC 8785)")
    return proof


def _entry_of(record: str) -> LogEntry | None:
    line = record.encode("utf-8")
    try:
        entry = decode_entry(line)
    except MalformedBody:
        return None
    return entry if record_lines([entry]) == [line] else None


def _path_findings(proof: Proof, manifest: Manifest) -> list[Finding]:
    merkle = manifest.merkle
    if merkle.algorithm != MERKLE_ALGORITHM:
        return [Finding("merkle_algorithm", "manifest", f"the tree is of another kind: {merkle.algorithm!r}")]
    if proof.size != merkle.size:
        message = f"the proof is about {proof.size:,} records, the manifest about {merkle.size:,}"
        return [Finding("merkle_size", "size", message)]
    try:
        path = [_digest(text) for text in proof.path[: _LONGEST_PATH + 1]]
        root = root_from_path(leaf_hash(proof.record.encode("utf-8")), proof.index, proof.size, path)
    except ValueError as error:
        return [Finding("path_malformed", "path", f"the path leads nowhere: {error}")]
    if root.hex() != merkle.root:
        return [Finding("merkle_root", "path", "the record is not in the export: its path leads to another root")]
    return []


def _digest(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("a hash is not 64 hexadecimal digits in lower case")
    return bytes.fromhex(text)


def _verified_comment(proof: Proof, public_key: PublicKey | None) -> str | None:
    """Return the trusted comment, None without a key; raises BadSignature where it does not hold, or never could."""
    if public_key is None:
        if proof.signature is not None:
            parse_signature(proof.signature.encode("utf-8"))
        return None
    if proof.signature is None:
        raise BadSignature("signature_missing", "it is not signed")
    return public_key.verify(proof.manifest.encode("utf-8"), proof.signature.encode("utf-8"))
