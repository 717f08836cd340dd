"""python -m benchmarks.nano: makes nano from nothing, examines it, and writes the results down.

Stages that are done are not done again; a training that was stopped goes on from its
checkpoint.  `--examine` alone examines the nano that is in the package.
"""
from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from . import corpus, evaluate, held_out, report, tokenizer

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "minichat" / "nano"
TOKENIZER_SEED, TOKENIZER_DIALOGUES = 999, 30_000
# First to look things up, which it would find out late among all the rest; at last, in smaller
# steps, more of what it finds hard.
LESSONS = [corpus.Lesson("echo", 5, 600, others=0.), corpus.Lesson("world", 0, 36_272, share=.2),
           corpus.Lesson("practice", 7, 1_100, batch_tokens=8192, rate=.2, share=.4),
           corpus.Lesson("practice", 8, 1_000, batch_tokens=8192, rate=.2, share=.4)]


def make(run: Path) -> None:
    """Text, tokenizer, corpus, training; the result goes into the package."""
    from . import train  # PyTorch, which only this needs
    from .export import export
    run.mkdir(parents=True, exist_ok=True)
    spelling, pupil, average = run / "tokenizer.json", None, {}
    if not spelling.exists():
        texts = corpus.texts("world", TOKENIZER_SEED, TOKENIZER_DIALOGUES)
        tokenizer.trained(texts).save(str(spelling))
    for lesson in LESSONS:
        folder = run / f"{lesson.name}-{lesson.seed}"
        folder.mkdir(exist_ok=True)
        pupil = train.train(folder, lesson, spelling, pupil)
        for name, each in pupil.named_parameters():
            average[name] = average.get(name, 0) + lesson.share * each.detach()
    export(average, spelling, PACKAGE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nano",
                                     description="Makes nano, the model in the box.")
    parser.add_argument("--run", type=Path, default=Path("build/nano"),
                        help="folder of the corpus and the checkpoint (default: %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="forget what is in that folder")
    parser.add_argument("--examine", action="store_true", help="no training")
    arguments = parser.parse_args()
    if not arguments.examine:
        if arguments.fresh:
            shutil.rmtree(arguments.run, ignore_errors=True)
        make(arguments.run)
    items = held_out.items()
    rows, said = evaluate.table(PACKAGE, items)
    results = report.results(rows, said, report.formats(PACKAGE))
    report.write(HERE / "README.md", results)
    sys.stdout.write(results)


if __name__ == "__main__":
    main()
