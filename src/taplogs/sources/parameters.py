"""LogQuery -> the parameters of the log endpoint: what of a query the backend can do itself.

A backend may filter less than it is asked to (every entry is checked again), but never more: where the contract
cannot say exactly what the query means, it is asked for more.
"""

from __future__ import annotations

from taplogs.core.filters import StatusFilter, status_range
from taplogs.core.query import LogQuery, Order

_MOST_CODES = 20


def backend_parameters(query: LogQuery) -> list[tuple[str, str]]:
    """Return the query parameters of `GET …/logs` for `query`, without those of paging."""
    parameters = _status_parameters(query.status)
    if query.method and not query.method.unwanted:
        parameters += [("method", method) for method in query.method.wanted]
    if query.window.since:
        parameters.append(("startDate", query.window.since_text))
    if query.window.until:
        parameters.append(("endDate", query.window.until_text))
    if query.order is not Order.NEWEST_FIRST:
        parameters.append(("order", query.order.value))
    if not query.needs_payloads:
        parameters.append(("fields", "summary"))
    return parameters


def is_exact(query: LogQuery) -> bool:
    """Return whether the parameters say all that the query does, so that the backend's count is the query's."""
    by_backend = {query.status, query.method, None}
    if any(filter_ not in by_backend for filter_ in query.filters) or (query.method and query.method.unwanted):
        return False
    if query.status is None:
        return True
    whole = _codes(query.status) is not None or all(map(_is_class, query.status.wanted))
    return whole and not query.status.unwanted and bool(_status_parameters(query.status))


def _status_parameters(status: StatusFilter | None) -> list[tuple[str, str]]:
    if status is None or not status.wanted:
        return []
    codes = _codes(status)
    if codes is not None:
        return [("statusCode", str(code)) for code in codes]
    classes = _classes(status)
    return [] if {1, *range(6, 10)} & set(classes) else [("statusClass", f"{digit}xx") for digit in classes]


def _codes(status: StatusFilter) -> list[int] | None:
    """Return the wanted statuses one by one, or None where they are whole classes or too many."""
    if any(map(_is_class, status.wanted)):
        return None
    codes: set[int] = set()
    for term in status.wanted:
        low, high = status_range(term)
        codes.update(range(low, high + 1))
    return sorted(codes) if len(codes) <= _MOST_CODES else None


def _classes(status: StatusFilter) -> list[int]:
    classes: set[int] = set()
    for term in status.wanted:
        low, high = status_range(term)
        classes.update(range(low // 100, high // 100 + 1))
    return sorted(classes)


def _is_class(term: str) -> bool:
    return term in ("ok", "error") or term.endswith("xx")
