"""A Python function -> a tool: its name, what its docstring says, its parameters as a schema."""
from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, get_args, get_origin

from . import records, schemas
from .docstrings import Docstring, docstring
from .errors import RequestError
from .records import NOTHING, Field

__all__ = ["tool"]

# Of a parameter that no annotation describes, the default may tell.
TELLING = (bool, int, float, str, list, dict)


def tool(function: object, place: str = "tools") -> dict[str, Any]:
    """Returns the tool that a function is, for the template and for who reads the calls.

    function is a function, a method, a functools.partial (what it binds is no parameter), an
    object with __call__, or a dataclass, TypedDict, NamedTuple or pydantic model, whose fields
    are the parameters.  Parameters have the schema of their annotation, and none where there is
    no annotation; those with a default are not required; **kwargs are not told of.  place names
    the function in errors.  Raises RequestError for one that no model can call: without a name,
    or with parameters that cannot be given by name.
    """
    if not callable(function):
        raise RequestError(f"{place}: found {type(function).__name__}; a function is allowed")
    name = function_name(function)
    if name == "<lambda>":
        raise RequestError(f"{place}: found a lambda, which has no name; a function made with def "
                           "is allowed")
    place = f"{place}.{name}"
    if isinstance(function, type):
        known = records.is_record(function) or schemas.is_model(function)
        parameters = schemas.schema(function, place) if known else {}
        if "properties" not in parameters:
            raise RequestError(f"{place}: found a class without named fields; a function or a "
                               "dataclass is allowed")
        about = docstring(parameters.pop("description", ""), parameters["properties"])
        parameters.pop("title", None)
        for each, text in about.parameters.items():
            parameters["properties"][each].setdefault("description", text)
    else:
        signature = signature_of(function, place)
        about = docstring(written(function), signature.parameters)
        parameters = schemas.arguments(fields(function, signature, about, place), place)
    return {"type": "function", "function": {
        "name": name, "description": about.description, "parameters": parameters}}


def function_name(function: Any) -> str:
    name = getattr(function, "__name__", None)
    if isinstance(name, str):
        return name
    if isinstance(function, functools.partial):
        return function_name(function.func)
    return type(function).__name__


def written(function: Any) -> str:
    """Returns the docstring of a function, or of an object's __call__ or class."""
    if isinstance(function, functools.partial):
        return written(function.func)
    if isinstance(getattr(function, "__name__", None), str):
        return inspect.getdoc(function) or ""
    return inspect.getdoc(type(function).__call__) or inspect.getdoc(type(function)) or ""


def signature_of(function: Any, place: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        raise RequestError(f"{place}: found a function that does not tell its parameters; a tool "
                           "in JSON is allowed in its place") from None


def fields(function: Any, signature: inspect.Signature, about: Docstring,
           place: str) -> Iterator[Field]:
    """Yields the parameters that a call may give."""
    bound = function.keywords if isinstance(function, functools.partial) else {}
    free = [each for i, each in enumerate(signature.parameters.values()) if each.name not in bound
            and not (i == 0 and each.name in ("self", "cls") and each.annotation is each.empty)]
    for each in free:
        if each.kind in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL):
            raise RequestError(f"{place}: found {'*' * (each.kind is each.VAR_POSITIONAL)}"
                               f"{each.name}, which cannot be given by name; parameters that can "
                               "are allowed")
    hints = records.resolved(SimpleNamespace(__annotations__={
        each.name: each.annotation for each in free if each.annotation is not each.empty}),
        place, namespace(function))
    for each in free:
        hint = hints.get(each.name, Any)
        if each.kind is each.VAR_KEYWORD:
            if getattr(get_origin(hint), "_name", "") == "Unpack":
                yield from records.fields(get_args(hint)[0], place)
            continue
        default = NOTHING if each.default is each.empty else each.default
        if each.name not in hints and type(default) in TELLING:
            hint = type(default)
        yield Field(each.name, hint, required=default is NOTHING, default=default,
                    description=about.parameters.get(each.name, ""))


def namespace(function: Any) -> dict[str, Any]:
    """Returns what names in a function's annotations mean."""
    if isinstance(function, functools.partial):
        return namespace(function.func)
    if not hasattr(function, "__name__"):
        function = type(function).__call__
    return getattr(inspect.unwrap(function), "__globals__", {})
