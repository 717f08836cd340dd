"""python -m benchmarks.models FOLDER --tokenizers FOLDER: models in Hugging Face layout.

Real shapes, random weights in bfloat16, the same for the same seed; tokenizers are copied from
the folders named in TOKENIZERS.  A few hundred megabytes of memory, some seconds a model."""
import argparse
import json
import shutil
from math import prod
from pathlib import Path
from statistics import NormalDist

import numpy as np

from benchmarks.shapes import CONFIGS, tensors

TOKENIZERS = {"smollm2-135m": "smollm2-instruct", "qwen3-0.6b": "qwen3",
              "llama-3.2-1b": "smollm2-instruct"}   # any whose ids are in the vocabulary
SPREAD = 0.02               # standard deviation of a weight
CHUNK = 1 << 26             # values made at a time


def bf16(values):
    """float32 -> the upper half of its bits, as uint16."""
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def quantiles():
    """65,536 bfloat16 values that, drawn evenly, are normally distributed."""
    normal = NormalDist(0, SPREAD)
    return bf16([normal.inv_cdf((step + 0.5) / 65536) for step in range(65536)])


def write_weights(path, shapes, seed):
    """A safetensors file of shapes, a chunk at a time: vectors are ones, matrices random."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    normal, rng = quantiles(), np.random.default_rng(seed)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            if len(shape) == 1:
                bf16(np.ones(shape)).tofile(file)
                continue
            for start in range(0, prod(shape), CHUNK):
                count = min(CHUNK, prod(shape) - start)
                normal[np.frombuffer(rng.bytes(2 * count), np.uint16)].tofile(file)


def write(folder, shape, tokenizers, seed=0):
    """Writes one model to folder / shape, whole or not at all."""
    target, unfinished = folder / shape, folder / f"{shape}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizers / TOKENIZERS[shape] / name, unfinished / name)
    config = CONFIGS[shape]
    (unfinished / "config.json").write_text(json.dumps(config, indent=1))
    write_weights(unfinished / "model.safetensors", tensors(config), seed)
    unfinished.rename(target)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizers", type=Path, required=True,
                        help="a folder with " + ", ".join(sorted(set(TOKENIZERS.values()))))
    parser.add_argument("--shapes", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    args = parser.parse_args()
    for shape in args.shapes:
        print(write(args.folder, shape, args.tokenizers))


if __name__ == "__main__":
    main()
