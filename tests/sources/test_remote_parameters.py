"""What of a query is asked of the backend: never less than is wanted, and known to be exact only where it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from serving import log_entry
from taplogs.backend.parameters import read_listing
from taplogs.core.entry import LogEntry
from taplogs.core.filters import METHODS, ClientFilter, GrepFilter, MethodFilter, StatusFilter, UrlFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.sources.parameters import backend_parameters, is_exact

STATUSES = range(1000)
INSTANT = datetime(2026, 11, 1, 10, 0, 0, 500, tzinfo=UTC)

terms = st.one_of(
    st.sampled_from(["ok", "error", "1xx", "2xx", "3xx", "4xx", "5xx"]),
    st.integers(100, 999).map(str),
    st.tuples(st.integers(100, 999), st.integers(0, 30) | st.integers(0, 899)).map(
        lambda pair: f"{pair[0]}-{min(999, pair[0] + pair[1])}"
    ),
)
status_filters = st.lists(st.tuples(st.sampled_from(["", "", "!"]), terms), min_size=1, max_size=4).map(
    lambda parts: StatusFilter.parse([negation + term for negation, term in parts])
)
method_filters = st.lists(st.tuples(st.sampled_from(["", "!"]), st.sampled_from(METHODS)), min_size=1, max_size=3).map(
    lambda parts: MethodFilter.parse([negation + method for negation, method in parts])
)


def asked(query: LogQuery) -> LogQuery:
    """Return the query that the reference backend reads out of the parameters."""
    return read_listing(MultiDict(backend_parameters(query))).query


def with_status(statuses: Iterable[int]) -> list[LogEntry]:
    return [log_entry(number, status_code=status) for number, status in enumerate(statuses)]


ALL_STATUSES = with_status(STATUSES)


@given(status_filters)
def test_the_backend_is_asked_for_every_status_that_is_wanted(status: StatusFilter) -> None:
    query = LogQuery(status=status)
    wanted = {entry.status_code for entry in query.select(ALL_STATUSES)}
    sent = {entry.status_code for entry in asked(query).select(ALL_STATUSES)}
    assert wanted <= sent
    if is_exact(query):
        assert wanted == sent


@given(method_filters)
def test_the_backend_is_asked_for_every_method_that_is_wanted(method: MethodFilter) -> None:
    query = LogQuery(method=method)
    entries = [log_entry(number, method=name) for number, name in enumerate((*METHODS, "get", "BREW"))]
    wanted = {entry.method for entry in query.select(entries)}
    sent = {entry.method for entry in asked(query).select(entries)}
    assert wanted <= sent
    if is_exact(query):
        assert wanted == sent


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("404", [("statusCode", "404")]),
        ("404,400,404", [("statusCode", "400"), ("statusCode", "404")]),
        ("400-403", [("statusCode", str(code)) for code in range(400, 404)]),
        ("400-419", [("statusCode", str(code)) for code in range(400, 420)]),
        ("400-420", [("statusClass", "4xx")]),
        ("399-420", [("statusClass", "3xx"), ("statusClass", "4xx")]),
        ("5xx", [("statusClass", "5xx")]),
        ("ok", [("statusClass", "2xx")]),
        ("error", [("statusClass", "4xx"), ("statusClass", "5xx")]),
        ("5xx,404", [("statusClass", "4xx"), ("statusClass", "5xx")]),
        ("5xx,!503", [("statusClass", "5xx")]),
        ("!404", []),
        ("1xx", []),
        ("100-999", []),
        ("ok,600-700", []),
    ],
)
def test_a_status_is_asked_for_in_the_words_of_the_contract(text: str, parameters: list[tuple[str, str]]) -> None:
    assert backend_parameters(LogQuery(status=StatusFilter.parse([text]))) == parameters


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({}, []),
        ({"method": MethodFilter.parse(["GET,PUT"])}, [("method", "GET"), ("method", "PUT")]),
        ({"method": MethodFilter.parse(["GET,!PUT"])}, []),
        ({"order": Order.OLDEST_FIRST}, [("order", "asc")]),
        ({"order": Order.NEWEST_FIRST}, []),
        ({"payloads": False}, [("fields", "summary")]),
        ({"payloads": False, "grep": GrepFilter.parse(["a"])}, []),
        ({"url": UrlFilter.parse(["a"]), "client": ClientFilter.parse(["a"])}, []),
        ({"limit": 5}, []),
        ({"window": Window(since=INSTANT)}, [("startDate", "2026-11-01T10:00:00.001Z")]),
        ({"window": Window(until=INSTANT)}, [("endDate", "2026-11-01T10:00:00.001Z")]),
    ],
)
def test_a_query_is_asked_in_the_words_of_the_contract(
    fields: dict[str, Any], parameters: list[tuple[str, str]]
) -> None:
    assert backend_parameters(LogQuery(**fields)) == parameters


@pytest.mark.parametrize(
    ("fields", "exact"),
    [
        ({}, True),
        ({"window": Window(since=INSTANT), "order": Order.OLDEST_FIRST, "limit": 3}, True),
        ({"status": StatusFilter.parse(["5xx"]), "method": MethodFilter.parse(["GET"])}, True),
        ({"status": StatusFilter.parse(["404,500-503"])}, True),
        ({"status": StatusFilter.parse(["ok,error"])}, True),
        ({"status": StatusFilter.parse(["5xx,404"])}, False),
        ({"status": StatusFilter.parse(["!404"])}, False),
        ({"status": StatusFilter.parse(["1xx"])}, False),
        ({"status": StatusFilter.parse(["400-499"])}, False),
        ({"method": MethodFilter.parse(["!GET"])}, False),
        ({"grep": GrepFilter.parse(["a"])}, False),
        ({"method": MethodFilter.parse(["GET"]), "client": ClientFilter.parse(["a"])}, False),
    ],
)
def test_a_query_is_known_to_be_the_backends_own_or_not(fields: dict[str, Any], exact: bool) -> None:
    assert is_exact(LogQuery(**fields)) is exact
