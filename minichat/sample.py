"""Options -> the sampler of one answer.

The sampler itself is csrc/sample.c; csrc/sample.h states its stages and their order.  The same
seed, options and logits give the same tokens on every machine, draw by draw: a draw depends on
the seed and on the token's place in the answer, not on the draws before it.
"""
import os

from . import _native
from .request import Options

__all__ = ["sampler", "seed"]


def sampler(options: Options, vocab_size: int, *, num_ctx: int, logprobs: bool = False,
            top_logprobs: int = 0) -> _native.Sampler:
    """Returns a fresh sampler; num_ctx is the window that repeat_last_n -1 stands for."""
    last = options.repeat_last_n
    return _native.Sampler(
        vocab_size, temperature=options.temperature, top_k=options.top_k, top_p=options.top_p,
        min_p=options.min_p, typical_p=options.typical_p, repeat_penalty=options.repeat_penalty,
        presence_penalty=options.presence_penalty, frequency_penalty=options.frequency_penalty,
        repeat_last_n=num_ctx if last < 0 else min(last, num_ctx), seed=seed(options.seed),
        logprobs=logprobs, top_logprobs=top_logprobs)


def seed(given: int) -> int:
    """Returns the seed to use: given, or for -1 one that nobody can foresee."""
    return given if given >= 0 else int.from_bytes(os.urandom(8), "little")
