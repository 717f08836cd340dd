"""python -m benchmarks.pipeline.bench_format FOLDER: what holding an answer to a format costs.

Free answers and answers held to a schema that forces next to no token, of the same length,
interleaved; medians of the time of a token, and their ratio."""
import argparse
from statistics import median

import minichat
from benchmarks.harness import emit, machine

ASK = [{"role": "user", "content": "Name some words."}]
# A list of texts: of nearly every token there is the question whether it may stand in a text.
WORDS = {"type": "array", "items": {"type": "string", "minLength": 3}, "minItems": 1000}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="a model of a real shape and vocabulary")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    with minichat.load(args.folder) as model:
        for threads in args.threads:
            facts, times = machine(), {None: [], "held": []}
            for run in range(-1, args.runs):        # the first one warms up
                for kind in times:
                    last = model.chat(ASK, format=kind and WORDS, think=False, stream=False,
                                      options={"num_predict": args.tokens, "seed": run + 1,
                                               "num_thread": threads})
                    if run >= 0:
                        times[kind].append(last.eval_duration / (last.eval_count - 1) / 1e3)
            free, held = (median(each) for each in times.values())
            emit(f"format/{threads}T", {"us_free": free, "us_held": held, "ratio": held / free},
                 facts)


if __name__ == "__main__":
    main()
