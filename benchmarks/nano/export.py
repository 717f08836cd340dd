"""Trained weights -> a Hugging Face folder."""
from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from . import tokenizer as bpe
from .corpus import TEMPLATE
from .model import CONFIG


def export(trained: dict[str, Tensor], tokenizer_json: Path, folder: Path) -> None:
    """Writes config, weights (bf16), tokenizer and template into folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    end = tokenizer.token_to_id(bpe.END)
    write_json(folder / "config.json", CONFIG | {
        "eos_token_id": end, "pad_token_id": tokenizer.token_to_id(bpe.END_OF_TEXT)})
    write_json(folder / "generation_config.json", {"eos_token_id": end})
    write_json(folder / "tokenizer_config.json", bpe.config())
    shutil.copy(tokenizer_json, folder / "tokenizer.json")
    shutil.copy(TEMPLATE, folder)
    save_file({name: each.to("cpu", torch.bfloat16).contiguous()
               for name, each in trained.items()},
              folder / "model.safetensors", metadata={"format": "pt"})


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
