"""chat.py from end to end with the tokenizers and templates of real models, on random weights:
what is written as they write it becomes chunks."""
import json
import re
import sys

import pytest

import minichat
from minichat.request import Request

from .random_model import TINY, write
from .template_golden import CONVERSATIONS, GOLDEN, NOW, SPECIAL_TOKENS, digest

SMALL = {**TINY, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 64,
         "tie_word_embeddings": True, "max_position_embeddings": 4096,
         "attention_multiplier": 0.25, "sliding_window": None}
LLAMA = ("<|python_tag|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>")
# A tokenizer, a template (None: the tokenizer's), a family, special tokens beside, and two calls.
ARGUMENTS = '{"city": "Köln", "days": 2}'
HERMES = "\n".join(f'<tool_call>\n{{"name": "{name}", "arguments": {{"city": "Köln", "days": 2}}}}'
                   "\n</tool_call>" for name in ("get_weather", "get_news"))
ROADS = {
    "qwen3": ("qwen3", None, "qwen3", (), HERMES),
    "qwen2.5": ("qwen3", "Qwen-Qwen2.5-7B-Instruct", "qwen2", (), HERMES),
    "minimind": ("minimind", None, "qwen3", (), HERMES),
    "qwen3-coder": ("qwen3", "Qwen3-Coder", "qwen3", (), "\n".join(
        f"<tool_call>\n<function={name}>\n<parameter=city>\nKöln\n</parameter>\n<parameter=days>\n2"
        "\n</parameter>\n</function>\n</tool_call>" for name in ("get_weather", "get_news"))),
    "granite3.1": ("granite3.1", None, "granite", (),
                   f'<|tool_call|>[{{"name": "get_weather", "arguments": {ARGUMENTS}}}, '
                   f'{{"name": "get_news", "arguments": {ARGUMENTS}}}]'),
    "granite": ("granite3.1", "ibm-granite-granite-3.3-2B-Instruct", "granite", (),
                f'<|tool_call|>[{{"name": "get_weather", "arguments": {ARGUMENTS}}}, '
                f'{{"name": "get_news", "arguments": {ARGUMENTS}}}]'),
    "mistral": ("mistral-v3", "mistralai-Mistral-Nemo-Instruct-2407", "mistral", (),
                f'[TOOL_CALLS][{{"name": "get_weather", "arguments": {ARGUMENTS}, "id": '
                f'"a1b2c3d4e"}}, {{"name": "get_news", "arguments": {ARGUMENTS}, "id": "b"}}]'),
    "llama3.1": ("qwen3", "meta-llama-Llama-3.1-8B-Instruct", "llama", LLAMA,
                 f'{{"name": "get_weather", "parameters": {ARGUMENTS}}}; '
                 f'{{"name": "get_news", "parameters": {ARGUMENTS}}}'),
    "llama3.2": ("qwen3", "meta-llama-Llama-3.2-3B-Instruct", "llama", LLAMA,
                 '[get_weather(city="Köln", days=2), get_news(city=\'Köln\', days=2)]'),
    "python_tag": ("qwen3", "meta-llama-Llama-3.1-8B-Instruct", "llama", LLAMA,
                   '<|python_tag|>get_weather.call(city="Köln", days=2); '
                   f'{{"name": "get_news", "parameters": {ARGUMENTS}}}'),
    "lfm2": ("qwen3", "LFM2-8B-A1B", "llama", ("<|tool_call_start|>", "<|tool_call_end|>"),
             '<|tool_call_start|>[get_weather(city="Köln", days=2), '
             'get_news(city="Köln", days=2)]<|tool_call_end|>'),
}
ASKED = [{"role": "user", "content": "How is it in Köln?"}]
FOUND = [{"index": i, "name": name, "arguments": {"city": "Köln", "days": 2}}
         for i, name in enumerate(("get_weather", "get_news"))]


def get_weather(city: str, days: int = 1):
    """Tells the weather."""


def get_news(city: str, days: int = 1):
    """Tells the news."""


TOOLS = [get_weather, get_news]


@pytest.fixture(scope="module", params=ROADS)
def road(request, models, tmp_path_factory):
    """A model, and what two of its calls are."""
    tokenizer, template, family, special, calls = ROADS[request.param]
    folder = models.parent / "tokenizers" / tokenizer
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    known = [*data["model"]["vocab"].values(), *(each["id"] for each in data["added_tokens"])]
    first = max(known) + 1
    data["added_tokens"] += [
        {"id": first + i, "content": token, "special": True, "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False} for i, token in enumerate(special)]
    path = write(tmp_path_factory.mktemp("roads") / request.param, {
        **SMALL, "model_type": family, "vocab_size": -(-(first + len(special)) // 64) * 64})
    config = folder / "tokenizer_config.json"
    told = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {
        **SPECIAL_TOKENS}
    if template:
        told["chat_template"] = (models.parent / "templates" / f"{template}.jinja").read_text(
            encoding="utf-8")
    if special:
        told["added_tokens_decoder"] = {each["id"]: each for each in data["added_tokens"][-5:]}
    for name, content in (("tokenizer", data), ("tokenizer_config", told),
                          ("generation_config", {})):
        (path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    with minichat.load(path) as model:
        yield model, calls


@pytest.fixture
def say(monkeypatch):
    """Makes a model say a text, which is no answer to choose from."""
    monkeypatch.setattr(sys.modules["minichat.chat"], "or_calls", lambda source, rules: source)

    def said(model, text, messages=ASKED, **more):
        thinks = model.family.thinking or model.template.thinking()
        return model.chat(messages, tools=TOOLS, format=re.compile(re.escape(text)),
                          **{"think": False if thinks else None, "options": {"temperature": 0},
                             **more})
    return said


def calls_of(message):
    return [call["function"] for call in message.get("tool_calls", ())]


@pytest.mark.parametrize("logprobs", [False, True])
def test_calls_become_chunks(road, say, logprobs):
    model, text = road
    chunks = [*say(model, text, logprobs=logprobs)]
    assert [each for chunk in chunks for each in calls_of(chunk.message)] == FOUND
    assert all(len(calls_of(chunk.message)) <= 1 for chunk in chunks)
    assert "".join(chunk.message.content for chunk in chunks).strip("]\n ") == ""
    entries = [each for chunk in chunks for each in chunk.get("logprobs", ())]
    if logprobs:
        assert b"".join(bytes(each.bytes) for each in entries).decode() == text
        # One token more may be that which ends the answer.
        assert len(entries) <= chunks[-1].eval_count <= len(entries) + 1


def test_a_call_cut_short_is_content(road, say):
    model, text = road
    n = len(model.tokenizer.encode(text)) // 4
    answer = say(model, text, options={"temperature": 0, "num_predict": n}, logprobs=True,
                 stream=False)
    assert answer.done_reason == "length" and answer.eval_count == n == len(answer.logprobs)
    assert text.startswith(answer.message.content) and not calls_of(answer.message)
    assert b"".join(bytes(each.bytes) for each in answer.logprobs).decode(errors="replace") == \
        answer.message.content


def test_a_stop_string_in_a_call_ends_it(road, say):
    model, text = road
    answer = say(model, text, options={"temperature": 0, "stop": ["Köln"]}, logprobs=True,
                 stream=False)
    before = text.partition("Köln")[0]
    assert answer.done_reason == "stop" and not calls_of(answer.message)
    assert answer.message.content == before
    spelled = b"".join(bytes(each.bytes) for each in answer.logprobs).decode(errors="replace")
    assert spelled.startswith(before) and len(spelled) < len(before) + len("Köln")


def test_prompts_are_those_of_transformers(road, monkeypatch):
    model, _ = road
    path = GOLDEN / f"{model.name}.json"
    if not path.exists():
        pytest.skip("its template and its tokenizer are of different models")
    monkeypatch.setattr(model.template, "_now", lambda: NOW)
    wanted = json.loads(path.read_text(encoding="utf-8"))
    for name, conversation in CONVERSATIONS.items():
        request = Request.parse("its name", conversation["messages"],
                                tools=conversation.get("tools"),
                                think=conversation.get("kwargs", {}).get("enable_thinking"))
        assert digest([*model.prompt(request, 4096).ids]) == wanted[name]["ids"], name


def test_calls_and_results_go_back_and_are_dropped_together(road):
    model, _ = road
    call = {"function": {"name": "get_weather", "arguments": {"city": "Bergen"}}}
    messages = [*ASKED, {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_name": "get_weather", "content": "hail " * 40},
                {"role": "assistant", "content": "Not nice."},
                {"role": "user", "content": "And in Kiel?"}]

    def prompt(messages, num_ctx=4096):
        made = model.prompt(Request.parse("its name", messages, tools=TOOLS), num_ctx)
        decoder = model.tokenizer.decoder()
        return made, "".join(map(decoder.push, made.ids))

    whole, text = prompt(messages)
    least, _ = prompt(messages[-1:])
    assert text.count("hail") == 40 and whole.dropped_messages == 0
    for num_ctx in range(len(least.ids) + 1, len(whole.ids) + 1, 7):
        made, text = prompt(messages, num_ctx)
        assert made.dropped_messages in (1, 3, 4) and len(made.ids) < num_ctx
        assert ("hail" in text) == (made.dropped_messages == 1)
