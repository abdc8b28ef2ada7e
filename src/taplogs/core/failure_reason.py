"""LogEntry -> why it failed: the error code and the message of its response payload, whatever its shape.

Understood are the platform's envelope (`{"error": {"code", "type", "message", "details"}}`), errors as text or in a
list, problem details (RFC 9457), OAuth's `error_description` (RFC 6749), and bodies that are text or HTML. A payload of
another shape is its own message, so that nothing here ever fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from taplogs.core.entry import LogEntry, is_text
from taplogs.core.message_folding import LONGEST_MESSAGE, fold_message

LONGEST_CODE = 60
"""How many characters an error code has at most."""

_PARSED_UP_TO = 16_384
_LOOKED_AT = 4096
_REMEMBERED_UP_TO = 1024
_MOST_DETAILS = 10
_DEEPEST = 4

_CODES = ("code", "errorCode", "error_code", "status", "type", "__type")
_MESSAGES = ("message", "Message", "error_description", "errorMessage", "description", "msg")
_DETAILS = ("details", "errors", "fields", "invalid-params")
_FIELDS = ("field", "name", "path", "loc", "pointer", "param", "source")
_FAULTS = ("message", "msg", "detail", "reason", "description", "title")

_MEMBER = r'"(code|error|message|title|detail)"\s*+:\s*+"((?:[^"\\]|\\.){0,1000})'
_TITLE = r"<title\b[^<>]*>([^<]*)"
_HEADING = r"<h[1-6]\b[^<>]*>((?:[^<]|<(?!/h))*+)"
_HTML = r"\s*<(?:!doctype|html|head|body|title|h[1-6]|p|div|center)\b"
_TAG = r"<[^<>]*>"
_MEMBER_NAME = r'"([^"\\]{1,60})"\s*+:'
_NO_CODES = ("", "about:blank", "error", "fail", "failed", "failure")


class Reason(NamedTuple):
    """An error code, as it was sent, and a message; both are empty where the payload has none."""

    code: str
    message: str


def failure_reason(entry: LogEntry) -> Reason:
    """Return why an entry failed, by its response payload; the message is folded (see `core.message_folding`).

    Never fails, and takes no longer for a huge payload.
    """
    payload = bytes(entry.response_payload)
    if len(payload) <= _REMEMBERED_UP_TO:
        return _remembered(payload, entry.status_code)
    return _folded_reason(payload, entry.status_code)


def reason_text(entry: LogEntry) -> str | None:
    """Return code and message of an error as they were sent, on one line; None without, and for what is no error."""
    if not 400 <= entry.status_code <= 599:
        return None
    text = " ".join(" ".join(_reason(bytes(entry.response_payload), entry.status_code)).split())
    return (text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…") or None


def _folded_reason(payload: bytes, status: int) -> Reason:
    code, message = _reason(payload, status)
    return Reason(code, fold_message(message))


_remembered = lru_cache(maxsize=4096)(_folded_reason)
"""Most payloads are sent again and again: of a million entries, errors are grouped in a quarter of the time."""


def _reason(payload: bytes, status: int) -> Reason:
    if payload in (b"null", b"{}", b"[]", b'""'):
        return Reason("", "")
    if is_text(msgspec.Raw(payload)):
        return _of_text(_beginning_of_text(payload), status)
    document = _parsed(payload) if len(payload) <= _PARSED_UP_TO else None
    if document is None:
        return _of_beginning(payload[:_LOOKED_AT].decode("utf-8", "replace"))
    code, message = _of_document(document, status)
    if not code and not message:
        return _of_any_json(payload[:_LOOKED_AT].decode("utf-8", "replace"))
    return _finished(code, message)


def _finished(code: str, message: str) -> Reason:
    code = " ".join(code[:_LOOKED_AT].split())
    if len(code) > LONGEST_CODE:
        code = f"{code[: LONGEST_CODE - 1]}…"
    return Reason(code, message[:_LOOKED_AT])


def _of_any_json(text: str) -> Reason:
    """Return JSON that says nothing known as its own message: the names of its members without quotes, to be kept."""
    return _finished("", re.sub(_MEMBER_NAME, r"\1:", text))


def _parsed(payload: bytes) -> Any:
    """Return the value that JSON holds, or None where it is not JSON or nested too deeply."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        return json.loads(payload)  # takes lone surrogates
    except (ValueError, RecursionError):
        return None


def _of_document(document: Any, status: int) -> tuple[str, str]:
    if isinstance(document, list):
        document = {"errors": document}
    if not isinstance(document, dict):
        return "", _text(document)
    inner = document.get("error", document.get("Error"))
    if isinstance(inner, list):
        document = {**document, "errors": inner}
    if isinstance(inner, dict):
        code, message = _of_object({**inner, "details": inner.get("details", document.get("details"))}, status)
        return code or _code(document, status), message or _message(document)
    code, message = _of_object(document, status)
    if isinstance(inner, str):
        if message:
            code = code or inner
        elif re.search(r"\s", inner.strip()):
            message = inner
        else:
            code = inner
    return code, message


def _of_object(document: dict[Any, Any], status: int) -> tuple[str, str]:
    """Return code and message of an object that describes an error, its details in the order of their fields."""
    errors = document.get("errors")
    code, message = _code(document, status), _message(document)
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
        extensions = first.get("extensions")
        code = code or _code(first, status) or (_code(extensions, status) if isinstance(extensions, dict) else "")
    details = sorted({detail for name in (*_DETAILS, "detail") for detail in _details_of(document.get(name))})
    if details:
        listed = "; ".join(details[:_MOST_DETAILS])
        message = f"{message} ({listed})" if message else listed
    return code, message


def _code(document: dict[Any, Any], status: int) -> str:
    """Return the code of an error: a number only where it is not the status, a URI by its last part."""
    for name in _CODES:
        value = document.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value != status and name != "status":
            return str(value)
        if isinstance(value, str) and value.strip().lower() not in (*_NO_CODES, str(status)):
            return re.split("[/#]", value.strip().rstrip("/#"))[-1] if "://" in value[:20] else value.strip()
    return ""


def _message(document: dict[Any, Any]) -> str:
    for name in _MESSAGES:
        value = document.get(name)
        if isinstance(value, str) and value.strip():
            return value
    title, detail = (value if isinstance(value := document.get(name), str) else "" for name in ("title", "detail"))
    if title and detail and not title.endswith((".", "!", "?", ":")):
        title += ":"
    return f"{title} {detail}".strip()


def _details_of(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield `field: fault` of each detail that an object or a list holds; text within a `detail` is the message."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for field, fault in list(value.items())[: 10 * _MOST_DETAILS]:
            text = "; ".join(_faults_of(fault, depth))
            yield f"{field}: {text}" if text else str(field)
    elif isinstance(value, list):
        for item in value[: 10 * _MOST_DETAILS]:
            yield from _faults_of(item, depth)


def _faults_of(value: Any, depth: int) -> Iterator[str]:
    """Yield the faults of one field, or of a list that names its fields within."""
    if isinstance(value, str | int | float):
        yield _text(value)
    elif isinstance(value, dict) and (fault := next(filter(None, (_scalar(value.get(name)) for name in _FAULTS)), "")):
        field = next(filter(None, (_place(value.get(name)) for name in _FIELDS)), "")
        yield f"{field}: {fault}" if field else fault
    else:
        yield from _details_of(value, depth + 1)


def _place(value: Any) -> str:
    """Return the field that is named as text, as a list of steps, or as `{"pointer": …}`."""
    if isinstance(value, list):
        return ".".join(filter(None, map(_scalar, value[:_MOST_DETAILS])))
    if isinstance(value, dict):
        return _scalar(value.get("pointer", value.get("parameter")))
    return _scalar(value)


def _scalar(value: Any) -> str:
    return _text(value) if isinstance(value, str | int | float) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _beginning_of_text(payload: bytes) -> str:
    """Return the first characters of a JSON string; what is cut off may be the middle of an escape."""
    text = payload[1:-1] if len(payload) <= _LOOKED_AT else payload[1:_LOOKED_AT]
    return _unescaped(text.decode("utf-8", "replace"))


def _unescaped(text: str) -> str:
    """Return what the beginning of a JSON string stands for."""
    for end in range(len(text), max(0, len(text) - 6), -1):
        try:
            return str(json.loads(f'"{text[:end]}"', strict=False))
        except ValueError:
            continue
    return text


def _of_text(text: str, status: int) -> Reason:
    """Return the reason of a body that was not JSON: a page by its title or heading, else its text."""
    if re.match(_HTML, text, re.IGNORECASE):
        import html

        text = html.unescape(_words_of_page(text))
    # The status is told beside the message: `502 Bad Gateway` need not say it again.
    return _finished("", re.sub(rf"\A\s*{status}\b[\s:-]*", "", text))


def _words_of_page(page: str) -> str:
    for pattern in (_TITLE, _HEADING):
        found = re.search(pattern, page, re.IGNORECASE)
        if found and (words := re.sub(_TAG, " ", found[1]).strip()):
            return words
    return re.sub(_TAG, " ", page)


def _of_beginning(text: str) -> Reason:
    """Return what the first characters tell of JSON that is too large to be parsed, or cannot be."""
    found: dict[str, str] = {}
    for name, value in re.findall(_MEMBER, text, re.DOTALL):
        found.setdefault(name, _unescaped(value))
    code = found.get("code", "")
    message = next(filter(None, map(found.get, ("message", "detail", "title", "error"))), "")
    return _finished(code, message) if code or message else _of_any_json(text)
