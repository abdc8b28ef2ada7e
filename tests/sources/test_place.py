"""What --source names."""

from __future__ import annotations

import pytest

from taplogs.errors import UsageError
from taplogs.sources.place import Kind, place_named


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://logs.example.com/v1", Kind.BACKEND),
        ("http://127.0.0.1:8321/v1", Kind.BACKEND),
        ("demo", Kind.DEMO),
        ("archive", Kind.ARCHIVE),
        ("sqlite:logs.sqlite", Kind.SQLITE),
        ("sqlite:/var/lib/logs.sqlite", Kind.SQLITE),
        ("clickhouse://reader@logs.example.com:8443/logs?secure=1", Kind.CLICKHOUSE),
        ("logs.jsonl", Kind.FILES),
        ("./archive", Kind.FILES),
        ("2026-*/records.jsonl.zst", Kind.FILES),
        ("10:30.jsonl", Kind.FILES),
        ("-", Kind.FILES),
    ],
)
def test_a_text_names_one_kind_of_place(text: str, kind: Kind) -> None:
    place = place_named([text])
    assert (place.kind, place.text) == (kind, text)


def test_several_files_are_one_place() -> None:
    assert place_named(["a.jsonl", "b.jsonl"]).texts == ("a.jsonl", "b.jsonl")


@pytest.mark.parametrize("text", ["", "ftp://a", "//a.example://", "sqlite:", "postgres://a/b"])
def test_what_is_nothing_known_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood") as refused:
        place_named([text])
    assert "clickhouse://" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "texts", [("archive", "a.jsonl"), ("demo", "demo"), ("https://a.example", "https://b.example")]
)
def test_other_places_than_files_are_read_one_at_a_time(texts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="names several places"):
        place_named(texts)
