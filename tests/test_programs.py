"""Programs as people write them for the official Python client say the same with the client, which
asks a server, and with compat.py in its place."""
import importlib
import io
import sys
import textwrap
from contextlib import redirect_stdout

import pytest

from minichat import compat

from .served import served

pytest.importorskip("starlette", reason="no starlette: NO PROGRAM IS COMPARED")
pytest.importorskip("uvicorn", reason="no uvicorn: NO PROGRAM IS COMPARED")
pytest.importorskip("ollama", reason="no ollama client: NO PROGRAM IS COMPARED")
pytest.importorskip("pydantic")

from minichat import asgi  # noqa: E402

SKY = "[{'role': 'user', 'content': 'Why is the sky blue?'}]"
WEATHER = '''
def get_weather(city: str) -> str:
    """
    Get the weather in a city

    Args:
        city (str): The name of the city

    Returns:
        str: What it is like there
    """
    return f'sun in {city}'

# In the order in which the client sends it; that of a function is another in process.
by_hand = {'type': 'function', 'function': {
    'name': 'get_weather', 'description': 'Get the weather in a city', 'parameters': {
        'type': 'object', 'required': ['city'], 'properties': {'city': {
            'type': 'string', 'description': 'The name of the city'}}}}}
tools = {'get_weather': get_weather}
messages = [{'role': 'user', 'content': 'What is the weather in Paris?'}]
'''
PROGRAMS = {
    "chat": f"""
        from ollama import ChatResponse, chat
        response: ChatResponse = chat(model='nano', messages={SKY}, options={{'temperature': 0}})
        print(response['message']['content'])
        print(response.message.content, response.message.role, response.done_reason)
        print(response.eval_count, response['prompt_eval_count'], response.message.thinking)
        """,
    "chat-stream": f"""
        from ollama import chat
        for part in chat('nano', messages={SKY}, stream=True, options={{'seed': 3}}):
            print(part['message']['content'], end='', flush=True)
            print(part.done, part.get('done_reason'), 'eval_count' in part)
        """,
    "chat-with-history": """
        from ollama import Client
        client, messages = Client(), [{'role': 'system', 'content': 'Be brief.'}]
        for question in ('Hi!', 'Why is the sky blue?', 'Thanks!'):
            messages.append({'role': 'user', 'content': question})
            response = client.chat('nano', messages=messages, options={'temperature': 0})
            messages.append(response.message)
            print(response.message.content + '\\n')
        print(len(messages), messages[2]['role'])
        """,
    "async-chat": f"""
        import asyncio
        from ollama import AsyncClient

        async def main():
            client = AsyncClient()
            response = await client.chat('nano', messages={SKY}, options={{'temperature': 0}})
            print(response['message']['content'])
            async for part in await client.chat('nano', {SKY}, stream=True, options={{'seed': 1}}):
                print(part['message']['content'], end='')

        asyncio.run(main())
        """,
    "tools": WEATHER + """
import ollama
options = ollama.Options(temperature=0)
response = ollama.chat('nano', messages=messages, tools=[by_hand], options=options)
messages.append(response.message)
for tool in response.message.tool_calls or []:
    output = tools[tool.function.name](**tool.function.arguments)
    print(tool.function.name, tool['function']['arguments'], output)
    messages.append({'role': 'tool', 'content': str(output), 'tool_name': tool.function.name})
print(len(messages))
final = ollama.chat('nano', messages=messages, tools=[by_hand], options=options)
print('Final response:', final.message.content)
""",
    "tools, a function": WEATHER + """
import ollama
response = ollama.chat('nano', messages=messages, tools=[get_weather], options={'temperature': 0})
for tool in response.message.tool_calls:
    print(tools[tool.function.name](**tool.function.arguments), tool.function.arguments)
""",
    "async-tools": WEATHER + """
import asyncio
import ollama

async def main():
    client = ollama.AsyncClient()
    response = await client.chat('nano', messages=messages, tools=[by_hand],
                                 options={'temperature': 0})
    messages.append(response.message)
    for tool in response.message.tool_calls or []:
        print(tool.function.name, dict(tool.function.arguments))
        messages.append({'role': 'tool', 'content': 'rain', 'tool_name': tool.function.name})
    print((await client.chat('nano', messages, options={'temperature': 0})).message.content)

asyncio.run(main())
""",
    "multi-tool, streamed, thinking": WEATHER + """
from ollama import Client
client = Client()
for chunk in client.chat('nano', stream=True, messages=messages, tools=[by_hand], think=True,
                         options={'temperature': 0}):
    if chunk.message.thinking:
        print(chunk.message.thinking, end='')
    if chunk.message.content:
        print(chunk.message.content, end='')
    for tool in chunk.message.tool_calls or []:
        output = tools[tool.function.name](**tool.function.arguments)
        print('\\nCalling', tool.function.name, 'with', tool.function.arguments)
        messages += [chunk.message,
                     {'role': 'tool', 'content': output, 'tool_name': tool.function.name}]
print([message.get('role') for message in messages])
for chunk in client.chat('nano', stream=True, tools=[by_hand], messages=messages, think=True,
                         options={'temperature': 0}):
    print(chunk.message.thinking or '', chunk.message.content or '', end='')
""",
    "structured-outputs": f"""
        from typing import Literal
        from pydantic import BaseModel, Field
        from ollama import chat

        class Color(BaseModel):
            name: Literal['red', 'blue']
            bright: bool
            share: int = Field(ge=0, le=100)

        for think in (None, True):
            response = chat(model='nano', messages={SKY}, format=Color.model_json_schema(),
                            think=think, options={{'temperature': 0}})
            print(Color.model_validate_json(response.message.content))
        """,
    "thinking": f"""
        from ollama import chat
        for think in (True, False, 'low', 'high'):
            response = chat('nano', messages={SKY}, think=think, options={{'temperature': 0}})
            print('Thinking:', response.message.thinking, 'Response:', response.message.content)
        """,
    "chat-logprobs": f"""
        import ollama
        response = ollama.chat(model='nano', messages={SKY}, logprobs=True, top_logprobs=3,
                               options={{'temperature': 0, 'num_predict': 5}})
        for entry in response.get('logprobs', []):
            print(f"{{entry.get('token', '')!r}} {{entry['logprob']:.3f}}")
            for alternative in entry.get('top_logprobs', []):
                print(alternative['token'], alternative.logprob)
        """,
    "ps": """
        from ollama import ProcessResponse, chat, ps
        chat(model='nano', keep_alive='1h')
        response: ProcessResponse = ps()
        for model in response.models:
            if model.model == 'nano':
                print(model.name, model.size, model.size_vram, model.context_length, model.digest)
                print(model.details.family, model.details['format'], model.expires_at.year)
        """,
    "list": """
        from ollama import ListResponse, list
        response: ListResponse = list()
        for model in response.models:
            print(model.model, f'{(model.size.real / 1024 / 1024):.2f}', model.modified_at)
            print(model.details.format, model.details.parameter_size)
        """,
    "show": """
        from ollama import ShowResponse, show
        response: ShowResponse = show('nano')
        print(response.modified_at, response.template, response.modelfile, response.license)
        print(response.details.family, response.modelinfo, response.parameters)
        print(response.capabilities)
        """,
    "errors": f"""
        import ollama
        for request in ({{'model': 'none'}}, {{'model': 'nano', 'options': {{'num_ctx': 'x'}}}}):
            for stream in (False, True):
                try:
                    for _ in ollama.chat(messages={SKY}, stream=stream, **request):
                        print(_)
                except ollama.ResponseError as error:
                    print(error.error, error.status_code, error)
        """,
}


@pytest.fixture(scope="module")
def client():
    """The official client, imported where OLLAMA_HOST says where the server is."""
    with served(asgi.create_app()) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_HOST", url)
        for name in [name for name in sys.modules if name.partition(".")[0] == "ollama"]:
            patch.delitem(sys.modules, name)
        yield importlib.import_module("ollama")


def said(program, client, monkeypatch):
    """What a program prints where this module is called ollama."""
    monkeypatch.setitem(sys.modules, "ollama", client)
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(textwrap.dedent(program), "program", "exec"), {"__name__": "__main__"})
    return out.getvalue()


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_says_the_same(name, client, monkeypatch):
    theirs, ours = (said(PROGRAMS[name], each, monkeypatch) for each in (client, compat))
    assert ours == theirs and len(ours) > 5
    if "tools" in name:
        assert "{'city': 'Paris'}" in ours


def test_a_program_may_begin_with_a_pull(monkeypatch):
    program = """
        import asyncio
        import ollama

        async def main():
            client = ollama.AsyncClient()
            print((await client.pull('nano')).status)
            print([part.status async for part in await client.pull('nano', stream=True)])

        print(ollama.pull('nano')['status'], [part.get('status') for part in
                                              ollama.pull('nano', stream=True)])
        asyncio.run(main())
        try:
            ollama.pull('org/model')
        except ollama.ResponseError as error:
            print(error.status_code, error.error)
        """
    *done, missing = said(program, compat, monkeypatch).splitlines()
    assert done == ["success ['success']", "success", "['success']"]
    assert missing.startswith("404 ") and "hf download org/model" in missing
