"""A path that names a whole field of an entry hides it, however harmless it looks."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict

from serving import log_entry, payload
from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import parse_profile

ENTRY = log_entry(1, request_payload=payload('{"x":"plain","y":"words"}'), response_payload=payload('{"x":"another"}'))


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("$.ipAddress", {"ip_address"}),
        ("$.userAgent", {"user_agent"}),
        ("$.requestUrl", {"request_url"}),
        ("$.requestPayload", {"request_payload"}),
        ("$.requestPayload.x", {"request_payload"}),
        ("$.requestPayload..y", {"request_payload"}),
        ("$.requestPayload.*", {"request_payload"}),
        ("$..x", {"request_payload", "response_payload"}),
        ("$..clientId", {"client_id"}),
        ("$..companyId", {"company_id"}),
    ],
)
@pytest.mark.parametrize("label", [None, "thing"])
def test_what_a_path_names_is_hidden(path: str, hidden: set[str], label: str | None) -> None:
    rule = {"path": path} | ({"label": label} if label else {})
    redactor = Redactor(parse_profile({"paths": [rule]}, "company"), b"k" * 32)
    (redacted,) = redactor.redact_all([ENTRY])
    assert {name for name, value in asdict(ENTRY).items() if asdict(redacted)[name] != value} == hidden
    assert sum(redactor.counts.values()) >= 1
