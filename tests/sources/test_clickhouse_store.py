"""Entries in ClickHouse: what is kept, in which order it comes back, what is counted, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickhouse import clickhouse_store, drop, engine, new_address
from generated import answer, counted, entries, groupings, moments_of, queries
from serving import log_entry, payload
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.stats import Grouping
from taplogs.errors import ConfigurationError, EntryNotFound
from taplogs.sources.clickhouse import ClickHouseStore

stored_sets = st.lists(st.tuples(queries, groupings), min_size=4, max_size=4)


@settings(max_examples=25)
@given(entries, stored_sets)
def test_every_query_is_answered_as_the_query_itself_decides(
    stored: list[LogEntry], asked: list[tuple[LogQuery, Grouping]]
) -> None:
    with clickhouse_store() as store:
        store.add(stored)
        for query, grouping in asked:
            assert list(store.search(query)) == answer(stored, query)
            assert store.count(query) in (None, len(answer(stored, query, limited=False)))
            summary = store.summarise(query, grouping)
            expected = counted(stored, query, grouping)
            assert summary.counts == expected.counts
            assert moments_of(summary, stored) == moments_of(expected, stored)
        for entry in stored:
            assert store.get(entry.id) == entry
