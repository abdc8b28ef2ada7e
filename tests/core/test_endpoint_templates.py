"""Endpoint templates: what counts as an id, what is a word, and whose template wins."""

from __future__ import annotations

import uuid

import pytest
from core_strategies import law
from hypothesis import example, given
from hypothesis import strategies as st

from taplogs.core.endpoint import EndpointTemplates, anonymous, glob_pattern, template_pattern
from taplogs.core.entry import url_path
from taplogs.errors import UsageError

BY_SHAPE = EndpointTemplates()


@pytest.mark.parametrize(
    "segment",
    [
        "0",
        "42",
        "20261101",
        "9" * 40,
        "0b0d0b34-9c3f-4c1e-8f0e-0f9a6a1c2d3e",
        "0B0D0B34-9C3F-4C1E-8F0E-0F9A6A1C2D3E",
        "00000000-0000-0000-0000-000000000000",
        "507f1f77bcf86cd799439011",  # MongoDB
        "deadbeef1",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "aGVsbG8gd29ybGQh1",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",  # ULID
        "2TnCYyPBFbGGAZmgYYBGmBsh2jV",  # KSUID
        "cand_8f3kd93k2ls9",
        "V1StGXR8-Z5jdHi6B-myT",  # nanoid
    ],
)
def test_integers_uuids_hex_and_long_opaque_text_are_ids(segment: str) -> None:
    assert BY_SHAPE.template(f"/v1/partner/jobs/{segment}") == "/v1/partner/jobs/{id}"
    assert BY_SHAPE.template(f"/v1/{segment}/notes") == "/v1/{id}/notes"


@pytest.mark.parametrize(
    "segment",
    [
        "bulk-fetch",
        "presentations",
        "logstash-monitorama-2013",
        "v1",
        "api-key",
        "candidates",
        "job-candidates",
        "batch",
        "facade",
        "decade7",
        "deadbeef",
        "added",
        "oauth2",
        "webhooks_v2024",
        "utf8",
        "internationalization",
        "bulkFetchCandidateAssessments",
        "partner-api.taptalent.io",
        "résumé",
        "42nd",
        "4.2",
        "-1",
        "٤٢",
        "{id}",
        "",
    ],
)
def test_words_are_kept(segment: str) -> None:
    assert BY_SHAPE.template(f"/v1/partner/{segment}/x") == f"/v1/partner/{segment}/x"


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/partner/candidates/batch/7", "/v1/partner/candidates/batch/{id}"),
        ("/v1/partner/jobs/1/notes/2", "/v1/partner/jobs/{id}/notes/{id}"),
        ("/7/", "/{id}/"),
        ("/", "/"),
        ("", ""),
        ("//7//", "//{id}//"),
        ("not a path", "not a path"),
    ],
)
def test_a_path_keeps_everything_but_its_ids(path: str, template: str) -> None:
    assert BY_SHAPE.template(path) == template


segments = st.one_of(
    st.integers(min_value=0).map(str),
    st.uuids().map(str),
    st.text("0123456789abcdefABCDEFghijXYZ_-.{}", max_size=28),
    st.text(st.characters(exclude_characters="/"), max_size=8),
)
paths = st.lists(segments, max_size=6).map(lambda parts: "/" + "/".join(parts))


@law
@given(paths)
def test_the_template_of_a_template_is_itself(path: str) -> None:
    template = BY_SHAPE.template(path)
    assert BY_SHAPE.template(template) == template


@law
@given(paths)
def test_a_template_has_the_segments_of_its_path(path: str) -> None:
    pairs = zip(path.split("/"), BY_SHAPE.template(path).split("/"), strict=True)
    assert all(after in (before, "{id}") for before, after in pairs)


@law
@given(st.uuids(), st.integers(min_value=0), st.binary(min_size=4, max_size=32).map(bytes.hex))
@example(uuid.UUID(int=0), 0, "00000000")
def test_whatever_numbers_an_id_it_makes_the_same_template(identity: uuid.UUID, number: int, digest: str) -> None:
    ids = [str(identity), str(number)]
    if any(character.isdigit() for character in digest):
        ids.append(digest)
    assert {BY_SHAPE.template(f"/jobs/{text}/notes") for text in ids} == {"/jobs/{id}/notes"}


@law
@given(paths)
def test_a_template_is_a_glob_that_matches_its_path(path: str) -> None:
    """So `-e` with what `stats --by endpoint` prints shows the entries behind the number."""
    literal = BY_SHAPE.template(path)
    if not any(character in path for character in "{}*?"):
        assert glob_pattern(literal).match(path)


OWN = EndpointTemplates(["/v1/stages/{name}", "/v1/{kind}/{name}/archive", "/v1/jobs/42", "/v1/a.b/{x}"])


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/stages/screening", "/v1/stages/{name}"),
        ("/v1/stages/42", "/v1/stages/{name}"),
        ("/v1/stages/", "/v1/stages/"),
        ("/v1/stages/a/b", "/v1/stages/a/b"),
        ("/v1/stages/screening/archive", "/v1/{kind}/{name}/archive"),
        ("/v1/jobs/42", "/v1/jobs/42"),
        ("/v1/jobs/43", "/v1/jobs/{id}"),
        ("/v1/a.b/y", "/v1/a.b/{x}"),
        ("/v1/aXb/y", "/v1/aXb/y"),
        ("/v1/stages/screening\n", "/v1/stages/{name}"),
        ("/x/v1/stages/screening", "/x/v1/stages/screening"),
    ],
)
def test_the_templates_of_a_company_come_first(path: str, template: str) -> None:
    assert OWN.template(path) == template


def test_of_two_templates_that_match_the_first_counts() -> None:
    assert EndpointTemplates(["/{a}/x", "/{b}/{c}"]).template("/1/x") == "/{a}/x"
    assert EndpointTemplates(["/{b}/{c}", "/{a}/x"]).template("/1/x") == "/{b}/{c}"


@pytest.mark.parametrize("template", ["v1/jobs", "", "/v1/{id", "/v1/id}", "/v1/{{id}}", "/v1/{a/b}", "/{a}{"])
def test_a_template_that_is_not_understood_is_wrong_usage(template: str) -> None:
    with pytest.raises(UsageError, match="is not understood"):
        EndpointTemplates([template])


@law
@given(st.text("/{}ab*.\\[(", max_size=12))
def test_any_text_is_a_template_or_wrong_usage_and_nothing_else(text: str) -> None:
    try:
        pattern = template_pattern(text)
    except UsageError:
        return
    assert pattern.match(text.replace("{}", "{x}"))


odd_urls = st.one_of(
    paths.map("https://partner-api.taptalent.io{}?page=2".format),
    st.lists(
        st.sampled_from(
            ("https:", "//", "/", "?", "#", "[", "]", "a", "17", ":", "@", "\n", "\t", " ", "\ud800", ".", "x.y")
        ),
        max_size=9,
    ).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=20),
)


@law
@given(st.lists(odd_urls, max_size=8))
@example(["https://a.example/1?x", "https://a.example/1#y?z", "https://a.example/1"])
@example(["//[?]/1", "//[", "//[]"])
@example(["?", " ?", "", "#", "a:?b", "a:"])
def test_the_template_of_a_url_is_that_of_its_path_whatever_was_asked_before(urls: list[str]) -> None:
    """Templates are remembered by what comes before the query."""
    own = EndpointTemplates(["/a/{name}"])
    for url in [*urls, *urls]:
        assert own.of_url(url) == own.template(url_path(url))


def test_urls_beyond_those_remembered_are_no_different() -> None:
    """Strangers choose the paths: no more than some thousands are kept."""
    own = EndpointTemplates()
    templates = {own.of_url(f"https://a.example/jobs/{number}/x?{number}") for number in range(25_000)}
    assert templates == {"/jobs/{id}/x"}
    assert len(own._of_url) <= 10_000


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("/jobs/{id}", "/jobs/{}"),
        ("/jobs/{jobId}/notes/{}", "/jobs/{}/notes/{}"),
        ("/jobs", "/jobs"),
        ("/{a/b}", "/{a/b}"),
    ],
)
def test_the_names_of_placeholders_do_not_matter(template: str, expected: str) -> None:
    assert anonymous(template) == expected


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("/jobs/*", "/jobs/1", True),
        ("/jobs/*", "/jobs/", True),
        ("/jobs/*", "/jobs/1/notes", False),
        ("/jobs/**", "/jobs/1/notes", True),
        ("/jobs/**", "/jobs", False),
        ("/jobs**", "/jobs", True),
        ("/***/x", "/a/b/x", True),
        ("/j?bs", "/jobs", True),
        ("/j?bs", "/j/bs", False),
        ("/j?bs", "/jbs", False),
        ("/a+b/(c)|[d]^$", "/a+b/(c)|[d]^$", True),
        ("/a+b", "/aab", False),
        ("/jobs/{id}", "/jobs/7", True),
        ("/jobs/{id}", "/jobs/x", False),
        ("/jobs/{id}/*", "/jobs/7/x", True),
        ("/jobs/x-{id}", "/jobs/x-7", True),
        ("/jobs/*", "/jobs/a\nb", True),
        ("/jobs/**", "/jobs/a\nb/c", True),
        ("/jobs", "/jobs\n", False),
        ("**", "", True),
    ],
)
def test_a_glob_stays_within_a_segment_unless_it_is_doubled(glob: str, path: str, expected: bool) -> None:
    assert (glob_pattern(glob).match(path) is not None) is expected
