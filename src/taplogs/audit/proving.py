"""Makes the proof of one record: the records are read once, and the path is found on the way."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from taplogs.audit.evidence_file import BrokenLine, line_blocks, open_evidence, read_evidence
from taplogs.audit.manifest import MERKLE_ALGORITHM, MOST_MANIFEST_BYTES, Manifest, decode_manifest
from taplogs.audit.merkle import MerkleTree, PathBuilder, leaf_hash, root_from_path
from taplogs.audit.proof import SCHEMA, Proof
from taplogs.audit.signature import MOST_SIGNATURE_BYTES
from taplogs.core.export_names import MANIFEST, RECORDS, SIGNATURE
from taplogs.errors import EntryNotFound, VerificationFailed
from taplogs.output.json_text import encoded
from taplogs.output.wording import counted


def prove(folder: Path, *, entry_id: str | None = None, row: int | None = None) -> Proof:
    """Return the proof of the one record that has this id, or is in this row, the first of which is 1.

    Of the tree no more is kept than a hash for each level. Raises EntryNotFound where no record is meant, and
    VerificationFailed where the folder is not what its manifest says.
    """
    manifest_path, records = folder / MANIFEST, folder / RECORDS
    manifest_text = read_evidence(manifest_path, MOST_MANIFEST_BYTES)
    try:
        manifest = decode_manifest(manifest_text)
    except ValueError as error:
        raise VerificationFailed(f"{manifest_path} is no manifest: {error}") from None
    try:
        found = _look_for(_Wanted(entry_id, row), records)
    except BrokenLine as error:
        raise VerificationFailed(f"{records}: {error.message}") from None
    _compare(manifest, found.size, found.root(), records)
    if found.path is None:
        meant = f"has the id {entry_id!r}" if row is None else f"is in row {row:,}"
        raise EntryNotFound(
            f"no record of {folder} {meant}", f"it has {counted(found.size, 'record')}, and is unchanged"
        )
    try:
        record = found.line.decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationFailed(f"{records}: record {found.path.index + 1:,} is not text in UTF-8") from None
    signature = folder / SIGNATURE
    return Proof(
        SCHEMA,
        record,
        found.path.index,
        found.path.size,
        [digest.hex() for digest in found.path.path()],
        manifest_text.decode("utf-8"),
        _signature_text(signature) if os.path.lexists(signature) else None,
    )


class _Wanted(Struct, frozen=True):
    """Which record is looked for: that with an id, or that in a row."""

    entry_id: str | None
    row: int | None

    def among(self, block: bytes, lines: list[bytes], first: int) -> list[int]:
        """Return which lines of a block it is: none, one, or by mistake several. The first of them is row `first`."""
        if self.row is not None:
            return [self.row - first] if first <= self.row < first + len(lines) else []
        beginning = b'{"id":' + encoded(self.entry_id) + b","
        if beginning not in block:
            return []
        return [number for number, line in enumerate(lines) if line.startswith(beginning)]


class _Search:
    """A tree that grows up to the record that is looked for, and from there on its path."""

    def __init__(self) -> None:
        self.line = b""
        self.path: PathBuilder | None = None
        self._tree = MerkleTree()

    @property
    def size(self) -> int:
        return self.path.size if self.path else self._tree.size

    def root(self) -> bytes:
        if self.path is None:
            return self._tree.root()
        return root_from_path(leaf_hash(self.line), self.path.index, self.path.size, self.path.path())

    def pass_by(self, lines: list[bytes]) -> None:
        (self.path or self._tree).extend(lines)

    def find(self, line: bytes) -> None:
        self.line = line
        self.path = PathBuilder(self._tree)


def _look_for(wanted: _Wanted, records: Path) -> _Search:
    search = _Search()
    with open_evidence(records) as file:
        for block in line_blocks(file):
            lines = block[:-1].split(b"\n")
            found = wanted.among(block, lines, search.size + 1)
            if len(found) + bool(search.path) > 1 and found:
                raise VerificationFailed(f"{records}: several records have the id {wanted.entry_id!r}")
            for number in found:
                search.pass_by(lines[:number])
                search.find(lines[number])
                lines = lines[number + 1 :]
            search.pass_by(lines)
    return search


def _compare(manifest: Manifest, size: int, root: bytes, records: Path) -> None:
    """Raise VerificationFailed where the manifest speaks of another tree."""
    named = manifest.merkle
    if named.algorithm != MERKLE_ALGORITHM:
        raise VerificationFailed(f"the manifest names a tree of another kind: {named.algorithm!r}")
    if named.size != size:
        raise VerificationFailed(f"{records} has {counted(size, 'record')}, but the manifest names {named.size:,}")
    if named.root != root.hex():
        raise VerificationFailed(
            f"{records} was changed: the root of its records is not that in the manifest",
            "'taplogs verify' on the folder says more",
        )


def _signature_text(path: Path) -> str:
    try:
        return read_evidence(path, MOST_SIGNATURE_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationFailed(f"{path} is not a signature of minisign: it is not text in UTF-8") from None
