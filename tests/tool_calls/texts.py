"""An answer in each way of writing calls, and what is in it."""
from minichat.tool_calls.format import Call
from minichat.tool_calls.parser import Parser

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {
    "type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"},
                                     "l": {"type": "array"}}}}},
         {"type": "function", "function": {"name": "g", "parameters": {}}}]
F = Call("f", {"n": 1, "s": "é\"'<b>\n{x}", "l": ["a", None, True, -2.5]})
G = Call("g", {})
JSON = '{"n": 1, "s": "\\u00e9\\"\'<b>\\n{x}", "l": ["a", null, true, -2.5]}'
PYTHON = 'f(n=1, s="é\\"\'<b>\\n{x}", l=[\'a\', None, True, -2.5])'
VALUES = ("1", "é\"'<b>\n{x}", '["a", null, true, -2.5]')
SAID = "Let me look. <b>"


def tags(key, key_end, value_end):
    return "\n".join(f"{key}{name}{key_end}{value}{value_end}"
                     for name, value in zip("nsl", VALUES))


TEXTS = {
    "json_tags": f'<tool_call>\n{{"name": "f", "arguments": {JSON}}}\n</tool_call>\n'
                 '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>',
    "parameter_tags": "<tool_call>\n<function=f>\n"
                      f'{tags("<parameter=", f">{chr(10)}", f"{chr(10)}</parameter>")}\n'
                      "</function>\n</tool_call>\n<tool_call>\n<function=g>\n</function>\n"
                      "</tool_call>",
    "pair_tags": "<tool_call>f\n"
                 f'{tags("<arg_key>", "</arg_key><arg_value>", "</arg_value>")}\n</tool_call>\n'
                 "<tool_call>g\n</tool_call>",
    "seed_tags": '<seed:tool_call>\n<function=f>\n'
                 f'{tags("<parameter=", ">", "</parameter>")}\n</function>\n'
                 '<function=g>\n</function>\n</seed:tool_call>',
    "invoke_tags": '<minimax:tool_call>\n<invoke name="f">\n'
                   f"""{tags('<parameter name="', '">', "</parameter>")}\n</invoke>\n"""
                   '<invoke name="g">\n</invoke>\n</minimax:tool_call>',
    "param_tags": f"""<function name="f">{tags('<param name="', '">', "</param>")}</function>"""
                  '<function name="g"></function>',
    "dsml": '<｜DSML｜function_calls>\n<｜DSML｜invoke name="f">\n'
            + tags('<｜DSML｜parameter name="', '" string="true">', "</｜DSML｜parameter>") +
            '\n</｜DSML｜invoke>\n<｜DSML｜invoke name="g">\n</｜DSML｜invoke>\n'
            '</｜DSML｜function_calls>',
    "fenced": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n"
              f"{JSON}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n"
              "```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "separated": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{JSON}"
                 "<｜tool▁call▁end｜><｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
                 "<｜tool▁calls▁end｜>",
    "section": "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0"
               f"<|tool_call_argument_begin|>{JSON}<|tool_call_end|><|tool_call_begin|>"
               "functions.g:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
               "<|tool_calls_section_end|>",
    "harmony": f"<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json"
               f"<|message|>{JSON}<|call|>"
               "<|start|>assistant to=functions.g<|channel|>commentary json<|message|>{}<|call|>",
    "named_list": f"[TOOL_CALLS]f[ARGS]{JSON}[TOOL_CALLS]g[CALL_ID]a1b2c3d4e[ARGS]{{}}",
    "json_list": f'[TOOL_CALLS] [{{"name": "f", "arguments": {JSON}, "id": "a1b2c3d4e"}}, '
                 '{"name": "g", "arguments": {}, "id": "f5g6h7i8j"}]',
    "function_tags": f"<function=f>{JSON}</function>\n<function=g>{{}}</function>",
    "recipients": f">>>f\n{JSON}>>>g\n{{}}",
    "action": '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "f", "parameters": '
              f'{JSON}}},\n    {{"tool_call_id": "1", "tool_name": "g", "parameters": {{}}}}\n]'
              '<|END_ACTION|>',
    "fenced_action": f'Action: ```json\n[{{"tool_name": "f", "parameters": {JSON}}},\n'
                     '{"tool_name": "g", "parameters": {}}\n]```',
    "pipe_list": f'<|tool_call|>[{{"name": "f", "arguments": {JSON}}}, '
                 '{"name": "g", "arguments": {}}]<|/tool_call|>',
    "functools": f'functools[{{"name": "f", "arguments": {JSON}}}, '
                 '{"name": "g", "arguments": {}}]',
    "toolcall_list": f'<TOOLCALL>[{{"name": "f", "arguments": {JSON}}}, '
                     '{"name": "g", "arguments": {}}]</TOOLCALL>',
    "tags_list": f'<tool_calls>\n[{{"name": "f", "arguments": {JSON}}},\n'
                 '{"name": "g", "arguments": {}}]\n</tool_calls>',
    "plugin": f'<|action_start|><|plugin|>\n{{"name": "f", "parameters": {JSON}}}<|action_end|>\n'
              '<|action_start|><|plugin|>\n{"name": "g", "parameters": {}}<|action_end|>',
    "map_list": f'<|tools_prefix|>[{{"f": {JSON}}}, {{"g": {{}}}}]<|tools_suffix|>',
    "gemma": '<|tool_call>call:f{n:1,s:<|"|>é"\'<b>\n{x}<|"|>,l:[<|"|>a<|"|>,null,true,-2.5]}'
             "<tool_call|><|tool_call>call:g{}<tool_call|>",
    "escaped": "<start_function_call>call:f{n:1,s:<escape>é\"'<b>\n{x}<escape>,"
               "l:[<escape>a<escape>,null,true,-2.5]}<end_function_call>"
               "<start_function_call>call:g{}<end_function_call>",
    "python_list": f"<|tool_call_start|>[{PYTHON}, g()]<|tool_call_end|>",
    "python_lines": f"<function_calls>\n{PYTHON}\ng()\n</function_calls>",
    "code": f"<code>{PYTHON}</code>\n<code>g()</code>",
    "bare": f'<|python_tag|>{{"name": "f", "parameters": {JSON}}}; '
            '{"name": "g", "parameters": {}}',
}


def parsed(format, pieces, tools=TOOLS):
    """What is in an answer that comes in these pieces: content joined, and calls."""
    parser = Parser(format, tools)
    parts = [part for piece in pieces for part in parser.push(piece)]
    joined = []
    for part in [*parts, *parser.finish()]:
        assert part != ""
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined
