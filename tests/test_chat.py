"""chat.py and api.py: whole chats on a small random model, as a caller sees them."""
import asyncio
import gc
import json
import threading
import time
import warnings

import pytest

import minichat
from minichat import MinichatError, MinichatWarning, ModelNotFound, RequestError
from minichat import api as api_module

from .random_model import TINY, write

HELLO = [{"role": "user", "content": "hello"}]
FIXED = {"seed": 1, "temperature": 1.0, "num_predict": 24}
FIGURES = ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_cached_count",
           "prompt_eval_duration", "eval_count", "eval_duration"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that never ends by itself."""
    made = write(tmp_path_factory.mktemp("models") / "tiny", TINY)
    for name in ("tokenizer_config.json", "generation_config.json"):
        config = json.loads((made / name).read_text())
        kept = {key: value for key, value in config.items() if not key.startswith("eos_token")}
        (made / name).write_text(json.dumps(kept))
    return made


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    """Each test starts with no model in memory, and leaves none."""
    monkeypatch.setattr(api_module, "_residency", api_module.Residency())
    yield
    for resident in list(api_module._residency._residents.values()):
        resident.model.engine.close()


def text(stream):
    return "".join(chunk["message"]["content"] for chunk in stream)


def test_a_stream_is_chunks_of_text_and_one_that_is_done(folder):
    *parts, last = minichat.chat(folder, HELLO, options=FIXED)
    for chunk in parts:
        assert list(chunk) == ["model", "created_at", "message", "done"]
        assert list(chunk.message) == ["role", "content", "images"]
        assert chunk.message.content and chunk.done is False
    assert list(last) == ["model", "created_at", "message", "done", "done_reason", *FIGURES]
    assert last.done is True and last.done_reason == "length" and last.message.content == ""
    assert last.model == str(folder) and last.eval_count == 24
    assert all(isinstance(last[name], int) and last[name] >= 0 for name in FIGURES)
    parts_ns = last.load_duration + last.prompt_eval_duration + last.eval_duration
    assert last.total_duration >= parts_ns
    json.dumps(parts + [last])


def test_without_stream_it_is_one_chunk(folder):
    whole = minichat.chat(folder, HELLO, options=FIXED, stream=False)
    assert isinstance(whole, minichat.Chunk) and whole.done
    assert whole.message.content == text(minichat.chat(folder, HELLO, options=FIXED))


def test_a_seed_fixes_the_answer_and_its_absence_does_not(folder):
    def answer(**options):
        return minichat.chat(folder, HELLO, options=FIXED | options, stream=False).message.content

    assert answer() == answer() == answer(num_thread=1) == answer(num_thread=2, num_batch=3)
    assert len({answer(seed=-1) for _ in range(5)}) > 1
    assert len({answer(temperature=0, seed=i) for i in range(5)}) == 1


@pytest.mark.parametrize("quantization", ["q4", "q8", "bf16", "f32"])
def test_answers_are_the_same_bits_under_every_isa(folder, monkeypatch, quantization):
    answers = set()
    for isa in minichat._native.isas():
        monkeypatch.setenv("MINICHAT_ISA", isa)
        with minichat.load(folder, quantization=quantization) as model:
            assert model.engine.model.isa == isa
            answers.add(model.chat(HELLO, options=FIXED, stream=False).message.content)
        minichat.chat(folder, keep_alive=0, stream=False)
    assert len(answers) == 1


def test_the_next_turn_reuses_the_last(folder):
    first = minichat.chat(folder, HELLO, options=FIXED, stream=False)
    assert first.prompt_eval_cached_count == 0
    turn = [*HELLO, {"role": "assistant", "content": "well"}, {"role": "user", "content": "go on"}]
    second = minichat.chat(folder, turn, options=FIXED, stream=False)
    assert second.prompt_eval_cached_count >= first.prompt_eval_count - 1
    assert second.prompt_eval_count > second.prompt_eval_cached_count
    minichat.chat(folder, keep_alive=0, stream=False)
    fresh = minichat.chat(folder, turn, options=FIXED, stream=False)
    assert fresh.prompt_eval_cached_count == 0
    assert fresh.message.content == second.message.content


def test_prefill_goes_on_from_the_assistants_words(folder):
    prefilled = [*HELLO, {"role": "assistant", "content": "I say"}]
    with minichat.load(folder) as model:
        request = minichat.request.Request.parse("m", prefilled)
        ids = model.prompt(request, 512).ids
        assert model.tokenizer.decoder().push(ids[-1]) == "y"


def test_a_stop_string_ends_the_answer_and_is_not_in_it(folder):
    whole = minichat.chat(folder, HELLO, options=FIXED, stream=False)
    said = whole.message.content
    stop = said[5:8]
    *parts, last = minichat.chat(folder, HELLO, options=FIXED | {"stop": [stop]})
    assert text(parts) == said[:said.index(stop)] and last.done_reason == "stop"
    assert 0 < last.eval_count <= whole.eval_count


def test_a_stop_string_that_the_last_token_completes_comes_too_late(folder):
    said = text(minichat.chat(folder, HELLO, options=FIXED))
    for stop in (said[-1], said[-3:]):
        if said.index(stop) != len(said) - len(stop):
            continue
        for stream in (True, False):
            answer = minichat.chat(folder, HELLO, stream=stream, options=FIXED | {"stop": [stop]})
            *parts, last = answer if stream else [answer]
            assert text([*parts, last]) == said and last.done_reason == "length"
            assert last.done and last.eval_count == FIXED["num_predict"]


THINKS = ("{% for m in messages %}{{ m.role }}: {{ m.content.split('</think>')[-1] }}\n{% endfor %}"
          "{% if add_generation_prompt %}assistant: <think>\n{% endif %}")


def test_a_template_that_tells_of_thinking_makes_a_model_think(folder):
    """As those of R1's distillates, whose families do not."""
    for think in (None, True):
        said = minichat.chat(folder, HELLO, options=FIXED, think=think, template=THINKS,
                             stream=False).message
        assert said.thinking and said.content == ""
    with pytest.raises(RequestError, match="does not think"):
        minichat.chat(folder, HELLO, think=True)
    chunks = minichat.chat(folder, HELLO, options=FIXED | {"num_predict": 400}, template=THINKS,
                           format={"enum": ["yes", "no"]})
    kinds = ["thinking" if each.message.thinking else "content" for each in chunks]
    assert kinds == sorted(kinds, reverse=True) and kinds[0] == "thinking"


def test_zero_tokens_are_an_answer(folder):
    (only,) = minichat.chat(folder, HELLO, options={"num_predict": 0})
    assert only.done and only.eval_count == 0 and only.done_reason == "length"


def test_logprobs_come_with_their_tokens(folder):
    *parts, last = minichat.chat(folder, HELLO, options=FIXED, logprobs=True, top_logprobs=3)
    entries = [entry for chunk in [*parts, last] for entry in chunk.get("logprobs", ())]
    assert len(entries) == last.eval_count
    said = b"".join(bytes(entry["bytes"]) for entry in entries)
    assert said.decode(errors="replace") == text(parts)
    for entry in entries:
        values = [top["logprob"] for top in entry["top_logprobs"]]
        assert entry["logprob"] <= 0 and len(values) == 3 and values == sorted(values, reverse=True)


def test_the_oldest_messages_go_and_the_last_chunk_says_so(folder):
    messages = [{"role": role, "content": f"{i} " + "x" * 60}
                for i, role in enumerate(["system", *["user", "assistant"] * 8, "user"])]
    last = minichat.chat(folder, messages, options=FIXED | {"num_ctx": 300}, stream=False)
    assert last["dropped_messages"] > 0 and last.prompt_eval_count < 300
    with pytest.raises(RequestError, match="num_ctx leaves 299") as failed:
        minichat.chat(folder, messages, options={"num_ctx": 300}, truncate=False)
    assert failed.value.error == "the input length exceeds the context length"
    assert failed.value.status_code == 400


def test_the_context_shifts_and_the_last_chunk_says_so(folder):
    options = FIXED | {"num_ctx": 48, "num_predict": 100}
    last = minichat.chat(folder, HELLO, options=options, stream=False)
    assert last.eval_count == 100 and last.done_reason == "length" and last["shifted_tokens"] > 0
    ended = minichat.chat(folder, HELLO, options=options, shift=False, stream=False)
    assert ended.done_reason == "length" and "shifted_tokens" not in ended
    assert ended.eval_count == 48 - ended.prompt_eval_count + 1


@pytest.mark.parametrize("arguments, error, match", [
    ({"messages": [{"role": "bot", "content": ""}]}, RequestError, r"messages\[0\].role"),
    ({"messages": HELLO, "options": {"temperature": -1}}, RequestError, "options.temperature"),
    ({"messages": HELLO, "options": {"num_ctx": 9999}}, RequestError, "512 at most"),
    ({"messages": HELLO, "options": {"temp": 1}, "strict": True}, RequestError, "temperature"),
    ({"messages": HELLO, "tools": [{"function": {"name": "f"}}]}, RequestError, "tools"),
    ({"messages": HELLO, "format": {"type": "no"}}, RequestError, "format"),
    ({"messages": HELLO, "think": True}, RequestError, "does not think"),
    ({"messages": HELLO, "quantization": "q3"}, RequestError, "q4"),
    ({"messages": HELLO, "template": "{% for %}"}, minichat.ModelError, "template"),
    ({"messages": [{"role": "user", "content": "x" * 600}]}, RequestError, "num_ctx leaves 511"),
])
def test_errors_come_from_the_call_and_leave_nothing(folder, arguments, error, match):
    with pytest.raises(error, match=match):
        minichat.chat(folder, **arguments)
    assert not any(r.users for r in api_module._residency._residents.values())


def test_an_unknown_model_says_where_was_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFound, match="'llama3.2': no folder") as failed:
        minichat.chat("llama3.2", HELLO)
    assert failed.value.error == "model 'llama3.2' not found" and failed.value.status_code == 404


def test_unknown_options_warn(folder):
    with pytest.warns(MinichatWarning, match="temperature"):
        minichat.chat(folder, HELLO, options={"temprature": 0}).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        minichat.chat(folder, HELLO, options=FIXED, stream=False)


def test_a_stream_that_nobody_reads_costs_nothing(folder):
    stream = minichat.chat(folder, HELLO, options=FIXED)
    engine = next(iter(api_module._residency._residents.values())).model.engine
    time.sleep(0.05)
    assert not engine._running and not engine._arrived
    stream.close()


@pytest.mark.parametrize("leave", ["close", "with", "exception", "forget"])
def test_leaving_early_ends_the_sequence(folder, leave):
    stream = minichat.chat(folder, HELLO, options={"num_predict": 100000})
    next(stream)
    resident = next(iter(api_module._residency._residents.values()))
    if leave == "close":
        stream.close()
    elif leave == "with":
        with stream:
            pass
    elif leave == "exception":
        with pytest.raises(KeyError), stream:
            raise KeyError
    else:
        del stream
        gc.collect()
    assert resident.users == 0
    for _ in range(200):
        if not resident.model.engine._running:
            break
        time.sleep(0.01)
    assert not resident.model.engine._running
    assert not any(node.users for node in resident.model.engine.store)


def test_many_threads_share_one_engine(folder):
    alone = minichat.chat(folder, HELLO, options=FIXED, stream=False).message.content
    answers = []

    def ask():
        answers.append(text(minichat.chat(folder, HELLO, options=FIXED)))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [alone] * 6 and len(minichat.ps()) == 1


def test_a_closed_stream_wakes_a_reader_on_another_thread(folder):
    stream = minichat.chat(folder, HELLO, options={"num_predict": 100000})
    reader = threading.Thread(target=lambda: [None for _ in stream])
    reader.start()
    time.sleep(0.05)
    stream.close()
    reader.join(10)
    assert not reader.is_alive()


def test_achat_streams_and_joins(folder):
    async def streamed():
        return [chunk async for chunk in await minichat.achat(folder, HELLO, options=FIXED)]

    async def whole():
        return await minichat.achat(folder, HELLO, options=FIXED, stream=False)

    chunks = asyncio.run(streamed())
    assert chunks[-1].done and text(chunks) == asyncio.run(whole()).message.content


def test_a_cancelled_task_ends_its_answer(folder):
    async def main():
        stream = await minichat.achat(folder, HELLO, options={"num_predict": 100000})

        async def read():
            async for _ in stream:
                pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not any(r.users for r in api_module._residency._residents.values())


def test_a_continued_text_keeps_its_blank(models):
    def told(role):
        return minichat.chat(models / "stories260K", [{"role": role, "content": "Once"}],
                             template="{{ bos_token }}{{ messages[-1].content }}", stream=False,
                             options={"num_predict": 4, "temperature": 0}).message.content

    assert told("assistant") == " " + told("user") == " upon a time,"


def test_a_second_thread_that_reads_is_told_so_and_ends_nothing(folder):
    def chunks():
        yield "first"
        inside.set()
        assert go_on.wait(10)
        yield "last"

    inside, go_on, read = threading.Event(), threading.Event(), []
    stream = minichat.ChatStream(chunks())
    reader = threading.Thread(target=lambda: read.extend(stream))
    reader.start()
    assert inside.wait(10)
    with pytest.raises(MinichatError, match="another thread reads it"):
        next(stream)
    go_on.set()
    reader.join()
    assert read == ["first", "last"]
