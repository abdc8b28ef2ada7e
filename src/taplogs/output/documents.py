"""Single entries for programs: JSON, a curl command, a HTTP Archive, a bare payload; one function each."""

from __future__ import annotations

import json
from collections.abc import Callable

from msgspec import Raw

from taplogs.core.entry import LogEntry, encode_entry, has_payload, is_text, payload_text
from taplogs.errors import TaplogsError
from taplogs.output.curl import curl_command
from taplogs.output.har import har_document
from taplogs.output.json_text import indented
from taplogs.output.terminal import Output, harmless_json

Entries = list[LogEntry]


def write_json(entries: Entries, output: Output) -> None:
    """Write each entry as an indented JSON object."""
    for entry in entries:
        _write_json_text(indented(encode_entry(entry)), output)


def write_curl(entries: Entries, output: Output, may_take_key: Callable[[str], bool]) -> None:
    """Write each request as a curl command, a blank line between two; `may_take_key` judges the URL."""
    ascii_only = output.screen.is_terminal and not output.screen.unicode
    commands = [
        curl_command(entry, with_key=may_take_key(entry.request_url), ascii_only=ascii_only) for entry in entries
    ]
    output.write(("\n\n".join(commands) + "\n").encode("utf-8"))


def write_har(entries: Entries, output: Output) -> None:
    """Write one HAR document of all entries."""
    document = har_document(entries)
    try:
        text = json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: JSON has an escape for it, UTF-8 has not
        text = json.dumps(document, indent=2).encode("ascii")
    _write_json_text(text, output)


def write_request(entries: Entries, output: Output) -> None:
    """Write the request payload of each entry."""
    for entry in entries:
        _write_payload(entry.request_payload, f"entry {entry.id} has no request payload", None, output)


def write_response(entries: Entries, output: Output) -> None:
    """Write the response payload of each entry."""
    for entry in entries:
        kept = "the platform stores a response only where the status is not 200"
        _write_payload(entry.response_payload, f"entry {entry.id} has no response payload", kept, output)


DOCUMENTS: dict[str, Callable[[Entries, Output], None]] = {
    "json": write_json,
    "har": write_har,
    "request": write_request,
    "response": write_response,
}


def _write_payload(payload: Raw, missing: str, hint: str | None, output: Output) -> None:
    """Write JSON indented, and a payload that is text as that text."""
    if not has_payload(payload):
        raise TaplogsError(missing, hint)
    if not is_text(payload):
        _write_json_text(indented(bytes(payload)), output)
        return
    text = payload_text(payload)
    if output.screen.is_terminal:
        output.write_lines(map(output.screen.clean, text.split("\n")))
    else:
        output.write(text.encode("utf-8", "backslashreplace") + b"\n")


def _write_json_text(text: bytes, output: Output) -> None:
    if output.screen.is_terminal:
        text = harmless_json(text, ascii_only=not output.screen.unicode)
    output.write(text + b"\n")
