"""engine.py and csrc/model.c: an answer depends on its own ids and seed, on nothing else."""
import threading
import time

import numpy as np
import pytest

from minichat import _native, families, sample, weights
from minichat.checkpoint import Checkpoint
from minichat.engine import AHEAD, End, Engine, Run, Token, Work
from minichat.errors import MinichatError, ModelError, OutOfMemory
from minichat.options import Options

from .families import forward
from .random_model import TINY, write

PROMPT = tuple(np.random.default_rng(0).integers(0, 272, 150).tolist())
VOCAB = TINY["vocab_size"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("models") / "tiny", TINY)


def native(folder, quantization="q4", isa=None):
    checkpoint = Checkpoint.open(folder)
    family = families.family(checkpoint.model_type)
    architecture = family.architecture(checkpoint.config)
    packed = weights.load(checkpoint, family, architecture, quantization, cache_dir="")
    return _native.Model(architecture, packed, kv=weights.KV[quantization], isa=isa)


@pytest.fixture
def engine(folder):
    made = Engine(native(folder), 40)
    yield made
    made.close()


def run(engine, prompt=PROMPT, *, num_predict=40, num_ctx=512, threads=1, batch=512, end=(),
        shift=True, num_keep=4, long_after=None, **options):
    options = {"seed": 3, "temperature": 1.0} | options
    sampler = sample.sampler(Options(**options), VOCAB, num_ctx=num_ctx)
    sampler.prompt(prompt)
    return Run(engine, Work(tuple(prompt), sampler, frozenset(end), num_ctx, num_predict, num_keep,
                            shift, threads, batch, long_after))


def ids(run):
    return [item.id for item in run if isinstance(item, Token)]


@pytest.fixture(scope="module")
def alone(folder):
    """The answer to PROMPT, computed by itself from nothing."""
    engine = Engine(native(folder), 40)
    answer = ids(run(engine))
    engine.close()
    return answer


def logits(model, ids, *, chunk=512, threads=1):
    """Logits of every position, computed chunk by chunk."""
    share, workspace = _native.Share(), _native.Workspace(model, chunk, chunk)
    share.place([_native.Page(model) for _ in range(-(-len(ids) // _native.PAGE))])
    out = []
    for at in range(0, len(ids), chunk):
        part = ids[at:at + chunk]
        share.feed(part, at, n_logits=len(part))
        workspace.step([share], threads)
        out.append(share.logits)
    return np.concatenate(out)


@pytest.mark.parametrize("quantization", ["q4", "q8", "bf16", "f32"])
def test_logits_are_the_same_bits_under_every_isa_thread_count_and_chunking(folder, quantization):
    want = logits(native(folder, quantization, "ref"), PROMPT)
    assert np.isfinite(want).all()
    for isa in _native.isas():
        model = native(folder, quantization, isa)
        for chunk, threads in ((512, 1), (512, 2), (64, 2), (7, 1), (1, 3)):
            assert np.array_equal(logits(model, PROMPT, chunk=chunk, threads=threads), want), \
                f"{isa}, {threads} threads, {chunk} at a time"


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("threads, batch", [(1, 512), (2, 512), (2, 11), (5, 64)])
def test_answers_do_not_depend_on_how_they_are_computed(folder, alone, isa, threads, batch):
    engine = Engine(native(folder, isa=isa), 40)
    assert ids(run(engine, threads=threads, batch=batch)) == alone
    engine.close()


def test_answers_do_not_depend_on_company(engine, alone):
    answers = {}

    def chat(n):
        prompt = PROMPT if n % 2 else PROMPT[:90] + (n,) * 20
        answers[n] = ids(run(engine, prompt, threads=2, batch=32 + n))

    threads = [threading.Thread(target=chat, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[n] for n in (1, 3, 5, 7)] == [alone] * 4
    assert all(len(answer) == 40 for answer in answers.values())


def test_answers_do_not_depend_on_the_cache(engine, alone):
    first = run(engine)
    assert ids(first) == alone and first.cached == 0
    again = run(engine)
    assert ids(again) == alone and again.cached == len(PROMPT) - 1
    turn = PROMPT + tuple(alone) + (1, 2, 3)
    follows = run(engine, turn)
    reused = ids(follows)
    assert follows.cached == len(PROMPT) + len(alone) - 1
    fresh = Engine(engine.model, 40)
    assert ids(run(fresh, turn)) == reused
    fresh.close()


def test_another_beginning_reuses_what_is_common(engine):
    ids(run(engine))
    other = run(engine, PROMPT[:100] + (9,) * 30)
    answer = ids(other)
    assert other.cached == 100
    fresh = Engine(engine.model, 40)
    assert ids(run(fresh, PROMPT[:100] + (9,) * 30)) == answer
    fresh.close()


def test_a_sequence_without_pages_waits_and_is_computed_again(folder, alone):
    engine = Engine(native(folder), 8)      # two of three pages each, and a bit
    answers = {}

    def chat(n):
        prompt = PROMPT if n == 0 else PROMPT[n:] + PROMPT[:n]
        answers[n] = ids(run(engine, prompt, num_predict=100))

    threads = [threading.Thread(target=chat, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers[0][:40] == alone and all(len(answer) == 100 for answer in answers.values())
    assert engine.store.made <= 8
    engine.close()


def test_one_that_cannot_fit_alone_fails_and_names_num_ctx(folder):
    engine = Engine(native(folder), 3)
    long = run(engine, num_predict=300)
    with pytest.raises(OutOfMemory, match="num_ctx"):
        ids(long)
    assert len(ids(run(engine, PROMPT[:50], num_predict=10))) == 10
    engine.close()


def test_ends_at_an_end_token(engine, alone):
    *tokens, end = run(engine, end=[alone[10]])
    assert end == End("stop")
    assert [t.id for t in tokens] == alone[:alone.index(alone[10]) + 1]


def test_ends_at_num_predict(engine, alone):
    *tokens, end = run(engine, num_predict=7)
    assert end == End("length") and [t.id for t in tokens] == alone[:7]


def test_without_shift_it_ends_where_the_context_is_full(engine):
    *tokens, end = run(engine, num_ctx=160, num_predict=100, shift=False)
    assert end == End("length") and len(tokens) == 160 - len(PROMPT) + 1


def test_a_shift_drops_the_older_half_and_computes_the_rest_anew(engine, folder):
    *tokens, end = run(engine, num_ctx=160, num_predict=100, num_keep=10, temperature=0.0,
                       repeat_last_n=0)
    assert end == End("length") and len(tokens) == 100
    assert {t.shifted_tokens for t in tokens} == {0, 75, 150}
    answer = [t.id for t in tokens]
    cut = PROMPT + tuple(answer[:11])
    seen = cut[:10] + cut[85:]
    fresh = Engine(engine.model, 40)
    assert ids(run(fresh, seen, num_ctx=160, num_predict=5, temperature=0.0,
                   repeat_last_n=0)) == answer[11:16]
    fresh.close()


def test_a_closed_run_frees_its_pages_at_the_next_step(engine):
    endless = run(engine, num_predict=5000)
    next(endless)
    endless.close()
    with pytest.raises(StopIteration):
        next(endless)
    assert ids(run(engine, PROMPT[:20], num_predict=3))
    assert not any(node.users for node in engine.store)
    assert engine.store.made == len(list(engine.store))


def test_without_memory_for_a_copy_it_is_computed(engine, alone):
    def refuse_copies(copy_of):
        if copy_of is not None:
            raise OutOfMemory("a page")
        return made(None)

    assert ids(run(engine)) == alone
    made, engine.store.new_page = engine.store.new_page, refuse_copies
    assert ids(run(engine)) == alone
    assert not any(node.users for node in engine.store)


def test_a_closed_engine_keeps_no_pages(engine):
    ids(run(engine))
    assert engine.store.made == len(list(engine.store)) > 0
    pages = list(engine.store)
    engine.close()
    assert engine.store.made == 0 and not any(node.page for node in pages)


def test_a_slow_reader_holds_nobody_up(engine):
    slow = run(engine, num_predict=1000)
    next(slow)
    assert len(ids(run(engine, PROMPT[5:], num_predict=3 * AHEAD))) == 3 * AHEAD
    time.sleep(0.05)
    produced = slow._produced
    time.sleep(0.05)
    assert slow._produced == produced <= AHEAD + 1
    assert sum(1 for _ in zip(range(100), slow, strict=False)) == 100
    slow.close()


def test_logits_that_are_not_finite_are_an_error_for_their_own_sequence(folder):
    checkpoint = Checkpoint.open(folder)
    family = families.family(checkpoint.model_type)
    architecture = family.architecture(checkpoint.config)
    packed = dict(weights.load(checkpoint, family, architecture, "q4", cache_dir=""))
    broken = np.full_like(packed["final_norm"].data, np.nan)
    packed["final_norm"] = weights.Tensor(broken, "vector", packed["final_norm"].shape)
    engine = Engine(_native.Model(architecture, packed), 40)
    for _ in range(2):
        with pytest.raises(ModelError, match="inf or NaN"):
            ids(run(engine))
    engine.close()


def test_closing_the_engine_ends_its_readers(engine):
    endless = run(engine, num_predict=5000)
    next(endless)
    engine.close()
    with pytest.raises(MinichatError, match="closed"):
        for _ in range(AHEAD + 2):
            next(endless)
    with pytest.raises(MinichatError, match="load it again"):
        next(run(engine))


def test_an_unknown_isa_names_those_there_are(folder):
    with pytest.raises(MinichatError, match="MINICHAT_ISA: 'mmx'; this machine runs ref"):
        native(folder, isa="mmx")


def test_each_refused_allocation_is_an_error_and_the_next_chat_works(folder, alone):
    n = 0
    while True:
        n += 1
        _native.fail_allocation(n)
        engine = None
        try:
            engine = Engine(native(folder), 40)
            answer = ids(run(engine))
        except OutOfMemory:
            if engine is not None:
                _native.fail_allocation(0)
                assert ids(run(engine)) == alone
            continue
        finally:
            _native.fail_allocation(0)
            if engine is not None:
                engine.close()
        assert answer == alone
        break
    assert n > 8


def test_a_step_tells_how_long_its_stages_took(folder):
    model = native(folder)
    share, workspace = _native.Share(), _native.Workspace(model, 64, 1)
    share.place([_native.Page(model)])
    with pytest.raises(ValueError):
        workspace.stages()

    def step():
        share.feed(PROMPT[:50], 0, n_logits=1)
        start = time.perf_counter_ns()
        workspace.step([share], 2)
        return time.perf_counter_ns() - start, share.logits

    _, plain = step()
    workspace.measure()
    assert not any(workspace.stages().values())
    took, measured = step()
    stages = workspace.stages()
    assert all(stages.values()) and sum(stages.values()) <= took
    assert (measured == plain).all()
    workspace.measure()
    assert not any(workspace.stages().values())


def test_a_long_context_is_the_same_where_threads_share_a_head(tmp_path):
    """Three heads of keys and values: on two threads or more their segments are shared out."""
    folder = write(tmp_path / "model", TINY | {
        "num_attention_heads": 6, "num_key_value_heads": 3, "max_position_embeddings": 1024})
    prompt = np.random.default_rng(1).integers(0, VOCAB, 700).tolist()
    for quantization in ("f32", "q4"):
        model = native(folder, quantization)
        want = logits(model, prompt)
        for chunk, threads in ((1, 2), (5, 2), (3, 5), (16, 4), (100, 3)):
            assert (logits(model, prompt, chunk=chunk, threads=threads) == want).all(), \
                f"{quantization}, {threads} threads, {chunk} at a time"
    checkpoint = Checkpoint.open(folder)
    family = families.family(checkpoint.model_type)
    architecture = family.architecture(checkpoint.config)
    right = forward.logits(architecture, forward.load(checkpoint.tensors, family, architecture),
                           np.array(prompt))
    want = logits(native(folder, "f32"), prompt)
    assert np.abs(want[-1] - right).max() <= 1e-4 * np.abs(right).max()


@pytest.mark.parametrize("shape", [
    {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64},
    {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 256},
    {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 64}])
def test_heads_that_fill_a_block_of_the_next_input_and_others(tmp_path, shape):
    folder = write(tmp_path / "model", TINY | shape)
    checkpoint = Checkpoint.open(folder)
    family = families.family(checkpoint.model_type)
    architecture = family.architecture(checkpoint.config)
    tensors = forward.load(checkpoint.tensors, family, architecture)
    for quantization in ("f32", "q4"):
        model = native(folder, quantization)
        want = logits(model, PROMPT[:70])
        for chunk, threads in ((1, 1), (1, 3), (7, 2)):
            assert (logits(model, PROMPT[:70], chunk=chunk, threads=threads) == want).all()
        if quantization == "f32":
            right = forward.logits(architecture, tensors, np.array(PROMPT[:70]))
            assert np.abs(want[-1] - right).max() <= 1e-4 * np.abs(right).max()
