"""python -m benchmarks.pipeline.bench_first_chunk FOLDER: milliseconds until something is read.

For a new prompt, for the same one again (its pages are there), and what of it is not the
model's work: checking, template, tokenizer, the hand-over between threads."""
from statistics import median

from benchmarks.harness import emit, machine
from benchmarks.pipeline.chats import ask, fitted, name, opened, parser


def main():
    args = parser(__doc__, tokens=[32, 512], rounds=5).parse_args()
    model = opened(args)
    for tokens in args.tokens:
        prompt, facts = fitted(model, tokens, args.threads), machine()
        fresh, again = [], []
        for _ in range(args.rounds):
            messages = prompt()
            fresh.append(ask(model, messages, args.threads))
            again.append(ask(model, messages, args.threads))
        around = [answer.first_s - answer.last["prompt_eval_duration"] / 1e9 for answer in fresh]
        emit(name("first_chunk", args, tokens), {
            "ms": median(answer.first_s for answer in fresh) * 1e3,
            "ms again": median(answer.first_s for answer in again) * 1e3,
            "ms around the model": median(around) * 1e3}, facts)


if __name__ == "__main__":
    main()
