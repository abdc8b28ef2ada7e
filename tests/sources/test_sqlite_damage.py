"""Stores that a disk or another program has changed: all of it is found, and nothing but clear errors comes of it."""

from __future__ import annotations

import os
import random
import sqlite3
import struct
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from datetime import UTC
from functools import partial
from pathlib import Path

import pytest
import zstandard

from serving import log_entry, payload
from taplogs.core.dimensions import Dimension, dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.filters import ClientFilter, StatusFilter
from taplogs.core.query import LogQuery
from taplogs.core.stats import Grouping
from taplogs.errors import EntryNotFound, TaplogsError
from taplogs.sources.sqlite import SqliteStore
from taplogs.sources.sqlite_damage import DamagedStore
from taplogs.sources.sqlite_payloads import encoded

CLASSES = (200, 302, 404, 500)
BEFORE = "2026-11-01T00:02:00.000Z"


def dimensions(text: str) -> tuple[Dimension, ...]:
    return dimensions_named(text, EndpointTemplates(), UTC)


def entries(first: int, last: int) -> list[LogEntry]:
    return [
        log_entry(number, status_code=CLASSES[number % 4], request_payload=payload(f'{{"number": {number}}}'))
        for number in range(first, last)
    ]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a store of 300 entries."""
    path = tmp_path_factory.mktemp("sound") / "logs.db"
    with closing(SqliteStore(path)) as store:
        store.add(entries(0, 300))
        store.keep([], origin="origin", state=b"{}")
        store.vacuum()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, sound: bytes) -> Path:
    (tmp_path / "logs.db").write_bytes(sound)
    return tmp_path / "logs.db"


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("no_json", 0, lambda: encoded([(b'{"a":', b'"\xff"')] * 256))
        connection.create_function("too_short", 0, lambda: zstandard.compress(struct.pack("<I", 5)))
        connection.executescript(statement)
        connection.commit()


def use(path: Path, *expected: type[TaplogsError]) -> None:
    """Ask for everything that commands ask for, and change what they change; of errors only the expected ones come."""
    queries = [
        LogQuery(status=StatusFilter.parse(["5xx"])),
        LogQuery(client=ClientFilter.parse(["client"])),
        LogQuery(),
    ]
    groupings = [
        Grouping(dimensions("status"), timeline=True),
        Grouping(dimensions("endpoint,client")),
        Grouping(dimensions("ip,hour")),
    ]
    with closing(SqliteStore(path)) as store:
        acts: list[Callable[[], object]] = [partial(store.get, "entry-00007"), store.states, store.oldest]
        for query in queries:
            acts.append(partial(store.count, query))
            acts.append(partial(list, store.batches(query)))
            acts.extend(partial(store.summarise, query, grouping) for grouping in groupings)
        acts.append(partial(store.add, entries(300, 700)))
        acts.append(partial(store.remove_before, BEFORE, {}))
        for act in acts:
            with suppress(*expected):
                act()


def faults(path: Path) -> list[str]:
    try:
        with closing(SqliteStore(path, read_only=True)) as store:
            return list(store.faults())
    except DamagedStore as error:
        return [error.message]


def of_entry(assignment: str) -> str:
    return f"UPDATE entries SET {assignment} WHERE id = 'entry-00007'"  # noqa: S608 - our own words


VALUES = {
    of_entry("moment = 'zz'"): "the time is wrong in 1 row of the table entries",
    of_entry("moment = 9e18"): "the time is wrong",
    of_entry("moment = -1e17"): "the time is wrong",
    of_entry("moment = 1.5"): "the time is wrong",
    of_entry("id = 5"): "the id is wrong",
    of_entry("id = x'00'"): "the id is wrong",
    of_entry("id = CAST(x'ff' AS TEXT)"): "the entries cannot be checked to the end (Could not decode to UTF-8",
    of_entry("status = 'zz'"): "the status is wrong",
    of_entry("status = 9e18"): "the status is wrong",
    of_entry("latency = 'zz'"): "the latency is wrong",
    of_entry("latency = -5"): "the latency is wrong",
    of_entry("url = x'ff'"): "the URL is wrong",
    of_entry("url = CAST(x'ff' AS TEXT)"): "the entries cannot be checked to the end (Could not decode to UTF-8",
    of_entry("url = 'a/b/c'"): "of the entry with the id 'entry-00007': an entry cannot be read",
    of_entry("method = 'zz'"): "the code of the method is wrong",
    of_entry("client = NULL"): "the code of the client is wrong",
    of_entry("created = x'00'"): "the time of being logged is wrong",
    of_entry("created = 9000000000000000000"): "the time of being logged is wrong",
    of_entry("updated = -9e18"): "the time of being changed is wrong",
    of_entry("payloads = 'zz'"): "the number of the payloads is wrong",
    of_entry("payloads = 9e18"): "the payloads of 1 entries are missing",
    of_entry("payloads = -1"): "the payloads of 1 entries are missing",
    of_entry("payloads = NULL"): "payloads of 1 entries are kept that are not in the store",
    of_entry("payloads = 9"): "the payloads 9 belong to more than one entry",
    "UPDATE ids SET moment = 'zz'": "the time is wrong in 300 rows of the table ids",
    "UPDATE ids SET moment = 5 WHERE id = 'entry-00007'": "of which 1 are not found by it",
    "DELETE FROM ids WHERE id = 'entry-00007'": "the table of ids has 299 for 300 entries",
    "DELETE FROM words WHERE word = 'GET'": "the word of a code is missing: method of 300 entries",
    "UPDATE words SET word = x'ff'": "the word is wrong in 5 rows of the table words",
    "UPDATE words SET word = CAST(x'ff' AS TEXT)": "Could not decode to UTF-8",
    "UPDATE words SET kind = 9": "the kind is wrong",
    "DELETE FROM places": "the place of a code is missing: the URLs of 300 entries",
    "UPDATE places SET endpoint = '/v1'": "belongs to another place",
    "UPDATE places SET endpoint = '/{id}/{id}/{id}'": "an entry cannot be read",
    "UPDATE places SET endpoint = x'ff'": "the endpoint is wrong",
    "UPDATE places SET origin = 5": "the origin is wrong",
    "DELETE FROM payload_blocks": "payloads of 256 entries are missing",
    "UPDATE payload_blocks SET content = substr(content, 1, 100)": "payloads from 1 on cannot be read",
    "UPDATE payload_blocks SET content = 'zz'": "the content is wrong",
    "UPDATE payload_blocks SET content = no_json()": "of the payloads from 1 on, some are no JSON",
    "UPDATE payload_blocks SET content = too_short()": "payloads from 1 on cannot be read",
    "UPDATE payload_blocks SET number = 9e18": "the payloads from 1 on are not as many as they should be",
    "UPDATE payload_blocks SET first = 9000000000000000000": "the first number is wrong",
    "UPDATE payload_blocks SET first = -5": "the first number is wrong",
    "DELETE FROM payload_tail": "payloads of 44 entries are missing",
    "DELETE FROM payload_tail WHERE number = 290": "payloads of 1 entries are missing",
    "UPDATE payload_tail SET request = 'zz'": "the payload of the request is wrong in 44 rows",
    "UPDATE payload_tail SET request = x'22ff22' WHERE number = 290": "the payloads 290 are no JSON",
    "UPDATE payload_tail SET number = 9000000000000000000 WHERE number = 300": "the number is wrong",
    "UPDATE counts SET number = number + 1 WHERE month != 0": "the roll-ups of 2026-11 do not agree",
    "UPDATE counts SET number = number + 1 WHERE month = 0": "the roll-ups of all time do not agree",
    "UPDATE counts SET number = 9000000000000000000": "the count is wrong",
    "UPDATE counts SET number = 'zz'": "the count is wrong",
    "UPDATE counts SET number = -5": "the count is wrong",
    "UPDATE counts SET status = 'zz' || status": "the status is wrong",
    "UPDATE counts SET month = month * 1000000": "the month is wrong",
    "UPDATE counts SET month = 'zz' WHERE month = 0": "the month is wrong",
    "UPDATE counts SET place = 99": "the roll-ups of all time do not agree",
    "UPDATE counts SET latencies = x'4242'": "roll-ups of all time do not agree",
    "UPDATE counts SET latencies = x'424201'": "a roll-up cannot be read",
    "UPDATE counts SET latencies = x'666601'": "a roll-up cannot be read",
    "UPDATE counts SET latencies = x'ffff00'": "a roll-up cannot be read",
    "UPDATE counts SET latencies = 'zz'": "the histogram of latencies is wrong",
    "DELETE FROM counts": "the roll-ups of 2026-11 do not agree",
    "DELETE FROM quarters": "the counts over time do not agree",
    "INSERT INTO quarters VALUES (1, 200, 1)": "the counts over time do not agree",
    "UPDATE quarters SET number = 'zz'": "the count is wrong",
    "DELETE FROM traits": "which kinds of ids there are is said wrongly, or not at all",
    "UPDATE traits SET id_kinds = 1": "which kinds of ids there are is said wrongly",
    "UPDATE traits SET id_kinds = 'zz'": "the note of the kinds of ids is wrong",
    "UPDATE origins SET state = 5": "the state is wrong",
    "UPDATE origins SET name = x'ff'": "the name is wrong",
}
"""What changes the values of a sound store, and what is told of it."""

RECURSIVE = """
ALTER TABLE entries RENAME TO former;
CREATE VIEW entries AS
    WITH RECURSIVE more (moment, id) AS (SELECT 1, 'a' UNION ALL SELECT moment + 1, id FROM more)
    SELECT moment, id, 200 AS status, 1 AS latency, 0 AS method, 0 AS place, '' AS url, 0 AS ip, 0 AS agent,
        0 AS client, 0 AS company, 0 AS created, 0 AS updated, NULL AS payloads FROM more
"""

TABLES = {
    "DROP TABLE quarters": "its table 'quarters' is missing, or another one is in its place",
    "DROP INDEX failed_entries": "its index 'failed_entries' is missing",
    "ALTER TABLE entries RENAME COLUMN latency TO slowness": "its table 'entries' is missing",
    "ALTER TABLE counts ADD COLUMN more GENERATED ALWAYS AS (hex(latencies))": "its table 'counts' is missing",
    "CREATE TRIGGER more AFTER INSERT ON entries BEGIN DELETE FROM entries; END": "it was given what no store",
    "CREATE VIEW harmless AS SELECT 1": "it was given what no store of taplogs has: CREATE VIEW harmless",
    "CREATE VIRTUAL TABLE more USING fts5(text)": "it was given what no store",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = CAST(sql AS BLOB)": "it was given what no store",
    RECURSIVE: "it was given what no store of taplogs has: CREATE VIEW entries",
}
"""What changes its tables."""


def test_a_sound_store_is_sound_and_can_be_used(path: Path) -> None:
    assert faults(path) == []
    use(path)
    assert faults(path) == []


@pytest.mark.parametrize("statement", VALUES | TABLES)
def test_what_is_wrong_is_found(path: Path, statement: str) -> None:
    damage(path, statement)
    assert (VALUES | TABLES)[statement] in "\n".join(faults(path))


@pytest.mark.parametrize("statement", VALUES)
def test_nothing_but_clear_errors_comes_of_a_wrong_value(path: Path, statement: str) -> None:
    damage(path, statement)
    use(path, DamagedStore, EntryNotFound)


@pytest.mark.parametrize("statement", TABLES)
def test_a_store_with_other_tables_is_refused(path: Path, statement: str) -> None:
    damage(path, statement)
    for read_only in (True, False):
        with pytest.raises(DamagedStore) as refused:
            SqliteStore(path, read_only=read_only)
        assert refused.value.message.startswith(f"the store {path} is damaged: {TABLES[statement]}")
        assert refused.value.hint == (
            f"'taplogs archive verify --source sqlite:{path}' names all that is wrong, and says how to replace it"
        )


def test_a_table_of_somebody_elses_does_no_harm(path: Path) -> None:
    damage(path, "CREATE TABLE notes (text); CREATE INDEX notes_by_text ON notes (text); ANALYZE")
    assert faults(path) == []
    use(path)


@pytest.mark.parametrize(
    "statement",
    [of_entry("status = 'zz'"), of_entry("latency = -5"), "UPDATE counts SET status = 'zz' || status"],
)
def test_a_count_of_what_no_entry_has_is_not_told_as_a_fact(path: Path, statement: str) -> None:
    damage(path, statement)
    with closing(SqliteStore(path)) as store, pytest.raises(DamagedStore, match="a count cannot be read"):
        store.summarise(LogQuery(), Grouping(dimensions("status" if "counts" in statement else "ip")))


def test_an_id_that_leads_nowhere_is_not_told_as_one_that_there_is_not(path: Path) -> None:
    damage(path, "UPDATE ids SET moment = 5 WHERE id = 'entry-00007'")
    with closing(SqliteStore(path)) as store, pytest.raises(DamagedStore, match="leads to no entry"):
        store.get("entry-00007")


@pytest.mark.parametrize("statement", ["UPDATE payload_blocks SET content = no_json()", "DELETE FROM payload_blocks"])
def test_a_payload_that_is_no_json_is_not_given_out(path: Path, statement: str) -> None:
    damage(path, statement)
    with closing(SqliteStore(path)) as store, pytest.raises(DamagedStore):
        store.get("entry-00007")


def test_payloads_are_not_added_after_a_gap_in_their_numbers(path: Path) -> None:
    """They would get the numbers of others."""
    damage(path, "DELETE FROM payload_tail WHERE number = 290")
    with closing(SqliteStore(path)) as store:
        with pytest.raises(DamagedStore, match="not numbered one after the other"):
            store.add(entries(300, 301))
        assert store.count(LogQuery()) == 300


def test_of_much_that_is_wrong_the_first_is_told_and_that_there_is_more(path: Path) -> None:
    damage(path, "UPDATE payload_tail SET request = x'00'")
    found = faults(path)
    assert [fault for fault in found if fault.endswith("no JSON")] == [
        f"the payloads {number} are no JSON" for number in range(257, 267)
    ]
    assert found[-1] == "and there is more of this kind: the payloads were not checked any further"


def test_damaged_pages_are_told_in_plain_words(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.add(entries(300, 5000))
        store.vacuum()
    content = bytearray(path.read_bytes())
    for page in range(4096 * 5, len(content), 4096 * 3):
        content[page : page + 200] = os.urandom(200)
    path.write_bytes(content)
    found = faults(path)
    assert any(" of the file is damaged (" in fault for fault in found)
    assert not [fault for fault in found if "\n" in fault or "***" in fault]
    with closing(SqliteStore(path)) as store, pytest.raises(DamagedStore, match="its pages do not fit together"):
        list(store.search(LogQuery()))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_but_clear_errors_comes_of_bytes_that_changed(path: Path, sound: bytes, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(15):
        content = bytearray(sound)
        for place in chosen_bytes(chance, len(content)):
            content[place] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        for act in (faults, use_anyhow):
            with suppress(TaplogsError):  # a file that is no store any more is not opened
                act(path)
        for log in path.parent.glob("logs.db-*"):
            log.unlink()


def use_anyhow(path: Path) -> None:
    use(path, TaplogsError)


def test_a_message_that_is_no_text_is_told_all_the_same(path: Path, sound: bytes) -> None:
    """SQLite quotes the statement that it cannot read."""
    path.write_bytes(sound.replace(b"CREATE TABLE entries", b"CREATE TABLE entr\xcces"))
    assert faults(path)[0].startswith(f"the store {path} is damaged: ")


def chosen_bytes(chance: random.Random, size: int) -> Iterable[int]:
    """Choose few bytes, each as likely at the beginning of its page, where the structure is, as in the rest of it."""
    for _ in range(chance.choice((1, 1, 3, 10))):
        page = chance.randrange(size // 4096) * 4096
        yield page + chance.randrange(chance.choice((100, 4096)))
