"""What the goldens of chat templates are made of: shared by their maker and their test."""
import hashlib
import json
from datetime import datetime
from pathlib import Path

from tests.conftest import real_models

GOLDEN = Path(__file__).parent / "golden" / "templates"
CONVERSATIONS = json.loads((GOLDEN / "conversations.json").read_text(encoding="utf-8"))
NOW = datetime(2025, 3, 4, 5, 6, 7)
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}  # of templates without a tokenizer
MODEL_TYPES = {"granite3.1": "granite", "minimind": "qwen3", "phi3": "phi3", "qwen3": "qwen3",
               "smollm2-instruct": "llama", "craftgpt": "gpt2"}
SHORT = 24


def folders():
    """Returns the templates, and the folders of tokenizers that have one."""
    models = real_models()
    tokenizers = [models.parent / "tokenizers" / name for name in sorted(MODEL_TYPES)]
    return (sorted((models.parent / "templates").glob("*.jinja")),
            [path if path.exists() else models / path.name for path in tokenizers])


def digest(value):
    """Returns a short form of a text or of a list of ids: equal for equal ones."""
    data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    return {"length": len(value), "sha256": hashlib.sha256(data).hexdigest(),
            "end": value[-SHORT:]}
