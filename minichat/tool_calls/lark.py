"""What grammars of calls are written with, in Lark's syntax as llguidance reads it."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

# Between the tokens of JSON: nothing, a blank, or a new line and its indentation.  A model that
# may write blanks without end sometimes does.
WHITESPACE = r" |\n[ ]{0,40}"


def rules(names: Sequence[str]) -> str:
    """Returns the rules that all of them know: names, of the functions, object and value, of JSON,
    word and key, of arguments, and ws, blanks."""
    return "\n".join((f"names: {one_of(names)}", f"object: {of_json({'type': 'object'})}",
                      f"value: {of_json({})}", r"word: /[\p{L}\p{Nd}_]{1,100}/",
                      r"key: /[^\s\x1c-\x1f:,{}\[\]\"'<>|=()\/]{1,100}/", r"ws: /[ \n]{0,16}/"))


def of_json(schema: Mapping[str, Any]) -> str:
    """Returns what stands for JSON that a schema describes."""
    how = {"whitespace_flexible": True, "whitespace_pattern": WHITESPACE}
    return "%json " + json.dumps({**schema, "x-guidance": how})


def mark(text: str) -> str:
    """Returns what stands for a mark and the blanks around its words; "" for none."""
    return " ".join(f"ws {json.dumps(word, ensure_ascii=False)}" for word in text.split())


def maybe(text: str) -> str:
    """Returns what stands for a mark that may be missing."""
    return f"({mark(text)})?" if text else ""


def one_of(texts: Sequence[str]) -> str:
    return " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)


def several(rule: str) -> str:
    """Returns what stands for one or more of a rule, with commas."""
    return f'{rule} ("," ws {rule})*'


def up_to(name: str, mark: str, text: str = "(?s:.*)") -> str:
    """Returns a rule called name for a text, any by default, and the mark after it."""
    return f"{name}[suffix={json.dumps(mark, ensure_ascii=False)}]: /{text}/"
