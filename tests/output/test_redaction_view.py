"""A redaction profile as TOML: read again, it is the same one."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.redaction_profile import FieldRule, PathRule, PatternRule, Profile, parse_profile
from taplogs.output.redaction_view import profile_toml

names = st.lists(st.sampled_from(["password", "*token", "Straße", "a_b-c", "名前", "x" * 60]), min_size=1, max_size=30)
labels = st.none() | st.sampled_from(["person", "a1"])
paths = st.sampled_from(["$.requestPayload.a", "$..candidate.location", "$.requestPayload.items[*]['it is']"])
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
patterns = st.sampled_from(
    [r"\bE-[0-9]+", "it's", "\"\"\"'''", "\x00\x1b\x7f\u0085\u2028😀", "tab\tline\nend", "\\\\'\\.", "'\\d'"]
)

profiles = st.builds(
    Profile,
    st.text(),
    st.lists(st.builds(FieldRule, names.map(tuple), labels), max_size=3).map(tuple),
    st.lists(st.builds(FieldRule, names.map(tuple), labels), max_size=2).map(tuple),
    st.lists(st.builds(PathRule, paths, labels), max_size=2).map(tuple),
    st.lists(
        st.builds(PatternRule, words, patterns, labels, st.none(), st.lists(words, max_size=3).map(tuple)), max_size=3
    ).map(tuple),
    names.map(tuple) | st.just(()),
    st.lists(paths, max_size=2).map(tuple),
)


@given(profiles)
def test_a_profile_survives_being_written_and_read(profile: Profile) -> None:
    try:
        written = profile_toml(profile)
        again = parse_profile(tomllib.loads(written), "again")
    except Exception as error:
        raise AssertionError(written) from error
    assert again.sha256 == profile.sha256


def test_no_line_is_wider_than_need_be() -> None:
    profile = Profile("company", (FieldRule(tuple(f"name{number}" for number in range(100))),))
    assert max(map(len, profile_toml(profile).splitlines())) <= 100
