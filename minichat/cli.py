"""minichat in a terminal: `minichat "why is the sky blue?"`."""
from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from . import bench
from .api import QUANTIZATION, chat
from .chunks import Chunk
from .errors import MinichatError

MODEL = "nano"
HOST, PORT = "127.0.0.1", 11434     # where the endpoint's clients look
PS_TIMEOUT_S = 10
BAR_WIDTH = 30


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verbs = {"chat": (parser, talk), "ps": (asking, ps), "bench": (measuring, measure),
             "serve": (serving, serve)}
    verb = arguments.pop(0) if arguments and arguments[0] in verbs else "chat"
    parsed, run = verbs[verb]
    try:
        return run(parsed().parse_args(arguments))
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
        prog="minichat", usage="minichat [chat] [options] [question]\n"
        "       minichat {ps,bench,serve} [-h] ...",
        description="Chats with a language model on this machine's CPU.  ps lists the models of "
        "a running `minichat serve`, bench measures how fast one is here.",
        epilog="Without a question it reads one from a pipe, or holds a dialogue in a terminal.")
    made.add_argument("question", nargs="?")
    made.add_argument("-m", "--model", default=MODEL,
                      help="a model's folder, or a repository in the Hugging Face cache "
                      "(default: %(default)s, the tiny model in the box)")
    made.add_argument("-s", "--system", help="a system message")
    quantized(made)
    made.add_argument("-o", "--option", action="append", default=[], metavar="NAME=VALUE",
                      help="an option such as temperature=0; may be repeated")
    made.add_argument("--template", help="a chat template instead of the model's own")
    made.add_argument("--think", choices=["true", "false", "low", "medium", "high", "max"])
    made.add_argument("--timings", action="store_true", help="tell counts and speeds at the end")
    return made


def quantized(made: argparse.ArgumentParser) -> None:
    made.add_argument("-q", "--quantization", default=QUANTIZATION, help="of the weights: "
                      "q4, q8, bf16 or f32 (default: %(default)s)")


def asking() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="minichat ps", description="Lists the models in the memory of a running "
        "`minichat serve`.")
    made.add_argument("--host", default=HOST, help="(default: %(default)s)")
    made.add_argument("--port", type=int, default=PORT, help="(default: %(default)s)")
    return made


def measuring() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="minichat bench", description="Measures how fast a model loads, reads prompts and "
        "answers on this machine, in less than a minute if it is one for this machine.")
    made.add_argument("model", nargs="?", default=MODEL, help="(default: %(default)s)")
    quantized(made)
    made.add_argument("--threads", type=positive, action="append", default=[], metavar="N",
                      help="may be repeated (default: 1 and as many as there are CPUs)")
    return made


def positive(given: str) -> int:
    if (number := int(given)) < 1:
        raise ValueError
    return number


def serving() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="minichat serve", description="Answers chats over HTTP as Ollama's /api/chat does, "
        "to this machine alone unless told otherwise.")
    made.add_argument("--host", default=HOST, help="the address to listen at "
                      "(default: %(default)s)")
    made.add_argument("--port", type=int, default=PORT, help="(default: %(default)s)")
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


def ps(arguments: argparse.Namespace) -> int:
    """Lists what a server says of its models."""
    place = f"minichat serve at {arguments.host}:{arguments.port}"
    connection = http.client.HTTPConnection(arguments.host, arguments.port, timeout=PS_TIMEOUT_S)
    try:
        connection.request("GET", "/api/ps")
        answer = connection.getresponse()
        said = json.loads(answer.read())
        if answer.status != 200:
            raise MinichatError(f"{place}: refuses: {said['error']}")
        rows = [(str(model["name"]), size(model["size"]), model["details"]["quantization_level"],
                 str(model["context_length"]), leaves(model["expires_at"]))
                for model in said["models"]]
    except OSError as error:
        raise MinichatError(f"{place}: not there: {error.strerror or error}; --host and --port "
                            "say where it is, if it runs elsewhere") from None
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        raise MinichatError(f"{place}: found something else, which has no /api/ps") from None
    finally:
        connection.close()
    print(table([("NAME", "SIZE", "WEIGHTS", "CONTEXT", "LEAVES"), *rows]))
    return 0


def leaves(expires_at: str | None) -> str:
    if expires_at is None:
        return "never"
    left = datetime.fromisoformat(expires_at) - datetime.now(UTC)
    return f"in {max(timedelta(), timedelta(seconds=round(left.total_seconds())))}"


def measure(arguments: argparse.Namespace) -> int:
    """Prints what bench.py finds."""
    found = bench.measure(arguments.model, arguments.quantization, arguments.threads,
                          Bar(sys.stderr))
    first, again = found.load_s
    print(f"{found.model}, {arguments.quantization}: {size(found.size_bytes)} of weights, loaded "
          f"in {first:.3f} s, again in {again:.3f} s; {found.isa}\n")
    rows = [("tokens/s", *(f"{n} thread{'s' * (n > 1)}" for n in found.threads))]
    rows += [(name, *(f"{rate:.1f}" for rate in rates)) for name, rates in found.rows.items()]
    print(f"{table(rows)}\n\nmedians of {found.rounds} runs; the machine's load was "
          f"{os.getloadavg()[0]:.1f}")
    return 0


def size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows in columns, all but the first flush right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
                     for row in rows)


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
