"""A chat with a real model, in float32, has the answer that transformers gives."""
import hashlib
import json
from pathlib import Path

import pytest

from minichat import api

GOLDEN = {path.stem: json.loads(path.read_text())
          for path in sorted(Path(__file__).parent.glob("*.json"))}
ANSWERS = [(name, answer) for name, golden in GOLDEN.items() for answer in golden["answers"]]
OPTIONS = {"temperature": 0, "num_predict": 64, "repeat_penalty": 1.0}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_model_is_the_one_that_was_asked(models, name):
    weights = (models / name / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == GOLDEN[name]["weights_sha256"]


@pytest.mark.parametrize("name, answer", ANSWERS,
                         ids=lambda value: value if isinstance(value, str) else
                         value["messages"][-1]["content"].strip())
def test_says_what_transformers_says(models, name, answer):
    *chunks, last = api.chat(models / name, answer["messages"], quantization="f32",
                             template=GOLDEN[name]["template"], options=OPTIONS)
    said = "".join(chunk["message"]["content"] for chunk in chunks)
    assert said == answer["text"]
    assert last["done_reason"] == answer["done_reason"]
    assert last["prompt_eval_count"] == len(answer["prompt_ids"])
    assert len(answer["ids"]) <= last["eval_count"] <= len(answer["ids"]) + 1
