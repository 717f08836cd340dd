"""python -m benchmarks.profile FOLDER: where the time of a prefill and of an answer's token goes.

A stage's share is of the time of all; beside it what it reads (weights, keys and values) and
computes, each also as a share of what the machine can do, measured before."""
import argparse
from functools import partial
from math import prod

import numpy as np

import minichat
from benchmarks.harness import machine
from benchmarks.race import limits_now
from benchmarks.report import BITS, cache_bits
from minichat import _native
from minichat.engine import STEP_TOKENS
from minichat.families.spec import shapes

MATRICES = {"qkv": "qkv", "out": "attn_out", "up": ("gate_up", "up"), "down": "down"}


def weights(architecture, stage):
    """Weights of the matrices that a stage multiplies with, of all layers."""
    found = shapes(architecture)
    if stage == "head":
        return prod(found.get("head", found["embed"]))
    names = MATRICES.get(stage, ())
    names = (names,) if isinstance(names, str) else names
    return sum(prod(shape) for name, shape in found.items() if name.rpartition(".")[2] in names)


def work(architecture, quantization, tokens, depth, steps, stage):
    """Bytes that a stage reads and operations that it makes in so many steps of tokens."""
    if stage == "attend":
        mixers = [layer.mixer for layer in architecture.layers]
        seen = [min(depth, mixer.window or depth) for mixer in mixers]
        n_bytes = sum(n * m.num_key_value_heads * m.head_dim
                      * cache_bits("minichat", quantization, m.head_dim) / 8
                      for n, m in zip(seen, mixers))
        operations = sum(4 * n * m.num_attention_heads * m.head_dim for n, m in zip(seen, mixers))
        return steps * n_bytes, steps * tokens * operations
    n = weights(architecture, stage)
    rows = 1 if stage == "head" else tokens
    return steps * n * BITS["minichat"][quantization] / 8, steps * rows * 2 * n


class Bench:
    """A sequence of random tokens, step by step."""

    def __init__(self, model, threads):
        self.native, self.threads = model.engine.model, threads
        self.workspace = _native.Workspace(self.native, STEP_TOKENS, 1)
        self.share, self.pages, self.position = _native.Share(), [], 0
        self.random = np.random.default_rng(0)

    def step(self, tokens, n_logits=0):
        end = self.position + tokens
        while len(self.pages) * _native.PAGE < end:
            self.pages.append(_native.Page(self.native))
        self.share.place(self.pages)
        ids = self.random.integers(0, self.native.vocab_size, tokens).tolist()
        self.share.feed(ids, self.position, n_logits=n_logits)
        self.workspace.step([self.share], self.threads)
        self.position = end

    def prefill(self, tokens):
        for at in range(0, tokens, STEP_TOKENS):
            self.step(min(STEP_TOKENS, tokens - at))

    def measured(self, run):
        self.workspace.measure()
        run()
        return self.workspace.stages()


def table(name, stages, amounts, tokens, read, int8):
    """Lines of Markdown: a row a stage."""
    total = sum(stages.values())
    yield f"\n{name}: {tokens / total * 1e9:.1f} tokens/s\n"
    yield "| stage | ms | time | GB/s | of reads | GOPS | of int8 |\n|---|---|---|---|---|---|---|"
    for stage, ns in stages.items():
        if not ns:
            continue
        n_bytes, operations = amounts(stage)
        gb_s, gops = n_bytes / ns, operations / ns
        figures = (f"{gb_s:.1f} | {gb_s / read:.0%} | {gops:.0f} | {gops / int8:.0%}"
                   if n_bytes else " | | | ")
        yield f"| {stage} | {ns / 1e6:.2f} | {ns / total:.1%} | {figures} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--quantization", default="q4", choices=BITS["minichat"])
    parser.add_argument("--threads", type=int, default=machine()["cores"])
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--depth", type=int, default=32, help="tokens before both")
    parser.add_argument("--decode", type=int, default=32)
    args = parser.parse_args()
    read, int8 = limits_now(args.threads).values()
    print(f"{machine()['cpu']}, {args.threads} threads: {read:.1f} GB/s read, {int8:.0f} GOPS int8")
    with minichat.load(args.folder, quantization=args.quantization) as model:
        architecture = model.engine.model.architecture
        for name, tokens, steps, n_logits in (
                ("prefill", min(STEP_TOKENS, args.prefill), -(-args.prefill // STEP_TOKENS), 0),
                ("decode", 1, args.decode, 1)):
            bench = Bench(model, args.threads)
            bench.prefill(args.depth)
            bench.step(tokens, n_logits)        # what is there now comes from memory no more
            start = bench.position

            def run(bench=bench, tokens=tokens, steps=steps, n_logits=n_logits):
                for _ in range(steps):
                    bench.step(tokens, n_logits)

            stages = bench.measured(run)
            amounts = partial(work, architecture, args.quantization, tokens,
                              (start + bench.position) // 2, steps)
            print(*table(f"{name} at {start}", stages, amounts, tokens * steps, read, int8),
                  sep="\n")


if __name__ == "__main__":
    main()
