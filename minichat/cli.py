"""minichat in a terminal: `minichat "why is the sky blue?"`."""
from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from .api import QUANTIZATION, chat
from .chunks import Chunk
from .errors import MinichatError

MODEL = "nano"
BAR_WIDTH = 30


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["chat"]:
        del arguments[0]
    try:
        if arguments[:1] == ["serve"]:
            return serve(serving().parse_args(arguments[1:]))
        return talk(parser().parse_args(arguments))
    except MinichatError as error:
        print(f"minichat: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:             # as in `minichat ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="minichat", description="Chats with a language model on this machine's CPU.",
        epilog="Without a question it reads one from a pipe, or holds a dialogue in a terminal.")
    made.add_argument("question", nargs="?")
    made.add_argument("-m", "--model", default=MODEL,
                      help="a model's folder, or a repository in the Hugging Face cache "
                      "(default: %(default)s, the tiny model in the box)")
    made.add_argument("-s", "--system", help="a system message")
    made.add_argument("-q", "--quantization", default=QUANTIZATION, help="of the weights: "
                      "q4, q8, bf16 or f32 (default: %(default)s)")
    made.add_argument("-o", "--option", action="append", default=[], metavar="NAME=VALUE",
                      help="an option such as temperature=0; may be repeated")
    made.add_argument("--template", help="a chat template instead of the model's own")
    made.add_argument("--think", choices=["true", "false", "low", "medium", "high", "max"])
    made.add_argument("--timings", action="store_true", help="tell counts and speeds at the end")
    return made


def serving() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="minichat serve", description="Answers chats over HTTP as Ollama's /api/chat does, "
        "to this machine alone unless told otherwise.")
    made.add_argument("--host", default="127.0.0.1", help="the address to listen at "
                      "(default: %(default)s)")
    made.add_argument("--port", type=int, default=11434, help="(default: %(default)s)")
    made.add_argument("--models", action="append", default=[], metavar="FOLDER", dest="folders",
                      help="a folder of models, each in a folder called by its name; may be "
                      "repeated.  The model in the box and the Hugging Face cache are there anyway")
    made.add_argument("--allow-host", action="append", default=[], metavar="NAME",
                      dest="allow_hosts", help="a name that this server may be asked by, beside "
                      "localhost and --host; may be repeated")
    made.add_argument("--allow-origin", action="append", default=[], metavar="ORIGIN",
                      dest="allow_origins", help="whose pages may ask, such as "
                      "https://example.org; may be repeated")
    made.add_argument("--max-requests", type=int, default=256, help="at the same time "
                      "(default: %(default)s)")
    return made


def serve(arguments: argparse.Namespace) -> int:
    try:
        from . import asgi  # an extra: only who serves needs it
        asgi.serve(**vars(arguments))
    except ImportError as error:
        print(f"minichat serve: {error}", file=sys.stderr)
        return 1
    return 0


def talk(arguments: argparse.Namespace) -> int:
    """One answer, or a dialogue until the input ends."""
    messages = [{"role": "system", "content": arguments.system}] if arguments.system else []
    request: dict[str, Any] = {
        "quantization": arguments.quantization, "template": arguments.template,
        "think": {"true": True, "false": False}.get(arguments.think, arguments.think),
        "options": dict(map(option, arguments.option))}
    dialogue = arguments.question is None and sys.stdin.isatty()
    question = arguments.question
    if question is None and not dialogue:
        question = sys.stdin.read()
    while True:
        if dialogue:
            try:
                question = input(">>> ")
            except EOFError:
                print()
                return 0
        messages.append({"role": "user", "content": question})
        try:
            said = answer(arguments.model, messages, request, arguments.timings)
        except KeyboardInterrupt:
            if not dialogue:
                raise
            print()
            del messages[-1]
            continue
        if not dialogue:
            return 0
        messages.append({"role": "assistant", "content": said})


def option(given: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON has it, or else a text."""
    name, _, value = given.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def answer(model: str, messages: list[dict[str, str]], request: dict[str, Any],
           timings: bool) -> str:
    """Prints one answer as it comes, and returns it; thinking goes to stderr."""
    said, last_thought = [], ""
    with chat(model, messages, progress=Bar(sys.stderr), **request) as stream:
        for chunk in stream:
            if chunk.message.thinking:
                last_thought = chunk.message.thinking
                print(last_thought, end="", flush=True, file=sys.stderr)
            if chunk.message.content:
                if last_thought:
                    print("\n", file=sys.stderr)
                    last_thought = ""
                said.append(chunk.message.content)
                print(chunk.message.content, end="", flush=True)
    print()
    if timings:
        print(figures(chunk), file=sys.stderr)
    return "".join(said)


def figures(last: Chunk) -> str:
    """What the last chunk tells, for people."""
    def speed(tokens: int, duration_ns: int) -> str:
        return f"{tokens} tokens, {duration_ns / 1e9:.3f} s" + (
            f", {tokens / duration_ns * 1e9:.1f} tokens/s" if tokens and duration_ns else "")

    cached = last["prompt_eval_cached_count"]
    lines = {
        "load": f"{last['load_duration'] / 1e9:.3f} s",
        "prompt": speed(last["prompt_eval_count"] - cached, last["prompt_eval_duration"])
        + (f", and {cached} from the cache" if cached else ""),
        "answer": speed(last["eval_count"], last["eval_duration"]),
        "total": f"{last['total_duration'] / 1e9:.3f} s, ended by {last['done_reason']}",
    }
    return "\n".join(f"{name:>8}: {value}" for name, value in lines.items())


class Bar:
    """A progress bar in a terminal; nothing elsewhere."""

    def __init__(self, out: TextIO):
        self.out, self.shown = out, -1

    def __call__(self, stage: str, done: int, total: int) -> None:
        percent = 100 * done // total if total else 100
        if percent == self.shown or not self.out.isatty():
            return
        self.shown = percent
        filled = BAR_WIDTH * percent // 100
        end = "\r\033[K" if done >= total else ""       # the finished bar goes
        self.out.write(f"\r{stage} [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {percent:3} % "
                       f"of {total / 1e6:.0f} MB{end}")
        self.out.flush()
