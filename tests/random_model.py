"""Folders of models with random weights, as the Hub lays them out.

    folder = write(tmp_path / "model", TINY)

The tokenizer has a token for every byte and nothing else but <s> and </s>.
"""
import json
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from minichat import families
from minichat.families.spec import shapes

DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"

TINY = {
    "model_type": "llama", "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 272,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
TINY_GPT2 = {
    "model_type": "gpt2", "n_embd": 80, "n_head": 5, "n_layer": 2, "n_positions": 128,
    "vocab_size": 272, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
}


def write(folder: Path, config: Mapping, *, dtype="bfloat16", seed=0, shards=1) -> Path:
    """Writes a model of the family and shapes that config asks for; returns folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = random_tensors(config, np.random.default_rng(seed), DTYPES[dtype])
    (folder / "config.json").write_text(json.dumps(dict(config)))
    write_tokenizer(folder, config.get("vocab_size", 258))
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return folder
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(tensors.items())[i::shards])
        save_file(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def random_tensors(config: Mapping, rng: np.random.Generator, dtype) -> dict[str, np.ndarray]:
    """Returns tensors by their names in a checkpoint: matrices keep activations near 1."""
    family = families.family(config["model_type"])
    found = {}
    for name, shape in shapes(family.architecture(config)).items():
        prefix, _, last = name.rpartition(".")
        layer = prefix.rpartition(".")[2]
        source = family.tensors[f"layers.{{i}}.{last}" if layer else name]
        if len(shape) == 1:
            values = 0.1 * rng.standard_normal(shape) + (last.endswith("norm") - source.offset)
        else:
            values = rng.standard_normal(shape, np.float32) * np.float32(shape[1] ** -0.5)
        parts = np.array_split(values, split_points(source.names, shape, config))
        for their_name, part in zip(source.names, parts, strict=True):
            part = part.T if source.transposed else part
            found[their_name.replace("{i}", layer)] = np.ascontiguousarray(part).astype(dtype)
    return found


def split_points(names, shape, config) -> list[int]:
    """Returns where the rows of one checkpoint tensor end and those of the next begin."""
    if len(names) == 3:
        kv = config["num_key_value_heads"] * config["head_dim"]
        return [shape[0] - 2 * kv, shape[0] - kv]
    return [shape[0] // len(names) * i for i in range(1, len(names))]


def write_tokenizer(folder: Path, vocab_size: int) -> None:
    """A byte-level tokenizer without merges; ids past its own are in no text."""
    specials = ["<s>", "</s>"]
    # The bytes as GPT-2 spells them: printable ones are themselves, the rest move up.
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    spelled = [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(others))]
    vocab = {token: i for i, token in enumerate([*specials, *spelled])}
    if len(vocab) > vocab_size:
        vocab = dict(list(vocab.items())[:vocab_size])
    added = [{"id": i, "content": token, "special": True, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False} for i, token in enumerate(specials)]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": added, "normalizer": None, "post_processor": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False,
                          "trim_offsets": False, "use_regex": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                    "use_regex": False},
        "model": {"type": "BPE", "vocab": vocab, "merges": []}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}))
    (folder / "generation_config.json").write_text(json.dumps(
        {"bos_token_id": 0, "eos_token_id": 1, "do_sample": False}))
