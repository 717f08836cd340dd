"""Which way of writing calls a checkpoint has."""
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import MinichatError
from ..prompt import Template
from . import response_template
from .derive import derive, to_mark
from .format import Call, Format
from .parser import Parser
from .table import FORMATS

# Words that no template has.
CALLS = (Call("find_plover", {"first_place": "Ulvik", "how_many": 4172}),
         Call("count_plover", {"first_place": "Lakselv", "how_many": 6935}))
TOOLS = [{"type": "function", "function": {
    "name": call.name, "description": "Birds.", "parameters": {
        "type": "object", "required": ["first_place", "how_many"], "properties": {
            "first_place": {"type": "string", "description": "Where."},
            "how_many": {"type": "integer", "description": "Of them."}}}}} for call in CALLS]
ASKED = {"role": "user", "content": "How many?"}
ANSWER = "Quite many."


def infer(tokenizer_config: Mapping[str, Any], template: Template,
          named: str | None = None) -> Format | None:
    """Returns how a model writes calls; None where its template does not tell it of tools.

    Asked are, in this order, the response_template of its tokenizer_config.json; named, the word
    of its family, a key of FORMATS; and its chat template: what that writes for calls, or else
    which marks it or the tokenizer knows.
    """
    if not template.source or "tools" not in template.text(tools=True):
        return None
    described = response_template.read(tokenizer_config.get("response_template"))
    if described:
        return described
    if named:
        return FORMATS[named]
    return written(template) or mentioned(template.text(tools=True), tokenizer_config)


def written(template: Template) -> Format | None:
    """Returns the format of the calls that a template writes, None if it does not."""
    asked = render(template, [ASKED], add_generation_prompt=True)
    answer = render(template, [ASKED, {"role": "assistant", "content": ANSWER}])
    one, both = (said(template, calls, asked, answer) for calls in (CALLS[:1], CALLS))
    if one is None:
        return None
    if both is None or CALLS[1].name not in both:
        both = None
    end = answer.rpartition(ANSWER)[2]
    for format in [*FORMATS.values(), derive(one, both, CALLS, end)]:
        if format and parses(format, both or one, CALLS if both else CALLS[:1]):
            return format
    return None


def said(template: Template, calls: Sequence[Call], asked: str, answer: str) -> str | None:
    """Returns what an answer of calls is, to its end, as the template has it; asked and answer
    are what it makes of a question and of another answer."""
    message = {"role": "assistant", "content": "", "tool_calls": [
        {"function": {"name": call.name, "arguments": call.arguments}} for call in calls]}
    whole = render(template, [ASKED, message])
    shared = max(len(os.path.commonprefix([whole, other])) for other in (asked, answer))
    answered = whole[to_mark(whole, shared):]
    return answered if shared and calls[0].name in answered else None


def render(template: Template, messages: list[dict[str, Any]], **kwargs: Any) -> str:
    """Returns what the template makes of messages, nothing if it refuses them."""
    try:
        return template.render(messages, tools=TOOLS, **{"add_generation_prompt": False, **kwargs})
    except MinichatError:
        return ""


def parses(format: Format, text: str, calls: Sequence[Call]) -> bool:
    """Whether these calls are what a format finds in a text, with nothing before and between."""
    parser = Parser(format, TOOLS)
    parts = [*parser.push(text), *parser.finish()]
    return parts[:len(calls)] == list(calls) and not any(
        isinstance(part, Call) for part in parts[len(calls):])


def mentioned(source: str, tokenizer_config: Mapping[str, Any]) -> Format | None:
    """Returns the format whose marks a template or a tokenizer knows, that of bare calls if none
    is known."""
    known = [source, *tokens(tokenizer_config)]
    return next((format for format in FORMATS.values()
                 if any((format.open or format.before) in text for text in known)),
                FORMATS["bare"])


def tokens(tokenizer_config: Mapping[str, Any]) -> Iterator[str]:
    """Yields the tokens that were added to a vocabulary."""
    added = tokenizer_config.get("added_tokens_decoder")
    for token in added.values() if isinstance(added, Mapping) else ():
        if isinstance(token, Mapping):
            yield str(token.get("content"))
