"""Chat with a language model from inside a Python program, on an ordinary CPU.

    for chunk in minichat.chat("nano", [{"role": "user", "content": "Hi!"}]):
        print(chunk.message.content, end="", flush=True)

The way of a chat, one module per stage:

    request.py      what the caller sent, checked
    options.py      its options: names, ranges, defaults
    schemas.py      Python types -> JSON schemas
    records.py      what classes say of their fields
    functions.py    Python functions -> tools
    docstrings.py   what their docstrings say
    prompt.py       messages -> prompt text, by the model's own template
    templates/      what templates run in, and whose text is whose
    fit.py          which messages fit the context
    tokens.py       text <-> token ids
    spelling.py     what a token spells, in bytes
    grammars.py     format -> a grammar, or why none
    constrain.py    a grammar -> which tokens may come next
    sample.py       options -> the sampler that draws the tokens
    engine.py       token ids -> token ids, many sequences at once
    sequence.py     one of them: its ids, its pages
    lookup.py       ids so far -> what may follow
    pages.py        the cache of keys and values, shared by prefix
    text.py         pieces of text -> content and thinking, up to a stop string
    tool_calls/     content -> content and calls of tools
    chunks.py       parts -> the endpoint's stream objects
    answer.py       the tokens of an answer -> its chunks, by the three before
    chat.py         the stages, put together

how a model comes into memory:

    residency.py    which models are there, and for how long
    hub.py          a model's name -> its folder
    load.py         the folder -> a Model
    checkpoint.py   the folder's files, none of them trusted
    weights.py      safetensors -> packed weights
    cache.py        where packed weights are kept
    families/       what each kind of model is made of: data

and what they stand on:

    api.py          chat, achat, load, unload, ps: what this page exports
    cli.py          the same in a terminal
    bench.py        how fast a model is on this machine
    asgi.py         the same over HTTP
    wire.py         a request's body -> what was asked
    compat.py       the same with the official client's face
    replies.py      its types
    catalog.py      which models can be named, what is known of them unloaded
    errors.py       everything raised on purpose
    cpus.py         how many CPUs this process may use
    memory.py       how many bytes
    aside.py        threads for what is done beside
    forks.py        what a fork waits for
    _native.pyx     the only door to csrc/
    native/         its parts
"""
from .api import achat, chat, load, ps, unload
from .chat import ChatStream, Model
from .chunks import Chunk
from .errors import (
    MinichatError,
    MinichatWarning,
    ModelError,
    ModelNotFound,
    NativeError,
    OutOfMemory,
    RequestError,
    Unsupported,
)
from .request import Lark

__all__ = ["ChatStream", "Chunk", "Lark", "MinichatError", "MinichatWarning", "Model", "ModelError",
           "ModelNotFound", "NativeError", "OutOfMemory", "RequestError", "Unsupported",
           "achat", "chat", "load", "ps", "unload"]
