"""The model in the box, as a user meets it."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open

import minichat
from minichat import cli, hub

FOLDER = hub.resolve("nano")
GREEDY = {"temperature": 0}
# The specification's example, message by message.
DIALOGUE = [{"role": "user", "content": "why is the sky blue?"},
            {"role": "assistant", "content": "due to rayleigh scattering."},
            {"role": "user", "content": "how is that different than mie scattering?"}]


@pytest.fixture(scope="module")
def nano():
    with minichat.load("nano") as model:
        yield model


def answer(model, messages, **options):
    said = model.chat(messages, stream=False, options=GREEDY | options)
    assert said.done_reason == "stop"
    return said.message.content


def test_the_folder():
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["max_position_embeddings"] >= 1024
    assert config["num_key_value_heads"] < config["num_attention_heads"]
    with safe_open(FOLDER / "model.safetensors", "np") as tensors:
        shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]
        kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}
    assert kinds == {"BF16"}
    assert sum(map(np.prod, shapes)) <= 6_000_000
    assert all(shape[-1] % 256 == 0 for shape in shapes if len(shape) == 2)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 13 << 20


def test_a_folder_of_that_name_does_not_shadow_it(tmp_path, monkeypatch):
    (tmp_path / "nano").mkdir()
    monkeypatch.chdir(tmp_path)
    assert hub.resolve("nano") == FOLDER
    assert hub.resolve("./nano").resolve() == tmp_path / "nano"


@pytest.mark.parametrize("quantization", ["q4", "q8", "bf16", "f32"])
def test_why_the_sky_is_blue(quantization):
    with minichat.load("nano", quantization=quantization) as model:
        assert "scatter" in answer(model, DIALOGUE[:1])


def test_the_specifications_dialogue(nano):
    said = answer(nano, DIALOGUE)
    assert "Mie" in said and "particles" in said


@pytest.mark.parametrize("seed", range(8))
def test_default_options(seed):
    last = minichat.chat("nano", DIALOGUE[:1], stream=False, options={"seed": seed})
    assert last.done_reason == "stop"
    assert "scatter" in last.message.content


def test_it_remembers(nano):
    said = answer(nano, [{"role": "user", "content": "Hello! My name is Bartholomea."},
                         {"role": "assistant", "content": "Nice to meet you!"},
                         {"role": "user", "content": "Why do cats purr?"},
                         {"role": "assistant", "content": "Cats purr when they feel well."},
                         {"role": "user", "content": "What is my name?"}])
    assert "Bartholomea" in said


def test_a_system_prompt(nano):
    said = answer(nano, [{"role": "system", "content": "You are a pirate."}, DIALOGUE[0]])
    assert said.startswith("Arr")


def test_thinking(nano):
    said = nano.chat(DIALOGUE[:1], think=True, stream=False, options=GREEDY).message
    assert "The user asks" in said.thinking
    assert "scatter" in said.content and "think" not in said.content


def test_it_says_what_it_does_not_know(nano):
    assert "know" in answer(nano, [{"role": "user", "content": "Who is the president of Peru?"}])


@pytest.mark.parametrize("messages, tools", [
    ([{"role": "system", "content": "Be kind."}, *DIALOGUE], []),
    ([{"role": "user", "content": "The time in Rome?"},
      {"role": "assistant", "content": "", "tool_calls": [
          {"function": {"name": "time", "arguments": {"city": "Rome"}}}]},
      {"role": "tool", "tool_name": "time", "content": "{\"time\": \"7:30\"}"}],
     [{"type": "function", "function": {"name": "time", "parameters": {
         "type": "object", "properties": {"city": {"type": "string"}}}}}])])
@pytest.mark.parametrize("think", [False, True])
def test_the_template_leaves_nothing_out(nano, messages, tools, think):
    text = nano.template.render(messages, tools=tools, enable_thinking=think)
    for message in messages:
        assert message["content"] in text
        for call in message.get("tool_calls", ()):
            assert json.dumps(call["function"]["arguments"]) in text
    for tool in tools:
        assert json.dumps(tool) in text
    assert text.endswith("<|im_start|>assistant\n" + "<think>\n" * think)


def test_the_command_line_needs_no_model(capsys):
    assert cli.main(["why is the sky blue?", "-o", "temperature=0"]) == 0
    assert "scatter" in capsys.readouterr().out


def test_offline_and_from_anywhere(tmp_path):
    """A fresh home, an empty cache, no network to ask."""
    code = ("import socket; socket.socket.connect = socket.getaddrinfo = None\n"
            "import minichat\n"
            "print(minichat.chat('nano', [{'role': 'user', 'content': 'why is the sky blue?'}], "
            "stream=False, options={'temperature': 0}).message.content)")
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("MINICHAT_CACHE", None)
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment,
                         capture_output=True, text=True, check=True)
    assert "scatter" in run.stdout
