"""python -m benchmarks.quality FOLDER [NAME ...]: what each format costs in quality, against f32.

FOLDER has the real models of tests/golden, whose f32 answers to 20 chats each format is fed
word for word.  Beside our formats stand their weights alone (float activations and cache),
and the rounding that llama.cpp's Q8_0 and Q4_0 do, on the same matrices, alone as well: blocks
of 32 and a half float's scale, simulated in numpy; a row's last block may be shorter here.

    top-1    positions where the likeliest token is f32's
    KL       of f32's distribution from the format's, mean over positions, in nats
    ppl      perplexity of the answers, over f32's
"""
import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.harness import ROOT, machine
from minichat import _native, families, weights
from minichat.checkpoint import Checkpoint

BLOCK = 32                  # of llama.cpp's formats
FLOATS = " weights"         # ends the name of a format whose activations stay float


class Quality(NamedTuple):
    bits_per_weight: float
    top1: float
    kl: float
    ppl_ratio: float


def q8_0(w):
    """What llama.cpp's Q8_0 makes of blocks (..., 32)."""
    scale = np.abs(w).max(-1, keepdims=True) / np.float32(127)
    q = np.rint(w * np.divide(1, scale, where=scale > 0, out=np.zeros_like(scale)))
    return q * scale.astype(np.float16).astype(np.float32)


def q4_0(w):
    """And Q4_0: the value of greatest magnitude is -8."""
    at = np.abs(w).argmax(-1)[..., None]
    scale = np.take_along_axis(w, at, -1) / np.float32(-8)
    q = w * np.divide(1, scale, where=scale != 0, out=np.zeros_like(scale))
    return (np.minimum(np.floor(q + np.float32(8.5)), 15) - 8) \
        * scale.astype(np.float16).astype(np.float32)


SIMULATED = {"q8": ("Q8_0", q8_0, 8.5), "q4": ("Q4_0", q4_0, 4.5)}


def rounded(w, rounding):
    """Rounds w (n, k) in blocks of its rows; zeros fill up the last."""
    n, k = w.shape
    blocks = np.pad(w, ((0, 0), (0, -k % BLOCK))).reshape(n, -1, BLOCK)
    return rounding(blocks).reshape(n, -1)[:, :k].astype(np.float32)


class Model:
    """A checkpoint that becomes an engine's model in any format."""

    def __init__(self, folder):
        self.checkpoint = Checkpoint.open(folder)
        self.family = families.family(self.checkpoint.model_type)
        self.architecture = self.family.architecture(self.checkpoint.config)

    def packed(self, quantization):
        return weights.load(self.checkpoint, self.family, self.architecture, quantization,
                            cache_dir="")

    def native(self, quantization):
        """As it runs, and its bits a weight."""
        packed = self.packed(quantization)
        return (_native.Model(self.architecture, packed, kv=weights.KV[quantization]),
                bits_per_weight(packed))

    def alone(self, quantization):
        """The weights of a quantization, in float32: activations stay what they are."""
        packed = self.packed(quantization)
        found = {name: in_f32(unpacked(tensor)) if is_matrix(tensor) else tensor
                 for name, tensor in packed.items()}
        return _native.Model(self.architecture, found, kv="f32"), bits_per_weight(packed)

    def simulated(self, quantization):
        """llama.cpp's rounding of the matrices that quantization packs, 8 bits where it has 8."""
        ours, exact = self.packed(quantization), self.packed("f32")
        found, n_bits, count = dict(exact), 0, 0
        for name, tensor in ours.items():
            if is_matrix(tensor):
                _, rounding, bits = SIMULATED[tensor.format]
                w = unpacked(exact[name])
                found[name] = in_f32(rounded(w, rounding))
                n_bits += bits * w.shape[0] * -(-w.shape[1] // BLOCK) * BLOCK
                count += w.size
        return _native.Model(self.architecture, found, kv="f32"), n_bits / count

    def formats(self):
        """Name -> a function that returns a model and its bits a weight."""
        found = {quantization: lambda q=quantization: self.native(q)
                 for quantization in ("bf16", "q8", "q4")}
        for quantization, (theirs, _, _) in SIMULATED.items():
            found[quantization + FLOATS] = lambda q=quantization: self.alone(q)
            found[theirs + FLOATS] = lambda q=quantization: self.simulated(q)
        return found


def is_matrix(tensor):
    return tensor.format != "vector"


def unpacked(tensor):
    """A packed matrix -> float32 (n, k)."""
    n, k = tensor.shape
    return np.stack([_native.matrix_row(tensor.data, tensor.format, n, k, row)
                     for row in range(n)])


def in_f32(w):
    n, k = w.shape
    data = np.empty(_native.packed_bytes("f32", n, k) + 64, np.uint8)
    data = data[-data.ctypes.data % 64:][:len(data) - 64]
    _native.pack(data, "f32", n, k, [("w", np.ascontiguousarray(w))])
    return weights.Tensor(data, "f32", (n, k))


def bits_per_weight(packed):
    matrices = [tensor for tensor in packed.values() if is_matrix(tensor)]
    count = sum(tensor.shape[0] * tensor.shape[1] for tensor in matrices)
    return 8 * sum(tensor.data.nbytes for tensor in matrices) / count


def log_probabilities(native, answers):
    """(positions, vocabulary), float64: before each token of the answers."""
    found = []
    for answer in answers:
        ids = answer["prompt_ids"] + answer["ids"][:-1]
        share, room = _native.Share(), _native.Workspace(native, len(ids), len(ids))
        share.place([_native.Page(native) for _ in range(-(-len(ids) // _native.PAGE))])
        share.feed(ids, 0, n_logits=len(answer["ids"]))
        room.step([share], 1)
        logits = share.logits.astype(np.float64)
        logits -= logits.max(-1, keepdims=True)
        found.append(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))
    return np.concatenate(found)


def measure(folder, answers, only=None):
    """Format -> Quality, for the model in folder and its golden answers."""
    model = Model(folder)
    ids = np.concatenate([answer["ids"] for answer in answers])
    want = log_probabilities(model.native("f32")[0], answers)
    found = {}
    for name, make in model.formats().items():
        if only and name not in only:
            continue
        native, bits = make()
        got = log_probabilities(native, answers)
        said = np.arange(len(ids)), ids
        found[name] = Quality(
            bits, float((got.argmax(-1) == want.argmax(-1)).mean()),
            float((np.exp(want) * (want - got)).sum(-1).mean()),
            float(np.exp((want[said] - got[said]).mean())))
    return found


def golden(name):
    return json.loads((ROOT / "tests/golden" / f"{name}.json").read_text())["answers"]


def names():
    return sorted(path.stem for path in (ROOT / "tests/golden").glob("*.json"))


def table(results):
    """Markdown, a row a model and format."""
    lines = ["| model | format | bits a weight | top-1 | KL | ppl |", "|---|---|---|---|---|---|"]
    for model, qualities in results.items():
        for format, q in qualities.items():
            lines.append(f"| {model} | {format} | {q.bits_per_weight:.2f} | {q.top1:.1%} "
                         f"| {q.kl:.5f} | {q.ppl_ratio:.4f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    args = parser.parse_args()
    facts, results = machine(), {}
    for name in args.names or names():
        results[name] = measure(args.folder / name, golden(name))
        for format, quality in results[name].items():
            print(json.dumps({"name": f"quality/{name}/{format}", "model": name,
                              "format": format, **quality._asdict(), **facts}), flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
