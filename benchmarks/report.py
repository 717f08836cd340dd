"""python -m benchmarks.report results.jsonl: a Markdown table of what benchmarks.race measured.

A share is of the machine's limit in the same minutes: decoding reads every weight and all keys
and values once a token, prefill makes two operations of every weight but the output head's for
each token."""
import json
import sys
from math import prod

from benchmarks.shapes import CONFIGS, tensors

BITS = {"minichat": {"q4": 4.25, "q8": 8.125, "bf16": 16, "f32": 32},
        "llama.cpp": {"q4": 4.5, "q8": 8.5}}
HEAD_BITS = {("llama.cpp", "q4"): 6.5625}       # where the head has a format of its own
HEAD = "model.embed_tokens.weight"


def weights(shape):
    """Number of weights in the matrices of the layers, and in the output head."""
    shapes = tensors(CONFIGS[shape])
    head = prod(shapes.pop(HEAD))
    return sum(prod(size) for size in shapes.values() if len(size) == 2), head


def cache_bits(contestant, quantization, head_dim):
    """Of one value of a key and one of a value, with their scales."""
    if contestant == "minichat":
        return {"q4": 8 + 1 + 8 + 32 / head_dim, "f32": 64}.get(quantization, 32)
    return 32


def token_gb(contestant, shape, quantization, depth):
    """GB that one token decoded after depth others reads: weights, keys and values."""
    layers, head = weights(shape)
    bits = BITS[contestant][quantization]
    config = CONFIGS[shape]
    head_dim = config["head_dim"]
    cached = config["num_hidden_layers"] * config["num_key_value_heads"] * head_dim
    return (layers * bits + head * HEAD_BITS.get((contestant, quantization), bits)
            + cached * depth * cache_bits(contestant, quantization, head_dim)) / 8e9


def shares(result, limit):
    """Shares of the machine's operations in prefill, and of its bandwidth in decoding."""
    layers, _ = weights(result["shape"])
    prefill = 2 * layers * result["prefill tokens/s"] / 1e9 / limit["int8 GOPS"]
    gb = token_gb(*(result[name] for name in ("contestant", "shape", "quantization", "depth")))
    return prefill, gb * result["decode tokens/s"] / limit["read GB/s"]


def table(results):
    """Markdown: a row a setting and contestant, the ratios against the first peer beside it."""
    settings = {}
    for result in results:
        settings.setdefault(result["name"], {})[result["contestant"]] = result
    lines = ["| model, format, threads | | prefill tok/s | of int8 | decode tok/s | of reads |",
             "|---|---|---|---|---|---|"]
    for name, found in settings.items():
        limit = found.pop("limits")
        lines.append(f"| {name} | limits | {limit['int8 GOPS']:.0f} GOPS | "
                     f"| {limit['read GB/s']:.1f} GB/s | |")
        for contestant, result in found.items():
            prefill, decode = shares(result, limit)
            lines.append(f"| | {contestant} | {result['prefill tokens/s']:.1f} | {prefill:.2f} "
                         f"| {result['decode tokens/s']:.1f} | {decode:.2f} |")
        if len(found) == 2:
            ours, theirs = found.values()
            ratios = [ours[unit] / theirs[unit] for unit in ("prefill tokens/s", "decode tokens/s")]
            lines.append(f"| | ratio | **{ratios[0]:.2f}** | | **{ratios[1]:.2f}** | |")
    if results:
        lines += ["", f"{results[0]['cpu']}, {results[0]['cores']} cores, load at the start "
                      f"{results[0]['load']}, commit {results[0]['commit']}"]
    return "\n".join(lines)


def main():
    print(table([json.loads(line) for line in open(sys.argv[1])]))


if __name__ == "__main__":
    main()
