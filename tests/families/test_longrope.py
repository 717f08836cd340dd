"""An answer that outgrows its short frequencies goes on as if it had begun with the long ones."""
import json
import threading

import pytest

import minichat
from minichat import _native, sample, weights
from minichat.engine import Engine, Run, Token, Work
from minichat.options import Options
from tests.random_model import write

from . import golden

FOLDER = next(folder for folder in golden.FOLDERS if folder.name == "phi3")
ANSWERS = json.loads((FOLDER.parent / "longrope.json").read_text())
SHORT = 32                  # of golden/phi3
PROMPT = ANSWERS[0]["prompt_ids"] * 10      # 90: answers cross 100, in the second page

# Frequencies that are long after 100 positions, in a model that can be loaded.
CONFIG = {
    "model_type": "phi3", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 272, "pad_token_id": None,
    "max_position_embeddings": 400, "original_max_position_embeddings": 100,
    "tie_word_embeddings": False, "rope_scaling": {
        "type": "longrope", "short_factor": [1.0 + i / 8 for i in range(8)],
        "long_factor": [2.0 + 2 * i for i in range(8)]},
}


@pytest.fixture(params=weights.QUANTIZATIONS)
def engine(request):
    made = Engine(native(request.param), 40)
    yield made
    made.close()


def native(quantization):
    family, architecture = golden.read(FOLDER)
    packed = weights.load(golden.checkpoint(FOLDER), family, architecture, quantization,
                          cache_dir="")
    return _native.Model(architecture, packed, kv=weights.KV[quantization])


def answer(engine, prompt, *, n=32, num_ctx=128, threads=1, batch=512, long_after=SHORT):
    """Returns n ids that follow prompt, greedily, and how many of prompt's were cached."""
    vocab_size = engine.model.vocab_size
    sampler = sample.sampler(Options(temperature=0.0, repeat_penalty=1.0), vocab_size,
                             num_ctx=num_ctx)
    sampler.prompt(prompt)
    run = Run(engine, Work(tuple(prompt), sampler, frozenset(), num_ctx, n, 4, True, threads,
                           batch, long_after))
    return [item.id for item in run if isinstance(item, Token)], run.cached


@pytest.mark.parametrize("want", ANSWERS, ids=lambda want: f"from {len(want['prompt_ids'])}")
def test_says_what_transformers_says(want):
    engine = Engine(native("f32"), 40)
    for threads, batch in ((1, 512), (2, 512), (2, 7)):
        ids, _ = answer(engine, want["prompt_ids"], threads=threads, batch=batch)
        assert ids == want["ids"], f"{threads} threads, {batch} at a time"
    engine.close()


def test_the_frequencies_matter():
    """Or the answers above would prove nothing."""
    want, engine = ANSWERS[0], Engine(native("f32"), 40)
    ids, _ = answer(engine, want["prompt_ids"], long_after=None)
    crossed = SHORT - len(want["prompt_ids"]) + 1
    assert ids[:crossed] == want["ids"][:crossed] and ids != want["ids"]
    engine.close()


@pytest.mark.parametrize("threads, batch", [(1, 512), (2, 13)])
def test_cached_or_not_the_answer_is_the_same(engine, threads, batch):
    first, cached = answer(engine, PROMPT, long_after=100)
    assert cached == 0
    again, cached = answer(engine, PROMPT, long_after=100, threads=threads, batch=batch)
    assert cached == len(PROMPT) - 1
    turn = PROMPT + first
    assert again == first
    follows, cached = answer(engine, turn, long_after=100, threads=threads, batch=batch)
    assert cached == len(turn) - 1      # the pages of the long frequencies
    fresh = Engine(engine.model, 40)
    assert answer(fresh, turn, long_after=100) == (follows, 0)
    fresh.close()


def test_pages_of_the_short_frequencies_are_no_pages_of_the_long(engine):
    short, _ = answer(engine, PROMPT, n=10, long_after=100)
    assert answer(engine, [*PROMPT, *short, 1], long_after=100)[1] == 0


def test_company_that_crosses_elsewhere_changes_nothing(engine):
    prompts = [PROMPT[n:] for n in (0, 1, 7, 30)]
    alone = [answer(engine, prompt, long_after=100)[0] for prompt in prompts]
    together, fresh = {}, Engine(engine.model, 40)

    def chat(n):
        together[n] = answer(fresh, prompts[n], threads=2, batch=32, long_after=100)[0]

    threads = [threading.Thread(target=chat, args=(n,)) for n in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[n] for n in range(len(prompts))] == alone
    fresh.close()


def test_a_shift_below_the_boundary_is_short_again(engine):
    """num_ctx 110, num_keep 4: of 111 ids 53 go, and 58 are fewer than 100."""
    ids, _ = answer(engine, PROMPT, n=40, num_ctx=110, long_after=100)
    seen = PROMPT + ids[:21]
    fresh = Engine(engine.model, 40)
    assert answer(fresh, seen[:4] + seen[57:], n=19, num_ctx=110, long_after=100)[0] == ids[21:]
    fresh.close()


def test_a_loaded_model_knows_its_boundary(tmp_path):
    messages = [{"role": "user", "content": "x" * 80}]
    options = {"temperature": 0, "num_predict": 60}
    with minichat.load(write(tmp_path / "phi3", CONFIG)) as model:
        assert model.long_after == 100
        whole, again = (model.chat(messages, options=options, stream=False) for _ in range(2))
        assert whole.prompt_eval_count < 100 < whole.prompt_eval_count + whole.eval_count
        assert again.message == whole.message
        assert (whole.prompt_eval_cached_count, again.prompt_eval_cached_count) \
            == (0, whole.prompt_eval_count - 1)
