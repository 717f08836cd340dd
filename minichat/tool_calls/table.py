"""The ways of writing calls that are known, by their syntax; beside each, who writes so."""
from __future__ import annotations

from .format import Format
from .gemma import gemma
from .named import Named
from .objects import Objects
from .pythonic import Pythonic
from .tagged import Tagged

PARAMETERS = Tagged(">", "<parameter=", ">", "</parameter>", lines=True)
PAIRS = Tagged("", "<arg_key>", "</arg_key>", "</arg_value>", value="<arg_value>")

FORMATS = {
    # Hermes, Qwen 2.5 and 3, QwQ, Granite 4, SmolLM3, EXAONE 4, ERNIE, Reka
    "json_tags": Format(Objects(), before="<tool_call>", after="</tool_call>"),
    # Qwen3-Coder, Qwen 3.5, Nemotron 3, Step 3.5
    "parameter_tags": Format(PARAMETERS, open="<tool_call>", before="<function=",
                             after="</function>", close="</tool_call>"),
    # GLM 4.5 and later, Laguna, Ling 3
    "pair_tags": Format(PAIRS, before="<tool_call>", after="</tool_call>"),
    # Seed-OSS
    "seed_tags": Format(PARAMETERS, open="<seed:tool_call>", before="<function=",
                        after="</function>", close="</seed:tool_call>"),
    # MiniMax M2
    "invoke_tags": Format(
        Tagged('">', '<parameter name="', '">', "</parameter>"), open="<minimax:tool_call>",
        before='<invoke name="', after="</invoke>", close="</minimax:tool_call>"),
    # MiniCPM 5
    "param_tags": Format(Tagged('">', '<param name="', '">', "</param>"),
                         before='<function name="', after="</function>"),
    # DeepSeek V3.2
    "dsml": Format(
        Tagged('">', '<｜DSML｜parameter name="', '"', "</｜DSML｜parameter>", value=">"),
        open="<｜DSML｜function_calls>", before='<｜DSML｜invoke name="',
        after="</｜DSML｜invoke>", close="</｜DSML｜function_calls>"),
    # DeepSeek V3 and R1
    "fenced": Format(
        Named("```json"), open="<｜tool▁calls▁begin｜>",
        before="<｜tool▁call▁begin｜>function<｜tool▁sep｜>", after="``` <｜tool▁call▁end｜>",
        close="<｜tool▁calls▁end｜>"),
    # DeepSeek V3.1
    "separated": Format(
        Named("<｜tool▁sep｜>"), open="<｜tool▁calls▁begin｜>", before="<｜tool▁call▁begin｜>",
        after="<｜tool▁call▁end｜>", close="<｜tool▁calls▁end｜>"),
    # Kimi K2
    "section": Format(
        Named("<|tool_call_argument_begin|>", prefix="functions."),
        open="<|tool_calls_section_begin|>", before="<|tool_call_begin|>",
        after="<|tool_call_end|>", close="<|tool_calls_section_end|>"),
    # gpt-oss
    "harmony": Format(
        Named("<|message|>"), before="to=functions.", after="<|call|>",
        silent=("<|start|>assistant", "<|channel|>commentary", "<|channel|>analysis",
                "<|channel|>commentary<|message|>", "<|channel|>final<|message|>", "<|end|>",
                "<|return|>")),
    # Mistral Small 3.2, Devstral, Ministral 3, Magistral
    "named_list": Format(Named("[ARGS]"), before="[TOOL_CALLS]"),
    # Mistral 7B v0.3 to Small 3.1
    "json_list": Format(Objects(), open="[TOOL_CALLS]"),
    # Functionary 3.1
    "function_tags": Format(Named(">"), before="<function=", after="</function>"),
    # Functionary 3.2
    "recipients": Format(Named(), before=">>>", silent=(">>>all\n",)),
    # Command-R7B, Command A
    "action": Format(Objects("tool_name", "parameters"), open="<|START_ACTION|>",
                     close="<|END_ACTION|>"),
    # Command-R+
    "fenced_action": Format(Objects("tool_name", "parameters"), open="Action: ```json",
                            close="```"),
    # Granite 3, Phi-4-mini
    "pipe_list": Format(Objects(), open="<|tool_call|>", close="<|/tool_call|>"),
    # Phi-4-mini
    "functools": Format(Objects(), open="functools"),
    # Nemotron Nano 2
    "toolcall_list": Format(Objects(), open="<TOOLCALL>", close="</TOOLCALL>"),
    # Hunyuan, Jamba, MiniMax M1
    "tags_list": Format(Objects(), open="<tool_calls>", close="</tool_calls>"),
    # InternLM 2
    "plugin": Format(Objects(arguments="parameters"), before="<|action_start|><|plugin|>",
                     after="<|action_end|>"),
    # Apertus
    "map_list": Format(Objects(""), open="<|tools_prefix|>", close="<|tools_suffix|>"),
    # Gemma 4
    "gemma": Format(gemma('<|"|>'), before="<|tool_call>call:", after="<tool_call|>"),
    # FunctionGemma
    "escaped": Format(gemma("<escape>"), before="<start_function_call>call:",
                      after="<end_function_call>"),
    # LFM2
    "python_list": Format(Pythonic(), open="<|tool_call_start|>", close="<|tool_call_end|>"),
    # OLMo 3
    "python_lines": Format(Pythonic(), open="<function_calls>", close="</function_calls>"),
    # SmolLM3, of tools that it was given as Python
    "code": Format(Pythonic(), before="<code>", after="</code>"),
    # Llama 3 and 4, xLAM
    "bare": Format(Pythonic(Objects(optional=False)), open="<|python_tag|>", bare=True),
}
