"""Stop strings and thinking: the same parts however the text is cut into pieces."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minichat.text import Part, Splitter, opens_thinking

TAGS = ("<think>", "</think>")
WORDS = ["<think>", "</think>", "<thi", "nk>", "</", "a", "b", "ab", "cd", " ", "\n", "é"]


def split(pieces, **kwargs):
    """The joined content and thinking of an answer that comes in these pieces."""
    splitter = Splitter(**kwargs)
    parts = [part for piece in pieces for part in splitter.push(piece)] + splitter.finish()
    assert all(part.text for part in parts)
    return {kind: "".join(part.text for part in parts if part.kind == kind)
            for kind in ("content", "thinking")} | {"stopped": splitter.stopped}


def content(text, **kwargs):
    return split([text], **kwargs)["content"]


@given(pieces=st.lists(st.sampled_from(WORDS)), data=st.data(),
       stop=st.lists(st.sampled_from(["ab", "cd", "b</", "bcd", "a", "k>a"]), max_size=3),
       tags=st.sampled_from([None, TAGS]), inside=st.booleans())
def test_pieces_do_not_matter(pieces, data, stop, tags, inside):
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    others = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]
    how = {"stop": stop, "thinking_tags": tags, "inside_thinking": inside}
    assert split([text], **how) == split(others, **how) == split(list(text), **how)


@given(st.lists(st.sampled_from(WORDS)))
def test_nothing_is_lost(pieces):
    text = "".join(pieces)
    parts = split(pieces, thinking_tags=TAGS)
    seen = parts["thinking"] + parts["content"]
    assert "".join(seen.split()) == "".join(
        text.replace("<think>", "", 1).replace("</think>", "", 1).split()
        if text.lstrip().startswith("<think>") else text.split())


@pytest.mark.parametrize("text, thinking, said", [
    ("<think>hm</think>\n\nYes", "hm", "Yes"),
    ("\n <think>\n hm</think>Yes", "hm", "Yes"),
    ("<think> internal </think> world", "internal ", "world"),
    ("<think></think> x", "", "x"),
    (" Yes <think>no</think>", "", " Yes <think>no</think>"),
    ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
    ("<think>a</thi", "a</thi", ""),
    ("  <thin", "", "  <thin"),
    ("</think>x", "", "</think>x"),
])
def test_the_thinking_comes_first_and_once(text, thinking, said):
    assert split(list(text), thinking_tags=TAGS) == {
        "thinking": thinking, "content": said, "stopped": False}


def test_a_prompt_can_open_the_thinking():
    assert opens_thinking("<|im_start|>assistant\n<think>\n", TAGS)
    assert not opens_thinking("<think>\n\n</think>\n\n", TAGS)
    assert not opens_thinking("<think>", None)
    assert split(["\nhm</think>", "\nYes"], thinking_tags=TAGS, inside_thinking=True) == {
        "thinking": "hm", "content": "Yes", "stopped": False}


def test_text_is_out_as_soon_as_it_is_no_beginning_of_a_tag():
    splitter = Splitter(["END"], TAGS)
    assert splitter.push("<thi") == []
    assert splitter.push("s is") == [Part("content", "<this is")]
    assert splitter.push(" the E") == [Part("content", " the ")]
    assert splitter.push("nd") == [Part("content", "End")]


def test_of_stop_strings_that_end_together_the_first_listed_wins():
    assert content("abcd", stop=["cd", "bcd"]) == "ab"
    assert content("abcd", stop=["bcd", "cd"]) == "a"
    assert content("a stop here and END", stop=["END", "stop"]) == "a "


def test_a_stop_string_ends_the_thinking_too():
    splitter = Splitter(["STOP"], TAGS)
    assert splitter.push("<think>hmST") == [Part("thinking", "hm")]
    assert splitter.push("OP</think>x") == []
    assert splitter.stopped
    assert splitter.push("more") == splitter.finish() == []


def test_a_cut_tag_before_a_stop_string_is_not_lost():
    assert split(["<think>a</thSTOP"], stop=["STOP"], thinking_tags=TAGS)["thinking"] == "a</th"


def test_says_whether_it_is_inside_the_thinking():
    splitter = Splitter((), TAGS)
    states = [splitter.push(text) and None or splitter.thinking
              for text in ("<think>", "hm", "</think>", "\n", "x")]
    assert states == [True, True, True, True, False]
