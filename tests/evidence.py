"""Three signed exports in a chain, made by the command, and ways of tampering with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785

from command import Command
from exported import root_of
from serving import log_entry, payload, running_backend

NAMES = ("one", "two", "three")
BOUNDS = ("2026-11-01T00:00:40", "2026-11-01T00:01:10", "2026-11-01T00:02:00")


def make_chain(folder: Path) -> None:
    """Make the exports `one`, `two` and `three`, and the key pairs `k.key`, `k.pub` and `other.key`, `other.pub`."""
    taplogs = Command(folder)
    for name in ("k", "other"):
        assert taplogs.here("keygen", "--no-passphrase", "-s", str(folder / f"{name}.key")).code == 0
    body = {"request_payload": payload('{"stage":"offer","note":"=1+1"}'), "user_agent": "=cmd|x"}
    with running_backend(folder / "logs.db") as backend:
        backend.store.add([log_entry(number, **(body if number % 5 == 0 else {})) for number in range(1, 101)])
        for name, until, before in zip(NAMES, BOUNDS, (None, *NAMES), strict=False):
            chain = ("--chain", str(folder / before)) if before else ()
            words = ("export", "-o", str(folder / name), "--until", until, "--sign-key", str(folder / "k.key"), *chain)
            run = taplogs.at(backend).here(*words, "--redact", "secrets")
            assert run.code == 0, run.err


class Evidence:
    """The folder of one export, and what a forger may do with it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)

    @property
    def manifest(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.read("manifest.json"))
        return document

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        self.write("manifest.json", rfc8785.dumps(manifest))

    @property
    def lines(self) -> list[bytes]:
        return self.read("records.jsonl").splitlines(keepends=True)

    def forge(self, lines: list[bytes], **told: Any) -> None:
        """Put other records in their place, as somebody who makes all digests and counts fit; the table goes."""
        manifest = self.manifest
        text = b"".join(lines)
        self.write("records.jsonl", text)
        (self.path / "records.csv").unlink(missing_ok=True)
        rows = len(lines)
        entries = [json.loads(line) for line in lines]
        ends = [{"timestamp": entry["timestamp"], "id": entry["id"]} for entry in (entries[0], entries[-1])]
        manifest["csv"] = None
        manifest["files"] = [
            {"name": "records.jsonl", "bytes": len(text), "rows": rows, "sha256": sha256(text).hexdigest()}
        ]
        manifest["merkle"] |= {"size": rows, "root": root_of([line[:-1] for line in lines])}
        manifest["completeness"] |= {"rows": rows, "first": ends[0], "last": ends[1]}
        manifest["completeness"] |= {"backendCountBefore": rows, "backendCountAfter": rows}
        self.write_manifest({**manifest, **told})


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every leaf of a JSON document with the way to it."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list) and value:
        for index, member in enumerate(value):
            yield from leaves(member, (*path, index))
    else:
        yield path, value


def changed(document: Any, path: tuple[str | int, ...], change: Callable[[Any], Any]) -> Any:
    """Return a document with one leaf changed."""
    if not path:
        return change(document)
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = changed(document[path[0]], path[1:], change)
    return copy


def another(value: Any) -> Any:
    """Return another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return ("b" if value[:1] == "a" else "a") + value[1:]
        case None:
            return "a"
        case _:
            return {**value, "a": 1} if isinstance(value, dict) else [*value, "a"]
