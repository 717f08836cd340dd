"""Writes golden/templates/: what transformers makes of conversations.json.

    pip install transformers==5.23.0 torch==2.13.0
    MINICHAT_TEST_MODELS=... python -m tests.make_template_golden

A file for each template and each tokenizer beside the folder of real models; in it, of every
conversation, the rendered text and the ids, both as a digest, their number and their end, or
that the template raises.  The day is always 4 March 2025.
"""
import json
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import transformers
from transformers.utils import chat_template_utils

from tests.template_golden import (
    CONVERSATIONS,
    GOLDEN,
    MODEL_TYPES,
    NOW,
    SPECIAL_TOKENS,
    digest,
    folders,
)


class FixedDay(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def arguments(conversation):
    prefill = conversation["messages"][-1]["role"] == "assistant"
    return {"tools": conversation.get("tools"), "add_generation_prompt": not prefill,
            "continue_final_message": prefill, **conversation.get("kwargs", {})}


def of_template(path):
    """What a template makes of the conversations; no tokenizer belongs to it."""
    def render(conversation):
        [text], _ = chat_template_utils.render_jinja_template(
            [conversation["messages"]], chat_template=path.read_text(encoding="utf-8"),
            **SPECIAL_TOKENS, **arguments(conversation))
        return digest(text)
    return render


def of_tokenizer(folder):
    """What a tokenizer and its template make of them; config.json decides on its class."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        config = {"model_type": MODEL_TYPES[folder.name]}
        Path(copy, "config.json").write_text(json.dumps(config))
        tokenizer = transformers.AutoTokenizer.from_pretrained(copy)

    def render(conversation):
        how = arguments(conversation)
        text = tokenizer.apply_chat_template(conversation["messages"], tokenize=False, **how)
        ids = tokenizer.apply_chat_template(conversation["messages"], return_dict=False, **how)
        return digest(text) | {"ids": digest(ids)}
    return render


def main():
    assert transformers.__version__ == "5.23.0", "the goldens are of this version"
    chat_template_utils.datetime = FixedDay
    templates, tokenizers = folders()
    for path in [*templates, *tokenizers]:
        render = of_template(path) if path.is_file() else of_tokenizer(path)
        golden = {}
        for name, conversation in CONVERSATIONS.items():
            try:
                golden[name] = render(conversation)
            except Exception as error:
                print(f"{path.name}: {name}: {error}", file=sys.stderr)
                golden[name] = {"raises": True}
        (GOLDEN / f"{path.stem if path.is_file() else path.name}.json").write_text(
            json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
