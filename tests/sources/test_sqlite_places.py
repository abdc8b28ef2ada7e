"""What a filter by endpoint is told of a place holds of every path there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.filters import EndpointFilter
from taplogs.sources.sqlite_places import selects
from taplogs.sources.sqlite_urls import Place, UrlSplitter

ids = st.sampled_from(["1", "17", "deadbeef99", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "aGVsbG8gd29ybGQh1"])
segments = st.sampled_from(["v1", "jobs", "bulk-fetch", ""]) | ids
paths = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "".join(f"/{part}" for part in parts))
pieces = segments | st.sampled_from(["*", "**", "{id}", "{jobId}", "j*", "?", "1?", "***", "a**", "{id}x", "{", "*s"])
terms = st.lists(pieces, min_size=1, max_size=4).map(lambda parts: "".join(f"/{part}" for part in parts))
terms |= st.sampled_from(["*", "**", "*/jobs", "**/jobs", "*/{id}"])
filters = st.builds(
    EndpointFilter,
    wanted=st.lists(terms, max_size=2).map(tuple),
    unwanted=st.lists(terms, max_size=1).map(tuple),
    templates=st.sampled_from([None, EndpointTemplates(), EndpointTemplates(["/v1/{version}/jobs"])]),
)


@given(paths, filters)
def test_a_verdict_on_a_place_is_the_filter_s_own(path: str, filter_: EndpointFilter) -> None:
    place, _ = UrlSplitter().split(f"https://x.io{path}")
    verdict = selects(filter_, place)
    assert verdict is None or verdict == filter_.accepts(path)


@pytest.mark.parametrize(
    ("term", "endpoint", "verdict"),
    [
        ("/v1/jobs/{id}", "/v1/jobs/{id}", True),
        ("/v1/jobs/{jobId}", "/v1/jobs/{id}", True),
        ("/v1/jobs/*", "/v1/jobs/{id}", True),
        ("/v1/**", "/v1/jobs/{id}", True),
        ("/v1/jobs", "/v1/jobs/{id}", False),
        ("/v1/jobs/{id}", "/v1/jobs", False),
        ("/v1/jobs/new", "/v1/jobs/{id}", False),
        ("/v1/jobs/17", "/v1/jobs/{id}", None),
        ("/v1/jobs/1*", "/v1/jobs/{id}", None),
    ],
)
def test_most_filters_are_told_by_the_place_alone(term: str, endpoint: str, verdict: bool | None) -> None:
    assert selects(EndpointFilter((term,)), Place("https://x.io", endpoint)) is verdict


def test_of_urls_that_are_left_whole_nothing_is_told() -> None:
    assert selects(EndpointFilter(("/v1/jobs",)), Place("", "/v1/jobs")) is None
