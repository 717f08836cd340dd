"""What is a call, what is content, and what comes when."""
import pytest

from minichat.tool_calls.format import Call
from minichat.tool_calls.parser import Parser
from minichat.tool_calls.table import FORMATS

from .texts import TOOLS, F, G, parsed


def test_content_is_out_at_once_but_for_what_may_be_a_mark():
    parser = Parser(FORMATS["json_tags"], TOOLS)
    assert parser.push("I look <") == ["I look"]
    assert parser.push("tool_") == []
    assert parser.push("box> it") == [" <tool_box> it"]
    assert parser.push("\n<tool_call>") == []
    assert parser.push('{"name": "g", "arguments": {}') == []
    assert parser.push("}\n</tool") == [G]
    assert parser.push("_call>\n") == []
    assert parser.push(" Done") == ["Done"]
    assert parser.finish() == []


def test_each_call_of_a_list_is_out_when_it_is_complete():
    parser = Parser(FORMATS["json_list"], TOOLS)
    assert parser.push('[TOOL_CALLS][{"name": "g", "arguments": {}}') == [G]
    assert parser.push(', {"name": "h", "arguments": {"a": 1}}') == [Call("h", {"a": 1})]
    assert parser.push(', {"name": ') == []
    assert parser.finish() == [', {"name": ']


@pytest.mark.parametrize("name, said, text, parts", [
    ("json_tags", 'So: <tool_call>\n{"name": "g", ', '"arguments": {}}\n</tool_call>', [G]),
    ("json_tags", "So: <tool_", 'call>{"name": "g"}</tool_call> Done', [G, "Done"]),
    ("json_tags", "So: <tool_", "box>", ["box>"]), ("json_tags", "So: ", "sun", ["sun"]),
    ("json_tags", 'So: <tool_call>\n{"name": ', "sun", ["sun"]),
    ("json_tags", '<tool_call>{"name": "g"}</tool_call>', " sun", ["sun"]),
    ("bare", "So: ", '{"name": "g", "parameters": {}}', ['{"name": "g", "parameters": {}}']),
    ("bare", '{"name": ', '"g", "parameters": {}}', [G]),
    ("bare", '{"sky": ', '"blue"}', ['"blue"}'])])
def test_what_was_said_before_is_no_content_but_may_begin_a_call(name, said, text, parts):
    for pieces in ([text], text):
        parser, found = Parser(FORMATS[name], TOOLS, said), []
        for part in [part for piece in pieces for part in parser.push(piece)] + parser.finish():
            if found and isinstance(part, str) and isinstance(found[-1], str):
                part = found.pop() + part
            found.append(part)
        assert found == parts


@pytest.mark.parametrize("name, text", [
    ("json_tags", "<tool_call>\nhm</tool_call>"), ("json_tags", "<tool_call>{}</tool_call>"),
    ("json_tags", '<tool_call>{"name": "f", "arguments": {a: 1}}</tool_call>'),
    ("json_tags", '<tool_call>{"name": "f", "arguments": [1]}</tool_call>'),
    ("json_tags", '<tool_call>{"name": 5, "arguments": {}}</tool_call>'),
    ("json_tags", '<tool_call>{"name": "", "arguments": {}}</tool_call>'),
    ("json_tags", '<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>'),
    ("json_tags", '<tool_call>{"name": "f", "arguments": {"a": Infinity}}</tool_call>'),
    ("json_tags", '<tool_call>{"name": "f", "arguments": {"a": 1e999}}</tool_call>'),
    ("json_tags", '<tool_call>{"name": "f", "arguments": {"a": ' + "9" * 500 + "}}</tool_call>"),
    ("json_tags", '<tool_call>{"name": "f", "arguments": "nothing"}</tool_call>'),
    ("json_tags", '<tool_call>{"name": "f", "arguments": ' + '{"a":' * 200 + "1" + "}" * 200 + "}"),
    ("parameter_tags", "<tool_call>\n<function=f>\nhm\n</function>\n</tool_call>"),
    ("parameter_tags", "<tool_call>\n<function=>\n</function>\n</tool_call>"),
    ("named_list", "[TOOL_CALLS]f[ARGS][1]"), ("named_list", "[TOOL_CALLS]f" + "x" * 500),
    ("python_list", "<|tool_call_start|>[f(1)]<|tool_call_end|>"),
    ("python_list", "<|tool_call_start|>[f (a=1)]<|tool_call_end|>"),
    ("map_list", '<|tools_prefix|>[{"f": {}, "g": {}}]<|tools_suffix|>'),
    ("bare", '{"city": "Oslo", "name": "f"}'), ("bare", "[1] and f(x)"), ("bare", "f(1)"),
    ("bare", '{"name": "f"}'), ("bare", ""), ("bare", " \n"), ("bare", "[f](http://a.b/c)"),
])
def test_what_is_no_call_is_content(name, text):
    assert parsed(FORMATS[name], [text]) == parsed(FORMATS[name], text) == [text][:len(text)]


@pytest.mark.parametrize("text", [
    '{"name": "h", "arguments": {"a": 1}}', '{"name": "h", "parameters": {"a": 1}}',
    '{"type": "function", "function": {"name": "h", "arguments": {"a": 1}}}',
    '{"name": "h", "arguments": "{\\"a\\": 1}"}', '{"arguments": {"a": 1,}, "name": "h"}',
    "{'name': 'h', 'arguments': {'a': 1}}", '[{"name": "h", "arguments": {"a": 1}}]',
])
def test_ways_in_which_models_write_the_same(text):
    """h is not declared: after a mark it is a call all the same."""
    assert parsed(FORMATS["json_tags"], [f"<tool_call>{text}</tool_call>"]) == [Call("h", {"a": 1})]


@pytest.mark.parametrize("arguments", ["", ', "arguments": null', ', "arguments": ""',
                                       ', "arguments": "{}"'])
def test_arguments_may_be_missing_after_a_mark(arguments):
    assert parsed(FORMATS["json_tags"], [f'<tool_call>{{"name": "g"{arguments}}}']) == [G]


def test_without_a_mark_only_a_declared_function_is_called():
    said = '{"name": "Oslo", "parameters": {"people": 700000}}'
    assert parsed(FORMATS["bare"], [said]) == [said]
    assert parsed(FORMATS["bare"], ["<|python_tag|>" + said]) == [
        Call("Oslo", {"people": 700000})]
    assert parsed(FORMATS["bare"], [' \n[g(), f(n=1), h()] hm']) == [
        G, Call("f", {"n": 1}), ", h()] hm"]
    assert parsed(FORMATS["bare"], ['Yes: {"name": "g", "parameters": {}}']) == [
        'Yes: {"name": "g", "parameters": {}}']


def test_json_that_cannot_be_a_call_is_not_waited_for():
    parser = Parser(FORMATS["bare"], TOOLS)
    assert parser.push('{"city": "Os') == ['{"city": "Os']


def test_methods_of_tools_that_are_built_in():
    assert parsed(FORMATS["bare"], ['<|python_tag|>brave_search.call(query="rain")']) == [
        Call("brave_search", {"query": "rain"})]


def test_a_call_after_one_that_failed():
    assert parsed(FORMATS["json_tags"], [
        '<tool_call>{"name": <tool_call>\n{"name": "g"}</tool_call>']) == [
        '<tool_call>{"name":', G]
    assert parsed(FORMATS["parameter_tags"], [
        "<tool_call><function=f>oops</function></tool_call>\n"
        "<tool_call><function=g></function></tool_call>"]) == [
        "<tool_call><function=f>oops</function></tool_call>", G]


def test_text_between_calls_is_content():
    call = '<tool_call>{"name": "g"}</tool_call>'
    assert parsed(FORMATS["json_tags"], [f"a {call} b\n\n{call}{call} c"]) == [
        "a", G, "b", G, G, "c"]


def test_marks_that_mean_nothing_to_the_reader():
    harmony = FORMATS["harmony"]
    text = ("<|channel|>commentary<|message|>Wait.<|end|><|start|>assistant<|channel|>commentary "
            "to=functions.g <|constrain|>json<|message|>{}<|call|>")
    assert parsed(harmony, [text]) == parsed(harmony, text) == ["Wait.", G]
    text = "<|channel|>final<|message|>It <|rains|>.<|return|>"
    assert parsed(harmony, [text]) == parsed(harmony, text) == ["It <|rains|>."]
    assert parsed(FORMATS["recipients"], ">>>all\nIt rains.\n>>>g\n{}") == ["It rains.", G]


def test_keys_keep_their_order_and_the_last_of_equals_counts():
    [call] = parsed(FORMATS["json_tags"], ['<tool_call>{"name": "f", "arguments": '
                                           '{"z": 1, "a": 2, "z": 3, "m": {"y": 1, "b": 2}}}'])
    assert list(call.arguments.items()) == [("z", 3), ("a", 2), ("m", {"y": 1, "b": 2})]
    assert list(call.arguments["m"]) == ["y", "b"]


def test_a_value_keeps_its_blanks():
    code = "  def f():\n      return 1\n"
    text = f"<tool_call>\n<function=f>\n<parameter=s>\n{code}\n</parameter>\n</function>"
    assert parsed(FORMATS["parameter_tags"], [text]) == [Call("f", {"s": code})]


def test_tools_of_any_shape_do_no_harm():
    odd = [{}, {"function": None}, {"function": {"name": 5}},
           {"function": {"name": "f", "parameters": []}}]
    text = "<tool_call><function=f><parameter=n>1</parameter></function></tool_call>"
    assert parsed(FORMATS["parameter_tags"], [text], odd) == [Call("f", {"n": "1"})]
    assert parsed(FORMATS["parameter_tags"], [text]) == [Call("f", {"n": 1})]


def test_nothing_is_pushed():
    parser = Parser(FORMATS["bare"])
    assert parser.push("") == parser.finish() == parser.finish() == []
    assert F != G
