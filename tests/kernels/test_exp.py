"""csrc/kernels/exp.h, seen through attention: the share of a key is exp(score - largest)."""
import numpy as np


def shares(kernels, scores):
    """out[j] of a query whose 64 keys have these scores, and whose values are unit vectors."""
    keys, values = np.zeros((1, 64, 64), np.float32), np.eye(64, dtype=np.float32)[None]
    keys[0, 0] = scores
    q, out = np.eye(1, 64, dtype=np.float32)[None], np.empty((1, 1, 64), np.float32)
    data = np.concatenate([keys, values])
    kernels.attention(out, q, data[:1], data[1:], 63, scale=1.0)
    return out[0, 0].astype(np.float64)


def test_exp_is_good_to_1_1_ulp(ref):
    rng, worst = np.random.default_rng(0), 0
    for spread in [0.01, 1, 10, 86.9] * 100:
        scores = -rng.uniform(0, spread, 64).astype(np.float32)
        scores[0] = 0
        got = shares(ref, scores)
        got /= got[0]                       # exact: share 0 is 1 / l, the others' factor
        want = np.exp(scores.astype(np.float64))
        worst = max(worst, np.max(abs(got - want) / np.spacing(want.astype(np.float32))))
    assert worst <= 1.1 + 0.5 * 2           # a share is a product, rounded in an ulp up to twice


def test_exp_ends_at_minus_87(kernels):
    scores = np.zeros(64, np.float32)
    scores[1:4] = -87, np.nextafter(np.float32(-87), np.float32(-88)), -np.inf

    assert [share > 0 for share in shares(kernels, scores)[:4]] == [True, True, False, False]
