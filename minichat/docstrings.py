"""A docstring -> what it says of the whole and of each parameter."""
from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Docstring", "docstring"]

# Titles of a docstring's sections: in Google's style before a colon, in NumPy's underlined.
PARAMETERS = {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments",
              "other parameters", "attributes"}
OTHERS = {"return", "returns", "yield", "yields", "receives", "raise", "raises", "except",
          "exceptions", "warns", "example", "examples", "usage", "methods", "see also",
          "references"}
UNDERLINED_OTHERS = OTHERS | {"note", "notes", "warning", "warnings"}
IN_ONE_LINE = re.compile(r"(?:returns?|yields?|raises?):\s", re.I)
GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)")
FIELD = re.compile(r":(\w+)(?:\s+([^:]*))?:\s*(.*)")         # Sphinx's
FIELD_PARAMETERS = {"param", "parameter", "arg", "argument", "key", "keyword", "var", "ivar"}
FIELD_OTHERS = {"type", "vartype", "return", "returns", "rtype", "yield", "yields", "ytype",
                "raise", "raises", "except", "exception"}

# Line by line: the names of the parameters whose text begins there, None where it goes on.
Entry = Iterator[tuple[list[str] | None, str]]
Entries = Callable[[Sequence[str]], Entry]


@dataclass(frozen=True)
class Docstring:
    """What a docstring says to who calls the function."""
    description: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)     # what it says of each, by name


def docstring(text: str, names: Collection[str]) -> Docstring:
    """Splits a docstring, written in the style of Google, NumPy or Sphinx.

    Its description is what stands before all sections and fields.  names are those of the
    parameters, whose types are passed over.
    """
    lines = inspect.cleandoc(text).splitlines()
    first_field = next((i for i, line in enumerate(lines) if sphinx_field(line)), len(lines))
    (_, description), *others = sections(lines[:first_field])
    said: dict[str, list[str]] = {}
    for entries, body in [*others, (sphinx_entries, lines[first_field:])]:
        texts: list[list[str]] = []         # that the lines to come go on with
        for begun, line in entries(body):
            if begun is not None:
                texts = [said.setdefault(name, []) for name in begun
                         if name in names and name not in said]
            for each in texts:
                each.append(line)
    return Docstring("\n".join(description).strip(),
                     {name: " ".join(filter(None, texts)) for name, texts in said.items()})


def sections(lines: Sequence[str]) -> list[tuple[Entries, list[str]]]:
    """Returns the lines of each section and what reads them; the first is the description."""
    found: list[tuple[Entries, list[str]]] = [(no_entries, [])]
    for line, below in zip(lines, [*lines[1:], ""]):
        title, body = line.strip().lower(), found[-1][1]
        if len(below) > 2 and not below.strip("-") and title in PARAMETERS | UNDERLINED_OTHERS:
            found.append((numpy_entries if title in PARAMETERS else no_entries, []))
        elif title[-1:] == ":" and line[0] != " " and title[:-1] in PARAMETERS | OTHERS:
            found.append((google_entries if title[:-1] in PARAMETERS else no_entries, []))
        elif IN_ONE_LINE.match(line):
            found.append((no_entries, []))
        elif body or len(found) == 1 or line.strip("- "):       # no underline
            body.append(line)
    return found


def no_entries(lines: Sequence[str]) -> Entry:
    return iter(())


def google_entries(lines: Sequence[str]) -> Entry:
    """Yields for each line the names whose text it begins, or None, and what it says."""
    margin = None
    for line in filter(str.strip, lines):
        said = line.strip()
        indent = len(line) - len(line.lstrip())
        margin = indent if margin is None else margin
        if indent < margin:
            return
        entry = GOOGLE_ENTRY.fullmatch(said) if indent == margin else None
        yield ([entry[1]], entry[2]) if entry else (None, said)


def numpy_entries(lines: Sequence[str]) -> Entry:
    for line in filter(str.strip, lines):
        if line[0] == " ":
            yield None, line.strip()
        else:
            yield [name.strip(" *") for name in line.partition(":")[0].split(",")], ""


def sphinx_entries(lines: Sequence[str]) -> Entry:
    for above, line in zip(["", *lines], lines):
        if found := sphinx_field(line):
            yield found
        elif line[:1].strip() and not above.strip():
            yield [], ""            # a paragraph after the fields
        else:
            yield None, line.strip()


def sphinx_field(line: str) -> tuple[list[str], str] | None:
    """Returns the parameter that a field is of, if it is of one, and its text."""
    if not (found := FIELD.fullmatch(line)):
        return None
    kind, about, text = found.groups()
    if kind in FIELD_PARAMETERS and about:
        return [about.split()[-1].lstrip("*")], text
    return ([], "") if kind in FIELD_OTHERS else None
