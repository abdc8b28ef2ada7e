"""Entries as an HTTP Archive, HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Raw

from taplogs import __version__
from taplogs.core.entry import LogEntry, has_payload, is_text, payload_text

_UNKNOWN = -1


def har_document(entries: Iterable[LogEntry]) -> dict[str, Any]:
    """Return the archive as JSON values. What a log does not hold (headers, sizes) is marked as unknown."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "taplogs", "version": __version__},
            "entries": [_entry(entry) for entry in entries],
        }
    }


def _entry(entry: LogEntry) -> dict[str, Any]:
    known = entry.latency_ms is not None
    document: dict[str, Any] = {
        "startedDateTime": entry.timestamp,
        "time": entry.latency_ms if known else 0,
        "request": _request(entry),
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": entry.latency_ms if known else 0, "receive": 0},
        "comment": f"log entry {entry.id}" + ("" if known else "; latency unknown"),
    }
    return document


def _request(entry: LogEntry) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": entry.method,
        "url": entry.request_url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "User-Agent", "value": entry.user_agent}] if entry.user_agent else [],
        "queryString": [{"name": name, "value": value} for name, value in _query(entry.request_url)],
        "headersSize": _UNKNOWN,
        "bodySize": 0,
    }
    if has_payload(entry.request_payload):
        text = payload_text(entry.request_payload)
        request["postData"] = {"mimeType": _mime_type(entry.request_payload), "text": text}
        request["bodySize"] = len(text.encode("utf-8", "surrogatepass"))
    return request


def _response(entry: LogEntry) -> dict[str, Any]:
    content: dict[str, Any] = {"size": 0, "mimeType": "x-unknown"}
    if has_payload(entry.response_payload):
        text = payload_text(entry.response_payload)
        content = {
            "size": len(text.encode("utf-8", "surrogatepass")),
            "mimeType": _mime_type(entry.response_payload),
            "text": text,
        }
    else:
        content["comment"] = "the platform does not store this body"
    return {
        "status": entry.status_code,
        "statusText": status_text(entry.status_code),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [],
        "content": content,
        "redirectURL": "",
        "headersSize": _UNKNOWN,
        "bodySize": _UNKNOWN,
    }


def status_text(status: int) -> str:
    """Return the reason phrase of a status (RFC 9110), empty where there is none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []


def _mime_type(payload: Raw) -> str:
    return "text/plain" if is_text(payload) else "application/json"
