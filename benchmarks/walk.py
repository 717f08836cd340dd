"""python -m benchmarks.walk FOLDER: a model's whole way, from a cold load to unloading, and a check
that nothing on it changes a token.

Loads into a cache of its own, streams, takes a second turn, two chats at once, cancels, unloads;
then asks the same with the same seed under every ISA, on 1 and 2 threads, after cold and warm
loads, with and without reused pages, alone and in company: tokens and log probabilities are equal
bit for bit, or it exits with 1.  Prints Markdown: seconds, tokens/s, memory."""
import argparse
import json
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import minichat
from benchmarks.harness import machine
from minichat import _native
from minichat.checkpoint import Checkpoint

SAMPLE_S = 0.002
FIRST = [{"role": "system", "content": "You answer in one sentence."},
         {"role": "user", "content": "Why is the sky blue, and why is it red in the evening?"}]
OTHER = [{"role": "user", "content": "Name three rivers of Asia."}]
LONG = [{"role": "user", "content": "the " * 1500}]


class Answer(NamedTuple):
    spoken: list[Any]           # (token, log probability), where they were asked for
    thinking: str
    content: str
    last: dict[str, Any]
    first_s: float              # to the first chunk

    @property
    def decode(self):
        """tokens/s after the first."""
        return (self.last["eval_count"] - 1) / (self.last["eval_duration"] / 1e9)


class Memory:
    """The most of this process's memory while the body of a `with` runs, in bytes."""

    def __enter__(self):
        self.before = self.now()
        self.peak = self.before
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(SAMPLE_S):
            self.peak = [max(pair) for pair in zip(self.peak, self.now(), strict=True)]

    @staticmethod
    def now():
        """RssAnon and RssFile."""
        status = dict(line.split(":", 1) for line in
                      Path("/proc/self/status").read_text().splitlines())
        return [1024 * int(status[key].split()[0]) for key in ("RssAnon", "RssFile")]


class Walk:
    """The steps, and what each came to."""

    def __init__(self, args):
        self.args, self.rows, self.wrong = args, [], []

    def note(self, step, seconds=None, rate=None, **remarks):
        self.rows.append((step, seconds, rate, remarks))
        print(json.dumps({"name": f"walk/{step}", "s": seconds, "tokens/s": rate, **remarks}),
              file=sys.stderr, flush=True)

    def check(self, what, right):
        if not right:
            self.wrong.append(what)

    def load(self, step, isa=None):
        os.environ["MINICHAT_ISA"] = isa or ""
        start = time.perf_counter()
        with Memory() as memory:
            model = minichat.load(self.args.folder, quantization=self.args.quantization)
        seconds = time.perf_counter() - start
        if step:
            anon, file = ((peak - before) / 1e6 for peak, before in
                          zip(memory.peak, memory.before, strict=True))
            self.note(step, seconds, anon_MB=anon, file_MB=file)
            bound = model.size_bytes + 2 * self.largest()
            self.check(f"{step}: {anon:.0f} MB and a bound of {bound / 1e6:.0f}",
                       anon < bound / 1e6)
        return model

    def largest(self):
        tensors = Checkpoint.open(self.args.folder).tensors.values()
        return max(tensor.n_bytes for tensor in tensors)

    def unload(self, model, step=None):
        start = time.perf_counter()
        model.close()
        minichat.chat(self.args.folder, keep_alive=0)
        seconds = time.perf_counter() - start
        self.check("unload: it is still there", not minichat.ps())
        if step:
            self.note(step, seconds)

    def ask(self, model, messages, *, threads=None, think=None, tokens=None, logprobs=False):
        options = {"seed": 7, "temperature": 0.8, "top_k": 0, "top_p": 1.0,
                   "num_predict": tokens or self.args.tokens,
                   "num_thread": threads or self.args.threads}
        start, first, chunks = time.perf_counter(), None, []
        for chunk in model.chat(messages, options=options, think=think, logprobs=logprobs):
            first = first or time.perf_counter() - start
            chunks.append(chunk)
        spoken = [(entry["bytes"], entry["logprob"])
                  for chunk in chunks for entry in chunk.get("logprobs", ())]
        return Answer(spoken, "".join(chunk["message"].get("thinking", "") for chunk in chunks),
                      "".join(chunk["message"]["content"] for chunk in chunks), chunks[-1], first)

    def chat(self, model):
        """Streams, with and without thinking; a second turn."""
        for think in (None, False):
            answer = self.ask(model, FIRST, think=think)
            step = f"stream, think={think}"
            self.note(step, answer.first_s, answer.decode, **counts(answer))
        turn = [*FIRST, {"role": "assistant", "content": answer.content}, *OTHER]
        again = self.ask(model, turn, think=False)
        self.note("second turn", again.first_s, again.decode, **counts(again))
        self.check("second turn: nothing was reused",
                   again.last["prompt_eval_cached_count"] >= answer.last["prompt_eval_count"] // 2)

    def company(self, model):
        """Two chats at once; returns what each says alone."""
        alone = [self.ask(model, messages, logprobs=True) for messages in (FIRST, OTHER)]
        start = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda messages: self.ask(model, messages, logprobs=True),
                                 (FIRST, OTHER)))
        seconds = time.perf_counter() - start
        rate = sum(answer.last["eval_count"] for answer in both) / seconds
        same = [a.spoken for a in both] == [a.spoken for a in alone]
        self.note("two chats at once", seconds, rate, same_as_alone=same,
                  alone_rate=alone[0].decode)
        self.check("company changes an answer", same)
        return alone[0].spoken

    def cancel(self, model):
        """Closes a stream while it answers, and while it reads its prompt."""
        stream = model.chat(FIRST, options={"num_predict": 10000, "num_thread": self.args.threads})
        for _ in zip(range(3), stream, strict=False):
            pass
        self.note("cancel while it answers", self.idle(model, stream))
        stream = model.chat(LONG, options={"num_thread": self.args.threads})
        reader = threading.Thread(target=lambda: list(stream))
        reader.start()
        while not busy(model):
            time.sleep(0.001)
        time.sleep(0.2)
        self.note("cancel while it reads a prompt", self.idle(model, stream))
        reader.join()

    def idle(self, model, stream):
        """Closes stream; returns the seconds until the engine has let go of all its pages."""
        start = time.perf_counter()
        stream.close()
        while busy(model):
            time.sleep(0.0002)
        return time.perf_counter() - start

    def repeat(self, want):
        """The first question again, in every way that there is."""
        for isa in self.args.isas:
            model = self.load(None, isa)
            for threads in (1, 2):
                start = time.perf_counter()
                cold, warm = (self.ask(model, FIRST, threads=threads, logprobs=True)
                              for _ in range(2))
                seconds = time.perf_counter() - start
                same = cold.spoken == warm.spoken == want
                self.note(f"same seed, {isa}, {threads} threads", seconds, warm.decode,
                          same_tokens=same)
                self.check(f"{isa} on {threads} threads changes an answer", same)
            self.unload(model)


def busy(model):
    return any(node.users for node in model.engine.store) or bool(model.engine._running)


def counts(answer):
    last = answer.last
    return {"prompt": last["prompt_eval_count"], "cached": last["prompt_eval_cached_count"],
            "answer": last["eval_count"], "thinking": len(answer.thinking),
            "content": len(answer.content)}


def walk(args):
    """Returns the Walk that was done."""
    for path in args.folder.glob("*.safetensors"):      # so that no step waits for the disk
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
    done = Walk(args)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MINICHAT_CACHE"] = cache
        model = done.load("load, cold")
        want = done.ask(model, FIRST, logprobs=True).spoken
        packed, source = model.size_bytes / 1e6, done.largest() / 1e6
        done.unload(model)
        model = done.load("load, warm")
        done.note("memory: the bound", packed_MB=packed, largest_tensor_MB=source,
                  bound_MB=packed + 2 * source)
        done.chat(model)
        done.check("a warm load changes an answer", done.company(model) == want)
        done.cancel(model)
        done.unload(model, "unload")
        done.repeat(want)
    return done


def table(done):
    lines = ["| step | s | tokens/s | |", "|---|---|---|---|"]
    for step, seconds, rate, remarks in done.rows:
        shown = ", ".join(f"{key.replace('_', ' ')} "
                          f"{f'{value:.1f}' if isinstance(value, float) else value}"
                          for key, value in remarks.items())
        cells = [f"{value:.{digits}f}" if value is not None else ""
                 for value, digits in ((seconds, 3), (rate, 1))]
        lines.append(f"| {step} | {cells[0]} | {cells[1]} | {shown} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quantization", default="q4")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--isas", nargs="*", default=_native.isas(), choices=_native.isas(),
                        help="all, unless given: ref takes minutes with a model of some size")
    parser.add_argument("--tokens", type=int, default=32, help="of each answer")
    args = parser.parse_args()
    facts = machine()
    done = walk(args)
    print(table(done))
    print(f"\n{args.folder.name}, {args.quantization}, {args.threads} threads; {facts['cpu']}, "
          f"{facts['cores']} cores, load {facts['load']}, commit {facts['commit']}")
    if done.wrong:
        sys.exit("WRONG: " + "; ".join(done.wrong))


if __name__ == "__main__":
    main()
