"""What is hidden in entries: by name, by place, by pattern, in payloads of any shape, in URLs, in what repeats them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from core_strategies import entry
from msgspec import Raw

from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import built_in, parse_profile

KEY = b"k" * 32


def with_labels(text: str) -> str:
    """Return a text with pseudonyms as their labels alone."""
    return re.sub(r"(?<![a-z])([a-z]+)-[0-9a-f]{16}(?![0-9a-f])", r"<\1>", text)


def payload(text: str, *, profile: str = "personal", **fields: Any) -> str:
    """Return a request payload, redacted."""
    redacted = Redactor(built_in(profile), KEY).redact(entry(request_payload=Raw(text.encode()), **fields))
    return with_labels(bytes(redacted.request_payload).decode())


def url(text: str, profile: str = "personal") -> str:
    return with_labels(Redactor(built_in(profile), KEY).redact(entry(request_url=text)).request_url)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "userPassword",
        "db_password",
        "DB-PASSWORD",
        "Access Token",
        "refreshToken",
        "x-api-key",
        "clientSecret",
        "authorization",
        "sessionId",
        "credentials",
        "otp",
        "privateKey",
        "auth.token",
        "filter[token]",
        "password2",
    ],
)
def test_a_secret_is_known_by_its_name_in_any_style(name: str) -> None:
    assert payload(json.dumps({name: "x", "a": "x"}), profile="secrets") == json.dumps({name: "[redacted]", "a": "x"})


@pytest.mark.parametrize(
    "name", ["pageToken", "next_page_token", "tokenType", "passwordResetAt", "secretary", "monkey"]
)
def test_a_name_that_only_resembles_one_of_a_secret_is_none(name: str) -> None:
    assert payload(json.dumps({name: "x"}), profile="secrets") == json.dumps({name: "x"})


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("firstName", "name"),
        ("last_name", "name"),
        ("Full-Name", "name"),
        ("candidateFirstName", "name"),
        ("displayname", "name"),
        ("EMAIL", "person"),
        ("work_email", "person"),
        ("e-mail", "person"),
        ("username", "person"),
        ("phone", "phone"),
        ("mobileNumber2", "phone"),
        ("dob", "birth"),
        ("date_of_birth", "birth"),
        ("address", "address"),
        ("postalCode", "address"),
        ("addressLine1", "address"),
        ("nationality", "trait"),
        ("gender", "trait"),
        ("resume", "document"),
        ("coverLetter", "document"),
        ("linkedInUrl", "link"),
        ("profile_url", "link"),
        ("SSN", "identity"),
        ("passport_number", "identity"),
        ("bankAccount", "account"),
        ("ｅｍａｉｌ", "person"),
    ],
)
def test_personal_data_are_known_by_their_names_in_any_style(name: str, label: str) -> None:
    assert json.loads(payload(json.dumps({name: "x1"}))) == {name: f"<{label}>"}


@pytest.mark.parametrize(
    "name", ["ipAddress", "country", "location", "title", "hostname", "skills", "source", "phonetic"]
)
def test_names_of_other_things_are_none_of_personal_data(name: str) -> None:
    assert payload(json.dumps({name: "x1"})) == json.dumps({name: "x1"})


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (
            '{"address":{"city":"x","geo":[1.5,{"a":"y"}]}}',
            '{"address":{"city":"<address>","geo":["<address>",{"a":"<address>"}]}}',
        ),
        ('{ "name" : "Amara" ,"n":1 }', '{ "name" : "<name>" ,"n":1 }'),
        ('{"name":null,"email":"","phone":true,"age":42}', '{"name":null,"email":"","phone":true,"age":"<birth>"}'),
        ('{"a":1.50e+400,"name":"x","b":-0}', '{"a":1.50e+400,"name":"<name>","b":-0}'),
        (r'{"first\u004eame":"A\u006dara"}', r'{"first\u004eame":"<name>"}'),
        ('{"name":"a","name":"b"}', '{"name":"<name>","name":"<name>"}'),
        (
            '["a@example.com",4111111111111111,12345678901234567890123]',
            '["<person>","<payment>",12345678901234567890123]',
        ),
        ('{"a@example.com":1}', '{"<person>":1}'),
        ('{"{":null,"name":"x"}', '{"{":null,"name":"<name>"}'),
        ('{"a":"","}":"]","name":"x"}', '{"a":"","}":"]","name":"<name>"}'),
        (r'{"body":"{\"name\":\"Amara\",\"n\":1}"}', r'{"body":"{\"name\":\"<name>\",\"n\":1}"}'),
        ('"name=Amara+Abebe&n=1"', '"name=<name>&n=1"'),
        ('"password=x"', '"password=[redacted]"'),
        (r'"line\nemail: a@example.com"', r'"line\nemail: <person>"'),
        ('"https://x.example/?q=Amara"', '"https://x.example/?q=<search>"'),
        ('{"query":"Amara"}', '{"query":"Amara"}'),
        (r'"\ud800 a@example.com"', r'"\ud800 <person>"'),
        ('{"candidate":{"location":"x"},"location":"x"}', '{"candidate":{"location":"<address>"},"location":"x"}'),
        ('{"apiKey":"sk_live_0123456789abcdefghWXYZ"}', '{"apiKey":"sk_live_…WXYZ"}'),
        ('{"username":"a@example.com"}', '{"username":"<person>"}'),
        ("true", "true"),
        ("[]", "[]"),
    ],
)
def test_of_a_payload_only_what_is_hidden_changes(text: str, redacted: str) -> None:
    assert payload(text) == redacted


def test_no_depth_is_too_deep() -> None:
    deep = '[{"a":' * 50_000 + '{"name":"Amara","b":1}' + "}]" * 50_000
    assert payload(deep) == deep.replace('"Amara"', '"<name>"')


def test_texts_within_texts_are_opened_a_few_times_then_hidden() -> None:
    nested = "https://x.example/?u=" * 50 + "a@example.com"
    assert "example.com" not in url(nested).removeprefix("https://x.example").replace("x.example", "")


def test_what_a_payload_cannot_be_read_as_is_hidden_as_a_whole() -> None:
    assert payload_of_bytes(b'{"name":"\xff"}') == '"[redacted]"'


def payload_of_bytes(raw: bytes) -> str:
    return bytes(Redactor(built_in("personal"), KEY).redact(entry(request_payload=Raw(raw))).request_payload).decode()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (
            "https://x.example/v1/candidates?email=a%40b.example&page=1",
            "https://x.example/v1/candidates?email=<person>&page=1",
        ),
        ("/c?filter[email]=x&filter%5Bname%5D=y", "/c?filter[email]=<person>&filter%5Bname%5D=<name>"),
        ("/c?candidate.email=x&email=y&email=z", "/c?candidate.email=<person>&email=<person>&email=<person>"),
        ("/c?search=data+analyst&&perPage=10", "/c?search=<search>&&perPage=10"),
        ("/c?phone=+442079460006&contact=+442079460006", "/c?phone=<phone>&contact=<phone>"),
        ("/c/by-email/a%40b.example/notes", "/c/by-email/<person>/notes"),
        ("/c/by-email/a@b.example", "/c/by-email/<person>"),
        ("https://joe:secret@x.example/", "https://joe:redacted@x.example/"),
        ("https://x.example/#access_token=abc&state=1", "https://x.example/#access_token=[redacted]&state=1"),
        ("/c;jsessionid=abc?a=%20b", "/c;jsessionid=[redacted]?a=%20b"),
        ("/c?data=%7B%22name%22%3A%22Amara%22%7D", "/c?data=%7B%22name%22%3A%22<name>%22%7D"),
        ("/c?next=%2Flogin%3Ftoken%3Dabc", "/c?next=%2Flogin%3Ftoken%3D[redacted]"),
        ("/c?X-Amz-Signature=abc&X-Amz-Date=1", "/c?X-Amz-Signature=[redacted]&X-Amz-Date=1"),
        ("/c?email&a=1", "/c?email&a=1"),
        ("/c?password=", "/c?password="),
        ("not a URL at all", "not a URL at all"),
        ("", ""),
    ],
)
def test_of_a_url_only_what_is_hidden_changes(text: str, redacted: str) -> None:
    assert url(text) == redacted


@pytest.mark.parametrize(
    ("method", "redacted"),
    [
        ("GET a@example.com", "GET <person>"),
        ("Bearer sk_live_ABCDEFGHIJKLMNOPQRSTUVWX", "Bearer sk_live_…UVWX"),
        ("Amara", "<name>"),
        ("PATCH", "PATCH"),
        ("PURGE", "PURGE"),
        ("", ""),
    ],
)
def test_a_method_is_redacted_like_any_text(method: str, redacted: str) -> None:
    it = entry(method=method, request_payload=Raw(b'{"firstName":"Amara"}'))
    assert with_labels(Redactor(built_in("personal"), KEY).redact(it).method) == redacted
    assert Redactor(built_in("none"), KEY).redact(it).method == method


def test_short_texts_are_redacted_and_the_identity_of_an_entry_is_not() -> None:
    it = entry(
        id="a@example.com",
        user_agent="bot (a@example.com)",
        client_id="a@example.com",
        company_id="token=abc",
        ip_address="192.0.2.1",
    )
    redacted = Redactor(built_in("personal"), KEY).redact(it)
    assert (redacted.id, redacted.timestamp, redacted.ip_address) == (
        it.id,
        it.timestamp,
        it.ip_address,
    )
    assert with_labels(f"{redacted.user_agent} {redacted.client_id} {redacted.company_id}") == (
        "bot (<person>) <person> token=[redacted]"
    )


def response(request: str, answer: str, **fields: Any) -> str:
    it = entry(request_payload=Raw(request.encode()), response_payload=Raw(answer.encode()), **fields)
    return bytes(Redactor(built_in("personal"), KEY).redact(it).response_payload).decode()


@pytest.mark.parametrize(
    ("request_payload", "answer", "redacted"),
    [
        (
            '{"firstName":"Amara"}',
            '{"message":"AMARA already exists, not Amaranth"}',
            "<name> already exists, not Amaranth",
        ),
        ('{"name":"Amara Abebe"}', r'{"message":"\nAmara Abebe."}', "\n<name>."),
        ('{"firstName":"Al"}', '{"message":"Al exists"}', "Al exists"),
        ('{"firstName":"Amara"}', '{"message":"Amara_1 and _Amara exist"}', "<name>_1 and _<name> exist"),
        ('{"houseNumber":"120"}', '{"message":"try in 120 s"}', "try in 120 s"),
        ('{"lastName":"O\'Connor"}', '{"message":"a O\'Connor exists"}', "a <name> exists"),
        ('{"name":' + '["Al A",' * 60 + '"Al Z"' + "]" * 60 + "}", '{"message":"Al Z exists"}', "<name> exists"),
        ('{"city":"x","firstName":"Ann","lastName":"Ann Bo"}', '{"message":"Ann Bo, Ann"}', "<name>, <name>"),
    ],
)
def test_a_response_does_not_repeat_what_is_hidden_in_the_request(
    request_payload: str, answer: str, redacted: str
) -> None:
    message = json.loads(response(request_payload, answer, status_code=409))["message"]
    assert with_labels(message) == redacted


@pytest.mark.parametrize(
    ("answer", "redacted"),
    [
        ('{"candidate":{"firstName":"Amara"},"message":"Hello Amara"}', "Hello <name>"),
        ('{"message":"Hello Amara","candidate":{"firstName":"Amara"}}', "Hello <name>"),
        ('{"candidates":[{"firstName":"Leila"},{"firstName":"Amara"}],"message":"AMARA, Leila"}', "<name>, <name>"),
        ('{"stage":{"name":"open"},"message":"open"}', "open"),
        ('{"message":"nobody is known"}', "nobody is known"),
    ],
)
def test_a_response_does_not_repeat_in_its_sentences_what_is_hidden_in_it(answer: str, redacted: str) -> None:
    assert with_labels(json.loads(response("null", answer))["message"]) == redacted


def test_a_request_does_not_repeat_what_is_hidden_behind_it() -> None:
    assert (
        payload('{"note2":1,"x":"Amara","firstName":"Amara"}')
        == '{"note2":"<document>","x":"<name>","firstName":"<name>"}'
    )


def test_the_url_does_not_repeat_what_is_hidden_in_the_payload_nor_the_response_what_is_hidden_in_the_url() -> None:
    it = entry(
        request_url="/c/Amara?name=Leila",
        request_payload=Raw(b'{"firstName":"Amara"}'),
        response_payload=Raw(b'"Leila is not known"'),
        user_agent="Amara's phone",
    )
    redacted = Redactor(built_in("personal"), KEY).redact(it)
    assert with_labels(redacted.request_url) == "/c/<name>?name=<name>"
    assert with_labels(bytes(redacted.response_payload).decode()) == '"<name> is not known"'
    assert with_labels(str(redacted.user_agent)) == "<name>'s phone"


@pytest.mark.parametrize(
    ("status", "answer", "redacted"),
    [
        (
            422,
            '{"error":{"details":{"email":"is invalid","phone":["a","b"]}}}',
            '{"error":{"details":{"email":"is invalid","phone":["a","b"]}}}',
        ),
        (422, '{"error":{"details":[{"email":"is invalid"}]}}', '{"error":{"details":[{"email":"is invalid"}]}}'),
        (422, '{"errors":{"name":"not x@example.com"}}', '{"errors":{"name":"not <person>"}}'),
        (
            409,
            '{"error":{"details":{"other":{"firstName":"Amara"}}}}',
            '{"error":{"details":{"other":{"firstName":"<name>"}}}}',
        ),
        (
            409,
            '{"error":{"details":{"others":[{"firstName":"Amara"}]}}}',
            '{"error":{"details":{"others":[{"firstName":"<name>"}]}}}',
        ),
        (200, '{"details":{"email":"x"}}', '{"details":{"email":"<person>"}}'),
    ],
)
def test_what_is_wrong_with_a_field_is_no_value_of_it(status: int, answer: str, redacted: str) -> None:
    assert with_labels(response("null", answer, status_code=status)) == redacted


def own(**members: Any) -> Redactor:
    return Redactor(parse_profile(members, "own"), KEY)


@pytest.mark.parametrize(
    ("path", "redacted"),
    [
        ("$.requestPayload.a", '{"a":"<x>","b":[{"a":1},{"a":"y"}]}'),
        ("$.requestPayload.b[*].a", '{"a":"z","b":[{"a":"<x>"},{"a":"<x>"}]}'),
        ("$.requestPayload['b']", '{"a":"z","b":[{"a":"<x>"},{"a":"<x>"}]}'),
        ("$..a", '{"a":"<x>","b":[{"a":"<x>"},{"a":"<x>"}]}'),
        ("$.*.a", '{"a":"<x>","b":[{"a":1},{"a":"y"}]}'),
        ("$.requestPayload", '{"a":"<x>","b":[{"a":"<x>"},{"a":"<x>"}]}'),
        ("$.responsePayload.a", '{"a":"z","b":[{"a":1},{"a":"y"}]}'),
    ],
)
def test_a_path_hides_what_stands_there(path: str, redacted: str) -> None:
    it = entry(request_payload=Raw(b'{"a":"z","b":[{"a":1},{"a":"y"}]}'))
    changed = own(paths=[{"path": path, "label": "x"}]).redact(it)
    assert with_labels(bytes(changed.request_payload).decode()) == redacted


def test_a_path_hides_an_address_of_a_client() -> None:
    assert own(paths=[{"path": "$.ipAddress"}]).redact(entry(ip_address="192.0.2.1")).ip_address == "[redacted]"


def test_a_profile_of_ones_own_goes_before_the_one_that_it_extends() -> None:
    redactor = own(
        extends="personal",
        keep=["nickname", "$.requestPayload.job", "$.userAgent"],
        fields=[{"names": ["badge"], "label": "badge"}, {"names": ["firstName"]}],
        parameters=[{"names": ["who"], "label": "name"}],
        patterns=[{"name": "staff number", "pattern": r"E-(?P<value>\d{3})", "label": "badge"}],
    )
    it = entry(
        request_url="/c?who=x&badge=y",
        request_payload=Raw(
            b'{"nickname":"a","job":{"email":"a@example.com"},"Badge":"b","firstName":"c","who":"d","t":"E-123","n":1}'
        ),
        user_agent="a@example.com",
    )
    changed = redactor.redact(it)
    assert with_labels(changed.request_url) == "/c?who=<name>&badge=<badge>"
    assert with_labels(bytes(changed.request_payload).decode()) == (
        '{"nickname":"a","job":{"email":"a@example.com"},"Badge":"<badge>","firstName":"[redacted]",'
        '"who":"d","t":"E-<badge>","n":1}'
    )
    assert changed.user_agent == "a@example.com"


def test_explaining_says_what_would_change_and_does_not_count_it() -> None:
    redactor = Redactor(built_in("personal"), KEY)
    it = entry(
        request_url="/c?email=x@example.com",
        request_payload=Raw(b'{"items":[{"first name":"A"}],"note":1,"n":"x@example.com"}'),
        response_payload=Raw(rb'"{\"items\":[{\"email\":\"x@example.com\"}]}"'),
    )
    changes = redactor.explain(it)
    assert redactor.counts == {}
    assert [(change.place, change.rule, with_labels(change.becomes)) for change in changes] == [
        ("$.requestPayload.items[*]['first name']", "field *firstName", "<name>"),
        ("$.requestPayload.note", "field note", "<document>"),
        ("$.requestPayload.n", "pattern e-mail address", "<person>"),
        ("$.requestUrl", "field *email", "<person>"),
        ("$.responsePayload.items[*].email", "field *email", "<person>"),
    ]
    redactor.redact(it)
    assert redactor.counts == {change.rule: 1 for change in changes} | {"field *email": 2}


def test_the_profile_none_changes_nothing() -> None:
    redactor = Redactor(built_in("none"), KEY)
    entries = [entry(request_payload=Raw(b'{"password":"x"}'))]
    assert redactor.redact_all(entries) is entries
    assert (redactor.method, redactor.key_fingerprint, redactor.counts) == ("none", None, {})


@pytest.mark.parametrize(("profile", "method"), [("secrets", "mask"), ("personal", "mask, hmac-sha256 pseudonyms")])
def test_many_entries_are_redacted_like_each_of_them(profile: str, method: str) -> None:
    entries = [
        entry(id=f"{number}", request_payload=Raw(b'{"password":"x","email":"y"}' if number % 100 == 7 else b'{"a":1}'))
        for number in range(300)
    ]
    redactor = Redactor(built_in(profile), KEY)
    assert redactor.redact_all(entries) == [Redactor(built_in(profile), KEY).redact(it) for it in entries]
    assert redactor.method == method
    assert redactor.counts["field *password"] == 3
