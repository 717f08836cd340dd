"""python -m benchmarks.pipeline.bench_load FOLDER: seconds until a model is ready.

Cold: the checkpoint is packed, into an empty cache; warm: the packed file is mapped.  The
source is read once before, so that neither waits for the disk."""
import os
import resource
import tempfile
import time

import minichat
from benchmarks.harness import emit, machine
from benchmarks.pipeline.chats import ask, name, opened, parser, words


def loaded_s(args):
    """Seconds until a model is loaded, and until it has answered one token."""
    start = time.perf_counter()
    model = opened(args)
    ready = time.perf_counter()
    ask(model, words(0), args.threads)
    answered = time.perf_counter()
    model.close()
    minichat.chat(str(args.folder), keep_alive=0)       # or it stays in memory
    return ready - start, answered - start


def main():
    args = parser(__doc__, rounds=3).parse_args()
    for path in args.folder.glob("*.safetensors"):
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
    facts = machine()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MINICHAT_CACHE"] = cache
        cold = loaded_s(args)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        warm = min(loaded_s(args) for _ in range(args.rounds))
    emit(name("load", args), {"s cold": cold[0], "s warm": warm[0], "s warm, one token": warm[1],
                              "GB peak, cold": peak}, facts)


if __name__ == "__main__":
    main()
