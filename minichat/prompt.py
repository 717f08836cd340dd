"""Messages -> prompt text, by the model's chat template."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta, nodes

from .errors import MinichatError, ModelError, RequestError
from .templates import sandbox
from .templates.budget import Overrun, budget, settled, weight_of
from .templates.ids import identify
from .templates.origin import Spans, Text

REASONING = ("reasoning_content", "thinking", "reasoning")
THINKING = (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"))
ROLES = frozenset(("system", "user", "assistant", "tool", "developer"))
TEMPLATE_CHARACTERS, TEMPLATE_DEPTH = 1 << 18, 200
SURROGATES = re.compile("[\ud800-\udfff]")

Messages = Sequence[Mapping[str, Any]]


class Prompt(str):
    """The rendered text; plain are the (start, end) of what is text and never control tokens,
    literals all that the template can write itself."""
    plain: Spans
    literals: str


class Template:
    """A model's chat template.

    source is its text, or several by name: "tool_use" is taken when tools are given, else
    "default".  special_tokens are variables of the template: bos_token and the like.
    place names the template in errors.
    """

    def __init__(self, source: str | Mapping[str, str] | None,
                 special_tokens: Mapping[str, str] | None = None, *,
                 place: str = "chat template", now: Callable[[], datetime] = datetime.now):
        self.source = source
        self.place = place
        self._special = {name: Text.by_template(token)
                         for name, token in (special_tokens or {}).items()}
        self._now = now

    def text(self, tools: bool = False) -> str:
        """Returns the template that applies.  Raises ModelError where there is none."""
        if not self.source:
            raise ModelError(f"{self.place}: the model has none; add chat_template.jinja to its "
                             "folder, or give template=")
        if isinstance(self.source, str):
            return self.source
        if tools and "tool_use" in self.source:
            return self.source["tool_use"]
        if "default" not in self.source:
            raise ModelError(f"{self.place}: found {', '.join(sorted(self.source))}; must have "
                             "one named default")
        return self.source["default"]

    def variables(self, tools: bool = False) -> frozenset[str]:
        """Returns the names that the template which applies is to be given: messages, tools,
        enable_thinking and the like."""
        return self._compiled(self.text(tools))[2]

    def thinking(self, tools: bool = False) -> tuple[str, str] | None:
        """Returns the tags around thinking of which the template that applies tells."""
        text = self.text(tools)
        return next((tags for tags in THINKING if tags[1] in text), None)

    def render(self, messages: Messages, *, tools: Sequence[Any] | None = None,
               add_generation_prompt: bool = True, continue_final_message: bool = False,
               **kwargs: Any) -> Prompt:
        """Returns the prompt.

        continue_final_message leaves the last message open, to be continued: the prompt ends
        with its content, or with its thinking if there is no content.  kwargs are the
        template's own: enable_thinking and the like.
        """
        compiled, literals, _ = self._compiled(self.text(bool(tools)))
        inputs = _plain({"tools": list(tools) if tools else None, **kwargs})
        conversation = [_message(message) for message in messages]
        identify(conversation, self.text(bool(tools)))
        tag = ""
        if continue_final_message:
            tag = _leave_open(conversation)
            add_generation_prompt = False
        with budget(weight_of(conversation) + weight_of(inputs)):
            variables = {"strftime_now": self._strftime, **self._special,
                         "add_generation_prompt": add_generation_prompt,
                         "messages": settled(conversation),
                         **{name: settled(value) for name, value in inputs.items()}}
            text = self._run(compiled, variables)
        if tag:
            text = _opened(text, tag)
        prompt = Prompt(SURROGATES.sub("\ufffd", text))
        prompt.plain, prompt.literals = text.plain, literals
        return prompt

    def _run(self, compiled: jinja2.Template, variables: Mapping[str, Any]) -> Text:
        try:
            return _environment.concat(
                compiled.root_render_func(compiled.new_context(dict(variables))))
        except sandbox.Refused as error:
            raise RequestError(f"messages: the model's template refuses them: {error}") from None
        except Overrun as error:
            raise ModelError(f"{self.place}: {error}; must be a template that ends soon") from None
        except MinichatError:
            raise
        except Exception as error:
            raise ModelError(f"{self.place}: line {_line(error)}: {_words(error)}") from error

    def _compiled(self, source: str) -> tuple[jinja2.Template, str, frozenset[str]]:
        if len(source) > TEMPLATE_CHARACTERS:
            raise ModelError(f"{self.place}: has {len(source)} characters; may have "
                             f"{TEMPLATE_CHARACTERS}")
        try:
            return _compile(source)
        except jinja2.TemplateSyntaxError as error:
            raise ModelError(f"{self.place}: line {error.lineno}: {error.message}") from error
        except Exception as error:
            raise ModelError(f"{self.place}: {_words(error)}") from error

    def _strftime(self, format: str) -> str:
        if len(format) > 200:
            raise OverflowError("strftime_now: a format of more than 200 characters")
        return self._now().strftime(format)


_environment = sandbox.Environment()


@lru_cache(64)
def _compile(source: str) -> tuple[jinja2.Template, str, frozenset[str]]:
    """Returns a compiled template, all the text in it, and the names it does not set itself."""
    tree = _environment.parse(source)
    _check_depth(tree)
    names = frozenset(meta.find_undeclared_variables(tree))
    literals = {node.data for node in tree.find_all(nodes.TemplateData)}
    literals |= {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    return _environment.from_string(tree), "\0".join(sorted(literals)), names


def _check_depth(tree: nodes.Node) -> None:
    """Refuses what would take a deep stack to compile, whatever stack this thread has."""
    level: list[nodes.Node] = [tree]
    for _ in range(TEMPLATE_DEPTH):
        level = [child for node in level for child in node.iter_child_nodes()]
    if level:
        raise RecursionError


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a message as templates expect it: what is None left out, thinking by all of its
    names, arguments as objects."""
    out: dict[str, Any] = {"role": "", "content": ""}
    out |= {key: value for key, value in _plain(message).items() if value is not None}
    if out["role"] in ROLES:
        out["role"] = Text.by_template(out["role"])
    reasoning = next((out[name] for name in REASONING if name in out), None)
    if reasoning is not None:
        out = {"thinking": reasoning, **out, "reasoning_content": reasoning}
    if "tool_name" in out:
        out.setdefault("name", out["tool_name"])
    if "tool_calls" in out:
        out["tool_calls"] = [_tool_call(call) for call in out["tool_calls"]]
    return out


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    function = dict(call.get("function") or {})
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = None
    if not isinstance(arguments, dict):
        raise RequestError(f"messages: tool_calls: arguments: found "
                           f"{function['arguments']!r}; must be an object")
    return {"type": Text.by_template("function"), **call,
            "function": {**function, "arguments": arguments}}


def _plain(value: Any) -> Any:
    """Returns a copy in plain JSON types."""
    if value is None or type(value) in (bool, int, float, str, Text):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (int, float)):
        return value.__class__.__mro__[-2](value)
    return f"<{type(value).__name__}>"


def _leave_open(conversation: list[dict[str, Any]]) -> str:
    """Puts a tag where the last message is to be continued; returns the tag."""
    last = conversation[-1] if conversation else {}
    names = ["content"]
    if not last.get("content"):
        names = [name for name in REASONING if last.get(name)] or names
    if not isinstance(last.get(names[0]), str):
        raise RequestError("messages: the last one has no text to continue")
    said, tag = json.dumps(conversation, ensure_ascii=False), "\U000f0002"
    while tag in said:
        tag += "\U000f0002"
    for name in names:
        last[name] += tag + " "             # the blank tells whether the template trims
    return tag


def _opened(text: Text, tag: str) -> Text:
    """Cuts the prompt where the last message is to be continued."""
    before: Text
    before, found, after = text.rpartition(tag)
    if not found:
        raise RequestError("messages: the last one cannot be continued: the template leaves it out")
    return before if after.startswith(" ") else before.rstrip()


def _line(error: BaseException) -> int:
    """Returns the line of the template where an error was raised."""
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            template = trace.tb_frame.f_globals.get("__jinja_template__")
            line = (template.get_corresponding_lineno(trace.tb_lineno) if template
                    else trace.tb_lineno)
        trace = trace.tb_next
    return line


def _words(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nests too deeply"
    return str(error)[:500] or type(error).__name__
