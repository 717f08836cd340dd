"""python -m benchmarks.nano: makes nano from nothing, examines it, and writes the results down.

Stages that are done are not done again; a training that was stopped goes on from its
checkpoint.  `--examine` alone examines the nano that is in the package.
"""
from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from . import evaluate, held_out, report

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "minichat" / "nano"
SEED, TOKENIZER_SEED = 0, 999
DIALOGUES, TOKENIZER_DIALOGUES, STEPS = 280_000, 30_000, 5000


def make(run: Path, steps: int) -> None:
    """Text, tokenizer, corpus, training; the result goes into the package."""
    from . import corpus, tokenizer, train
    from .export import export
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "tokenizer.json").exists():
        texts = corpus.texts(TOKENIZER_SEED, TOKENIZER_DIALOGUES)
        tokenizer.trained(texts).save(str(run / "tokenizer.json"))
    if not (run / "corpus.npz").exists():
        corpus.make(run, DIALOGUES, SEED)
    export(train.train(run, steps, SEED), run, PACKAGE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nano",
                                     description="Makes nano, the model in the box.")
    parser.add_argument("--run", type=Path, default=Path("build/nano"),
                        help="folder of the corpus and the checkpoint (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--fresh", action="store_true", help="forget what is in that folder")
    parser.add_argument("--examine", action="store_true", help="no training")
    arguments = parser.parse_args()
    if not arguments.examine:
        if arguments.fresh:
            shutil.rmtree(arguments.run, ignore_errors=True)
        make(arguments.run, arguments.steps)
    items = held_out.items()
    rows, said = evaluate.table(PACKAGE, items)
    results = report.results(rows, said, report.formats(PACKAGE))
    report.write(HERE / "README.md", results)
    sys.stdout.write(results)


if __name__ == "__main__":
    main()
