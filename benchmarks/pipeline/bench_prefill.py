"""python -m benchmarks.pipeline.bench_prefill FOLDER: tokens/s of reading a prompt, after others.

By the model's own figures, and (wall) with all that surrounds them: template, tokenizer, the
first token's way out.  Tokens of the template that an earlier prompt left in the cache do not
count."""
from statistics import median

from benchmarks.harness import emit, machine
from benchmarks.pipeline.chats import ask, fitted, name, opened, parser, shorter


def computed(answer):
    return answer.last["prompt_eval_count"] - answer.last["prompt_eval_cached_count"]


def main():
    args = parser(__doc__, tokens=[128, 512], depth=0, rounds=3).parse_args()
    model = opened(args)
    for tokens in args.tokens:
        prompt, facts, answers = fitted(model, args.depth + tokens, args.threads), machine(), []
        for _ in range(args.rounds):
            messages = prompt()
            if args.depth:
                ask(model, shorter(messages, tokens), args.threads)
            answers.append(ask(model, messages, args.threads))
        own = median(computed(answer) / answer.last["prompt_eval_duration"] * 1e9
                     for answer in answers)
        wall = median(computed(answer) / answer.total_s for answer in answers)
        at = (f"@{args.depth}",) if args.depth else ()
        emit(name("prefill", args, tokens, *at), {"tokens/s": own, "wall tokens/s": wall}, facts)


if __name__ == "__main__":
    main()
