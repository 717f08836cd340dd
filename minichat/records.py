"""What classes say of their fields: dataclasses, TypedDicts and NamedTuples, read alike."""
from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, Required, TypeVar, get_args, get_origin

from .docstrings import Docstring, docstring
from .errors import RequestError

__all__ = ["ALLOWED", "NOTHING", "Field", "about", "asked", "fields", "is_record", "resolved",
           "substituted"]

ALLOWED = ("str, int, float, bool, None, list, tuple, dict, Literal, Enum, dataclasses, "
           "TypedDicts, NamedTuples and pydantic models are allowed")
NOTHING: Any = object()                 # the default of what has none
T = TypeVar("T")


@dataclass(frozen=True)
class Field:
    """A field of a record, or a parameter of a function."""
    name: str
    hint: Any                           # its type
    required: bool = True
    default: Any = NOTHING
    description: str = ""


def is_record(given: object) -> bool:
    return isinstance(given, type) and (
        dataclasses.is_dataclass(given) or typing.is_typeddict(given)
        or issubclass(given, tuple) and hasattr(given, "_fields"))


def fields(record: Any, place: str, args: Sequence[Any] = ()) -> list[Field]:
    """Returns what the constructor of a record takes; args are a generic one's parameters.

    Raises RequestError, which names place, where an annotation cannot be evaluated.
    """
    bases = record.__mro__
    # A class made in a function is known to nobody but itself.
    hints = resolved(record, place, names={each.__name__: each for each in reversed(bases)})
    known = asked(place, lambda: generic_bases(record, args))
    hints = asked(place, lambda: {name: substituted(hint, *known[owner(record, name, [*known])])
                                  for name, hint in hints.items()})
    told = about(record).parameters
    if dataclasses.is_dataclass(record):
        missing = dataclasses.MISSING
        return [Field(each.name, hints[each.name],
                      each.default is missing and each.default_factory is missing,
                      NOTHING if each.default is missing else each.default,
                      each.metadata.get("description") or told.get(each.name, ""))
                for each in dataclasses.fields(record) if each.init]
    if typing.is_typeddict(record):
        return [Field(name, hint, is_required(hint, name in record.__required_keys__),
                      description=told.get(name, "")) for name, hint in hints.items()]
    defaults = record._field_defaults
    return [Field(name, hints.get(name, Any), name not in defaults, defaults.get(name, NOTHING),
                  told.get(name, "")) for name in record._fields]


def generic_bases(record: Any, args: Sequence[Any]) -> dict[Any, tuple[Any, Sequence[Any]]]:
    """Returns the parameters of a class and of its bases, and what they stand for."""
    parameters = getattr(record, "__parameters__", ())
    known = {record: (parameters, args)}
    for base in vars(record).get("__orig_bases__", record.__bases__):
        if hasattr(origin := get_origin(base) or base, "__orig_bases__"):
            known |= generic_bases(origin, [substituted(each, parameters, args)
                                            for each in get_args(base)])
    return known


def owner(record: Any, name: str, known: Sequence[Any]) -> Any:
    """Returns which of a class and its bases a field is from; record, where none says so."""
    if typing.is_typeddict(record):     # which has the annotations of its bases as its own
        known = known[::-1]
    return next((each for each in known if name in annotated(each)), record)


def annotated(kind: type) -> Collection[str]:
    """Returns the names that a class itself annotates."""
    if sys.version_info >= (3, 14):
        import annotationlib
        return annotationlib.get_annotations(kind, format=annotationlib.Format.FORWARDREF)
    names: Collection[str] = vars(kind).get("__annotations__", ())
    return names


def is_required(hint: Any, otherwise: bool) -> bool:
    """Returns what a TypedDict's annotation says; the class itself cannot read one in quotes."""
    while (origin := get_origin(hint)) is not None:
        if origin in (Required, NotRequired):
            return origin is Required
        if not hasattr(hint, "__metadata__"):       # Annotated
            break
        hint = get_args(hint)[0]
    return otherwise


def about(kind: type) -> Docstring:
    """Returns what the docstring of a class says, and of fields those of its bases too."""
    names = {name for each in kind.__mro__ for name in annotated(each)}
    names.update(getattr(kind, "_fields", ()))
    told = [docstring(written(each), names) for each in kind.__mro__]
    parameters = {name: text for each in reversed(told) for name, text in each.parameters.items()}
    return Docstring(told[0].description, parameters)


def written(kind: type) -> str:
    """Returns the docstring that somebody wrote: not the signature that stands in its place."""
    text = vars(kind).get("__doc__")
    made = not isinstance(text, str) or text.startswith(f"{kind.__name__}(")
    return "" if made or kind.__module__ == "builtins" else str(text)


def resolved(annotated: object, place: str, names: Mapping[str, Any] | None = None
             ) -> dict[str, Any]:
    """Returns the annotations of a class, or of what has some, with what is in quotes evaluated;
    names are known beside those of a class's module."""
    known = None if names is None else dict(names)
    if isinstance(annotated, type):
        return asked(place, lambda: typing.get_type_hints(
            annotated, localns=known, include_extras=True))
    return asked(place, lambda: typing.get_type_hints(annotated, known, include_extras=True))


def substituted(hint: Any, parameters: Sequence[Any], args: Sequence[Any]) -> Any:
    """Returns hint with a generic type's parameters replaced by what they stand for."""
    meant = dict(zip(parameters, args))
    if isinstance(hint, TypeVar):
        return meant.get(hint, hint)
    if meant and (open := getattr(hint, "__parameters__", ())) and not isinstance(hint, type):
        return hint[tuple(meant.get(each, each) for each in open)]
    return hint


def asked(place: str, ask: Callable[[], T]) -> T:
    """Returns what a class, or the text of an annotation, answers; RequestError if it fails."""
    try:
        return ask()
    except Exception as error:          # it is the caller's code that runs
        said = " ".join(str(error).split())[:200]
        raise RequestError(f"{place}: found {type(error).__name__}: {said}; {ALLOWED}") from error
