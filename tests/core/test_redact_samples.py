"""Redaction of what was not made for it: the demo's entries, naughty strings, the JSON test suite, a real log."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from core_strategies import entry
from msgspec import Raw

from taplogs.backend.sample import sample_entries
from taplogs.core.decoding import MalformedBody, decode_entry, decode_lines
from taplogs.core.entry import encode_entries, encode_entry
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


def scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from scalars(inner)
    elif isinstance(value, str):
        yield value


def test_nothing_of_the_demos_candidates_is_left_and_each_has_one_pseudonym() -> None:
    since = datetime(2026, 11, 4, 6, tzinfo=UTC)
    found = list(sample_entries(since, since + timedelta(hours=12)))
    redactor = Redactor(built_in("personal"), KEY)
    redacted = redactor.redact_all(found)
    lines = unquote_plus(encode_entries(redacted).decode("utf-8"))
    words = set(re.findall(r"[\w'.@+-]+", lines.casefold()))
    pairs: dict[str, set[str]] = {}
    for before, after in zip(found, redacted, strict=True):
        for field in ("request_payload", "response_payload"):
            body, shown = (json.loads(bytes(getattr(it, field))) for it in (before, after))
            if not isinstance(body, dict):
                continue
            for name in {"firstName", "lastName", "email", "phone", "dateOfBirth", "profileUrl"} & body.keys():
                pairs.setdefault(body[name], set()).add(shown[name])
                assert body[name].casefold() not in words
            for name in {"email", "resumeUrl", "profileUrl", "resumes"} & body.keys():
                assert [text for text in scalars(body[name]) if f'"{text}"' in lines] == []
    assert len(pairs) > 200
    assert {len(shown) for shown in pairs.values()} == {1}
    assert len({next(iter(shown)) for shown in pairs.values()}) == len(pairs)
