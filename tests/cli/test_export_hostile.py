"""taplogs export where a backend, or somebody who may write into its folder, means harm."""

from __future__ import annotations

import json

import pytest

from command import Command
from exported import PSEUDONYM_KEY, Exported
from faulty_server import FaultyServer, Request, error_body, page, reply
from serving import log_entry

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
