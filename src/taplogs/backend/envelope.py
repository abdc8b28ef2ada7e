"""The platform's error envelope: `{"error": {"code", "type", "message", "details"}}`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class ApiError(Exception):
    """A request that is answered with an error: its HTTP status, the envelope's members, and further headers."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`details` says what is wrong with each field."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})


def envelope(status: int, code: str, message: str, details: Mapping[str, str] | None = None) -> bytes:
    """Return the JSON body of an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"code": code, "type": kind, "message": message, "details": dict(details or {})}
    return msgspec.json.encode({"error": error})


def error_response(error: ApiError) -> Response:
    """Return the reply that tells `error`."""
    body = envelope(error.status, error.code, error.message, error.details)
    return Response(body, error.status, error.headers, content_type="application/json")


def invalid_request(details: Mapping[str, str]) -> ApiError:
    """Return the error of a request whose parameters are wrong, each named in `details`."""
    faults = "; ".join(f"{name} {fault}" for name, fault in details.items())
    return ApiError(400, "INVALID_REQUEST", f"The request is invalid: {faults}.", details=details)


def not_found(message: str) -> ApiError:
    """Return the error of something that is not there."""
    return ApiError(404, "NOT_FOUND", message)


def internal_error() -> ApiError:
    """Return the error of a fault of this server; what it was is not told."""
    return ApiError(500, "INTERNAL_ERROR", "The server could not answer this request.")


def routing_error(error: HTTPException) -> ApiError:
    """Return what werkzeug's routing has raised as an error of the platform."""
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return ApiError(405, "METHOD_NOT_ALLOWED", f"Allowed here: {allowed}.", headers={"Allow": allowed})
    return not_found("There is nothing at this path.")
