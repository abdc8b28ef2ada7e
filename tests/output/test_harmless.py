"""The one function that makes foreign text harmless, and its sister for JSON."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hostile import DECEIVING, NAUGHTY, SEQUENCES
from hypothesis import given
from hypothesis import strategies as st

from taplogs.output.terminal import harmless, harmless_json

ANYTHING = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize("character", DECEIVING, ids=[f"{ord(c):04X} {name}" for c, name in DECEIVING.items()])
def test_a_character_that_deceives_is_written_as_an_escape(character: str) -> None:
    shown = harmless(f"a{character}b")
    assert character not in shown
    assert shown.isascii()
    text = json.dumps(f"a{character}b", ensure_ascii=False)
    line = harmless_json(text.encode())
    assert character.encode() not in line
    assert json.loads(line) == f"a{character}b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\rd", r"a\tb\nc\rd"),
        ("\x00\x1b\x7f", r"\x00\x1b\x7f"),
        ("\x85\x9b\xa0\xad", r"\x85\x9b\xa0\xad"),
        ("\u200b\u202e\ufeff", r"\u200b\u202e\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("back\\slash", "back\\slash"),
        ("Zürich 東京 🎉 e\u0301", "Zürich 東京 🎉 e\u0301"),
    ],
)
def test_what_is_not_plainly_visible_is_written_as_an_escape(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_ascii_only_escapes_everything_else() -> None:
    assert harmless("Zürich 東 🎉\t~", ascii_only=True) == r"Z\xfcrich \u6771 \U0001f389\t~"


@given(ANYTHING, st.booleans())
def test_nothing_harmful_is_left(text: str, ascii_only: bool) -> None:
    shown = harmless(text, ascii_only=ascii_only)
    assert shown.isprintable()
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert shown.isascii() or not ascii_only


@given(ANYTHING, st.booleans())
def test_what_is_harmless_stays_as_it_is(text: str, ascii_only: bool) -> None:
    once = harmless(text, ascii_only=ascii_only)
    assert harmless(once, ascii_only=ascii_only) == once


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"])))
def test_plain_text_is_not_changed(text: str) -> None:
    assert harmless(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | ANYTHING,
        lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner),
    ),
    st.booleans(),
    st.sampled_from([None, 2, "\t"]),
)
def test_json_is_the_same_value_and_harmless(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        line = text.encode()
    except UnicodeEncodeError:  # lone surrogates are escapes already, as UTF-8 has none
        line = json.dumps(value, indent=indent).encode()
    shown = harmless_json(line, ascii_only=ascii_only)
    assert json.loads(shown) == value
    assert shown.decode().replace("\n", "").isprintable()
    assert shown.isascii() or not ascii_only


def test_every_naughty_string_is_one_visible_line() -> None:
    for text in (*SEQUENCES.values(), *NAUGHTY):
        assert harmless(text).isprintable()
