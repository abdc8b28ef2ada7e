"""taplogs export where a backend, or somebody who may write into its folder, means harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from command import Command
from exported import PSEUDONYM_KEY, Exported
from faulty_server import FaultyServer, Request, error_body, page, reply
from serving import log_entry
from taplogs.core.timestamp import format_timestamp

KEY = "sk_live_" + "Zz9" * 7 + "Q"
SECRETS = (KEY, "jane@example.com", "hunter2secret", "eyJhbGciOiJIUzI1NiJ9")
PEOPLE = f"key {KEY} of jane@example.com password=hunter2secret Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbg"
UNTIL = ("--until", "2026-11-02")


@pytest.fixture
def export(taplogs: Command) -> Command:
    return taplogs.with_env(TAPLOGS_API_KEY="sk_test_" + "Zz9" * 7 + "Q", **PSEUDONYM_KEY)


# What a backend writes


def _entry_with(**members: object) -> bytes:
    entries = [log_entry(5), log_entry(6)]
    document = json.loads(page(entries))
    document["logs"][1] |= members
    return reply(json.dumps(document).encode())


SECOND_PAGES = {
    "an error": reply(error_body("FORBIDDEN", PEOPLE), 403),
    "an error that is no text": reply(b'{"error":{"code":"X","message":"bad \\ud800 thing"}}', 403),
    "a malformed entry": _entry_with(statusCode=PEOPLE, id="jane@example.com"),
    "an entry out of order": reply(page([log_entry(5), log_entry(0, id="jane@example.com")])),
}


@pytest.mark.parametrize("second", SECOND_PAGES.values(), ids=SECOND_PAGES)
def test_why_an_export_ended_is_redacted_before_it_is_signed(export: Command, second: bytes) -> None:
    def answer(request: Request) -> list[bytes]:
        first = reply(page([log_entry(n) for n in range(1, 5)], totalLogs=6, nextCursor="second"))
        return [second if "cursor=second" in request.target else first]

    with FaultyServer(answer) as server:
        run = export.run("export", "-o", "out", *UNTIL, "--allow-partial", "--source", server.url)
    assert run.code == 7, run.err
    found = Exported(export.folder / "out")
    found.assert_consistent()
    (gap,) = found.completeness["gaps"]
    assert gap["reason"]
    assert not [secret for secret in SECRETS if secret in found.text.decode()]


@pytest.mark.parametrize("days", [2, 3650])
def test_an_export_does_not_end_in_the_future_of_a_clock_that_is_absurdly_ahead(export: Command, days: int) -> None:
    ahead = format_timestamp(datetime.now(UTC) + timedelta(days=days))
    answer = reply(page([log_entry(1)], serverTime=ahead))
    with FaultyServer([answer]) as server:
        run = export.run("export", "-o", "out", "--source", server.url)
        assert (run.code, f"it is {ahead[:10]}T" in run.err) == (6, True)
        assert "an export cannot end in the future" in run.err
        assert not (export.folder / "out").exists()
        assert export.run("export", "-o", "out", *UNTIL, "--source", server.url).code == 0


# What stands where an export keeps what it has


@pytest.mark.parametrize("name", ["records.jsonl", "lock", "checkpoint.json"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_among_what_was_kept_is_refused_and_not_followed(export: Command, name: str, *, exists: bool) -> None:
    pages = [reply(page([log_entry(n) for n in range(1, 5)], totalLogs=6, nextCursor="second"))]
    failed = [reply(error_body("INTERNAL", "no"), 400)]

    def answer(request: Request) -> list[bytes]:
        return failed if "cursor=second" in request.target else pages

    elsewhere = export.folder / "elsewhere"
    with FaultyServer(answer) as server:
        words = ("export", "-o", "out", *UNTIL, "--source", server.url)
        assert export.run(*words).code == 7
        kept = export.folder / "out/.partial" / name
        kept.unlink(missing_ok=True)
        kept.symlink_to(elsewhere)
        if exists:
            elsewhere.write_bytes(b"precious")
        run = export.run(*words, "--resume")
    assert (run.code, run.err.splitlines()[0]) == (2, f"error: out/.partial/{name} is a link")
    assert elsewhere.exists() is exists
    assert not exists or elsewhere.read_bytes() == b"precious"
