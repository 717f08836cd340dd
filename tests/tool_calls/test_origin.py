"""Which format a checkpoint has: its own word, its family's, its template."""
import json
from datetime import datetime

import pytest

from minichat import hub
from minichat.prompt import Template
from minichat.tool_calls import origin
from minichat.tool_calls.format import Call
from minichat.tool_calls.table import FORMATS

from .texts import parsed

TELLS = "{{ tools | tojson }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
# What a template and the tokens of its tokenizer are of.
KNOWN = {
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": "action", "HuggingFaceTB-SmolLM3-3B": None,
    "LFM2-8B-A1B": "python_list", "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": "json_tags",
    "Qwen-Qwen2.5-7B-Instruct": "json_tags", "Qwen-Qwen3-0.6B": "json_tags",
    "Qwen3-Coder": "parameter_tags", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": None,
    "google-gemma-2-2b-it": None, "ibm-granite-granite-3.3-2B-Instruct": "pipe_list",
    "meta-llama-Llama-3.1-8B-Instruct": "bare", "meta-llama-Llama-3.2-3B-Instruct": "bare",
    "microsoft-Phi-3.5-mini-instruct": None, "mistralai-Mistral-Nemo-Instruct-2407": "json_list",
    "openai-gpt-oss-120b": "harmony",
    "granite3.1": "pipe_list", "minimind": "json_tags", "phi3": None, "qwen3": "json_tags",
    "smollm2-instruct": None}
SILENT = {"LFM2-8B-A1B", "ibm-granite-granite-3.3-2B-Instruct", "granite3.1"}   # of calls
SINGLE = {"meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct",
          "openai-gpt-oss-120b"}
ADDED = {"LFM2-8B-A1B": {"added_tokens_decoder": {
    "10": {"content": "<|tool_call_start|>"}, "11": {"content": "<|tool_call_end|>"}}}}
CALLS = (Call("count_plover", {"how_many": -12, "first_place": "Å \"b\" 'c' <d> {e}\n  [f] \\ 😀"}),
         Call("find_plover", {"first_place": " 5 ", "how_many": 0}))


def checkpoint(models, name):
    """A template of the folder, and what tokenizer_config.json says beside it."""
    path = models.parent / "templates" / f"{name}.jinja"
    config = ADDED.get(name, {})
    if not path.exists():
        path = models.parent / "tokenizers" / name / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
    source = config.get("chat_template") or path.read_text(encoding="utf-8")
    return config, Template(source, {"bos_token": "<s>", "eos_token": "</s>"},
                            now=lambda: datetime(2025, 3, 4))


def test_all_templates_are_known(models):
    there = {path.stem for path in (models.parent / "templates").glob("*.jinja")}
    there |= {path.parent.name
              for path in (models.parent / "tokenizers").glob("*/tokenizer_config.json")}
    assert there == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_formats_of_real_templates(models, name):
    assert origin.infer(*checkpoint(models, name)) == (KNOWN[name] and FORMATS[KNOWN[name]])


@pytest.mark.parametrize("name", sorted(set(KNOWN) - SILENT - {n for n in KNOWN if not KNOWN[n]}))
def test_what_a_template_writes_is_read_back(models, name):
    """A conversation of calls and results is rendered; the answer in it is parsed."""
    config, template = checkpoint(models, name)
    format = origin.infer(config, template)
    calls = CALLS[:1] if name in SINGLE else CALLS
    asked = origin.render(template, [origin.ASKED], add_generation_prompt=True)
    other = origin.render(template, [origin.ASKED, {"role": "assistant", "content": "No."}])
    answer = origin.said(template, calls, asked, other)
    assert parsed(format, answer, origin.TOOLS)[:len(calls)] == list(calls)

    message = {"role": "assistant", "content": "", "tool_calls": [
        {"function": {"name": call.name, "arguments": call.arguments}} for call in calls]}
    results = [{"role": "tool", "tool_name": call.name, "content": f"result {i}"}
               for i, call in enumerate(calls)]
    prompt = template.render([origin.ASKED, message, *results], tools=origin.TOOLS)
    assert all(result["content"] in prompt for result in results)
    assert all(call.name in prompt.rpartition(origin.ASKED["content"])[2] for call in calls)


def test_the_model_in_the_box():
    folder = hub.IN_THE_BOX["nano"]
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    template = Template((folder / "chat_template.jinja").read_text(encoding="utf-8"))
    assert origin.infer(config, template) == FORMATS["json_tags"]


def test_the_checkpoint_s_word_is_first_then_the_family_s():
    described = {"response_template": {"fields": {"tool_calls": {
        "open": "<do>", "close": "</do>", "content": "json"}}}}
    template = Template(TELLS + "<tool_call>")
    assert origin.infer(described, template, "gemma").before == "<do>"
    assert origin.infer({}, template, "gemma") == FORMATS["gemma"]
    assert origin.infer({}, template) == FORMATS["json_tags"]
    assert origin.infer({}, Template(TELLS)) == FORMATS["bare"]


@pytest.mark.parametrize("source", [None, "", "{{ messages[0].content }}", {"default": "plain"}])
def test_a_model_that_is_told_of_no_tools_has_none(source):
    assert origin.infer({}, Template(source), "gemma") is None


def test_of_several_templates_that_for_tools_counts():
    assert origin.infer({}, Template({"default": "plain", "tool_use": TELLS})) == FORMATS["bare"]


@pytest.mark.parametrize("source", [
    "tools {{ raise_exception('no') }}", "tools {{ 1 / 0 }}", "tools {% if %}", "{{ tools.x.y }}"])
def test_a_template_that_fails_is_read_for_marks(source):
    assert origin.infer({}, Template(source)) == FORMATS["bare"]
    assert origin.infer({}, Template(source + "<|tool_call|>")) == FORMATS["pipe_list"]


@pytest.mark.parametrize("config", [
    {"added_tokens_decoder": []}, {"added_tokens_decoder": {"5": "<code>", "6": {}}},
    {"response_template": "x"}])
def test_odd_configurations_do_no_harm(config):
    assert origin.infer(config, Template(TELLS)) == FORMATS["bare"]
