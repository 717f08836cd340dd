"""Chat templates render as transformers renders them, and a user's text stays text."""
import json
from datetime import datetime

import pytest

from minichat.errors import MinichatError, ModelError, RequestError
from minichat.prompt import Template
from minichat.tokens import Tokenizer, special_tokens
from tests.template_golden import (CONVERSATIONS, GOLDEN, MODEL_TYPES, NOW, SPECIAL_TOKENS, digest,
                                   folders)

GOLDENS = sorted(path.stem for path in GOLDEN.glob("*.json") if path.stem != "conversations")
USER = [{"role": "user", "content": "hello"}]


def render(template, messages=USER, **kwargs):
    return Template(template, SPECIAL_TOKENS, now=lambda: NOW).render(messages, **kwargs)


def opened(name):
    """The template of a golden and the tokenizer that it has, if any."""
    templates, tokenizers = folders()
    for path in templates:
        if path.stem == name:
            return Template(path.read_text(encoding="utf-8"), SPECIAL_TOKENS, now=lambda: NOW), None
    [folder] = [path for path in tokenizers if path.name == name]
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.open(folder / "tokenizer.json", config, model_type=MODEL_TYPES[name])
    return Template(config["chat_template"], special_tokens(config), now=lambda: NOW), tokenizer


def rendered(template, conversation):
    prefill = conversation["messages"][-1]["role"] == "assistant"
    return template.render(conversation["messages"], tools=conversation.get("tools"),
                           add_generation_prompt=not prefill, continue_final_message=prefill,
                           **conversation.get("kwargs", {}))


@pytest.mark.parametrize("name", GOLDENS)
def test_renders_and_encodes_as_transformers(name):
    template, tokenizer = opened(name)
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert golden.keys() == CONVERSATIONS.keys()
    for key, conversation in CONVERSATIONS.items():
        if (name, key) == ("craftgpt", "prefill"):
            # its template lowers the mark that transformers looks for, and not ours
            assert rendered(template, conversation).endswith("[/inst] it is")
        elif "raises" in golden[key]:
            with pytest.raises(MinichatError):
                rendered(template, conversation)
        else:
            prompt = rendered(template, conversation)
            ids = {"ids": digest(tokenizer.encode(prompt))} if tokenizer else {}
            assert digest(prompt) | ids == golden[key], key
