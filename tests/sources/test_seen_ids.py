"""Ids that occur again are found, in the memory and in the temporary file."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from serving import log_entry
from taplogs.sources.seen_ids import SeenIds


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=20), st.integers(0, 40))
@settings(deadline=None)
def test_only_the_first_entry_of_an_id_is_left(batches: list[list[int]], in_memory: int) -> None:
    seen = SeenIds(in_memory)
    expected: set[int] = set()
    for batch in batches:
        first = [number for place, number in enumerate(batch) if number not in expected | {*batch[:place]}]
        found = seen.first_ones([log_entry(number) for number in batch])
        assert [entry.id for entry in found] == [log_entry(number).id for number in first]
        expected.update(batch)
    assert seen.repeated == sum(map(len, batches)) - len(expected)
    seen.close()
