"""Values as models write them."""
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minichat.tool_calls.source import Malformed
from minichat.tool_calls.values import DEPTH, Style, parse

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False,
                                                               allow_infinity=False) | st.text()
ANY = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(ANY, st.booleans(), st.sampled_from([None, 2]))
def test_json_is_what_json_is(made, ascii, indent):
    assert parse(json.dumps(made, ensure_ascii=ascii, indent=indent)) == made


@given(ANY)
def test_python_is_what_python_is(made):
    assert parse(repr(made)) == made


def test_gemma_has_marks_of_its_own():
    style = Style('<|"|>', bare_keys=True)
    assert parse('{k: <|"|>a "b" \\n<|"|>,"q":1,o:{l:[<|"|><|"|>]}}', style) == {
        "k": 'a "b" \\n', "q": 1, "o": {"l": [""]}}


@pytest.mark.parametrize("text, made", [
    (r'"\ud83d\ude00"', "😀"), (r'"\ud83d"', "\ufffd"), (r'"\ude00x"', "\ufffdx"),
    (r'"\ud83d\ud83d\ude00"', "\ufffd😀"), (r'"\u0041\udc00"', "A\ufffd"), (r'"\q\'"', r"\q'"),
    (r'"\U0001f600\U0010ffff"', "😀\U0010ffff"), (r'"\U001fffff"', "\ufffd"),
    (r'"\\"', "\\"), (r'"\\\""', '\\"'), ('"a\nb"', "a\nb"), (r"'\x41\u00e9'", "Aé"),
    ("[1, 2,]", [1, 2]), ("{'a': (,}", Malformed), ("-0", 0), ("1e3", 1000.0), ("1.50", 1.5),
    ("9" * 300, int("9" * 300)), ("9" * 301, Malformed),
    ("1e999", Malformed), ("-1e999", Malformed),
    ("nan", Malformed), ("01", Malformed), ("+1", Malformed), ("1.", Malformed), (".5", Malformed),
    ("1_0", Malformed), ("٣", Malformed), ("", Malformed), ("1 2", Malformed), ("[1", Malformed),
    ("[1}", Malformed), ("{1: 2}", Malformed), ('{"a"}', Malformed), ("[,]", Malformed),
    ("[1,,2]", Malformed), ('"a', Malformed), ('"a\\"', Malformed), ("]", Malformed),
    ("[" * DEPTH + "]" * DEPTH, 0), ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), Malformed),
    ("truer", Malformed), ("{a: 1}", Malformed),
])
def test_what_is_a_value(text, made):
    if made is Malformed:
        with pytest.raises(Malformed):
            parse(text)
    elif made == 0 and text != "-0":
        assert parse(text)
    else:
        assert parse(text) == made


@given(st.text(alphabet='{}[]",:\'\\ 01eE+-.tfn', max_size=30))
def test_no_text_does_harm(text):
    try:
        made = parse(text)
    except Malformed:
        return
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert not isinstance(made, float) or math.isfinite(made)
