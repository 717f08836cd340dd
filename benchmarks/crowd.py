"""python -m benchmarks.crowd: hundreds of chats at once, many given up, and what they leave behind.

Of every kind (tools, formats, thinking, log probabilities), from tasks and from threads; each
leaves its answer in another way.  Prints seconds, memory, threads and open files after each round,
and what is there after unloading; exits with 1 if a round left a user, a running sequence, a thread
or a file.  MALLOC_ARENA_MAX=1 tells memory that is lost from what malloc keeps for each thread."""
import argparse
import asyncio
import gc
import os
import sys
import threading
import time
from itertools import product
from pathlib import Path

import minichat
from minichat import api

ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]
SCHEMA = {"type": "object", "required": ["city", "days"], "additionalProperties": False,
          "properties": {"city": {"type": "string", "maxLength": 12},
                         "days": {"type": "integer", "minimum": 0, "maximum": 99}}}


def get_weather(city: str, days: int = 1) -> str:
    """Tells the weather in a city."""
    return f"sun in {city}"


KINDS = [{}, {"tools": [get_weather]}, {"format": SCHEMA}, {"think": True},
         {"tools": [get_weather], "format": SCHEMA, "logprobs": True, "top_logprobs": 3}]


async def in_task(leave, **request):
    stream = await minichat.achat(**request)
    if leave == "unread":
        return
    async for chunk in stream:
        if leave == "close":
            await stream.aclose()
        elif leave == "cancel":
            asyncio.current_task().cancel()
        elif leave == "forget" or chunk.done:
            return


def in_thread(leave, **request):
    stream = minichat.chat(**request)
    for chunk in stream if leave != "unread" else ():
        if leave == "close":
            stream.close()
        elif leave in ("cancel", "forget") or chunk.done:
            return


async def crowd(model, chats):
    """Lets so many chat at once."""
    leaving, asked = ("stay", "unread", "close", "cancel", "forget"), []
    ways = [*product((in_task, in_thread), KINDS, leaving)]
    for i in range(chats):
        chat, kind, leave = ways[i % len(ways)]
        request = dict(kind, model=model, messages=[*ASKED, {"role": "user", "content": f"{i}?"}],
                       options={"seed": i, "num_predict": 40}, leave=leave)
        asked.append(in_task(**request) if chat is in_task else
                     asyncio.to_thread(in_thread, **request))
    for end in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(end, Exception):
            raise end


def left():
    """What is there now: MB of this process's own memory, threads, open files."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"MB": int(status["RssAnon"].split()[0]) / 1000, "threads": threading.active_count(),
            "files": len(os.listdir("/proc/self/fd"))}


def busy():
    return [resident for resident in api._residency._residents.values()
            if resident.users or resident.model.engine._running]


def rounds(model, chats, n):
    """Yields what each round left; raises SystemExit where something goes on."""
    for _ in range(n):
        started = time.perf_counter()
        asyncio.run(crowd(model, chats))
        gc.collect()
        while busy():
            if time.perf_counter() - started > 120:
                sys.exit(f"still busy: {[resident.users for resident in busy()]} users")
            time.sleep(0.01)
        yield {"s": time.perf_counter() - started, **left()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--chats", type=int, default=500, help="at once")
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    print("| round | s | MB | threads | open files |\n|---|---|---|---|---|")
    before, found = left(), set()
    minichat.chat(args.model, keep_alive=-1)
    for i, after in enumerate(rounds(args.model, args.chats, args.rounds), 1):
        print(row(i, after), flush=True)
        found.add((after["threads"], after["files"]))
    minichat.unload(args.model)
    deadline = time.monotonic() + 10        # for the last threads to end
    while (after := left())["threads"] > before["threads"] and time.monotonic() < deadline:
        time.sleep(0.01)
    print(row("unloaded", {"s": 0, **after}))
    if len(found) > 1 or after["threads"] > before["threads"]:
        sys.exit("WRONG: threads or files are left")


def row(name, after):
    return (f"| {name} | {after['s']:.2f} | {after['MB']:.1f} | {after['threads']} "
            f"| {after['files']} |")


if __name__ == "__main__":
    main()
