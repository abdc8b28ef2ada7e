"""What the tests of `export` share: a finished folder, looked at with other tools than taplogs' own."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymerkle
import rfc8785

from command import Command, Finished
from faulty_server import served
from serving import Backend
from taplogs.backend.app import create_app
from taplogs.core.entry import LogEntry, encode_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PSEUDONYM_KEY = {"TAPLOGS_PSEUDONYM_KEY": "0123456789abcdef" * 4}
HASTY = [sys.executable, "-m", "export_in_haste"]
"""The program with a clock that runs fast: an export keeps what it has with every batch."""


class Exported:
    """The folder of a finished export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = (folder / "manifest.json").read_bytes()
        self.manifest: dict[str, Any] = json.loads(self.text)
        self.records = (folder / "records.jsonl").read_bytes()

    @property
    def ids(self) -> list[str]:
        return [json.loads(line)["id"] for line in self.records.splitlines()]

    @property
    def completeness(self) -> dict[str, Any]:
        part: dict[str, Any] = self.manifest["completeness"]
        return part

    @property
    def rows(self) -> list[dict[str, str]]:
        """records.csv as Python's csv reads it."""
        return list(csv.DictReader(io.StringIO((self.folder / "records.csv").read_text("utf-8"), newline="")))

    def assert_consistent(self) -> None:
        """Assert, with nothing of taplogs, that the manifest is canonical and says what the files are."""
        manifest = self.manifest
        assert rfc8785.dumps(manifest) == self.text
        names = {path.name for path in self.folder.iterdir()}
        assert names - {"manifest.json.minisig"} == {"manifest.json", *(file["name"] for file in manifest["files"])}
        for file in manifest["files"]:
            content = (self.folder / file["name"]).read_bytes()
            assert (file["bytes"], file["sha256"]) == (len(content), sha256(content).hexdigest())
            assert file["rows"] == self.completeness["rows"]
        lines = self.records.split(b"\n")
        assert lines.pop() == b""
        assert len(lines) == self.completeness["rows"] == manifest["merkle"]["size"]
        assert manifest["merkle"]["root"] == root_of(lines)
        keys = [(row["timestamp"], row["id"]) for row in map(json.loads, lines)]
        assert all(before < after for before, after in pairwise(keys))
        ends = [{"timestamp": time, "id": name} for time, name in (keys[0], keys[-1])] if keys else [None, None]
        assert [self.completeness["first"], self.completeness["last"]] == ends


def root_of(lines: list[bytes]) -> str:
    """Return the Merkle root as another library computes it."""
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for line in lines:
        tree.append_entry(line)
    return bytes(tree.get_root()).hex() if lines else sha256(b"").hexdigest()


def lines_of(entries: Iterable[LogEntry]) -> bytes:
    """Return entries as lines in total order, for an export without redaction."""
    return b"".join(encode_entry(entry) + b"\n" for entry in sorted(entries, key=lambda entry: entry.sort_key))


@contextmanager
def slow_backend(backend: Backend, seconds: float = 0.003, size: int = 1 << 14) -> Iterator[dict[str, str]]:
    """Serve the same store so slowly that a run can be caught at it; gives the variables of its URL and key."""
    with served(_slow(create_app(backend.store, keys=backend.keys), seconds, size)) as url:
        yield {"TAPLOGS_BASE_URL": url, "TAPLOGS_API_KEY": backend.key}


def _slow(application: WSGIApplication, seconds: float, size: int) -> WSGIApplication:
    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.pop("HTTP_ACCEPT_ENCODING", None)
        for chunk in application(environ, start_response):
            for start in range(0, len(chunk), size):
                time.sleep(seconds)
                yield chunk[start : start + size]

    return slow


def start(command: Command, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start words that are not `taplogs` itself in its surroundings."""
    return subprocess.Popen(
        words,
        env=command.environ(env),
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> Finished:
    """Wait for a process, and return how it ended."""
    out, err = process.communicate(timeout=60)
    return Finished(process.returncode, out.decode(), err.decode())
