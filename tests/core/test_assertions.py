"""Assertions: limits as they are typed, and verdicts that agree with exact fractions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.assertions import (
    ERROR_RATE,
    LATENCIES,
    MEASURES,
    NEW_ERRORS,
    NEW_ERRORS_BY,
    REQUESTS,
    SERVER_ERROR_RATE,
    Assertion,
    Finding,
    Measure,
    Outcome,
    Scope,
    Verdict,
    evaluate,
    latency_limit,
    refuse_constant_shares,
    scopes_of,
    share_limit,
)
from taplogs.core.dimensions import Dimension, Group, dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.error_groups import ErrorGroup, ErrorKey
from taplogs.core.filters import StatusFilter
from taplogs.core.stats import OTHERS, Figures
from taplogs.core.timespan import UNBOUNDED
from taplogs.errors import UsageError
from taplogs.output.finding_text import shown_limit, shown_measured

P95 = LATENCIES[95]


def figures(errors: int = 0, good: int = 0, status: int = 404, latencies: tuple[int | None, ...] = ()) -> Figures:
    return Figures([(status, None, errors), (200, None, good), *((200, latency, 1) for latency in latencies)])


def finding(kind: Measure, limit: Fraction | int, scope: Scope, needed: int = 1) -> Finding:
    (found,) = evaluate([Assertion(kind, limit)], [scope], needed)
    return found


def new_error(endpoint: str = "/v1/a", status: int = 404, method: str = "GET") -> ErrorGroup:
    key = ErrorKey(method, endpoint, status, "NOT_FOUND", "It is not there.")
    return ErrorGroup(key, 0, "2026-11-01T00:00:00.000Z", "2026-11-01T00:00:00.000Z")


def dimensions(text: str) -> tuple[Dimension, ...]:
    return dimensions_named(text, EndpointTemplates(), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("1%", Fraction(1, 100)),
        ("0.1%", Fraction(1, 1000)),
        ("1 %", Fraction(1, 100)),
        ("  2.50%  ", Fraction(1, 40)),
        ("0", Fraction(0)),
        ("0.0", Fraction(0)),
        ("0%", Fraction(0)),
        ("100%", Fraction(1)),
        ("99.999999999999%", 1 - Fraction(1, 10**14)),
        ("33.3%", Fraction(333, 1000)),
    ],
)
def test_a_share_is_typed_in_percent(text: str, share: Fraction) -> None:
    assert share_limit(ERROR_RATE, text) == share


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0.01", "say 1% or 0.01%"),
        ("1", "say 100% or 1%"),
        ("0.5", "say 50% or 0.5%"),
        ("5", "say 5%"),
        ("100", "say 100%"),
    ],
)
def test_a_number_without_its_unit_is_refused_with_what_it_can_mean(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--max-error-rate {text!r} is not in percent")) as raised:
        share_limit(ERROR_RATE, text)
    assert raised.value.hint == hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "one",
        "101%",
        "100.1%",
        "999",
        "-1%",
        "+1%",
        "1%%",
        "1e-2%",
        "1,5%",
        ".5%",
        "1.%",
        "nan%",
        "١%",
        "1 % 2",
    ],
)
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--max-server-error-rate {text!r} is not understood")) as raised:
        share_limit(SERVER_ERROR_RATE, text)
    assert raised.value.hint == "accepted: 0% to 100%, such as 1% or 0.1%"


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("800ms", Fraction(800)),
        ("1.5s", Fraction(1500)),
        ("2m", Fraction(120_000)),
        ("0.5ms", Fraction(1, 2)),
        (" 1.5 S ", Fraction(1500)),
        ("0ms", Fraction(0)),
        ("0.000001s", Fraction(1, 1000)),
    ],
)
def test_a_latency_is_typed_with_its_unit(text: str, milliseconds: Fraction) -> None:
    assert latency_limit(P95, text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "800", "0", "ms", "-1ms", "1h", "1e3ms", "1s500ms", "fast", "٨ms", "99999999999m"]
)
def test_what_is_no_latency_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--max-p95 {text!r} is not understood")) as raised:
        latency_limit(P95, text)
    assert raised.value.hint == "accepted: 800ms, 1.5s, 2m; units ms, s, m"


@pytest.mark.parametrize(
    ("kind", "status", "refused"),
    [
        (ERROR_RATE, "ok", True),
        (ERROR_RATE, "2xx,3xx", True),
        (ERROR_RATE, "404", True),
        (ERROR_RATE, "error", True),
        (ERROR_RATE, "!4xx,!5xx", True),
        (ERROR_RATE, "2xx,5xx", False),
        (ERROR_RATE, "!404", False),
        (SERVER_ERROR_RATE, "error", False),
        (SERVER_ERROR_RATE, "!5xx", True),
        (SERVER_ERROR_RATE, "503", True),
        (P95, "503", False),
        (REQUESTS, "ok", False),
        (NEW_ERRORS, "5xx", False),
    ],
)
def test_a_share_that_cannot_change_is_refused(kind: Measure, status: str, refused: bool) -> None:
    with pytest.raises(UsageError, match="there is nothing for") if refused else nullcontext():
        refuse_constant_shares([Assertion(kind, 1)], StatusFilter.parse([status]))


def test_all_statuses_leave_every_share_to_measure() -> None:
    refuse_constant_shares([Assertion(ERROR_RATE, 0), Assertion(SERVER_ERROR_RATE, 0)], None)


@pytest.mark.parametrize(
    ("kind", "limit", "scope", "measured", "verdict"),
    [
        (ERROR_RATE, Fraction(1, 100), Scope(figures(1, 99)), Fraction(1, 100), Verdict.PASS),
        (ERROR_RATE, Fraction(1, 100), Scope(figures(2, 99)), Fraction(2, 101), Verdict.FAIL),
        (ERROR_RATE, Fraction(0), Scope(figures(0, 5)), 0, Verdict.PASS),
        (ERROR_RATE, Fraction(0), Scope(figures(1, 10**9)), Fraction(1, 10**9 + 1), Verdict.FAIL),
        (ERROR_RATE, Fraction(1, 2), Scope(figures(1, 1, status=503)), Fraction(1, 2), Verdict.PASS),
        (SERVER_ERROR_RATE, Fraction(0), Scope(figures(5, 5, status=404)), 0, Verdict.PASS),
        (SERVER_ERROR_RATE, Fraction(1, 3), Scope(figures(1, 2, status=500)), Fraction(1, 3), Verdict.PASS),
        (SERVER_ERROR_RATE, Fraction(333, 1000), Scope(figures(1, 2, status=500)), Fraction(1, 3), Verdict.FAIL),
        (P95, 100, Scope(figures(latencies=(1,) * 19 + (101,))), 1, Verdict.PASS),
        (P95, 100, Scope(figures(latencies=(1,) * 18 + (101,) * 2)), 101, Verdict.FAIL),
        (P95, 101, Scope(figures(latencies=(101,))), 101, Verdict.PASS),
        (LATENCIES[50], Fraction(1, 2), Scope(figures(latencies=(0, 1))), 0, Verdict.PASS),
        (LATENCIES[90], 9, Scope(figures(latencies=tuple(range(1, 11)))), 9, Verdict.PASS),
        (LATENCIES[99], 9, Scope(figures(latencies=tuple(range(1, 11)))), 10, Verdict.FAIL),
        (NEW_ERRORS, 0, Scope(figures(3, 3), requests=6), 0, Verdict.PASS),
        (NEW_ERRORS, 0, Scope(figures(3, 3), None, [new_error()], 6), 1, Verdict.FAIL),
        (NEW_ERRORS, 1, Scope(figures(3, 3), None, [new_error()], 6), 1, Verdict.PASS),
        (NEW_ERRORS, 0, Scope(figures(), None, [], 6), 0, Verdict.PASS),
        (REQUESTS, 1, Scope(figures(0, 1)), 1, Verdict.PASS),
    ],
)
def test_a_limit_is_inclusive_and_exact(
    kind: Measure, limit: Fraction | int, scope: Scope, measured: Fraction | int, verdict: Verdict
) -> None:
    found = finding(kind, limit, scope)
    assert (found.measured, found.verdict) == (measured, verdict)


@pytest.mark.parametrize("kind", MEASURES)
def test_no_requests_are_too_few_for_anything(kind: Measure) -> None:
    found = finding(kind, 1, Scope(Figures()))
    assert (found.verdict, found.sample) == (Verdict.TOO_FEW, 0)


@pytest.mark.parametrize("kind", MEASURES)
def test_one_request_less_than_needed_is_too_few_whatever_it_says(kind: Measure) -> None:
    def verdict(number: int, limit: int) -> Verdict:
        scope = Scope(figures(latencies=(500,) * number), None, [new_error()] * 2, number)
        return finding(kind, limit, scope, needed=10).verdict

    assert [verdict(9, 0), verdict(9, 1000)] == [Verdict.TOO_FEW] * 2
    assert verdict(10, 1000) is Verdict.PASS


def test_a_latency_needs_requests_whose_latency_is_known() -> None:
    scope = Scope(figures(1, 99, latencies=(10,) * 4))
    found = evaluate([Assertion(P95, 800), Assertion(ERROR_RATE, Fraction(1, 10))], [scope], 5)
    assert [(item.verdict, item.sample, item.needed) for item in found] == [
        (Verdict.TOO_FEW, 4, 5),
        (Verdict.PASS, 104, 5),
    ]


def test_findings_come_as_a_report_reads() -> None:
    scopes = [
        Scope(figures(0, 10)),
        Scope(figures(5, 5), ("a",)),
        Scope(figures(0, 2), ("b",)),
        Scope(figures(9), ("c",)),
    ]
    found = evaluate([Assertion(ERROR_RATE, Fraction(1, 10)), Assertion(P95, 5)], scopes, 3)
    assert [(item.verdict.value, item.scope.group, item.assertion.measure.name) for item in found] == [
        ("fail", ("a",), "error rate"),
        ("fail", ("c",), "error rate"),
        ("tooFew", None, "p95"),
        ("tooFew", ("a",), "p95"),
        ("tooFew", ("b",), "error rate"),
        ("tooFew", ("b",), "p95"),
        ("tooFew", ("c",), "p95"),
        ("pass", None, "error rate"),
    ]


def test_too_few_are_unmet_unless_they_are_allowed() -> None:
    scopes = [Scope(figures(0, 10)), Scope(figures(10), ("a",)), Scope(figures(1), ("b",))]
    found = evaluate([Assertion(ERROR_RATE, Fraction(0))], scopes, 3)
    outcome = Outcome(found, dimensions("endpoint"), 10, UNBOUNDED)
    assert [item.scope.group for item in outcome.unmet] == [("a",), ("b",)]
    allowed = Outcome(found, dimensions("endpoint"), 10, UNBOUNDED, allow_few=True)
    assert [item.scope.group for item in allowed.unmet] == [("a",)]
    assert [allowed.number(verdict) for verdict in Verdict] == [1, 1, 1]


def scopes(names: str, groups: dict[Group, Figures], *errors: ErrorGroup) -> Iterator[tuple[Group | None, int, int]]:
    total = Scope(figures(1, 1), None, errors, 2)
    requests = {group: figures.requests for group, figures in groups.items()}
    for scope in scopes_of(total, groups, requests, dimensions(names)):
        yield scope.group, scope.requests, len(scope.new_errors)


def test_each_group_is_a_scope_with_its_own_new_errors_the_greatest_first() -> None:
    groups: dict[Group, Figures] = {("/v1/a",): figures(0, 1), ("/v1/c",): figures(0, 3), ("/v1/b",): figures(0, 3)}
    errors = new_error("/v1/a"), new_error("/v1/a", 500), new_error("/v1/b")
    assert list(scopes("endpoint", groups, *errors)) == [
        (None, 2, 3),
        (("/v1/b",), 3, 1),
        (("/v1/c",), 3, 0),
        (("/v1/a",), 1, 2),
    ]


@pytest.mark.parametrize(
    ("names", "group"),
    [
        ("endpoint", ("/v1/a",)),
        ("method", ("GET",)),
        ("status", (404,)),
        ("class", ("4xx",)),
        ("status,method", (404, "GET")),
    ],
)
def test_new_errors_are_told_by_what_they_have_one_of(names: str, group: Group) -> None:
    assert set(names.split(",")) <= set(NEW_ERRORS_BY)
    assert list(scopes(names, {group: figures(1)}, new_error())) == [(None, 2, 1), (group, 1, 1)]


def test_new_errors_of_a_group_that_was_merged_count_among_the_others() -> None:
    groups: dict[Group, Figures] = {(OTHERS,): figures(1)}
    assert list(scopes("endpoint", groups, new_error())) == [(None, 2, 1), ((OTHERS,), 1, 1)]


counts = st.integers(0, 5000)
percentages = st.decimals(0, 100, places=3)


@given(errors=counts, good=counts, percentage=percentages, needed=st.integers(1, 20))
def test_the_verdict_on_a_share_is_that_of_exact_fractions(
    errors: int, good: int, percentage: Decimal, needed: int
) -> None:
    limit = share_limit(ERROR_RATE, f"{percentage}%")
    found = finding(ERROR_RATE, limit, Scope(figures(errors, good)), needed)
    if errors + good < needed:
        assert found.verdict is Verdict.TOO_FEW
    else:
        holds = errors * 100_000 <= int(percentage * 1000) * (errors + good)
        assert found.verdict is (Verdict.PASS if holds else Verdict.FAIL)


@given(errors=counts, good=counts, percentage=percentages)
def test_what_is_shown_of_a_share_does_not_contradict_the_verdict(errors: int, good: int, percentage: Decimal) -> None:
    found = finding(ERROR_RATE, share_limit(ERROR_RATE, f"{percentage}%"), Scope(figures(errors, good)))
    if found.measured is None:
        assert shown_measured(found) == "-"
        return
    shown, limit = Decimal(shown_measured(found).split()[0]), Decimal(shown_limit(found.assertion).split()[1])
    assert limit == percentage
    assert (shown > limit) == (found.verdict is Verdict.FAIL)
    assert ((shown == 0), (shown == 100)) == ((errors == 0), (good == 0))
    assert abs(shown / 100 - Decimal(errors) / (errors + good)) <= Decimal("0.0005")


@given(latency=st.integers(0, 10**7), limit=st.decimals(0, 10**7, places=3))
def test_what_is_shown_of_a_latency_does_not_contradict_the_verdict(latency: int, limit: Decimal) -> None:
    found = finding(P95, latency_limit(P95, f"{limit}ms"), Scope(figures(latencies=(latency,))))
    shown, bound = (
        Decimal(text.removesuffix("s").removesuffix("m")) * (1 if text.endswith("ms") else 1000)
        for text in (shown_measured(found), shown_limit(found.assertion).split()[1])
    )
    assert (shown, bound) == (Decimal(latency), limit)
    assert found.verdict is (Verdict.PASS if latency <= limit else Verdict.FAIL)


@pytest.mark.parametrize(
    ("kind", "limit", "scope", "measured", "shown"),
    [
        (ERROR_RATE, Fraction(1, 100), Scope(figures(1, 99)), "1.0 %", "max 1 %"),
        (ERROR_RATE, Fraction(1, 100), Scope(figures(1001, 98999)), "1.001 %", "max 1 %"),
        (ERROR_RATE, Fraction(96, 10000), Scope(figures(951, 99049)), "0.95 %", "max 0.96 %"),
        (ERROR_RATE, Fraction(0), Scope(figures(0, 3)), "0.0 %", "max 0 %"),
        (ERROR_RATE, Fraction(0), Scope(figures(1, 999_999)), "0.0001 %", "max 0 %"),
        (ERROR_RATE, Fraction(1), Scope(figures(99_999, 1)), "99.999 %", "max 100 %"),
        (P95, Fraction(800), Scope(figures(latencies=(801,))), "801ms", "max 800ms"),
        (P95, Fraction(1234), Scope(figures(latencies=(1235,))), "1.235s", "max 1.234s"),
        (P95, Fraction(120_000), Scope(figures(latencies=(1500,))), "1.5s", "max 120s"),
        (P95, Fraction(1, 2), Scope(figures(0, 4)), "-", "max 0.5ms"),
        (NEW_ERRORS, 0, Scope(figures(1), None, [new_error()] * 1200, 1), "1,200", "max 0"),
        (REQUESTS, 1000, Scope(figures(0, 12)), "12", "min 1,000"),
    ],
)
def test_measured_and_limit_are_shown_as_people_read_them(
    kind: Measure, limit: Fraction | int, scope: Scope, measured: str, shown: str
) -> None:
    found = finding(kind, limit, scope)
    assert (shown_measured(found), shown_limit(found.assertion)) == (measured, shown)
