"""Redaction of what was not made for it: the demo's entries, naughty strings, the JSON test suite, a real access log."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from core_strategies import entry
from msgspec import Raw

from taplogs.core.decoding import MalformedBody, decode_entry, decode_lines
from taplogs.core.entry import LogEntry, encode_entries, encode_entry
from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import built_in

DATA = Path(__file__).parent.parent / "data"
NAUGHTY: list[str] = json.loads((DATA / "blns" / "blns.json").read_text("utf-8"))
SUITE = {
    name: zlib.decompress(base64.b64decode(text))
    for name, text in json.loads((DATA / "json-test-suite" / "parsing.json").read_text("utf-8")).items()
}
KEY = b"k" * 32


@pytest.mark.parametrize("profile", ["secrets", "personal"])
def test_naughty_strings_are_hidden_under_names_and_harm_nothing_elsewhere(profile: str) -> None:
    redactor = Redactor(built_in(profile), KEY)
    for text in NAUGHTY:
        body = json.dumps({"a": text, text: [text], "password": text}).encode()
        it = entry(request_payload=Raw(body), request_url=text, user_agent=text, client_id=text)
        redacted = redactor.redact(it)
        assert redactor.redact(redacted) == redacted
        assert decode_entry(encode_entry(redacted)) == redacted
        if text.strip():
            assert json.loads(bytes(redacted.request_payload))["password"] == "[redacted]"


@pytest.mark.parametrize("profile", ["secrets", "personal"])
def test_every_payload_that_is_json_stays_json(profile: str) -> None:
    redactor = Redactor(built_in(profile), KEY)
    for body in SUITE.values():
        line = encode_entry(entry())
        line = line.replace(b'"requestPayload":null', b'"requestPayload":{"email":"x","a":' + body + b"}")
        try:
            it = decode_entry(line)
        except MalformedBody:
            continue
        redacted = redactor.redact(it)
        assert redactor.redact(redacted) == redacted
        assert decode_entry(encode_entry(redacted)).id == it.id
        assert (b'"email":"x"' in encode_entry(redacted)) == (profile == "secrets")


def test_a_real_access_log_has_no_secrets_and_hardly_any_personal_data() -> None:
    found = decode_lines(gzip.decompress((DATA / "requests-2015.jsonl.gz").read_bytes()))
    masked = Redactor(built_in("secrets"), KEY)
    masked.redact_all(found)
    hidden = Redactor(built_in("personal"), KEY)
    changed = sum(before != after for before, after in zip(found, hidden.redact_all(found), strict=True))
    assert masked.counts.total() < 10
    assert changed < 0.2 * len(found)
