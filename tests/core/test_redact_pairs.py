"""Names that stand as values beside what they name: both profiles hide the value as if it stood under the name."""

from __future__ import annotations

import pytest
from core_strategies import entry
from msgspec import Raw
from test_redact import with_labels

from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import built_in, parse_profile

KEY = b"k" * 32


def payload(text: str, profile: str = "personal") -> str:
    redacted = Redactor(built_in(profile), KEY).redact(entry(request_payload=Raw(text.encode())))
    return with_labels(bytes(redacted.request_payload).decode())


@pytest.mark.parametrize("profile", ["secrets", "personal"])
@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"name":"Authorization","value":"x"}', '{"name":"Authorization","value":"[redacted]"}'),
        ('{"name":"X-Auth-Token","value":"x"}', '{"name":"X-Auth-Token","value":"[redacted]"}'),
        ('{"value":"x","key":"password"}', '{"value":"[redacted]","key":"password"}'),
        ('{"field":"password","value":12345}', '{"field":"password","value":"[redacted]"}'),
        ('{"value":{"a":["x"]},"name":"apiKey"}', '{"value":{"a":["[redacted]"]},"name":"apiKey"}'),
        (
            '{"op":"replace","path":"/user/password","value":"x"}',
            '{"op":"replace","path":"/user/password","value":"[redacted]"}',
        ),
        ('[ ["password" , "x"], ["a","y"]]', '[ ["password" , "[redacted]"], ["a","y"]]'),
        (
            '{"body":"[{\\"name\\":\\"password\\",\\"value\\":\\"x\\"}]"}',
            '{"body":"[{\\"name\\":\\"password\\",\\"value\\":\\"[redacted]\\"}]"}',
        ),
        ('{"name":"nextPageToken","value":"x"}', '{"name":"nextPageToken","value":"x"}'),
        ('{"field":"status","value":"open"}', '{"field":"status","value":"open"}'),
        ('{"field":"password","message":"too short"}', '{"field":"password","message":"too short"}'),
    ],
)
def test_what_is_named_beside_a_secret_is_masked(profile: str, text: str, redacted: str) -> None:
    expected = redacted
    if profile == "personal" and '"name":"nextPageToken"' in text:
        expected = '{"name":"<name>","value":"x"}'
    assert payload(text, profile) == expected


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"name":"email","value":"x"}', '{"name":"email","value":"<person>"}'),
        ('{"Name":"First Name","Value":"x"}', '{"Name":"First Name","Value":"<name>"}'),
        ('{"type":"skype","value":"x"}', '{"type":"skype","value":"<person>"}'),
        ('{"question":"Your phone","answer":"x"}', '{"question":"Your phone","answer":"<phone>"}'),
        ('{"name":"Amara","value":"x"}', '{"name":"<name>","value":"x"}'),
        ('{"name":"Al-Shaiban","value":"x"}', '{"name":"<name>","value":"<account>"}'),
        ('{"name":"Amara Email","value":1}', '{"name":"<name>","value":"<person>"}'),
        ('{"name":"email"}', '{"name":"<name>"}'),
        ('{"name":{"x":"city"},"key":"email","value":1}', '{"name":{"x":"<name>"},"key":"email","value":"<person>"}'),
        ('[["firstName","Amara"],["age",42]]', '[["firstName","<name>"],["age","<birth>"]]'),
        (
            '{"sort":[["name","email"]],"required":["email","phone"]}',
            '{"sort":[["name","email"]],"required":["email","phone"]}',
        ),
    ],
)
def test_what_is_named_beside_personal_data_has_a_pseudonym(text: str, redacted: str) -> None:
    assert payload(text) == redacted


def test_the_rejected_value_of_a_field_is_one_of_it() -> None:
    answer = b'{"errors":[{"field":"email","rejectedValue":"x","message":"is no address"}]}'
    it = entry(status_code=422, response_payload=Raw(answer))
    redacted = bytes(Redactor(built_in("personal"), KEY).redact(it).response_payload).decode()
    assert with_labels(redacted) == answer.decode().replace('"x"', '"<person>"')


def test_a_place_goes_before_the_name_beside_it() -> None:
    profile = parse_profile({"extends": "personal", "paths": [{"path": "$..value", "label": "custom"}]}, "own")
    it = entry(request_payload=Raw(b'{"name":"email","value":"x"}'))
    redacted = bytes(Redactor(profile, KEY).redact(it).request_payload).decode()
    assert with_labels(redacted) == '{"name":"email","value":"<custom>"}'
