"""Descriptions that checkpoints carry, in the format of transformers."""
import pytest

from minichat.tool_calls.response_template import read

from .texts import TEXTS, F, G, parsed

CALL = {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}}
DESCRIBED = {
    "json_tags": {"open_pattern": r"\s*<tool_call>", "close": "</tool_call>", "repeats": True,
                  "content": "json", "transform": {"type": "function", "function": "{content}"}},
    "parameter_tags": {
        "open_pattern": r"\s*<tool_call>\s*<function=(?P<name>[^>\n]+)>",
        "close_pattern": r"</function>\s*</tool_call>", "repeats": True, "content": "xml-inline",
        "content_args": {"tag_pattern": r"<parameter=(?P<key>[^>\n]+)>\s*(?P<value>.*?)\s*"
                                        r"</parameter>"}, "transform": CALL},
    "pair_tags": {
        "open_pattern": r"<tool_call>(?P<name>\w+)", "close": "</tool_call>", "repeats": True,
        "content": "xml-inline", "content_args": {"tag_pattern": (
            r"<arg_key>(?P<key>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>")},
        "transform": CALL},
    "gemma": {"open_pattern": r"<\|tool_call>call:(?P<name>\w+)", "close": "<tool_call|>",
              "repeats": True, "content": "json", "transform": CALL,
              "content_args": {"unquoted_keys": True, "string_delims": [['<|"|>', '<|"|>']]}},
    "named_list": {"open_pattern": r"\[TOOL_CALLS\](?P<name>\w+)\[ARGS\]", "repeats": True,
                   "content": "json", "transform": CALL},
    "action": {"open": "<|START_ACTION|>", "close": "<|END_ACTION|>", "content": "json",
               "transform_each": True, "transform": {"type": "function", "function": {
                   "name": "{tool_name}", "arguments": "{parameters}"}}},
    "plugin": {"open": "<|action_start|><|plugin|>", "close": ["<|action_end|>", "<|im_end|>"],
               "content": "json", "transform": {"type": "function", "function": {
                   "name": "{content.name}", "arguments": "{content.parameters}"}}},
    "python_list": {"open": "<|tool_call_start|>", "close": "<|tool_call_end|>",
                    "content": "python-call-list"},
}


def template(field):
    return {"start_anchor": "<|im_start|>assistant\n", "fields": {
        "reasoning_content": {"open": "<think>", "close": "</think>"}, "tool_calls": field,
        "content": {"close": "<|im_end|>"}}}


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_is_described_is_read(name):
    text = TEXTS[name].replace("[CALL_ID]a1b2c3d4e", "")
    assert parsed(read(template(DESCRIBED[name])), text) == [F, G]


@pytest.mark.parametrize("field", [
    None, [], {}, {"open": "<x>"}, {"open": "<x>", "content": "kv-lines"},
    {"open": "<x>", "content": "json", "close_pattern": "(a|b)+"},
    {"open_pattern": "(a+)+b", "content": "json"}, {"open_pattern": r"\d", "content": "json"},
    {"open_pattern": 5, "content": "json"}, {"open": "", "content": "json"},
    {"open": 5, "content": "json"}, {"content": "json"},
    {"open": "<x>", "close_pattern": "(?P<name>x)", "content": "json"},
    {"open_pattern": "(?P<a>x)(?P<b>y)", "content": "json"},
    {"open": "<x>", "content": "xml-inline"},
    {"open_pattern": "<x>(?P<name>.*)", "close": "</x>", "content": "xml-inline",
     "content_args": {"tag_pattern": "(?P<key>.*)(?P<value>.*)"}},
    {"open_pattern": "<x>(?P<name>.*)", "close": "</x>", "content": "xml-inline",
     "content_args": {"tag_pattern": 5}},
    {"open": "<x>", "content": "json", "content_args": 5, "transform": 5},
    {"open": "<x>", "content": "json", "content_args": {"string_delims": 5}},
    {"open": "<x>", "content": "json", "content_args": {"string_delims": [[]]}},
])
def test_what_is_odd_does_no_harm(field):
    described = read(template(field))
    assert described is None or described.open + described.before == "<x>"


@pytest.mark.parametrize("given", [None, 5, [], {}, {"fields": []}, {"fields": {}}])
def test_nothing_is_described(given):
    assert read(given) is None
