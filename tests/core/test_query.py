"""LogQuery: it lets through exactly what a plain reading of the documentation lets through."""

from __future__ import annotations

import json
import re
import socket
import string
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import pytest
from core_strategies import entry, law
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.entry import LogEntry
from taplogs.core.filters import (
    ClientFilter,
    CompanyFilter,
    EndpointFilter,
    Filter,
    GrepFilter,
    IpFilter,
    LatencyFilter,
    MethodFilter,
    StatusFilter,
    UrlFilter,
    UserAgentFilter,
)
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window

START = datetime(2026, 7, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Question:
    """What a user types, each option as often as given."""

    status: list[str] = field(default_factory=list)
    method: list[str] = field(default_factory=list)
    endpoint: list[str] = field(default_factory=list)
    url: list[str] = field(default_factory=list)
    latency: list[str] = field(default_factory=list)
    ip: list[str] = field(default_factory=list)
    user_agent: list[str] = field(default_factory=list)
    client: list[str] = field(default_factory=list)
    company: list[str] = field(default_factory=list)
    grep: list[str] = field(default_factory=list)
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> LogQuery:
        classes: dict[str, type[Filter]] = {
            "status": StatusFilter,
            "method": MethodFilter,
            "endpoint": EndpointFilter,
            "url": UrlFilter,
            "latency": LatencyFilter,
            "ip": IpFilter,
            "user_agent": UserAgentFilter,
            "client": ClientFilter,
            "company": CompanyFilter,
            "grep": GrepFilter,
        }
        given: dict[str, Any] = {
            name: kind.parse(getattr(self, name)) for name, kind in classes.items() if getattr(self, name)
        }
        return LogQuery(window=Window(self.since, self.until), **given)


# The plain reading starts here. It is written from the documentation, is slow, and shares nothing with the filters.


def answers(question: Question, log: LogEntry) -> bool:
    """Filters combine with AND; the window is half-open."""
    when = datetime.fromisoformat(log.timestamp)
    return (
        (question.since is None or question.since <= when)
        and (question.until is None or when < question.until)
        and chosen(question.status, ",", lambda term: status_is(term, log.status_code))
        and chosen(question.method, ",", lambda term: term.upper() == log.method.upper())
        and chosen(question.endpoint, None, lambda term: endpoint_is(term, urlsplit(log.request_url).path))
        and chosen(question.url, None, lambda term: holds_text(term, log.request_url))
        and chosen(question.latency, ",", lambda term: latency_is(term, log.latency_ms))
        and chosen(question.ip, ",", lambda term: address_is(term, log.ip_address))
        and chosen(question.user_agent, None, lambda term: holds_text(term, log.user_agent))
        and chosen(question.client, ",", lambda term: term == log.client_id)
        and chosen(question.company, ",", lambda term: term == log.company_id)
        and (not question.grep or any(occurs(pattern, log) for pattern in question.grep))
    )


def chosen(texts: list[str], separator: str | None, is_true: Callable[[str], bool]) -> bool:
    """Values within one option combine with OR; `!` removes."""
    terms = [term.strip() for text in texts for term in (text.split(separator) if separator else [text])]
    wanted = [term for term in terms if term[0] != "!"]
    removed = [term[1:].strip() for term in terms if term[0] == "!"]
    return (wanted == [] or any(map(is_true, wanted))) and not any(map(is_true, removed))


def status_is(term: str, status: int) -> bool:
    if term == "ok":
        return str(status)[0] == "2"
    if term == "error":
        return str(status)[0] in "45"
    if term.endswith("xx"):
        return str(status)[0] == term[0]
    if "-" in term:
        first, last = term.split("-")
        return status in range(int(first), int(last) + 1)
    return str(status) == term


def latency_is(term: str, latency: int | None) -> bool:
    if latency is None:
        return False
    for sign in (">=", "<=", ">", "<"):
        if term.startswith(sign):
            limit = milliseconds(term[len(sign) :])
            return (sign[0] == ">" and latency > limit) or (sign[0] == "<" and latency < limit) or (
                sign[-1] == "=" and latency == limit
            )  # fmt: skip
    low, high = term.split("-")
    return milliseconds(low) <= latency <= milliseconds(high)


def milliseconds(duration: str) -> Fraction:
    if duration.endswith("ms"):
        return Fraction(duration[:-2])
    return Fraction(duration[:-1]) * (1000 if duration.endswith("s") else 60_000)


def address_is(term: str, address: str | None) -> bool:
    """Compare as many leading bits as the block says."""
    if address is None:
        return False
    block, _, length = term.partition("/")
    want, have = bits(block), bits(address)
    count = int(length) if length else len(want)
    return len(want) == len(have) and want[:count] == have[:count]


def bits(address: str) -> str:
    address = address.removeprefix("::ffff:")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return "".join(f"{byte:08b}" for byte in socket.inet_pton(family, address))
    except OSError:
        return f"none: {address}"


def holds_text(term: str, text: str | None) -> bool:
    """Text within; upper and lower case are one unless the term has a capital."""
    if text is None:
        return False
    if any(character.isupper() for character in term):
        return term in text
    return term in text.lower()


def endpoint_is(term: str, path: str) -> bool:
    """A glob: `?` one character, `*` within a segment, `**` across; `{…}` is one id."""
    if term == "":
        return path == ""
    if term.startswith("**"):
        return any(endpoint_is(term[2:], path[cut:]) for cut in range(len(path) + 1))
    if term[0] == "*":
        end = (path + "/").index("/")
        return any(endpoint_is(term[1:], path[cut:]) for cut in range(end + 1))
    if term[0] == "{":
        end = (path + "/").index("/")
        return is_id(path[:end]) and endpoint_is(term[term.index("}") + 1 :], path[end:])
    if path == "":
        return False
    if term[0] == "?":
        return path[0] != "/" and endpoint_is(term[1:], path[1:])
    return term[0] == path[0] and endpoint_is(term[1:], path[1:])


def is_id(segment: str) -> bool:
    """An integer, a UUID, hex of some length, long opaque text."""
    if not segment or not segment.isascii():
        return False
    has_digit = any(character in string.digits for character in segment)
    is_hex = all(character in string.hexdigits for character in segment)
    is_integer = all(character in string.digits for character in segment)
    is_uuid = [len(part) for part in segment.split("-")] == [8, 4, 4, 4, 12] and all(
        character in string.hexdigits + "-" for character in segment
    )
    is_opaque = has_digit and len(segment) >= 16 and segment.isalnum() and not is_integer
    return is_integer or is_uuid or (is_hex and has_digit and len(segment) >= 8) or is_opaque


def occurs(pattern: str, log: LogEntry) -> bool:
    """A regular expression over URL, user agent and both payloads; smart case."""
    flags = re.NOFLAG if any(letter.isupper() for letter in pattern.replace("\\S", "").replace("\\W", "")) else re.I
    found_in = [log.request_url, log.user_agent or ""]
    for payload in (log.request_payload, log.response_payload):
        value = json.loads(bytes(payload))
        if value is not None:
            found_in.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return any(re.search(pattern, text, flags) is not None for text in found_in)


# What is asked and answered: few values, so that they meet often.

UUID = "0b0d0b34-9c3f-4c1e-8f0e-0f9a6a1c2d3e"
SEGMENTS = ("v1", "partner", "jobs", "bulk-fetch", "42", "7", UUID, "507f1f77bcf86cd799439011", "aGVsbG8gd29ybGQh1")
BODIES: tuple[Any, ...] = (
    None,
    "plain Text",
    {"error": {"code": "INVALID_REQUEST", "message": "Zoë\nfailed"}},
    ["😀", 1.5, None],
    "",
)
ADDRESSES = ("203.0.113.7", "203.0.113.8", "203.0.114.7", "::ffff:203.0.113.7", "2001:db8::1", "2001:db8:1::1", "?")

urls = st.builds(
    "https://partner-api.taptalent.io/{}{}".format,
    st.lists(st.sampled_from(SEGMENTS), max_size=5).map("/".join),
    st.sampled_from(("", "?pageNumber=1", "?q=Engineer&x=a,b", "#top")),
)
logs = st.builds(
    LogEntry,
    id=st.just("log_1"),
    timestamp=st.integers(0, 9).map(lambda number: f"2026-07-15T00:00:00.00{number}Z"),
    method=st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "get")),
    request_url=urls,
    status_code=st.sampled_from((200, 201, 302, 400, 403, 404, 405, 500, 503)) | st.integers(100, 999),
    latency_ms=st.sampled_from((None, 0, 199, 200, 201, 500, 1000, 2000, 60_000)),
    request_payload=st.sampled_from(BODIES).map(lambda value: Raw(json.dumps(value).encode())),
    response_payload=st.sampled_from(BODIES).map(lambda value: Raw(json.dumps(value, ensure_ascii=False).encode())),
    ip_address=st.none() | st.sampled_from(ADDRESSES),
    user_agent=st.sampled_from((None, "curl/8.5.0", "CURL", "python-httpx/0.28")),
    client_id=st.sampled_from((None, "acme", "ACME", "bolt")),
    company_id=st.sampled_from((None, "1", "2")),
)


def option(*terms: str, separator: str | None = ",", negated: bool = True) -> st.SearchStrategy[list[str]]:
    """Return a strategy for how one option may be given: not at all, once, several times, in a list."""
    term = st.sampled_from(terms)
    term = st.builds("{}{}".format, st.sampled_from(("", "", "!", "! ")), term) if negated else term
    texts = term if separator is None else st.lists(term, min_size=1, max_size=3).map(separator.join)
    return st.just([]) | st.lists(texts, min_size=1, max_size=2)


moments = st.none() | st.integers(-1000, 10_000).map(lambda number: START + timedelta(microseconds=number))
questions = st.builds(
    Question,
    status=option("2xx", "4xx", "5xx", "404", "400-404", "ok", "error", "200", "503"),
    method=option("GET", "post", "PUT", "OPTIONS", "head"),
    endpoint=option(
        "/v1/partner/jobs",
        "/v1/partner/jobs/*",
        "/v1/**",
        "**",
        "**/jobs/{id}",
        "/{id}/**",
        "*/jobs",
        "/v?/*",
        "/**/{x}/{y}",
        separator=None,
    ),
    url=option("jobs", "Jobs", "engineer", "Engineer", "a,b", "taptalent", separator=None),
    latency=option(">500ms", ">=1s", "200ms-2s", "<200.5ms", "<=200ms", ">=1m", ">0.5s"),
    ip=option("203.0.113.7", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1", "203.0.112.0/21"),
    user_agent=option("curl", "CURL", "httpx", separator=None),
    client=option("acme", "bolt"),
    company=option("1", "2"),
    grep=option(
        "invalid",
        "Zoë",
        "zoë",
        r"jobs/\d+",
        r"^curl\S+",
        r"\Wengineer",
        "😀",
        "TEXT",
        r"\W42",
        separator=None,
        negated=False,
    ),
    since=moments,
    until=moments,
)


@law
@given(questions, st.lists(logs, min_size=1, max_size=20))
def test_a_query_lets_through_what_a_plain_reading_does(question: Question, generated: list[LogEntry]) -> None:
    query = question.query()
    expected = [log for log in generated if answers(question, log)]
    assert [log for log in generated if query.matches(log)] == expected
    assert query.select(generated) == expected


@pytest.mark.parametrize("name", [one.name for one in fields(Question) if one.name not in ("since", "until")])
@settings(law, max_examples=50)
@given(data=st.data(), generated=st.lists(logs, min_size=5, max_size=20))
def test_one_option_alone_lets_through_what_a_plain_reading_does(
    name: str, data: st.DataObject, generated: list[LogEntry]
) -> None:
    """Where all options meet, few entries are left; alone, each is seen to let through and to stop."""
    question = Question(**{name: getattr(data.draw(questions), name)})
    query = question.query()
    assert [log for log in generated if query.matches(log)] == [log for log in generated if answers(question, log)]


def test_without_filters_everything_matches() -> None:
    assert list(LogQuery().filters) == []
    assert LogQuery().matches(entry())
    assert LogQuery().select([entry(), entry(id="b")]) == [entry(), entry(id="b")]


def test_filters_combine_with_and() -> None:
    query = LogQuery(status=StatusFilter.parse(["4xx"]), method=MethodFilter.parse(["POST"]))
    assert query.matches(entry(status_code=404, method="POST"))
    assert not query.matches(entry(status_code=404, method="GET"))
    assert not query.matches(entry(status_code=200, method="POST"))


def test_the_window_counts_with_one_bound_or_both() -> None:
    inside, before, after = (entry(timestamp=f"2026-07-15T00:00:00.00{number}Z") for number in (5, 0, 9))
    since, until = START + timedelta(milliseconds=5), START + timedelta(milliseconds=9)
    assert LogQuery(window=Window(since, None)).select([inside, before, after]) == [inside, after]
    assert LogQuery(window=Window(None, until)).select([inside, before, after]) == [inside, before]
    assert LogQuery(window=Window(since, until)).select([inside, before, after]) == [inside]


@pytest.mark.parametrize(
    ("query", "needed"),
    [
        (LogQuery(), True),
        (LogQuery(payloads=False), False),
        (LogQuery(payloads=False, grep=GrepFilter.parse(["x"])), True),
        (LogQuery(payloads=False, url=UrlFilter.parse(["x"]), status=StatusFilter.parse(["ok"])), False),
    ],
)
def test_payloads_are_needed_by_the_reader_or_by_grep(query: LogQuery, needed: bool) -> None:
    assert query.needs_payloads is needed


def test_a_query_over_another_window_is_the_same_in_all_else() -> None:
    old = LogQuery(status=StatusFilter.parse(["4xx"]), order=Order.OLDEST_FIRST, limit=5, payloads=False)
    now = entry(status_code=404, timestamp="2026-07-15T00:00:00.000Z")
    assert old.matches(now)  # so that nothing remembered from one window is taken into the other
    new = old.within(Window(START + timedelta(hours=1), None))
    assert (new.status, new.order, new.limit, new.payloads) == (old.status, Order.OLDEST_FIRST, 5, False)
    assert not new.matches(now)
    assert old.matches(now)


def test_the_newest_come_first_and_all_of_them_unless_asked_otherwise() -> None:
    assert (LogQuery().order, LogQuery().limit) == (Order.NEWEST_FIRST, None)
    assert [order.value for order in Order] == ["desc", "asc"]


def test_equal_questions_are_equal_queries() -> None:
    assert LogQuery(status=StatusFilter.parse(["404, 404"])) == LogQuery(status=StatusFilter.parse(["404"]))
    assert LogQuery(limit=1) != LogQuery(limit=2)
