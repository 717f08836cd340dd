"""What the examination found -> the second half of README.md."""
from __future__ import annotations

import json
from pathlib import Path
from random import Random

from benchmarks import quality
from minichat.prompt import Template
from minichat.tokens import Tokenizer

from .corpus import TEMPLATE
from .evaluate import Answer
from .held_out import asked
from .tokenizer import END

MARK = "## Results\n"
TRANSCRIPTS = 50


def results(rows: dict[str, dict[str, str]], said: list[Answer],
            formats: dict[str, quality.Quality]) -> str:
    """Markdown: right answers by kind, quality by format, and transcripts drawn at random."""
    names = list(next(iter(rows.values())))
    lines = ["Right answers of the held-out set, by kind; greedy, but for the last column:", "",
             f"| kind | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {kind} | {' | '.join(shares[name] for name in names)} |"
              for kind, shares in rows.items()]
    lines += ["", "The formats against float32, over the known answers to the held-out questions "
              "(`benchmarks/quality.py` says what the columns are):", "",
              "| format | bits a weight | top-1 | KL | ppl |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {q.bits_per_weight:.2f} | {q.top1:.1%} | {q.kl:.5f} "
              f"| {q.ppl_ratio:.4f} |" for name, q in formats.items()]
    lines += ["", f"{TRANSCRIPTS} transcripts, drawn at random, q4 at the default options, good "
              "and bad as they fell. The tools that were offered stand by name; *held* is what "
              "was looked for.", ""]
    for answer in Random(0).sample(said, TRANSCRIPTS):
        lines += transcript(answer)
    return "\n".join(lines) + "\n"


def transcript(answer: Answer) -> list[str]:
    item = answer.item
    right = "right" if all(answer.scores().values()) else "WRONG"
    lines = [f"**{item.kind}, {right}**"]
    if item.tools:
        lines.append(f"- tools: {', '.join(tool['function']['name'] for tool in item.tools)}")
    for message in item.messages:
        called = [json.dumps(call["function"]) for call in message.get("tool_calls", ())]
        lines.append(f"- {message['role']}: {shown(' '.join([message['content'], *called]))}")
    lines.append(f"- **nano**: {shown(answer.text)}")
    if right == "WRONG":
        lines.append(f"- held: {shown(json.dumps(item.expect))}")
    return [*lines, ""]


def shown(text: str) -> str:
    """One line that Markdown shows as it is."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def formats(folder: Path) -> dict[str, quality.Quality]:
    """Format -> what it costs against float32, on the known answers."""
    tokenizer = Tokenizer.open(folder / "tokenizer.json")
    template = Template(TEMPLATE.read_text())
    known = [{"prompt_ids": tokenizer.encode(template.render(item.messages)),
              "ids": tokenizer.encode(answer + END)} for item, answer in asked()]
    return quality.measure(folder, known)


def write(readme: Path, results: str) -> None:
    """Puts the results in the place of the last ones."""
    said, mark, _ = readme.read_text().partition(MARK)
    readme.write_text(f"{said}{mark}\n{results}")
