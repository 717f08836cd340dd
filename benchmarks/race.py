"""python -m benchmarks.race MODELS [--peer PYTHON GGUF]: prefill and decode, beside llama.cpp.

MODELS is a folder made by benchmarks.models, GGUF one made by benchmarks.peers.gguf_models under
the peer's own interpreter.  In each round the limits of the machine are measured, then each
contestant runs alone, in a process of its own, on as many cores as it has threads.
JSON lines go to stdout, -o writes the table of benchmarks.report too."""
import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks import limits, report
from benchmarks.harness import interleave, machine, results
from benchmarks.shapes import CONFIGS

LEAST = 32          # tokens before decoding, at least
PEER_TYPES = {"q4": "q4_0", "q8": "q8_0"}


def limits_now(threads):
    """What there is to have at this moment."""
    int8 = {name: limit for name, limit in limits.operations().items() if name.startswith("int8")}
    return {"read GB/s": limits.read_gb_s(threads),
            "int8 GOPS": max(limits.gops(limit, threads) for limit in int8.values())}


def ours(folder, quantization, threads, args):
    """Runs the two benchmarks of the pipeline in processes of their own."""
    common = [folder, "--quantization", quantization, "--threads", str(threads), "--rounds", "1"]
    prefill, decode = (results([sys.executable, "-m", f"benchmarks.pipeline.{bench}", *common,
                                *map(str, sizes)], threads)[0]
                       for bench, sizes in (
                           ("bench_prefill", ["--tokens", args.prefill, "--depth", args.depth]),
                           ("bench_decode", ["--tokens", args.decode,
                                             "--depth", max(args.depth, LEAST)])))
    return {"prefill tokens/s": prefill["tokens/s"], "decode tokens/s": decode["tokens/s"]}


def llama_cpp(file, threads, args):
    """The better of its two attention settings, for each figure."""
    python, _ = args.peer
    runs = results([python, "-m", "benchmarks.peers.llama_cpp", file, "--threads", str(threads),
                    "--prefill", str(args.prefill), "--decode", str(args.decode),
                    "--depth", str(args.depth)], threads)
    return {unit: max(run[unit] for run in runs)
            for unit in ("prefill tokens/s", "decode tokens/s")}


def race(shape, quantization, threads, args):
    """Runs all rounds of one setting; returns its results."""
    facts = machine()
    contestants = {
        "limits": lambda: limits_now(threads),
        "minichat": lambda: ours(args.models / shape, quantization, threads, args),
    }
    if args.peer:
        file = Path(args.peer[1], f"{shape}-{PEER_TYPES[quantization]}.gguf").resolve()
        contestants["llama.cpp"] = lambda: llama_cpp(file, threads, args)
    medians = interleave(contestants, args.rounds)
    name = f"{shape}/{quantization}/{threads}T" + (f"/@{args.depth}" if args.depth else "")
    return [{"name": name, "contestant": contestant, "shape": shape, "quantization": quantization,
             "threads": threads, "depth": args.depth, **figures, **facts}
            for contestant, figures in medians.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--peer", nargs=2, metavar=("PYTHON", "GGUF"))
    parser.add_argument("--shapes", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--quantizations", nargs="+", choices=PEER_TYPES, default=list(PEER_TYPES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, machine()["cores"]])
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--depth", type=int, default=0, help="tokens before both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", type=Path, metavar="TABLE.md")
    args = parser.parse_args()
    args.models = args.models.resolve()
    raced = []
    for shape in args.shapes:
        for quantization in args.quantizations:
            for threads in args.threads:
                for result in race(shape, quantization, threads, args):
                    raced.append(result)
                    print(json.dumps(result), flush=True)
    with redirect_stdout(args.o.open("w") if args.o else sys.stderr):
        print(report.table(raced))


if __name__ == "__main__":
    main()
