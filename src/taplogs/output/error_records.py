"""Groups of errors for programs: a record each, in the words of `stats_records`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taplogs.core.error_comparison import RankedGroup
from taplogs.core.error_groups import Client, Storm
from taplogs.core.error_report import ErrorReport, Trends
from taplogs.output.records import Record
from taplogs.output.stats_records import window_record

_PARTS = 24
_TOP_CLIENTS = 3

_MEMBERS = (
    *("group", "method", "endpoint", "statusCode", "code", "message", "requests", "share", "firstSeen", "lastSeen"),
    *("clients", "moreClients", "topClients", "exampleIds", "timeline", "storms", "stormCount", "stormRequests"),
)
_COMPARED_MEMBERS = ("beforeRequests", "requestsChangeRatio", "mark")


def error_members(report: ErrorReport) -> tuple[str, ...]:
    """Return the members of each record."""
    return _MEMBERS if report.earlier is None else (*_MEMBERS, *_COMPARED_MEMBERS)


def error_records(report: ErrorReport) -> list[dict[str, Any]]:
    """Return a record for each group: numbers as they are, times in RFC 3339."""
    trends = Trends(report.groups, report.window, _PARTS)
    members = error_members(report)
    return [dict(zip(members, _values(report, item, trends), strict=False)) for item in report.shown]


def error_document(report: ErrorReport, records: Sequence[Record]) -> dict[str, Any]:
    """Return the records as one document, with the windows and the number of all errors."""
    total: dict[str, Any] = {"requests": report.groups.total}
    document = {"window": window_record(report.window), "total": total}
    if report.earlier is not None and report.earlier_window is not None:
        total |= {"beforeRequests": report.earlier.total, "requestsChangeRatio": report.change}
        document["comparedWindow"] = window_record(report.earlier_window)
    return document | {"groups": records}


def _values(report: ErrorReport, item: RankedGroup, trends: Trends) -> tuple[object, ...]:
    """Return the values of all members; the last ones say something beside an earlier window only."""
    group = item.group
    return (
        group.key.hash,
        *group.key,
        item.count,
        report.share(item),
        group.first,
        group.last,
        len(group.clients),
        group.more_clients,
        [_client_record(client) | {"requests": requests} for client, requests in group.top_clients(_TOP_CLIENTS)],
        group.example_ids,
        [
            {"start": start, "requests": requests}
            for start, requests in zip(trends.starts, trends.of(group.key), strict=True)
        ],
        [_storm_record(storm) for storm in group.storms],
        group.storm_count,
        group.storm_requests,
        item.before,
        item.change,
        item.mark,
    )


def _client_record(client: Client) -> dict[str, Any]:
    """Return a client as an entry has it."""
    return {"clientId": client.client_id, "ipAddress": client.ip_address}


def _storm_record(storm: Storm) -> dict[str, Any]:
    return _client_record(storm.client) | {
        "requests": storm.requests,
        "firstSeen": storm.first,
        "lastSeen": storm.last,
        "exampleId": storm.example_id,
    }
