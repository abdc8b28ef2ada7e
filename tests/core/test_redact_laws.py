"""Laws of redaction, for entries that nobody thought of."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

import msgspec
import pytest
from core_strategies import entries, entry, json_texts, law
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.entry import LogEntry, encode_entry
from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import built_in

PROFILES = ("secrets", "personal")
KEY = b"k" * 32

_morsels = st.sampled_from(
    [
        *"&=?/\n\"'{}[]:,<>é\\%@. ",
        "a@example.com",
        "a%40b.example",
        "+44 20 7946 0006",
        "4111 1111 1111 1111",
        "GB82WEST12345698765432",
        "password=x",
        "token=",
        "://",
        "https://u:p@x.example/?email=x",
        "Bearer abcdefgh12",
        "sk_live_0123456789abcdefghWXYZ",
        "Cookie: a=b",
        '{"name":"x"}',
        "<email>x</email>",
        "<email><b>x</b></email>",
        "password: x",
        'firstName: "x"',
        '{"name":"email","value":"x"}',
        '[["email","x"]]',
        r"{\"email\": \"x\"}",
        "curl -u a:b",
        "a＠b.example",
        "a&#64;b.example",
        "x_1",
        "\n",
        "name",
        "email",
        "person-0123456789abcdef",
        "[redacted]",
        "sk_live_…WXYZ",
    ]
)
texts = st.lists(_morsels, max_size=8).map("".join)
names = st.sampled_from(["name", "value", "email", "password", "details", "address", "a", "q", "error"]) | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
payloads = (values.map(json.dumps) | json_texts).map(lambda text: Raw(text.encode()))
suspicious_entries = st.builds(
    entry,
    request_url=texts | texts.map(lambda text: f"https://x.example/{text}?a={text}"),
    status_code=st.sampled_from((200, 422)),
    request_payload=payloads,
    response_payload=payloads,
    method=st.sampled_from(("GET", "POST", "GET a@example.com")),
    user_agent=texts,
    client_id=texts,
)


def shape(value: Any) -> Any:
    """Return what kind of JSON a value is, all scalars alike."""
    if isinstance(value, list):
        return list(map(shape, value))
    if isinstance(value, tuple):  # an object with all its members
        return tuple(shape(member) for _, member in value)
    return None


def loads(payload: Raw) -> Any:
    return json.loads(bytes(payload), object_pairs_hook=tuple, parse_int=str, parse_float=str)


@pytest.mark.parametrize("profile", PROFILES)
@law
@given(it=entries | suspicious_entries)
def test_what_was_redacted_stays_as_it_is(profile: str, it: LogEntry) -> None:
    redactor = Redactor(built_in(profile), KEY)
    once = redactor.redact(it)
    assert redactor.redact(once) == once


@pytest.mark.parametrize("profile", PROFILES)
@law
@given(it=entries | suspicious_entries)
def test_payloads_keep_their_shape_and_the_entry_its_identity(profile: str, it: LogEntry) -> None:
    redacted = Redactor(built_in(profile), KEY).redact(it)
    for field in ("request_payload", "response_payload"):
        assert shape(loads(getattr(redacted, field))) == shape(loads(getattr(it, field)))
    kept = ("id", "timestamp", "status_code", "latency_ms", "created_at", "updated_at")
    assert [getattr(redacted, name) for name in kept] == [getattr(it, name) for name in kept]


@pytest.mark.parametrize("profile", PROFILES)
@law
@given(some=st.lists(entries | suspicious_entries, max_size=5))
def test_the_cheap_look_misses_nothing(profile: str, some: list[LogEntry]) -> None:
    redactor, thorough = Redactor(built_in(profile), KEY), Redactor(built_in(profile), KEY)
    thorough._glance._watched = frozenset({None})
    assert redactor.redact_all(some) == list(map(thorough.redact, some))


@law
@given(
    number=st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    gap=st.text(" \n\t\r", max_size=3),
)
def test_what_is_not_hidden_keeps_its_bytes(number: str, gap: str) -> None:
    before, after = f'{{{gap}"a"{gap}:[{number},"\\u0061\\/",{gap}1e2],"email":', f',"a":null{gap}}}'
    it = entry(request_payload=Raw(f'{before}"x"{after}'.encode()))
    redacted = bytes(Redactor(built_in("personal"), KEY).redact(it).request_payload).decode()
    if not re.fullmatch("-?[0-9]{13,19}", number):
        assert redacted.startswith(before)
    assert redacted.endswith(after)


_words = st.sampled_from(["Amara", "Björn", "O'Connor", "美咲", "Łukasz", "Zoë Maria", "Sørensen"])
candidates = st.fixed_dictionaries(
    {
        "firstName": _words,
        "lastName": _words,
        "email": st.from_regex(r"[a-z]{3,8}\.[a-z]{3,8}[0-9]{2}@example\.(com|org)", fullmatch=True),
        "phone": st.from_regex(r"\+4420794600[0-9]{2}", fullmatch=True),
        "dateOfBirth": st.from_regex(r"19[6-9][0-9]-0[1-9]-[12][0-9]", fullmatch=True),
        "profileUrl": st.from_regex(r"https://profiles\.example\.com/in/[a-z]{8}", fullmatch=True),
        "password": st.from_regex(r"hunter[0-9]{6}", fullmatch=True),
    }
)


def styled(name: str, style: int) -> str:
    words = re.findall("[A-Z]?[a-z]+", name)
    return [name, "_".join(words).lower(), "-".join(words).title(), "".join(words).upper(), f"candidate.{name}"][style]


@st.composite
def planted(draw: st.DrawFn) -> tuple[dict[str, str], LogEntry]:
    """Draw a candidate and an entry that holds it in some way everywhere."""
    candidate = draw(candidates)
    style = draw(st.integers(0, 4))
    fields: Any = {styled(name, style): value for name, value in candidate.items()}
    address, phone = candidate["email"], candidate["phone"]
    for wrap in draw(st.lists(st.sampled_from([list, dict, str]), max_size=3)):
        fields = {list: [fields], dict: {"items": fields}, str: json.dumps(fields)}[wrap]
    body = draw(
        st.sampled_from(
            [
                json.dumps(fields),
                json.dumps(fields, ensure_ascii=False, indent=1),
                "".join(f"\\u{ord(it):04x}" if it.isalpha() and it.isascii() else it for it in f'"{address}"'),
                json.dumps(urlencode(candidate)),
                json.dumps("".join(f"<{name}>{value}</{name}>" for name, value in candidate.items())),
            ]
        )
    )
    path = draw(st.sampled_from([address, quote(address, safe=""), phone, quote_plus(phone)]))
    return candidate, entry(
        request_url=f"https://x.example/c/{path}?{urlencode(candidate)}",
        status_code=draw(st.sampled_from((200, 409))),
        request_payload=Raw(json.dumps(candidate).encode()),
        response_payload=Raw(
            draw(st.sampled_from([body, json.dumps(f"{address} {candidate['firstName']} exists")])).encode()
        ),
        user_agent=f"bot {address}",
    )


@law
@given(case=planted())
def test_nothing_of_a_candidate_is_left(case: tuple[dict[str, str], LogEntry]) -> None:
    candidate, it = case
    redacted = Redactor(built_in("personal"), KEY).redact(it)
    line = encode_entry(redacted).decode("utf-8")
    texts = [line, unquote_plus(line), json.dumps(json.loads(line), ensure_ascii=False)]
    texts += [re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text) for text in texts]
    left = [
        (name, value) for name, value in candidate.items() if any(value.casefold() in text.casefold() for text in texts)
    ]
    assert left == []
    assert msgspec.json.decode(line)


@law
@given(address=st.emails(), first=st.binary(min_size=32, max_size=32), second=st.binary(min_size=32, max_size=32))
def test_a_pseudonym_is_stable_and_that_of_its_key(address: str, first: bytes, second: bytes) -> None:
    field = entry(request_payload=Raw(json.dumps({"email": address}).encode()))
    made = {key: bytes(Redactor(built_in("personal"), key).redact(field).request_payload) for key in (first, second)}
    assert made[first] == bytes(Redactor(built_in("personal"), first).redact(field).request_payload)
    assert (made[first] == made[second]) == (first == second)
