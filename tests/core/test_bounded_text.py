"""Keys are texts that strangers choose: their length is bounded, and different ones stay different."""

from __future__ import annotations

from core_strategies import entry, law
from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.bounded_text import LONGEST, bounded_text
from taplogs.core.dimensions import dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.error_groups import group_errors
from taplogs.core.stats import Grouping, fold

any_text = st.text(st.characters(exclude_categories=()))


@law
@given(any_text.map(lambda text: text[:LONGEST]))
def test_a_text_of_ordinary_length_stays_as_it_is(text: str) -> None:
    assert bounded_text(text) is text


@law
@given(any_text, st.integers(LONGEST + 1, 5000))
def test_a_long_text_is_cut(text: str, length: int) -> None:
    long = (text + "x" * length)[: max(length, len(text))]
    assert len(bounded_text(long)) <= LONGEST
    assert bounded_text(long)[:100] == long[:100]


def test_long_texts_that_differ_at_their_ends_stay_different() -> None:
    assert bounded_text("x" * 5000 + "1") != bounded_text("x" * 5000 + "2")


def test_groups_keep_no_long_texts() -> None:
    """Tens of thousands of paths and user agents of many kilobytes must not fill the memory."""
    url = f"https://partner-api.taptalent.io/{'very-' * 2000}long"
    entries = [entry(request_url=url, user_agent="agent " * 2000, client_id="c" * 9000, method="M" * 9000)]
    templates = EndpointTemplates()
    for by in ("endpoint,user-agent", "client,method"):
        summary = fold([entries], Grouping(dimensions_named(by, templates, None)))  # type: ignore[arg-type]  # no time
        ((group, figures),) = summary.groups().items()
        assert max(len(str(key)) for key in group) <= LONGEST
        assert figures.requests == 1


def test_groups_of_errors_keep_no_long_texts() -> None:
    url = f"https://partner-api.taptalent.io/{'very-' * 2000}long"
    failed = entry(request_url=url, status_code=500, client_id="c" * 9000, method="M" * 9000)
    (group,) = group_errors([[failed]], EndpointTemplates()).groups
    assert max(map(len, (group.key.endpoint, group.key.method))) <= LONGEST
    assert [len(client.name) <= LONGEST for client in group.clients] == [True]
