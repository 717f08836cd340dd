"""Timing, fair turns, and one JSON line per result on stdout with a table line on stderr.

    python -m benchmarks.pipeline.bench_decode FOLDER > new.jsonl"""
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
BUSY = 0.5      # running processes a core, beside which a figure is worth little


def machine():
    """What a number means nothing without."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT,
                         capture_output=True, text=True)
    return {"cpu": names[0] if names else platform.machine(),
            "cores": len(os.sched_getaffinity(0)), "load": round(os.getloadavg()[0], 2),
            "commit": git.stdout.strip()}


def emit(name, figures, facts):
    """Prints one result: figures are {"unit": number}, facts are machine()'s, taken before it."""
    print(json.dumps({"name": name, **figures, **facts}), flush=True)
    text = "  ".join(f"{value:10.1f} {unit}" for unit, value in figures.items()
                     if isinstance(value, float))
    busy = ("" if facts["load"] < BUSY * facts["cores"] else
            f"   BUSY: load {facts['load']:.1f} on {facts['cores']} cores")
    print(f"{name:<44} {text}{busy}", file=sys.stderr, flush=True)


def seconds(run, at_least=0.3):
    """Returns (median, fastest) seconds of run(), over as many as fill at_least."""
    run()
    times, end = [], time.perf_counter() + at_least
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times), min(times)


def report(name, run, **units):
    """Times run() and prints a result; units are amounts of work a run, as GB=..., tokens=..."""
    facts = machine()
    middle, fastest = seconds(run)
    rates = {f"{unit}/s": amount / middle for unit, amount in units.items()}
    emit(name, {"us": middle * 1e6, "us_fastest": fastest * 1e6, **rates}, facts)


def results(command, threads):
    """Runs a command from the root on as many cores as threads; returns its JSON lines."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores))
    return [json.loads(line) for line in done.stdout.splitlines()]


def interleave(contestants, rounds=3):
    """Lets each run() of {name: run} have its turn, rounds times, so that what the machine does
    meanwhile happens to all.  run returns {unit: number}; returns {name: {unit: median}}."""
    turns = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            turns[name].append(run())
    return {name: {unit: median(turn[unit] for turn in ran) for unit in ran[0]}
            for name, ran in turns.items()}
