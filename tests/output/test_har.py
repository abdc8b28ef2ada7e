"""HTTP Archives: valid by the published schema, and what they say is what was logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hostile import ENTRIES
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft6Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

from command import Command
from serving import Backend, log_entry, payload
from taplogs.output.har import har_document, status_text

SCHEMAS = {
    path.name: json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parent.parent / "data" / "har-schema").glob("*.json"))
}
REGISTRY: Any = Registry().with_resources([(name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()])
VALIDATOR = Draft6Validator(SCHEMAS["har.json"], registry=REGISTRY)


def valid(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document, which the published schema must accept."""
    VALIDATOR.validate(document)
    return document


def only_entry(**fields: Any) -> dict[str, Any]:
    (entry,) = valid(har_document([log_entry(**fields)]))["log"]["entries"]
    found: dict[str, Any] = entry
    return found


def test_the_validator_refuses_what_is_no_archive() -> None:
    document = har_document([log_entry()])
    del document["log"]["entries"][0]["request"]["httpVersion"]
    assert not VALIDATOR.is_valid(document)


def test_an_archive_of_several_entries_is_valid(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("show", "entry-00003", "entry-00004", "entry-00007", "--har")
    document = valid(json.loads(finished.out))
    assert document["log"]["creator"]["name"] == "taplogs"
    assert [entry["response"]["status"] for entry in document["log"]["entries"]] == [404, 422, 201]


@pytest.mark.parametrize("fields", [{}, {"latency_ms": None}, {"user_agent": None}, {"user_agent": ""}], ids=str)
def test_what_is_missing_makes_no_archive_invalid(fields: dict[str, Any]) -> None:
    only_entry(**fields)


def test_an_archive_of_hostile_entries_is_valid() -> None:
    assert len(valid(har_document(ENTRIES))["log"]["entries"]) == len(ENTRIES)


def test_a_request_and_its_response_are_told() -> None:
    entry = only_entry(
        method="POST",
        request_url="https://a.example/v1/jobs?name=Z%C3%BCrich&empty=&name=two+words",
        status_code=422,
        latency_ms=812,
        request_payload=payload('{"a": 1}'),
        response_payload=payload('"no \\u00e9"'),
    )
    assert (entry["startedDateTime"], entry["time"], entry["timings"]["wait"]) == ("2026-11-01T00:00:01.000Z", 812, 812)
    request = entry["request"]
    assert request["method"] == "POST"
    assert [(item["name"], item["value"]) for item in request["queryString"]] == [
        ("name", "Zürich"),
        ("empty", ""),
        ("name", "two words"),
    ]
    assert request["headers"] == [{"name": "User-Agent", "value": "python-requests/2.32.3"}]
    assert request["postData"] == {"mimeType": "application/json", "text": '{"a": 1}'}
    assert request["bodySize"] == 8
    assert entry["response"]["content"] == {"size": 5, "mimeType": "text/plain", "text": "no é"}
    assert entry["response"]["statusText"] == status_text(422) != ""


def test_a_body_that_was_not_stored_is_said_to_be_so() -> None:
    entry = only_entry(latency_ms=None)
    assert "text" not in entry["response"]["content"]
    assert "does not store" in entry["response"]["content"]["comment"]
    assert "latency unknown" in entry["comment"]


def test_the_key_is_no_part_of_it() -> None:
    assert "uthorization" not in json.dumps(har_document([log_entry()]))


@given(st.text(), st.text(), st.integers(0, 999))
def test_any_url_and_method_make_a_valid_archive(url: str, method: str, status: int) -> None:
    only_entry(request_url=url, method=method, status_code=status)


@pytest.mark.parametrize("url", ["https://[1", "https://a.example?" + "&" * 2000, "//", "a?b=%ff%zz"])
def test_an_odd_url_makes_a_valid_archive(url: str) -> None:
    assert only_entry(request_url=url)["request"]["url"] == url
