"""What a format's grammar lets an answer say: calls that its parser reads, and nothing else."""
import json
from random import Random

import llguidance
import pytest

from minichat.constrain import Constraint
from minichat.grammars import grammar, or_calls
from minichat.tool_calls.format import Call, Format
from minichat.tool_calls.named import Named
from minichat.tool_calls.table import FORMATS
from minichat.tool_calls.values import Style

from ..held import continued, vocabulary, walk
from .texts import TEXTS, TOOLS, parsed

NAMES = [tool["function"]["name"] for tool in TOOLS]
NULLS = {"type": "array", "items": {"type": "null"}, "maxItems": 2}


def source(name, schema=NULLS):
    return or_calls(grammar(schema), FORMATS[name].rules(NAMES))


@pytest.mark.parametrize("name", FORMATS)
def test_an_answer_is_what_is_wanted_or_calls(name):
    called, seeds = 0, iter(range(60))
    while called < 3:
        said, _, ended = walk(Constraint(vocabulary(), source(name)), Random(next(seeds)), 200)
        parts = parsed(FORMATS[name], said.decode(errors="replace"))
        if ended and isinstance(parts[0], str):
            assert json.loads(parts[0]) in ([], [None], [None, None]) and len(parts) == 1
        elif ended:
            assert all(isinstance(part, Call) and part.name in NAMES for part in parts), said
            called += 1


@pytest.mark.parametrize("name", [*TEXTS.keys() - {"harmony"}])
def test_what_models_write_can_be_said(name):
    """But for harmony, in which content has marks of its own."""
    assert continued(source(name), TEXTS[name].replace("\\u00e9", "é"))


@pytest.mark.parametrize("style", [Style(bare_keys=True), Style("<escape>", bare_keys=True)])
def test_keys_without_quotes_can_be_said(style):
    format = Format(Named(style=style), before="<call>")
    held = or_calls(grammar(NULLS), format.rules(NAMES))
    text = '<call>f{n:1,s:"b",l:[null,{a:true}]}'.replace('"', style.quote or '"')
    assert continued(held, text) and not continued(held, text[:-1])
    assert parsed(format, text) == [Call("f", {"n": 1, "s": "b", "l": [None, {"a": True}]})]


@pytest.mark.parametrize("blank", "\x1c\x1d\x1e\x1f\x85\xa0\u2003")
def test_no_bare_key_has_a_blank_in_it(blank):
    """Blanks as Python's patterns know them, which the parser uses: Rust's know fewer."""
    text = "<|tool_call>call:g{a?b:1}<tool_call|>"
    assert continued(source("gemma"), text.replace("?", "-"))
    assert not continued(source("gemma"), text.replace("?", blank))


def test_what_is_no_whole_call_cannot_be_said():
    whole = '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>'
    assert continued(source("json_tags"), whole)
    for text in ("<tool_call>", '<tool_call>{"name": "g"}</tool_call>', "sun", "{}", whole + " sun",
                 whole.replace("g", "nobody"), "<tool_call>sun</tool_call>"):
        assert not continued(source("json_tags"), text)


@pytest.mark.parametrize("name", FORMATS)
def test_marks_that_are_no_words_of_a_grammar_are_text(name):
    names = ['"', "a b", "é\\", "%json", "start", "/x/"]
    held = or_calls(grammar("json"), FORMATS[name].rules(names))
    assert not llguidance.LLMatcher.validate_grammar_with_warnings(held)[0]
