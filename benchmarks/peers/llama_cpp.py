"""PEER_PYTHON -m benchmarks.peers.llama_cpp FILE.gguf: llama.cpp's prefill and decode.

Prints one JSON line for each attention setting.  Timed as llama-bench does: prefill of random
tokens in one batch, decode of one token at a time without sampling, one untimed run before."""
import argparse
import ctypes
import json
import time

import llama_cpp as ll
import numpy as np

LEAST = 32          # tokens in the cache before decoding, at least
QUIET = ll.llama_log_callback(lambda level, text, data: None)


def open_model(path):
    ll.llama_log_set(QUIET, ctypes.c_void_p(0))
    ll.llama_backend_init()
    model = ll.llama_model_load_from_file(path.encode(), ll.llama_model_default_params())
    if not model:
        raise SystemExit(f"{path}: llama.cpp does not load it")
    return model


def open_context(model, positions, threads, flash):
    params = ll.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = positions, 512, 512
    params.n_threads = params.n_threads_batch = threads
    params.flash_attn_type = int(flash)
    return ll.llama_init_from_model(model, params)


def decode(context, ids):
    """Runs ids as one batch; returns when their logits are there."""
    tokens = (ll.llama_token * len(ids))(*ids)      # the batch only points to it
    if ll.llama_decode(context, ll.llama_batch_get_one(tokens, len(ids))):
        raise SystemExit("llama_decode failed")
    ll.llama_synchronize(context)


def measure(context, rng, vocabulary, prefill, decode_tokens, depth):
    """Returns tokens/s of a prefill after depth tokens, and of decoding after at least LEAST."""
    def some(n):
        return rng.integers(0, vocabulary, n).tolist()

    def restart():
        ll.llama_memory_clear(ll.llama_get_memory(context), True)

    def fill(n):
        restart()
        for at in range(0, n, 512):
            decode(context, some(min(512, n - at)))

    fill(max(depth, min(prefill, 64)))
    if not depth:
        restart()
    start = time.perf_counter()
    for at in range(0, prefill, 512):
        decode(context, some(min(512, prefill - at)))
    prefill_s = time.perf_counter() - start

    fill(max(depth, LEAST))
    decode(context, some(1))
    start = time.perf_counter()
    for _ in range(decode_tokens):
        decode(context, some(1))
    return prefill / prefill_s, decode_tokens / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--depth", type=int, default=0, help="tokens in the cache before both")
    parser.add_argument("--flash", choices=["off", "on", "both"], default="both")
    args = parser.parse_args()
    start = time.perf_counter()
    model = open_model(args.file)
    load_s = time.perf_counter() - start
    vocabulary = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))
    positions = max(args.depth, LEAST) + max(args.prefill, args.decode + 1)
    for flash in {"off": [False], "on": [True], "both": [False, True]}[args.flash]:
        context = open_context(model, positions, args.threads, flash)
        prefill, decode_rate = measure(context, np.random.default_rng(0), vocabulary,
                                       args.prefill, args.decode, args.depth)
        ll.llama_free(context)
        print(json.dumps({
            "peer": f"llama.cpp {ll.__version__}", "flash": flash, "threads": args.threads,
            "load_s": load_s, "prefill tokens/s": prefill, "decode tokens/s": decode_rate,
            "system": ll.llama_print_system_info().decode().strip(" |")}), flush=True)


if __name__ == "__main__":
    main()
