"""LogQuery -> SQL over the table of entries: what of a query SQLite decides itself, in the order of one index."""

from __future__ import annotations

from msgspec import Struct

from taplogs.core.filters import Filter, MethodFilter, StatusFilter, status_range
from taplogs.core.query import LogQuery, Order

Position = tuple[str, str]
"""A place in the total order of entries: (timestamp, id)."""


class Selection(Struct, frozen=True):
    """A condition with its parameters. `complete`: it selects exactly what the query matches, nothing more."""

    condition: str
    parameters: tuple[str | int, ...]
    complete: bool


def selection(query: LogQuery, after: Position | None = None) -> Selection:
    """Return which rows to read for `query`, those beyond `after` (in the query's order) only where it is given."""
    clauses: list[str] = []
    parameters: list[str | int] = []
    for clause, values in (*_bounds(query, after), *map(_filter_clause, _expressible(query))):
        clauses.append(clause)
        parameters += values
    complete = all(isinstance(filter_, StatusFilter | MethodFilter) for filter_ in query.filters)
    return Selection(" AND ".join(clauses) or "1", tuple(parameters), complete)


def ordering(order: Order) -> str:
    """Return the ORDER BY terms of the total order."""
    direction = "DESC" if order is Order.NEWEST_FIRST else "ASC"
    return f"timestamp {direction}, id {direction}"


Clause = tuple[str, list[str | int]]


def _bounds(query: LogQuery, after: Position | None) -> list[Clause]:
    """One lower and one upper bound at most, as positions: with two upper bounds SQLite would seek to either."""
    newest_first = query.order is Order.NEWEST_FIRST
    lower = (query.window.since_text, "") if query.window.since else None
    upper = (query.window.until_text, "") if query.window.until else None
    comparison = ">="
    if after and newest_first:
        upper = min(upper, after) if upper else after
    elif after and (lower is None or after >= lower):
        lower, comparison = after, ">"
    clauses: list[Clause] = []
    if lower:
        clauses.append((f"(timestamp, id) {comparison} (?, ?)", [*lower]))
    if upper:
        clauses.append(("(timestamp, id) < (?, ?)", [*upper]))
    return clauses


def _expressible(query: LogQuery) -> list[Filter]:
    return [filter_ for filter_ in (query.status, query.method) if filter_ is not None]


def _filter_clause(filter_: Filter) -> Clause:
    clauses, parameters = [], []
    for terms, negation in ((filter_.wanted, ""), (filter_.unwanted, "NOT ")):
        if terms:
            clause, values = _any_of(filter_, terms)
            clauses.append(f"{negation}({clause})")
            parameters += values
    return " AND ".join(clauses), parameters


def _any_of(filter_: Filter, terms: tuple[str, ...]) -> Clause:
    if isinstance(filter_, StatusFilter):
        ranges = [value for term in terms for value in status_range(term)]
        return " OR ".join(["status_code BETWEEN ? AND ?"] * len(terms)), list(ranges)
    return f"upper(method) IN ({', '.join('?' * len(terms))})", list(terms)
