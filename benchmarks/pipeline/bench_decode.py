"""python -m benchmarks.pipeline.bench_decode FOLDER: tokens/s of answering, after some context.

Whatever is not prefill counts as decoding: sampling, text, chunks, the way to the caller."""
from statistics import median

from benchmarks.harness import emit, machine
from benchmarks.pipeline.chats import ask, fitted, name, opened, parser


def rate(answer, tokens):
    """tokens/s after the first one, which the prefill paid for."""
    last = answer.last
    if last["eval_count"] != tokens:
        raise SystemExit(f"the answer ended after {last['eval_count']} of {tokens} tokens")
    return (tokens - 1) / (answer.total_s - last["prompt_eval_duration"] / 1e9)


def main():
    args = parser(__doc__, depth=[32], tokens=64, rounds=3).parse_args()
    model = opened(args)
    for depth in args.depth:
        prompt, facts = fitted(model, depth, args.threads), machine()
        rates = [rate(ask(model, prompt(), args.threads, args.tokens), args.tokens)
                 for _ in range(args.rounds)]
        emit(name("decode", args, depth), {"tokens/s": median(rates)}, facts)


if __name__ == "__main__":
    main()
