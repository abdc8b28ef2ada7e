"""LogQuery -> SQL over the table of entries: what of a query ClickHouse decides itself.

Every value is a bound parameter. A filter whose meaning is Python's own (case folding beyond ASCII, networks, globs,
regular expressions) is told loosely or not at all, and what comes is held against the query again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from taplogs.core.filters import (
    ClientFilter,
    CompanyFilter,
    EndpointFilter,
    Filter,
    IpFilter,
    LatencyFilter,
    MethodFilter,
    StatusFilter,
    TextFilter,
    UrlFilter,
    UserAgentFilter,
    status_range,
)
from taplogs.core.query import LogQuery
from taplogs.sources.clickhouse_rows import milliseconds

_MOST = 2**63 - 1

FOLDED_METHODS = {"ı": "I", "ſ": "S", "ﬅ": "ST", "ﬆ": "ST"}
"""What Python's `upper` makes a letter of a method's name of; ClickHouse's knows ASCII alone."""


class Selection(Struct, frozen=True):
    """A condition with its parameters. `complete`: it selects exactly what the query matches, nothing more."""

    condition: str
    parameters: Mapping[str, Any]
    complete: bool

    def narrowed(self, clause: str, **parameters: Any) -> Selection:
        """Return the selection of what `clause` holds of, too."""
        return Selection(f"{self.condition} AND {clause}", {**self.parameters, **parameters}, self.complete)


def selection(query: LogQuery) -> Selection:
    """Return which rows to read for `query`."""
    terms = _Terms()
    window = query.window
    clauses = [
        f"timestamp {comparison} {terms.instant(milliseconds(text))}"
        for comparison, text in ((">=", window.since_text), ("<", window.until_text))
        if text
    ]
    complete = True
    for filter_ in query.filters:
        told = _filter_clauses(filter_, terms)
        complete &= told.exact
        clauses += told.clauses
    return Selection(" AND ".join(clauses) or "1", terms.parameters, complete)


class _Told(Struct, frozen=True):
    clauses: list[str]
    exact: bool


class _Terms:
    """The parameters of one statement, named as they come."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}

    def bind(self, value: object, kind: str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"

    def text(self, value: str) -> str:
        return self.bind(value, "String")

    def instant(self, value: int) -> str:
        return instant(self.bind(value, "Int64"))


def instant(number: str) -> str:
    """Return the SQL that makes an instant of milliseconds, whatever the year; ClickHouse computes it once."""
    return f"reinterpret({number}, 'DateTime64(3, \\'UTC\\')')"


def _filter_clauses(filter_: Filter, terms: _Terms) -> _Told:
    if isinstance(filter_, TextFilter):
        return _text_clauses(filter_, terms)
    if tell := _EXACT.get(type(filter_)):
        return _exactly(filter_, partial(tell, terms=terms))
    if (tell := _LOOSE.get(type(filter_))) and filter_.wanted:
        return _Told([_any([tell(term, terms) for term in filter_.wanted])], exact=False)
    return _Told([], exact=False)


def _exactly(filter_: Filter, tell: Callable[[str], str]) -> _Told:
    """Tell a filter of terms that are true or false of every row, never NULL."""
    clauses = [_any([tell(term) for term in filter_.wanted])] if filter_.wanted else []
    clauses += [f"NOT {tell(term)}" for term in filter_.unwanted]
    return _Told(clauses, exact=True)


def _any(clauses: list[str]) -> str:
    return f"({' OR '.join(clauses)})"


def _status(term: str, terms: _Terms) -> str:  # noqa: ARG001 - as all of them; a number needs no parameter
    low, high = status_range(term)
    return f"(status_code BETWEEN {low:d} AND {high:d})"


def _method(term: str, terms: _Terms) -> str:
    folded = "method"
    for letter, capital in FOLDED_METHODS.items():
        folded = f"replaceAll({folded}, '{letter}', '{capital}')"
    return f"(upper({folded}) = {terms.text(term)})"


def _client(term: str, terms: _Terms) -> str:
    return _equal("client_id", term, terms)


def _company(term: str, terms: _Terms) -> str:
    # The first of the two is in the sorting key, the second tells an empty id from none.
    return f"(company = {terms.text(term)} AND {_equal('company_id', term, terms)})"


def _equal(column: str, term: str, terms: _Terms) -> str:
    if not _is_storable(term):
        return "0"
    return f"ifNull({column} = {terms.text(term)}, 0)"


def _latency(term: str, terms: _Terms) -> str:  # noqa: ARG001 - as above
    low, high = latency_range(term)
    return f"ifNull(latency_ms BETWEEN {low:d} AND {high:d}, 0)" if low <= high else "0"


def latency_range(term: str) -> tuple[int, int]:
    """Return the least and the greatest whole milliseconds that one canonical latency term holds of."""
    match = re.fullmatch(r"(>=|<=|>|<)(.+)ms", term)
    if not match:
        low, _, high = term.partition("-")
        return math.ceil(float(low[:-2])), math.floor(float(high[:-2]))
    limit = float(match[2])
    return {
        ">": (math.floor(limit) + 1, _MOST),
        ">=": (math.ceil(limit), _MOST),
        "<": (0, math.ceil(limit) - 1),
        "<=": (0, math.floor(limit)),
    }[match[1]]


def _text_clauses(filter_: TextFilter, terms: _Terms) -> _Told:
    """Text is text to the byte where it has a capital; where case does not count, only ASCII is folded alike."""
    column = _TEXT_COLUMNS[type(filter_)]
    texts = (*filter_.wanted, *filter_.unwanted)
    if all(term != term.lower() and _is_storable(term) for term in texts):
        return _exactly(filter_, lambda term: f"ifNull(position({column}, {terms.text(term)}) > 0, 0)")
    if not all(map(_is_storable, filter_.wanted)):
        return _Told([], exact=False)
    loose = [_loosely_within(column, term, terms) for term in filter_.wanted]
    return _Told([_any(loose)] if loose else [], exact=False)


def _loosely_within(column: str, term: str, terms: _Terms) -> str:
    found = f"position({column}, {terms.text(term)}) > 0"
    if term != term.lower():
        return f"ifNull({found}, 0)"
    if term.isascii():
        found = f"positionCaseInsensitive({column}, {terms.text(term)}) > 0"
    return f"ifNull({found} OR length({column}) != lengthUTF8({column}), 0)"


def _loose_address(term: str, terms: _Terms) -> str:
    """Tell an address, or a block of IPv4 as far as whole octets go; IPv6 has too many spellings to be told."""
    address, _, length = term.partition("/")
    if ":" in address:
        return "ifNull(position(ip_address, ':') > 0, 0)"
    octets = address.split(".")[: int(length or 32) // 8]
    beginning = ".".join(octets) + ("." if 0 < len(octets) < 4 else "")
    return f"ifNull(position(ip_address, {terms.text(beginning)}) > 0 OR position(ip_address, ':') > 0, 0)"


def _loose_endpoint(term: str, terms: _Terms) -> str:
    """Tell what every path of a template or a glob begins with; a URL with a line feed has a path without it."""
    beginning = re.split(r"[*?{]", term)[0]
    if not _is_storable(beginning):
        return "1"
    return (
        f"(position(request_url, {terms.text(beginning)}) > 0 OR match(request_url, '[\\\\t\\\\r\\\\n]') OR {_NO_PATH})"
    )


_NO_PATH = "position(request_url, '/') = 0"
"""A URL without a path has the path `/`."""


def _is_storable(term: str) -> bool:
    """Return whether `term` can be sent: no entry in ClickHouse holds a lone surrogate."""
    try:
        term.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Tell(Protocol):
    def __call__(self, term: str, terms: _Terms) -> str: ...


_EXACT: dict[type[Filter], _Tell] = {
    StatusFilter: _status,
    MethodFilter: _method,
    ClientFilter: _client,
    CompanyFilter: _company,
    LatencyFilter: _latency,
}
_LOOSE: dict[type[Filter], _Tell] = {IpFilter: _loose_address, EndpointFilter: _loose_endpoint}
_TEXT_COLUMNS: dict[type[Filter], str] = {UrlFilter: "request_url", UserAgentFilter: "user_agent"}
