"""JSON laid out anew keeps every token as it was sent."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taplogs.output.json_text import compact, encoded, indented

ANY_TEXT = st.text(st.characters(codec=None, categories=None))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
)


@given(VALUES)
def test_it_is_the_same_value(value: object) -> None:
    text = json.dumps(value).encode("ascii")
    assert json.loads(indented(text)) == value
    assert json.loads(compact(text)) == value


@given(VALUES)
def test_lone_surrogates_and_depth_make_no_difference_to_the_layout(value: object) -> None:
    text = json.dumps([value, "x"]).encode("ascii")
    odd = json.dumps([value, "\ud800"]).encode("ascii")
    assert indented(odd).replace(rb'"\ud800"' + b"\n]", b'"x"\n]') == indented(text)
    assert compact(odd)[: -len(rb'"\ud800"]')] == compact(text)[: -len('"x"]')]


@pytest.mark.parametrize("ending", ["", r',"\ud800"'])
def test_tokens_stay_as_they_were_sent(ending: str) -> None:
    text = (
        '[ 1.10,\t123456789012345678901234567890, 1E5 ,-0,"\\u00e9é\\/",{},{ },[],[\n], {"a":1,"a":[true,null]}'
        + ending
        + "]"
    )
    assert indented(text.encode()).decode() == (
        '[\n  1.10,\n  123456789012345678901234567890,\n  1E5,\n  -0,\n  "\\u00e9é\\/",\n  {},\n  {},\n  [],\n  [],\n'
        '  {\n    "a": 1,\n    "a": [\n      true,\n      null\n    ]\n  }' + ending.replace(",", ",\n  ") + "\n]"
    )
    assert compact(text.encode()).decode() == (
        '[1.10,123456789012345678901234567890,1E5,-0,"\\u00e9é\\/",{},{},[],[],{"a":1,"a":[true,null]}' + ending + "]"
    )


def test_no_depth_is_too_deep() -> None:
    text = b"[" * 3000 + b"]" * 3000
    assert compact(text) == text
    assert b"".join(indented(text).split()) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (12, "12"),
        ("é\n", '"é\\n"'),
        ("\ud800", r'"\ud800"'),
        (msgspec.Raw(b'{"a": 1}'), '{"a": 1}'),
        (msgspec.Raw(b'{"a":\r\n1}'), '{"a":1}'),
    ],
)
def test_a_member_is_one_line(value: object, text: str) -> None:
    assert encoded(value) == text.encode()
