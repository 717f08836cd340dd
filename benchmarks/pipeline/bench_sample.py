"""Drawing a token of a vocabulary of 151,936, by what the options ask for."""
import numpy as np

from benchmarks.harness import report
from minichat import sample
from minichat.options import Options

VOCABULARY = 151_936
CASES = {
    "greedy": {"temperature": 0},
    "defaults": {},
    "penalties": {"repeat_penalty": 1.1, "presence_penalty": 0.1},
    "top_k=1000": {"top_k": 1000},
    "top_k=0": {"top_k": 0},
    "top_k=0,top_p=1": {"top_k": 0, "top_p": 1},
    "top_k=0,top_p=1,min_p=0.05": {"top_k": 0, "top_p": 1, "min_p": 0.05},
    "top_k=0,top_p=1,typical_p=0.9": {"top_k": 0, "top_p": 1, "typical_p": 0.9},
    "defaults,top_logprobs=20": {},
}


def main():
    logits = np.random.default_rng(0).normal(0, 3, VOCABULARY).astype(np.float32)
    for name, given in CASES.items():
        options = Options.layered({}, {"seed": 1, **given})
        sampler = sample.sampler(options, VOCABULARY, num_ctx=4096,
                                 logprobs="logprobs" in name, top_logprobs=20)
        report(f"sample/{name}", lambda s=sampler: s.draw(logits), tokens=1)


if __name__ == "__main__":
    main()
