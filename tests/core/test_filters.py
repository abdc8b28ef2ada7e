"""Every filter: what it takes, what it lets through, what it refuses, and that it reads back what it writes."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from core_strategies import entry, law
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.endpoint import EndpointTemplates
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
from taplogs.errors import UsageError

CLASSES: tuple[type[Filter], ...] = (
    StatusFilter,
    MethodFilter,
    EndpointFilter,
    UrlFilter,
    LatencyFilter,
    IpFilter,
    UserAgentFilter,
    ClientFilter,
    CompanyFilter,
    GrepFilter,
)
every_filter = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def passing(texts: list[str], kind: type[Filter], field: str, values: list[Any]) -> list[Any]:
    """Return those of `values` with which an entry passes the filter that `texts` describe."""
    filter_ = kind.parse(texts)
    return [value for value in values if filter_.matches(entry(**{field: value}))]


STATUSES = [99, 100, 199, 200, 204, 299, 302, 400, 403, 404, 405, 499, 500, 503, 599, 600]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["4xx"], [400, 403, 404, 405, 499]),
        (["404"], [404]),
        (["400-404"], [400, 403, 404]),
        (["ok"], [200, 204, 299]),
        (["error"], [400, 403, 404, 405, 499, 500, 503, 599]),
        (["5xx,!503"], [500, 599]),
        (["5xx", "!503"], [500, 599]),
        (["4xx,5xx"], [400, 403, 404, 405, 499, 500, 503, 599]),
        (["404,503", "204"], [204, 404, 503]),
        (["!404"], [99, 100, 199, 200, 204, 299, 302, 400, 403, 405, 499, 500, 503, 599, 600]),
        (["!error,!2xx"], [99, 100, 199, 302, 600]),
        (["404,!4xx"], []),
        ([" 4XX , ! 404 "], [400, 403, 405, 499]),
        (["OK"], [200, 204, 299]),
        (["400 - 403"], [400, 403]),
        (["1xx,3xx"], [100, 199, 302]),
        (["600"], [600]),
    ],
)
def test_status(texts: list[str], expected: list[int]) -> None:
    assert passing(texts, StatusFilter, "status_code", STATUSES) == expected


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "get", "QUERY"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["GET,POST"], ["GET", "POST", "get"]),
        (["GET", "put"], ["GET", "PUT", "get"]),
        (["!OPTIONS"], ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "get", "QUERY"]),
        (["PATCH,DELETE,OPTIONS,HEAD,!HEAD"], ["PATCH", "DELETE", "OPTIONS"]),
    ],
)
def test_method(texts: list[str], expected: list[str]) -> None:
    assert passing(texts, MethodFilter, "method", METHODS) == expected


HOST = "https://partner-api.taptalent.io"
UUID = "0b0d0b34-9c3f-4c1e-8f0e-0f9a6a1c2d3e"
PATHS = [
    "/v1/partner/jobs",
    "/v1/partner/jobs/",
    "/v1/partner/jobs/42",
    f"/v1/partner/jobs/{UUID}",
    "/v1/partner/jobs/bulk-fetch",
    "/v1/partner/jobs/42/notes",
    "/v1/partner/jobs/42/notes/7",
    "/v2/partner/jobs/42",
]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["/v1/partner/jobs"], [0]),
        (["/v1/partner/jobs/{id}"], [2, 3]),
        (["/v1/partner/jobs/{jobId}"], [2, 3]),
        (["/v1/partner/jobs/{id}/notes"], [5]),
        (["/v1/partner/jobs/*"], [1, 2, 3, 4]),
        (["/v1/partner/jobs/*/*"], [5]),
        (["/v1/partner/jobs/4*"], [2]),
        (["/v1/partner/jobs/**"], [1, 2, 3, 4, 5, 6]),
        (["/v1/**/notes"], [5]),
        (["**/notes/**"], [6]),
        (["*/jobs"], []),
        (["**/jobs"], [0]),
        (["/v?/partner/jobs/42"], [2, 7]),
        (["/v1/partner/jobs/{id}/**"], [5, 6]),
        (["/v1/partner/jobs/{id}", "/v1/partner/jobs"], [0, 2, 3]),
        (["/v1/partner/jobs/*", "!/v1/partner/jobs/{id}"], [1, 4]),
        (["!/v1/**"], [7]),
        (["/V1/partner/jobs"], []),
        (["/v1.partner/jobs"], []),
        (["/v1/partner/jobs/[0-9]*"], []),
        (["/v1/partner/jobs\n"], [0]),
    ],
)
def test_endpoint(texts: list[str], expected: list[int]) -> None:
    urls = [f"{HOST}{path}" for path in PATHS]
    assert passing(texts, EndpointFilter, "request_url", urls) == [urls[index] for index in expected]


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/v1/jobs/42?expand=a/b#c",
        "/v1/jobs/42",
        "/v1/jobs/42?x",
        "//host/v1/jobs/42",
        f"{HOST}:8443/v1/jobs/42",
    ],
)
def test_an_endpoint_is_looked_for_in_the_path_alone(url: str) -> None:
    assert EndpointFilter.parse(["/v1/jobs/*"]).matches(entry(request_url=url))
    assert not EndpointFilter.parse(["**expand**"]).matches(entry(request_url=url))


def test_an_endpoint_may_be_a_template_of_the_company() -> None:
    """What a company calls a placeholder is one although its values look like words."""
    own = EndpointTemplates(["/v1/stages/{name}"])
    plain = EndpointFilter.parse(["/v1/stages/{name}"])
    known = EndpointFilter(plain.wanted, plain.unwanted, own)
    screening = entry(request_url=f"{HOST}/v1/stages/screening")
    assert not plain.matches(screening)
    assert known.matches(screening)
    assert not known.matches(entry(request_url=f"{HOST}/v1/stages/screening/1"))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("jobs", "/v1/JOBS", True),
        ("Jobs", "/v1/jobs", False),
        ("Jobs", "/v1/Jobs", True),
        ("É", "/é", False),
        ("é", "/É", True),
        ("a.c", "/abc", False),
        ("?page=1", "/jobs?page=12", True),
        ("!jobs", "/v1/jobs", False),
        ("!jobs", "/v1/candidates", True),
        ("a,b", "/x?list=a,b", True),
        ("a,b", "/x?list=a", False),
        ("!!x", "/!x", False),
        ("!!x", "/x", True),
    ],
)
def test_url_is_text_with_smart_case(text: str, value: str, expected: bool) -> None:
    assert UrlFilter.parse([text]).matches(entry(request_url=value)) is expected


def test_user_agent_is_text_with_smart_case() -> None:
    agents = ["curl/8.5.0", "Mozilla/5.0 (CURL)", "python-httpx/0.28", "", None]
    assert passing(["curl"], UserAgentFilter, "user_agent", agents) == agents[:2]
    assert passing(["CURL"], UserAgentFilter, "user_agent", agents) == agents[1:2]
    assert passing(["curl", "httpx"], UserAgentFilter, "user_agent", agents) == agents[:3]
    assert passing(["!curl"], UserAgentFilter, "user_agent", agents) == agents[2:]


@pytest.mark.parametrize(("kind", "field"), [(ClientFilter, "client_id"), (CompanyFilter, "company_id")])
def test_client_and_company_are_exact(kind: type[Filter], field: str) -> None:
    ids = ["acme", "ACME", "acme-2", " acme", "", None]
    assert passing(["acme"], kind, field, ids) == ["acme"]
    assert passing(["acme,acme-2"], kind, field, ids) == ["acme", "acme-2"]
    assert passing(["!acme"], kind, field, ids) == ids[1:]


LATENCIES = [0, 199, 200, 499, 500, 501, 1000, 1999, 2000, 2001, 60_000, None]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([">500ms"], [501, 1000, 1999, 2000, 2001, 60_000]),
        ([">=500ms"], [500, 501, 1000, 1999, 2000, 2001, 60_000]),
        ([">=1s"], [1000, 1999, 2000, 2001, 60_000]),
        (["<200ms"], [0, 199]),
        (["<=200ms"], [0, 199, 200]),
        (["200ms-2s"], [200, 499, 500, 501, 1000, 1999, 2000]),
        ([">=1m"], [60_000]),
        ([">1.999s"], [2000, 2001, 60_000]),
        (["<200.5ms"], [0, 199, 200]),
        (["<200ms,>2s"], [0, 199, 2001, 60_000]),
        ([">=200ms,!500ms-2s"], [200, 499, 2001, 60_000]),
        (["!>500ms"], [0, 199, 200, 499, 500, None]),
        ([" >= 1 S "], [1000, 1999, 2000, 2001, 60_000]),
        (["200 ms - 2 s"], [200, 499, 500, 501, 1000, 1999, 2000]),
    ],
)
def test_latency(texts: list[str], expected: list[int | None]) -> None:
    """An unknown latency is neither above nor below anything: it passes only where nothing is asked for."""
    assert passing(texts, LatencyFilter, "latency_ms", LATENCIES) == expected


ADDRESSES = [
    "203.0.113.7",
    "203.0.113.8",
    "203.0.114.7",
    "::ffff:203.0.113.7",
    "::FFFF:CB00:7108",
    "2001:db8::1",
    "2001:0DB8:0:0::1",
    "2001:db8:1::1",
    "fe80::1%eth0",
    " 203.0.113.7 ",
    "unknown",
    "203.0.113.7, 10.0.0.1",
    "",
    None,
]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["203.0.113.7"], [0, 3, 9]),
        (["203.0.113.0/24"], [0, 1, 3, 4, 9]),
        (["203.0.113.99/24"], [0, 1, 3, 4, 9]),
        (["203.0.113.0/24,!203.0.113.7"], [1, 4]),
        (["0.0.0.0/0"], [0, 1, 2, 3, 4, 9]),
        (["203.0.113.7/32", "2001:db8::1"], [0, 3, 5, 6, 9]),
        (["2001:db8::/32"], [5, 6, 7]),
        (["2001:DB8::1"], [5, 6]),
        (["2001:db8::/48"], [5, 6]),
        (["::ffff:203.0.113.7"], [0, 3, 9]),
        (["::ffff:203.0.113.0/120"], [0, 1, 3, 4, 9]),
        (["fe80::/10"], [8]),
        (["!203.0.112.0/22"], [5, 6, 7, 8, 10, 11, 12, 13]),
        (["::/0,0.0.0.0/0"], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_ip_is_an_address_or_a_block_in_either_family(texts: list[str], expected: list[int]) -> None:
    found = passing(texts, IpFilter, "ip_address", ADDRESSES)
    assert found == [ADDRESSES[index] for index in expected]


GREPPED = entry(
    request_url=f"{HOST}/v1/jobs?q=Engineer",
    user_agent="curl/8.5.0",
    request_payload=Raw(b'{"name":"Zo\\u00eb","tags":["a\\/b"],"line":"one\\ntwo"}'),
    response_payload=Raw(b'"a plain \\"string\\" with \\ud83d\\ude00"'),
    client_id="secret-client",
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("engineer", True),
        ("ENGINEER", False),
        (r"\?q=Eng\w+$", True),
        (r"^curl/\d", True),
        (r"\Scurl", False),
        ("Zoë", True),
        ("zoë", True),
        ("ZOË", False),
        ('"tags":\\["a/b"\\]', True),
        (r"one\\ntwo", True),
        ('^a plain "string" with 😀$', True),
        (r"\D/V1", False),
        (r"\D/v1", True),
        (r"\Wengineer", True),  # the capital of an escape is none
        ("secret-client", False),
        ("!jobs", False),
        ("null", False),
        ("jobs.*curl", False),
        ("a|nothing", True),
    ],
)
def test_grep_looks_into_url_user_agent_and_both_payloads(pattern: str, expected: bool) -> None:
    assert GrepFilter.parse([pattern]).matches(GREPPED) is expected


def test_several_patterns_are_alternatives() -> None:
    assert GrepFilter.parse(["nothing", "curl"]).matches(GREPPED)
    assert not GrepFilter.parse(["nothing", "nobody"]).matches(GREPPED)


@pytest.mark.parametrize("payload", ["[" * 5000 + r'"a\tb"' + "]" * 5000, rf'{{"\u0061": {"7" * 5000}}}'])
def test_grep_reads_payloads_that_python_would_not_parse(payload: str) -> None:
    """Neither the depth of a payload nor the length of its numbers may stop a search."""
    deep = entry(request_payload=Raw(payload.encode()))
    assert GrepFilter.parse([r"a\\tb|7{5000}"]).matches(deep)


def test_a_pattern_that_python_warns_about_is_taken_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GrepFilter.parse(["[[:alpha:]&&x]+"]).wanted == ("[[:alpha:]&&x]+",)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing ), unterminated subpattern at character 1"),
        ("a**", "multiple repeat at character 3"),
        ("[z-a]", "bad character range z-a at character 2"),
        ("a{99999999999999}", "the repetition number is too large"),
        ("(?a)(?u)x", "ASCII and UNICODE flags are incompatible"),
        ("(" * 5000, "recursion"),
        ("\\", "bad escape"),
    ],
)
def test_what_is_not_a_regular_expression_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        GrepFilter.parse([pattern])
    assert repr(pattern) in refused.value.message
    assert reason in refused.value.message
    assert refused.value.hint


REFUSED: dict[type[Filter], list[str]] = {
    StatusFilter: [
        "6xx", "0xx", "x", "4x", "40", "4040", "044", "404-400", "400-", "-404", "400-404-405", "4xx-5xx", "okay", "!",
        "404,", ",404", "404;500", "٤٠٤", "4０4", "404\0", "!!404", "4 04", "404.0", "<500",
    ],
    MethodFilter: ["FETCH", "GET;POST", "GET POST", "GET,", "!", "GET\0", "ＧＥＴ", "*"],
    EndpointFilter: ["jobs", "v1/partner", "https://host/v1", "!", "!jobs", "{id}"],
    UrlFilter: ["!", "! "],
    LatencyFilter: [
        "500", ">500", "500ms", "=500ms", ">500 000ms", "200-500ms", "2s-200ms", "200ms-", "-200ms", ">1h", ">-1s",
        ">1,5s", ">.5s", ">1.s", ">1e3ms", ">٥٠٠ms", ">>1s", "=>1s", ">999999999999m", ">inf", "!", ">5００ms", ">1s\0",
        ">0.0000001ms",
    ],
    IpFilter: [
        "203.0.113", "203.0.113.256", "203.0.113.07", "203.0.113.0/33", "2001:db8::/129", "2001:db8:::1", "1.2.3.4/",
        "/24", "localhost", "٢٠٣.0.113.7", "203.0.113.7\0", "0x7f000001", "!", "203.0.113.1-203.0.113.9", "3405803783",
    ],
    UserAgentFilter: ["!"],
    ClientFilter: ["!", "a,", ",", "a,,b"],
    CompanyFilter: ["!", "a,!"],
    GrepFilter: ["*"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind in REFUSED for text in [*REFUSED[kind], ""]])
def test_a_term_that_is_not_understood_is_refused_with_what_is_accepted(kind: type[Filter], text: str) -> None:
    with pytest.raises(UsageError) as refused:
        kind.parse([text])
    assert refused.value.message.startswith(f"{kind.option} {text!r} is not ")
    assert refused.value.hint


@every_filter
def test_the_hint_of_a_filter_stands_in_its_refusal(kind: type[Filter]) -> None:
    with pytest.raises(UsageError) as refused:
        kind.parse([""])
    assert refused.value.hint == f"accepted: {kind.accepted}"


almost_terms = st.text(max_size=12) | st.text("0123456789.:/-<>=!,msx {}*?()[]\\|^$+ abcdefGETOPS%", max_size=20)


@every_filter
@law
@given(texts=st.lists(almost_terms, min_size=1, max_size=3))
@example(texts=["::ffff:1.2.3.4/96"])
@example(texts=["fe80::1%eth0/64"])
@example(texts=[">999999999999s"])
def test_any_text_is_a_filter_or_wrong_usage_and_nothing_else(kind: type[Filter], texts: list[str]) -> None:
    try:
        filter_ = kind.parse(texts)
    except UsageError:
        return
    assert filter_.matches(GREPPED) in (True, False)
    assert kind.parse(filter_.texts()) == filter_


octets = st.integers(0, 255)
durations = st.builds("{}{}{}".format, st.integers(0, 10**9), st.sampled_from(["", ".5", ".125"]), st.just("ms")) | (
    st.builds("{}{}".format, st.integers(0, 10**6), st.sampled_from(["ms", "s", "m"]))
)
words = st.text(st.characters(exclude_characters=",!"), min_size=1, max_size=8).map(str.strip).filter(bool)
TERMS: dict[type[Filter], st.SearchStrategy[str]] = {
    StatusFilter: st.integers(100, 999).map(str)
    | st.sampled_from(["ok", "error", "1xx", "2XX", "3xx", "4xx", "5xx"])
    | st.tuples(st.integers(100, 999), st.integers(100, 999)).map(lambda pair: f"{min(pair)} - {max(pair)}"),
    MethodFilter: st.sampled_from(["GET", "post", "Put", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
    EndpointFilter: words.map(lambda word: f"/{word}") | words.map(lambda word: f"**{word}"),
    UrlFilter: words,
    LatencyFilter: st.builds("{} {}".format, st.sampled_from(["<", "<=", ">", ">="]), durations)
    | st.integers(0, 9999).map(lambda low: f"{low}ms-{low}s"),
    IpFilter: st.ip_addresses().map(str)
    | st.builds("{}/{}".format, st.ip_addresses(v=4), st.integers(0, 32))
    | st.builds("{}/{}".format, st.ip_addresses(v=6), st.integers(0, 128))
    | st.builds("::ffff:{}.{}.{}.{}".format, octets, octets, octets, octets),
    UserAgentFilter: words,
    ClientFilter: words,
    CompanyFilter: words,
    GrepFilter: words.map(lambda word: "".join(f"[{character}]" for character in word if character.isalnum()) or "."),
}


def described(kind: type[Filter]) -> st.SearchStrategy[list[str]]:
    """Return a strategy for what a user may write for one option, all of it understood."""
    terms = (
        TERMS[kind] if kind is GrepFilter else st.builds("{}{}".format, st.sampled_from(["", "!", " ! "]), TERMS[kind])
    )
    texts = terms if kind.separator is None else st.lists(terms, min_size=1, max_size=3).map(", ".join)
    return st.lists(texts, min_size=1, max_size=3)


@every_filter
@law
@given(data=st.data())
def test_a_filter_reads_back_what_it_writes(kind: type[Filter], data: st.DataObject) -> None:
    filter_ = kind.parse(data.draw(described(kind)))
    assert kind.parse(filter_.texts()) == filter_
    assert str(filter_) == ", ".join(filter_.texts())


def test_a_term_said_twice_counts_once() -> None:
    assert StatusFilter.parse(["404,404", "!500,! 500"]) == StatusFilter(("404",), ("500",))
    assert LatencyFilter.parse([">1s,>1000ms"]) == LatencyFilter((">1000ms",))
    assert IpFilter.parse(["10.1.2.3/8,10.0.0.0/8"]) == IpFilter(("10.0.0.0/8",))
