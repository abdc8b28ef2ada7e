"""The demo's entries: always the same, and with something to be found in any two days."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from taplogs.backend.sample import DEMO_SIZE, fill_demo, sample_entries
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry, has_payload
from taplogs.core.filters import METHODS
from taplogs.core.query import LogQuery, Order
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.sources.sqlite import SqliteStore

NOW = datetime(2026, 11, 22, 18, 40, 12, 345_678, tzinfo=UTC)
FORTNIGHT = timedelta(days=14)


@pytest.fixture(scope="module")
def fortnight() -> list[LogEntry]:
    return list(sample_entries(NOW - FORTNIGHT, NOW))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "demo.db")
    yield store
    store.close()


def held(store: SqliteStore) -> list[LogEntry]:
    return list(store.search(LogQuery(order=Order.OLDEST_FIRST)))


def error_group(entry: LogEntry) -> tuple[str, int, str, str] | None:
    if entry.status_code < 400:
        return None
    error: dict[str, Any] = json.loads(bytes(entry.response_payload))["error"]
    return EndpointTemplates().template(entry.path), entry.status_code, error["code"], error["message"]


def test_the_same_hours_hold_the_same_entries_however_they_are_asked_for(fortnight: list[LogEntry]) -> None:
    later = list(sample_entries(NOW - timedelta(days=3), NOW + timedelta(days=1)))
    start = format_timestamp((NOW - timedelta(days=3)).replace(minute=0, second=0, microsecond=0))
    assert [entry for entry in later if entry.timestamp <= format_timestamp(NOW)] == [
        entry for entry in fortnight if entry.timestamp >= start
    ]


def test_another_process_makes_the_same_entries(fortnight: list[LogEntry]) -> None:
    script = (
        "from datetime import datetime; from taplogs.backend.sample import sample_entries; import sys\n"
        "now = datetime.fromisoformat(sys.argv[1])\n"
        "sys.stdout.write(' '.join(entry.id for entry in sample_entries(now, now)))"
    )
    output = subprocess.run([sys.executable, "-c", script, NOW.isoformat()], capture_output=True, text=True, check=True)
    ids = output.stdout.split()
    assert ids == [entry.id for entry in fortnight][-len(ids) :]
    assert len(ids) > 1


def test_nothing_is_later_than_the_end_that_is_asked_for(fortnight: list[LogEntry]) -> None:
    assert fortnight[-1].timestamp <= format_timestamp(NOW)
    last = fortnight[-1]
    assert list(sample_entries(last.instant, last.instant))[-1] == last
    assert last not in sample_entries(last.instant, last.instant - timedelta(milliseconds=1))


def test_entries_come_in_order_with_ids_of_their_own(fortnight: list[LogEntry]) -> None:
    assert fortnight == sorted(fortnight, key=lambda entry: entry.sort_key)
    assert len({entry.id for entry in fortnight}) == len(fortnight)
    assert all(len(entry.id) == 12 and int(entry.id, 16) >= 0 for entry in fortnight)


def test_a_time_zone_does_not_change_which_hour_is_meant() -> None:
    from datetime import timezone

    shifted = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert list(sample_entries(shifted, shifted)) == list(sample_entries(NOW, NOW))


def test_about_sixty_entries_fall_into_an_hour(fortnight: list[LogEntry]) -> None:
    assert 55 < len(fortnight) / (14 * 24) < 66


def test_working_hours_see_more_than_nights_and_weekends(fortnight: list[LogEntry]) -> None:
    by_hour = Counter(entry.instant.hour for entry in fortnight)
    by_weekday = Counter(entry.instant.weekday() for entry in fortnight)
    assert by_hour[10] > 3 * by_hour[3]
    assert by_weekday[1] > 1.4 * by_weekday[6]


def test_a_response_is_kept_exactly_where_the_status_is_not_200(fortnight: list[LogEntry]) -> None:
    assert {entry.status_code for entry in fortnight} >= {200, 201, 202, 400, 401, 404, 409, 422, 429, 500, 503}
    assert all(has_payload(entry.response_payload) == (entry.status_code != 200) for entry in fortnight)


def test_what_is_not_an_incident_fails_rarely(fortnight: list[LogEntry]) -> None:
    quiet = [entry for entry in fortnight if entry.instant.hour in (0, 1, 2, 3, 4, 5, 6, 20, 21, 22, 23, 19, 10, 14)]
    errors = sum(entry.status_code >= 400 for entry in quiet)
    assert 0.02 < errors / len(quiet) < 0.04


@pytest.mark.parametrize("days_ago", [0, 0.4, 0.71, 1.3, 5, 9.9])
def test_any_two_days_hold_every_kind_of_incident(fortnight: list[LogEntry], days_ago: float) -> None:
    end = NOW - timedelta(days=days_ago)
    window = [entry for entry in fortnight if end - timedelta(days=2) <= entry.instant < end]
    groups = Counter(filter(None, map(error_group, window)))
    (loop, first), (outage, second) = groups.most_common(2)
    assert loop[:2] == ("/v1/partner/candidates", 422)
    assert outage[:2] == ("/v1/partner/job-candidates/bulk-fetch", 503)
    assert first >= 200
    assert second >= 25
    expired = [entry for entry in window if (error_group(entry) or ("", 0, "", ""))[3] == "The API key has expired."]
    assert len(expired) >= 90


def test_the_expired_key_is_used_by_one_client_for_six_minutes(fortnight: list[LogEntry]) -> None:
    expired = [entry for entry in fortnight if b"has expired" in bytes(entry.response_payload)]
    assert len({entry.client_id for entry in expired}) == 1
    for day in {entry.timestamp[:10] for entry in expired}:
        burst = [entry.instant for entry in expired if entry.timestamp.startswith(day)]
        assert max(burst) - min(burst) <= timedelta(minutes=6)
        assert 95 <= len(burst) <= 105


def test_the_loop_repeats_one_payload_for_about_an_hour(fortnight: list[LogEntry]) -> None:
    loop = [entry for entry in fortnight if b"phone number is invalid" in bytes(entry.response_payload)]
    days = {entry.timestamp[:10] for entry in loop} - {fortnight[0].timestamp[:10]}
    for day in days:
        posts = [entry for entry in loop if entry.timestamp.startswith(day)]
        assert len({(bytes(entry.request_payload), entry.client_id) for entry in posts}) == 1
        assert 225 <= len(posts) <= 300
        assert timedelta(minutes=55) < posts[-1].instant - posts[0].instant < timedelta(hours=1)


def test_the_outage_fails_two_calls_in_five(fortnight: list[LogEntry]) -> None:
    failed = [entry for entry in fortnight if entry.status_code == 503]
    hours = {entry.timestamp[:13] for entry in failed}
    calls = [entry for entry in fortnight if entry.timestamp[:13] in hours and "/job-candidates" in entry.request_url]
    assert 0.33 < sum(entry.status_code >= 500 for entry in calls) / len(calls) < 0.45


def test_one_endpoint_is_slow_and_some_latencies_are_unknown(fortnight: list[LogEntry]) -> None:
    slow = sorted(
        entry.latency_ms
        for entry in fortnight
        if entry.path.endswith("/bulk-fetch") and entry.latency_ms is not None and entry.status_code == 200
    )
    others = sorted(
        entry.latency_ms
        for entry in fortnight
        if "bulk" not in entry.path and entry.latency_ms is not None and entry.status_code == 200
    )
    assert 3000 < slow[int(len(slow) * 0.95)] < 10_000
    assert others[int(len(others) * 0.95)] < 500
    assert 0.001 < sum(entry.latency_ms is None for entry in fortnight) / len(fortnight) < 0.02


def test_clients_and_people_are_made_up(fortnight: list[LogEntry]) -> None:
    documentation = [ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
    addresses = {entry.ip_address or "" for entry in fortnight}
    assert all(any(ip_address(address) in network for network in documentation) for address in addresses)
    assert len({entry.user_agent for entry in fortnight}) == len({entry.client_id for entry in fortnight}) == 6
    assert len({entry.company_id for entry in fortnight}) == 3
    for entry in islice((e for e in fortnight if e.path.endswith("/candidates") and e.method == "POST"), 200):
        person = json.loads(bytes(entry.request_payload))
        assert person["email"].partition("@")[2] in {"example.com", "example.org", "example.net"}
        assert person["email"].isascii()
        assert urlsplit(person["resumeUrl"]).hostname == "files.example.com"


def test_entries_have_the_shape_of_the_partner_api(fortnight: list[LogEntry]) -> None:
    templates = EndpointTemplates()
    assert {templates.template(entry.path) for entry in fortnight} == {
        "/v1/partner/jobs",
        "/v1/partner/jobs/{id}",
        "/v1/partner/candidates",
        "/v1/partner/candidates/{id}",
        "/v1/partner/candidates/bulk/resume",
        "/v1/partner/candidates/batch/{id}",
        "/v1/partner/job-candidates",
        "/v1/partner/job-candidates/bulk-fetch",
        "/v1/partner/api-key",
    }
    for entry in fortnight:
        assert entry.request_url.startswith("https://partner-api.taptalent.io/v1/partner/")
        assert entry.method in METHODS
        assert has_payload(entry.request_payload) == (entry.method in {"POST", "PATCH"})
        assert entry.created_at is not None
        assert timedelta(0) < parse_timestamp(entry.created_at) - entry.instant < timedelta(seconds=1)


def test_filling_gives_the_newest_entries_up_to_now(store: SqliteStore) -> None:
    fill_demo(store, NOW)
    entries = held(store)
    assert len(entries) == DEMO_SIZE
    assert entries == list(sample_entries(NOW - timedelta(days=16), NOW))[-DEMO_SIZE:]


def test_filling_again_soon_changes_nothing(store: SqliteStore) -> None:
    fill_demo(store, NOW)
    before = held(store)
    fill_demo(store, parse_timestamp(before[-1].timestamp) + timedelta(minutes=9))
    assert held(store) == before


@pytest.mark.parametrize("later", [timedelta(minutes=25), timedelta(hours=7), timedelta(days=100)])
def test_filling_again_later_tops_up_and_prunes(store: SqliteStore, later: timedelta) -> None:
    fill_demo(store, NOW)
    fill_demo(store, NOW + later)
    expected = list(sample_entries(NOW + later - timedelta(days=16), NOW + later))[-DEMO_SIZE:]
    assert held(store) == expected


def test_processes_may_fill_one_store_at_once(tmp_path: Path) -> None:
    script = (
        "from datetime import datetime; from pathlib import Path; import sys\n"
        "from taplogs.backend.sample import fill_demo; from taplogs.sources.sqlite import SqliteStore\n"
        "store = SqliteStore(Path(sys.argv[1])); fill_demo(store, datetime.fromisoformat(sys.argv[2])); store.close()"
    )
    path = tmp_path / "demo.db"
    command = [sys.executable, "-c", script, str(path), NOW.isoformat()]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    store = SqliteStore(path)
    assert held(store) == list(sample_entries(NOW - timedelta(days=16), NOW))[-DEMO_SIZE:]
    store.close()
