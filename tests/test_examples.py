"""Every example in a docstring, and in README.md, runs as it stands."""
import ast
import asyncio
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import minichat
from minichat import compat

README = Path(__file__).parent.parent / "README.md"


def examples(text):
    """Yields the indented paragraphs that are code; a call tells them from lists."""
    for block in re.findall(r"(?:\n\n|^)((?: {4}.*\n|\n(?= {4}))+)", inspect.cleandoc(text) + "\n"):
        if re.search(r"\w\(", block):
            yield textwrap.dedent(block)


def documented():
    """Yields the modules that people read, and what those export."""
    for module in (minichat, compat):
        yield module.__name__, module
        for name in module.__all__:
            made = getattr(module, name)
            yield f"{module.__name__}.{name}", made
            for method in vars(made) if isinstance(made, type) else ():
                yield f"{module.__name__}.{name}.{method}", getattr(made, method)


FOUND = {f"{name} {i}": code for name, made in documented() if isinstance(made.__doc__, str)
         for i, code in enumerate(examples(made.__doc__))}
FOUND |= {f"README {i}": code for i, code in enumerate(
    re.findall(r"```python\n(.*?)```", README.read_text(), re.S))}


def test_there_are_some():
    names = {name.split()[0] for name in FOUND}
    assert {"minichat", "minichat.chat", "minichat.achat", "minichat.load", "minichat.unload",
            "minichat.ps", "minichat.Model.chat", "minichat.Lark", "minichat.compat",
            "README"} <= names


@pytest.mark.parametrize("code", FOUND.values(), ids=FOUND)
def test_it_runs(code, capsys):
    compiled = compile(code, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    minichat.chat("nano")           # there is something to tell of
    made = eval(compiled, {"minichat": minichat})
    if inspect.iscoroutine(made):
        asyncio.run(made)
    assert "print(" not in code or capsys.readouterr().out.strip()
