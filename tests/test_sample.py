"""csrc/sample.c against a model of it in numpy and exact integers."""
import math

import numpy as np
import pytest

from minichat import _native, sample
from minichat.errors import ModelError, RequestError
from minichat.request import Options

OFF = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0,
       "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
       "repeat_last_n": 64, "seed": 1}
PENALTIES = {"repeat_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.25,
             "repeat_last_n": 8}


def sampler(vocab_size, **params):
    return _native.Sampler(vocab_size, **{**OFF, **params})


def random_logits(rng, n, spread=3.0):
    return rng.normal(0, spread, n).astype(np.float32)


def bits(mask):
    """The words of a mask given as booleans."""
    padded = np.zeros((len(mask) + 31) // 32 * 32, bool)
    padded[:len(mask)] = mask
    return np.packbits(padded, bitorder="little").view(np.uint32)


def random_word(seed, place):
    def mix(x):
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 % 2**64
        x = (x ^ x >> 27) * 0x94d049bb133111eb % 2**64
        return x ^ x >> 31
    step = 0x9e3779b97f4a7c15
    return mix((mix((seed + step) % 2**64) + (place + 1) * step) % 2**64)


def penalise(logits, window, p):
    x = logits.astype(np.float64)
    for token in set(window):
        x[token] *= p["repeat_penalty"] if x[token] <= 0 else 1 / p["repeat_penalty"]
        x[token] -= window.count(token) * p["frequency_penalty"] + p["presence_penalty"]
    return x.astype(np.float32)


def distribution(logits, p, mask=None):
    """Returns the probability of each token, by sorting everything at every stage."""
    x = logits.astype(np.float64)
    alive = np.isfinite(x) & (True if mask is None else mask)

    def probabilities():
        e = np.exp(np.where(alive, x, -np.inf) - x[alive].max())
        return e / e.sum()

    def best_first(order):
        return [i for i in order if alive[i]]

    by_logit = np.argsort(-x, kind="stable")
    if p["top_k"]:
        alive[best_first(by_logit)[p["top_k"]:]] = False
    if p["typical_p"] < 1:
        q = probabilities()
        surprise = -np.log(q, where=alive, out=np.zeros_like(q))
        distance = abs(surprise - q @ surprise).astype(np.float32)
        order = best_first(np.argsort(distance, kind="stable"))
        enough = np.cumsum(q[order]) > p["typical_p"]
        alive[order[int(enough.argmax()) + 1:] if enough.any() else []] = False
    if p["top_p"] < 1:
        q, order = probabilities(), best_first(by_logit)
        enough = np.cumsum(q[order]) >= p["top_p"]
        alive[order[int(enough.argmax()) + 1:] if enough.any() else []] = False
    if p["min_p"]:
        q = probabilities()
        alive &= q >= p["min_p"] * q.max() * (1 - 1e-12)
    x = x / p["temperature"]
    return probabilities()


def model_draw(logits, p, place, mask=None):
    """Returns the token that (seed, place) stands for, going by the ids."""
    share = np.cumsum(distribution(logits, p, mask))
    return int(np.searchsorted(share, random_word(p["seed"], place) / 2**64, side="right"))


STAGES = [{}, {"top_k": 1}, {"top_k": 7}, {"top_p": 0.0}, {"top_p": 0.5}, {"top_p": 0.95},
          {"min_p": 0.1}, {"min_p": 1.0}, {"typical_p": 0.0}, {"typical_p": 0.4},
          {"typical_p": 0.9}, {"temperature": 0.3}, {"temperature": 5.0}, {"temperature": 1e-300},
          {"top_k": 40, "top_p": 0.9, "temperature": 0.8},
          {"top_k": 30, "typical_p": 0.8, "top_p": 0.9, "min_p": 0.02, "temperature": 1.5}]


@pytest.mark.parametrize("stage", STAGES, ids=str)
@pytest.mark.parametrize("n", [1, 31, 32, 100, 3000])
def test_draws_what_the_model_draws(stage, n):
    rng = np.random.default_rng(n)
    for seed in range(6):
        p = OFF | stage | {"seed": seed}
        s = sampler(n, **p)
        logits = random_logits(rng, n)
        mask = rng.random(n) < 0.5
        mask[rng.integers(n)] = True
        for place in range(0, 6, 2):
            assert s.draw(logits)[0] == model_draw(logits, p, place)
            assert s.draw(logits, bits(mask))[0] == model_draw(logits, p, place + 1, mask)


@pytest.mark.parametrize("stage", [{}, {"top_k": 12, "top_p": 0.8, "temperature": 0.7}], ids=str)
def test_frequencies_are_the_probabilities(stage):
    n, draws = 40, 20_000
    logits = random_logits(np.random.default_rng(5), n, 1.5)
    p = OFF | stage
    s = sampler(n, **p)
    counts = np.bincount([s.draw(logits)[0] for _ in range(draws)], minlength=n)

    expected = draws * distribution(logits, p)

    assert not counts[expected == 0].any()
    likely = expected > 5
    chi2 = ((counts - expected)[likely] ** 2 / expected[likely]).sum()
    assert chi2 < likely.sum() + 4 * math.sqrt(2 * likely.sum())


def test_seeds_next_to_each_other_are_strangers():
    """Were draws of seed and seed + 1 alike, so would be the halves that their bits fall in."""
    halves = np.array([[sampler(2, seed=seed).draw(np.zeros(2, np.float32))[0]
                        for seed in range(2000)]])
    assert abs(halves.mean() - 0.5) < 0.05
    assert abs((halves[0, 1:] == halves[0, :-1]).mean() - 0.5) < 0.05


@pytest.mark.parametrize("order", ["ascending", "descending", "equal", "two values"])
@pytest.mark.parametrize("k", [1, 40, 300, 4999, 5000, 2**31 - 1])
def test_top_k_keeps_the_best_in_any_order(order, k):
    n = 5000
    logits = {"ascending": np.arange(n), "descending": -np.arange(n), "equal": np.zeros(n),
              "two values": np.arange(n) % 2}[order].astype(np.float32)
    best = set(np.argsort(-logits, kind="stable")[:k].tolist())
    s = sampler(n, top_k=k, temperature=1e6)

    drawn = {s.draw(logits)[0] for _ in range(400)}

    assert drawn <= best and (len(drawn) > 1 or k == 1)


def test_penalties_follow_the_window():
    rng = np.random.default_rng(2)
    n, p = 50, OFF | PENALTIES
    s = sampler(n, **p)
    past = rng.integers(0, n, 20).tolist()
    s.prompt(past)
    for place in range(60):
        logits = random_logits(rng, n, 1.0)
        if place % 5 == 4:
            past.append(3)
            s.accept(3)
            continue
        token = s.draw(logits)[0]
        assert token == model_draw(penalise(logits, past[-8:], p), p, place)
        past.append(token)


def test_a_window_of_nothing_penalises_nothing():
    s = sampler(4, temperature=0, **PENALTIES | {"repeat_last_n": 0, "presence_penalty": 9.0})
    assert [s.draw(np.float32([0, 1, 0, 0]))[0] for _ in range(3)] == [1, 1, 1]


def test_a_penalty_that_rewards_lifts_a_token_over_top_k():
    s = sampler(5000, top_k=1, presence_penalty=-100.0)
    s.prompt([4321])
    assert s.draw(random_logits(np.random.default_rng(0), 5000))[0] == 4321


@pytest.mark.parametrize("raw", [3e38, -3e38])
def test_a_penalised_logit_stays_finite(raw):
    s = sampler(3, temperature=0, repeat_penalty=1e-3 if raw > 0 else 1e3)
    s.prompt([0])
    assert s.draw(np.float32([raw, -3.3e38, -3.3e38]))[0] == (0 if raw > 0 else 1)


def test_temperature_0_takes_the_best_and_the_lowest_of_equals():
    logits = np.float32([0.0, 5, -0.0, 5, 4, 4])
    s = sampler(6, temperature=0, typical_p=0.1, top_p=0.1)
    assert s.draw(logits)[0] == 1
    assert s.draw(logits, bits([1, 0, 1, 0, 1, 1]))[0] == 4
    assert s.draw(logits, bits([1, 0, 1, 0, 0, 0]))[0] == 0
    assert s.draw(np.float32([-0.0, 0, -0.0, -1, -1, -1]))[0] == 0


def test_a_mask_that_allows_everything_is_none():
    logits = random_logits(np.random.default_rng(0), 333)
    free, masked = sampler(333), sampler(333)
    for _ in range(50):
        assert free.draw(logits) == masked.draw(logits, bits(np.ones(333)))


def test_tokens_accepted_without_a_draw_shift_no_other():
    logits = random_logits(np.random.default_rng(0), 1000)
    drawn, forced = sampler(1000), sampler(1000)
    answer = [drawn.draw(logits)[0] for _ in range(30)]
    for place, token in enumerate(answer):
        if place % 3:
            forced.accept(token)
        else:
            assert forced.draw(logits)[0] == token


def test_a_draw_leaves_the_logits_as_they_were():
    logits = random_logits(np.random.default_rng(0), 1000)
    before = logits.tobytes()
    s = sampler(1000, **PENALTIES, logprobs=True, top_logprobs=5)
    s.prompt(range(100))
    for _ in range(20):
        s.draw(logits)
        assert logits.tobytes() == before


@pytest.mark.parametrize("n", [1, 33, 5000])
def test_logprobs_are_the_log_softmax_of_the_raw_logits(n):
    rng = np.random.default_rng(n)
    s = sampler(n, **PENALTIES, top_k=5, temperature=0.5, logprobs=True, top_logprobs=20)
    for _ in range(10):
        logits = random_logits(rng, n)
        x = logits.astype(np.float64)
        want = x - x.max() - np.log(np.exp(x - x.max()).sum())
        token, logprob, top = s.draw(logits)
        assert logprob == pytest.approx(want[token], abs=1e-8)
        assert [t for t, _ in top] == np.argsort(-x, kind="stable")[:20].tolist()
        assert [value for _, value in top] == pytest.approx(want[[t for t, _ in top]], abs=1e-8)


def test_logprobs_do_not_know_the_mask():
    logits = np.float32([0, 9, 1, 2])
    s = sampler(4, logprobs=True, top_logprobs=2)
    token, _, top = s.draw(logits, bits([1, 0, 0, 0]))
    assert token == 0 and [t for t, _ in top] == [1, 3]
    assert s.score(logits, 0) == (0, *s.draw(logits, bits([1, 0, 0, 0]))[1:])


def test_top_logprobs_leave_out_what_cannot_be_and_put_the_lower_of_equals_first():
    s = sampler(5, logprobs=True, top_logprobs=20)
    _, _, top = s.draw(np.float32([-np.inf, 1, 2, 1, -np.inf]))
    assert [t for t, _ in top] == [2, 1, 3]
    token, logprob, _ = s.score(np.float32([-np.inf, 1, 2, 1, 0]), 0)
    assert token == 0 and -math.inf < logprob < -1e38


def test_no_logprobs_unless_asked_for():
    assert sampler(3).draw(np.zeros(3, np.float32))[1:] == (None, [])
    assert sampler(3, logprobs=True).draw(np.zeros(3, np.float32))[2] == []


@pytest.mark.parametrize("value, said", [(np.nan, "NaN"), (np.inf, "inf")])
@pytest.mark.parametrize("at", [0, 31, 32, 999])
@pytest.mark.parametrize("params", [{"temperature": 0}, {"top_k": 4}, {}, PENALTIES], ids=str)
def test_logits_that_are_no_numbers_are_the_model_s_fault(value, said, at, params):
    logits = random_logits(np.random.default_rng(0), 1000)
    logits[at] = value
    s = sampler(1000, **params)
    s.prompt([at])
    with pytest.raises(ModelError, match=f"logits: {said} for token {at};"):
        s.draw(logits)
    logits[at] = 1e9
    assert s.draw(logits, bits(np.arange(1000) == at))[0] == at


def test_where_nothing_can_be_drawn_it_says_why():
    s = sampler(40)
    nothing = np.full(40, -np.inf, np.float32)
    with pytest.raises(ModelError, match="-inf for each of 40 tokens"):
        s.draw(nothing)
    with pytest.raises(ModelError, match="-inf for each of 2 tokens"):
        s.draw(nothing, bits(np.arange(40) >= 38))
    with pytest.raises(RequestError, match="constraint: no token of 40"):
        s.draw(np.zeros(40, np.float32), bits(np.zeros(40)))


def test_a_failed_draw_takes_no_place():
    logits = random_logits(np.random.default_rng(0), 100)
    whole, failing = sampler(100), sampler(100)
    for _ in range(10):
        with pytest.raises(ModelError):
            failing.draw(np.full(100, np.nan, np.float32))
        assert failing.draw(logits) == whole.draw(logits)


def test_wrong_shapes_are_refused_before_c_sees_them():
    s = sampler(64)
    for wrong in (lambda: s.draw(np.zeros(63, np.float32)), lambda: s.accept(64),
                  lambda: s.draw(np.zeros(64, np.float32), np.zeros(1, np.uint32)),
                  lambda: s.prompt([0, -1]), lambda: s.score(np.zeros(64, np.float32), 64),
                  lambda: sampler(0), lambda: sampler(4, top_logprobs=21)):
        with pytest.raises(ValueError):
            wrong()


def hashed_logits(n, place):
    """Logits that no library has a hand in."""
    hashed = np.arange(1 + place * n, 1 + (place + 1) * n, dtype=np.uint64) * 2654435761 % 2**32
    logits = (hashed.astype(np.float64) / 2**32).astype(np.float32)
    return np.float32(12) * logits * logits


# Drawn once, to stay.
GOLDEN = [
    ({"temperature": 0.8, "top_k": 40, "top_p": 0.9, "seed": 0},
     [1329, 1392, 845, 1285, 1547, 301, 1584, 516, 778, 1129, 781, 179]),
    ({"temperature": 1.0, "seed": 42},
     [693, 1913, 976, 141, 1348, 123, 385, 1469, 223, 1446, 1276, 331]),
    ({"temperature": 1.3, "typical_p": 0.7, "min_p": 0.001, "seed": 2**63 - 1},
     [816, 1002, 442, 73, 1314, 1165, 1804, 1325, 922, 430, 556, 1742]),
    ({"temperature": 0.6, "top_k": 20, **PENALTIES, "seed": 7},
     [1418, 1337, 1167, 1141, 738, 335, 1906, 1791, 1765, 231, 1802, 878]),
]


@pytest.mark.parametrize("params, ids", GOLDEN, ids=lambda x: str(x)[:40])
def test_draws_the_ids_it_always_drew(params, ids):
    s = sampler(2000, **params)
    assert [s.draw(hashed_logits(2000, place))[0] for place in range(12)] == ids


def test_logprobs_have_the_bits_they_always_had():
    s = sampler(2000, logprobs=True)
    assert [s.draw(hashed_logits(2000, place))[1].hex() for place in range(4)] == [
        "-0x1.21b86d7e7d640p+2", "-0x1.489372c1e9f3cp+2",
        "-0x1.259268d63ff88p+2", "-0x1.934e391547bc8p+2"]


def test_options_become_a_sampler():
    options = Options.layered({}, {"seed": 3, "temperature": 0.5})
    logits = random_logits(np.random.default_rng(0), 500)
    p = OFF | {"seed": 3, "temperature": 0.5, "top_k": 40, "top_p": 0.9}
    s = sample.sampler(options, 500, num_ctx=100)
    assert [s.draw(logits)[0] for _ in range(20)] == [model_draw(logits, p, i) for i in range(20)]


def test_repeat_last_n_of_minus_one_is_the_context():
    options = Options.layered({}, {"temperature": 0, "presence_penalty": 1, "repeat_last_n": -1})
    s = sample.sampler(options, 4, num_ctx=3)
    assert [s.draw(np.float32([0.5, 0.4, 0.3, 0.2]))[0] for _ in range(6)] == [0, 1, 2, 3, 0, 1]


def test_seed_minus_one_is_another_each_time():
    assert len({sample.seed(-1) for _ in range(10)}) == 10
    assert sample.seed(5) == 5
