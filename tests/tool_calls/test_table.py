"""Every way of writing calls: on every split of a text, at every end of it."""
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minichat.tool_calls.format import Call
from minichat.tool_calls.parser import Parser
from minichat.tool_calls.table import FORMATS

from .texts import SAID, TEXTS, TOOLS, F, G, parsed

each = pytest.mark.parametrize("name", FORMATS)
SIZE = 1 << 20


def plain(text):
    return "".join(text.split())


def test_each_has_a_text():
    assert list(TEXTS) == list(FORMATS)


@each
@pytest.mark.parametrize("said", ["", SAID])
def test_calls_are_found(name, said):
    text = f"{said}\n{TEXTS[name]}\n"
    assert parsed(FORMATS[name], [text]) == [*[said][:len(said)], F, G]


@each
def test_any_two_pieces_are_the_whole(name):
    text = f"{SAID} {TEXTS[name]}\n\nDone. {TEXTS[name]}"
    whole = parsed(FORMATS[name], [text])
    assert whole == [SAID, F, G, "Done.", F, G]
    assert parsed(FORMATS[name], text) == whole
    for cut in range(len(text)):
        assert parsed(FORMATS[name], [text[:cut], text[cut:]]) == whole


@each
def test_an_answer_may_end_anywhere(name):
    """What is unfinished comes back as it was."""
    text, format = SAID + TEXTS[name], FORMATS[name]
    for end in range(len(text)):
        parts = parsed(format, [text[:end]])
        assert parts == parsed(format, text[:end])
        calls = [part for part in parts if isinstance(part, Call)]
        assert calls == [F, G][:len(calls)]
        if format.silent:
            continue
        if not calls:
            assert parts == [text[:end]][:end]
        rest = "".join(part for part in parts[1:] if isinstance(part, str))
        assert plain(text[:end]).endswith(plain(rest))


@each
def test_a_call_is_out_with_its_last_character(name):
    """That is before its closing mark, where one can tell."""
    format, text = FORMATS[name], TEXTS[name]
    parser = Parser(format, TOOLS)
    first = next(i for i, char in enumerate(text) if parser.push(char))
    last = text.index("g", first) - 1
    assert plain(text[:first + 1])[-1] in "})>" and first <= last
    if format.after:
        assert text[:first + 1].endswith(format.after) != format.body.whole


@each
@given(data=st.data())
def test_hostile_text_loses_nothing_however_it_is_cut(name, data):
    format, text = FORMATS[name], TEXTS[name]
    marks = [format.open, format.before, format.after, format.close, *format.body.marks]
    words = st.one_of(
        st.sampled_from([mark for mark in marks if mark] or ["{"]), st.text(max_size=3),
        st.sampled_from(['{"name": "f", "arguments": {}}', '{"name": "', "[", "{", "]", "}", ",",
                         " ", "\n", "f", "f(", "a=", '"', "'", "\\", ":", "<", "1e999", "NaN",
                         "\ud800", text, text[:len(text) // 2], text[len(text) // 2:]]))
    hostile = "".join(data.draw(st.lists(words, max_size=12)))
    parts = parsed(format, [hostile])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(hostile)), max_size=6)))
    pieces = [hostile[a:b] for a, b in zip([0, *cuts], [*cuts, len(hostile)])]
    assert parts == parsed(format, pieces) == parsed(format, hostile)
    if not format.silent and not any(isinstance(part, Call) for part in parts):
        assert parts == [hostile][:len(hostile)]
    at = 0
    for part in parts:
        if isinstance(part, Call):
            at = hostile.index(part.name, at)
        elif not format.silent:
            assert part in hostile[at:]
            at = hostile.index(part, at) + len(part)


def adversarial(format):
    """Texts of a million characters, and of attempts at calls that come to nothing."""
    mark, half = format.begins, format.open + format.before
    inner = "".join(getattr(format.body, name, "") for name in ("name_end", "key"))
    value = "".join(getattr(format.body, name, "") for name in ("key_end", "value"))
    call = '{"name":"f","arguments":{"a":1}}'
    unit = {"open": mark, "brace": mark + "{", "bracket": mark + "[", "half": half + "f",
            "value": half + "f" + inner + "a" + value, "calls": mark + call, "blank": "\n ",
            "begun": mark + '{"name": "', "almost": mark[:-1]}
    yield from ((what, text * (SIZE // len(text))) for what, text in unit.items() if text)
    yield "fails at last", unit["value"] * (SIZE // len(unit["value"])) + "</parameter>x"
    begun = mark + '{"name":"f","arguments":{"a":['
    for what, text in {"deep": "[", "numbers": "1,", "digits": "1", "objects": '{"b":1},',
                       "string": '"' + "x" * 100, "escapes": '"' + '\\"' * 50,
                       "slashes": '"' + "\\" * 100}.items():
        yield what, begun + text * (SIZE // len(text))


@pytest.mark.parametrize("name", ["named_list", "parameter_tags", "bare"])
def test_a_million_characters_take_a_second_or_so(name):
    for what, text in adversarial(FORMATS[name]):
        begun = time.thread_time()
        parser = Parser(FORMATS[name], TOOLS)
        parts = [*parser.push(text), *parser.finish()]
        assert time.thread_time() - begun < 6, what     # half a second to two when it is quiet
        assert parts, what


@pytest.mark.parametrize("name", ["harmony"])
def test_nor_do_they_in_small_pieces(name):
    for what, text in adversarial(FORMATS[name]):
        text = text[:SIZE // 4]
        begun = time.thread_time()
        parser = Parser(FORMATS[name], TOOLS)
        for at in range(0, len(text), 3):
            parser.push(text[at:at + 3])
        parser.finish()
        assert time.thread_time() - begun < 6, what


def test_special_tokens_that_a_format_needs():
    special = ["<s>", "</s>", "<|channel|>", "<|message|>", "<|call|>", "<|constrain|>",
               "<|start|>"]
    assert FORMATS["harmony"].kept(special) == ("<|channel|>", "<|message|>", "<|call|>",
                                                "<|start|>")
    assert FORMATS["json_tags"].kept(["<tool_call>", "</tool_call>", "<|im_end|>"]) == (
        "<tool_call>", "</tool_call>")
    assert FORMATS["gemma"].kept(['<|"|>', "<|tool_call>", "<tool_call|>", "<turn|>", ""]) == (
        '<|"|>', "<|tool_call>", "<tool_call|>")
    assert FORMATS["pair_tags"].kept(["<arg_key>", "</arg_value>", "[gMASK]"]) == (
        "<arg_key>", "</arg_value>")
