"""What a type checker makes of programs that call minichat."""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import minichat

PROGRAM = '''
import re
from dataclasses import dataclass
from typing import TypedDict

import minichat
from minichat import compat as ollama

@dataclass
class Pet:
    name: str

class City(TypedDict):
    name: str

messages = [{"role": "user", "content": "Hi!"}]
flag = bool(input())
reveal_type(minichat.chat("nano", messages))
reveal_type(minichat.chat("nano", messages, stream=False, options={"seed": 1}, keep_alive="5m"))
reveal_type(minichat.chat("nano", messages, stream=flag))
for chunk in minichat.chat("nano", messages, think=True, format=Pet):
    reveal_type(chunk["message"]["content"])
    reveal_type(chunk.message.thinking)
    reveal_type(chunk["eval_count"])
with minichat.load("nano") as model:
    reveal_type(model.chat(messages, format=list[int]))
    reveal_type(model.chat(messages, format=minichat.Lark("start: /a/"), stream=False))
    model.chat(messages, format=re.compile("a")), model.chat(messages, format=City)

async def talk() -> None:
    async for chunk in await minichat.achat("nano", messages):
        reveal_type(chunk)
    reveal_type(await minichat.achat("nano", messages, stream=False))

reveal_type(ollama.chat("nano", messages))
reveal_type(ollama.chat("nano", messages).message.content)
reveal_type(minichat.ps())
minichat.chat("nano", messages, temperature=1)
minichat.chat("nano", messages, options=5)
'''
STREAM, CHUNK = "minichat.chat.ChatStream", "minichat.chunks.Chunk"
REVEALED = [STREAM, CHUNK, f"{STREAM} | {CHUNK}", "str", "str | None", "int", STREAM, CHUNK, CHUNK,
            CHUNK, "minichat.replies.ChatResponse", "str | None", "list[dict[str, Any]]"]


def test_a_program_is_typed(tmp_path):
    if not importlib.util.find_spec("mypy"):
        pytest.skip("no mypy: WHAT IT MAKES OF PROGRAMS IS NOT TESTED")
    (tmp_path / "program.py").write_text(PROGRAM)
    place = Path(minichat.__file__).parents[1]
    # mypy finds what is installed, but not what is installed as a checkout to work on.
    found = {} if "site-packages" in place.parts else {"MYPYPATH": str(place)}
    ran = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--no-error-summary",
                          "--cache-dir", str(tmp_path / "cache"), "program.py"],
                         cwd=tmp_path, text=True, capture_output=True, env={**os.environ, **found})
    lines = [line.split(":", 3) for line in ran.stdout.splitlines() if line[:11] == "program.py:"]
    revealed = [text.split('"')[1] for *_, text in lines if text.startswith(" Revealed type")]
    assert [each.replace("builtins.", "") for each in revealed] == REVEALED, ran.stdout + ran.stderr
    wrong = {PROGRAM.splitlines()[int(number) - 1] for _, number, kind, _ in lines
             if kind == " error"}
    assert wrong == set(PROGRAM.splitlines()[-2:]), ran.stdout
