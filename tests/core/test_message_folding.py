"""What varies in a message is folded, what means something stays; in linear time, and only once."""

from __future__ import annotations

import time

import pytest
from core_strategies import law
from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.message_folding import LONGEST_MESSAGE, fold_message

FOLDED = [
    ("Job 48121 was not found.", "Job {n} was not found."),
    ("Candidate 7d1f0e2a-9c3b-4f5e-8a6d-0123456789ab was not found.", "Candidate {id} was not found."),
    ("Batch 3f9a1c20b7de failed", "Batch {id} failed"),
    ("token aGVsbG8gd29ybGQh1x2y3z is spent", "token {id} is spent"),
    ("at 1762000000123", "at {id}"),
    ("bob.o+tag@example.com exists", "{email} exists"),
    ("no candidate person-0123456789abcdef.", "no candidate {id}."),
    ("mailto:bob@example.com", "mailto:{email}"),
    ("(jörg@example.com)", "({email})"),
    ("unknown field 'phone'", "unknown field {value}"),
    ('unknown field "phone number"', "unknown field {value}"),
    ("unknown field `phone`, “e-mail”", "unknown field {value}, ..."),
    ("字段'电话'无效, 第12页", "字段{value}无效, 第{n}页"),
    ("see https://docs.taptalent.io/errors?code=12#top.", "see {url}."),
    ("postgres://user:secret@db:5432/x is down", "{url} is down"),
    ("from 203.0.113.7:8080", "from {ip}:{n}"),
    ("from 2001:db8::7", "from {ip}"),
    ("since 2026-11-01T10:00:00.000Z", "since {time}"),
    ("since 2026-11-01 10:00:00+01:00", "since {time} {time}"),
    ("took 5012ms, 1.5s or 3MB", "took {n}ms, {n}s or {n}MB"),
    ("1,000 of 2,000.50 (10,20,40)", "{n} of {n} ({n})"),
    ("-5 < +7; #12 x=3 50%", "-{n} < +{n}; #{n} x={n} {n}%"),
    ("one of 10, 20, 40", "one of {n}, ..."),
    ("Jobs 7, 8,9 and 10 are closed", "Jobs {n}, ... and {n} are closed"),
    ("1,2,3,4,5,6,7,8,9", "{n}"),
    ("'a', 'b', 5", "{value}, ..., {n}"),
    ("candidates.12.phone, items[3].name", "candidates.{n}.phone, items[{n}].name"),
    ("GET /v1/partner/jobs/48121/candidates", "GET /v1/partner/jobs/{n}/candidates"),
    ("{'name': \"x\"}", "{{value}: {value}}"),
    ("O'Brien's 'O'Brien'", "O'Brien's {value}"),
    ("a\tb\r\n  c ", "a b c"),
]

KEPT = [
    "",
    "The phone number is invalid. (phone: must be a number in E.164 format)",
    "v1 and v2beta, C++ and C++11, UTF-8, ISO-8601, 4xx, 2nd, IPv6, H2O",
    "don't, can't, won't: it's the user's",
    "std::vector a::b dead::beef",
    "a.b.c d-e_f bulk-fetch logstash-monitorama",
    "Jobs are {id}, {n}, {value}, {email}, {url}, {ip} and {time}",
    "a < b > c & d | e",
    "@mention me@",
]


@pytest.mark.parametrize(("text", "folded"), FOLDED)
def test_what_varies_is_folded(text: str, folded: str) -> None:
    assert fold_message(text) == folded


@pytest.mark.parametrize("text", KEPT)
def test_what_means_something_is_kept(text: str) -> None:
    assert fold_message(text) == text


def test_a_long_message_is_cut_with_an_ellipsis() -> None:
    folded = fold_message("word " * 100)
    assert (len(folded), folded[-10:]) == (LONGEST_MESSAGE, "word word…")


def test_what_is_cut_off_from_a_word_does_not_make_it_a_number() -> None:
    text = "x" * (LONGEST_MESSAGE - 7) + " 12345-things " + "y" * 50
    folded = fold_message(text)
    assert folded.endswith("x…")
    assert fold_message(folded) == folded


pieces = st.sampled_from(
    [
        *"aZ19'\"`“”«».,:;@+-_/ {}()[]=&%#…é第\n",
        "{n}",
        "{id}",
        "12",
        "a1b2c3d4",
        "::",
        "://",
        "http://",
        "E.164",
        "it's",
    ]
)


@law
@given(st.lists(pieces, max_size=60).map("".join) | st.text(max_size=300))
def test_folding_twice_is_folding_once(text: str) -> None:
    folded = fold_message(text)
    assert fold_message(folded) == folded
    assert len(folded) <= LONGEST_MESSAGE


@law
@given(
    number=st.integers(0, 10**11 - 1),
    uuid=st.uuids(),
    email=st.from_regex(r"[a-z0-9][a-z0-9._+]{0,9}[a-z0-9]@[a-z]{1,9}\.[a-z]{2,3}", fullmatch=True),
    address=st.ip_addresses(),
    form=st.sampled_from(["{} gone", "x={}", "({})", "a {}, b", "/jobs/{}/x", "'it' is {}."]),
)
def test_whatever_the_number_id_or_address_the_message_is_the_same(
    number: int, uuid: object, email: str, address: object, form: str
) -> None:
    for value, placeholder in ((number, "{n}"), (uuid, "{id}"), (email, "{email}"), (f"{address}", "{ip}")):
        expected = form.replace("'it'", "{value}").replace("{}", placeholder)
        assert value == "::" or fold_message(form.replace("{}", str(value))) == expected


WORST = [
    *("'a ", '"', "`", "“", "«", "'a'", "a'", "1:", "a@", "@", "1-", "1.", "1,", "::", "a:b:", "x", "1", "{n}'", "1 "),
    *("http://....", "http://a", "a+b://", "a1:b2::c,", "a1", "ab-", "é1", "0123456789abcdef-", "\\", "a.1.", "１"),
]


@pytest.mark.parametrize("piece", WORST)
def test_a_megabyte_of_the_worst_takes_no_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    begun = time.process_time()
    folded = fold_message(text)
    assert time.process_time() - begun < 0.5
    assert len(folded) <= LONGEST_MESSAGE
    assert fold_message(folded) == folded
