"""Dialogues in which the assistant turns a sentence into JSON of a schema."""
from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from .. import words
from . import joint
from .dialogue import Dialogue, assistant, system, user
from .domains import (
    ARTICLE,
    ARTICLES,
    DOMAINS,
    LISTS,
    PHRASES,
    Domain,
    Field,
    Property,
    clause,
    field,
    listed,
    made_domain,
    shown,
    value,
)

TALK = [line.split(" | ") for line in PHRASES["talk"]]


def labelled(facts: list[tuple[Property, Any]], random: Random) -> str:
    """The facts as a list of labels and values."""
    colon = random.choice([": ", ": ", " ", " is ", " = "])
    parts = [f"{random.choice(one.names).replace('_', ' ')}{colon}{shown(drawn, random)}"
             for one, drawn in facts]
    if random.random() < .4:
        parts = [part[0].upper() + part[1:] for part in parts]
    many = any(isinstance(drawn, list) for _, drawn in facts)
    text = random.choice(["; ", ". ", "; "] if many else [", ", ", ", "; ", ". "]).join(parts)
    return text[0].upper() + text[1:] + "."


def told(domain: Domain, facts: list[tuple[Property, Any]], random: Random) -> str:
    """Sentences that tell the facts, the first of which is the subject."""
    if random.random() < .1:
        some = facts[:]
        random.shuffle(some)
        return labelled(some, random)
    (first, drawn), rest = facts[0], facts[1:]
    template = random.choice(first.clauses)
    subject = template.replace("{}", shown(drawn, random))
    whole = subject.endswith(".")
    predicates: list[str] = []
    bits, lead, opening, sentences = "", "", "", []
    for i, (one, fact) in enumerate(rest):
        first_forms = "p" if whole or random.random() < .4 else "pooo"
        forms = "ppw" + ("b" if not whole and bits.count(",") < 2 else "") + (
            "l" if predicates and not lead else "")
        text, form = clause(one, fact, forms if i else first_forms, random)
        match form:
            case "p":
                predicates.append(text)
            case "b":
                bits += text
            case "l":
                lead = text
            case "o":
                opening = text
            case _:
                sentences.append(text)
    random.shuffle(predicates)
    pronoun = random.choice(domain.pronouns)
    groups, size = [], random.choice([1, 2, 2, 3])
    while predicates:
        groups.append(predicates[:size])
        predicates, size = predicates[size:], random.choice([1, 1, 2, 3])
    lines = [subject] if whole else []
    led = random.randrange(len(groups)) if lead else -1
    name = subject + (bits if not bits or subject[-1] != "," else bits[1:]) + "," * bool(bits)
    low = name[0].lower() + name[1:] if template.split()[0] in ARTICLES else name
    if opening:
        lines = [opening.replace("{n}", low).replace(",.", ".")]
    for i, group in enumerate(groups):
        if lines:
            name = pronoun if i != led or pronoun == "I" else pronoun.lower()
        elif i == led:
            name = low
        start = f"{lead} " if i == led else ""
        lines.append(f"{start}{name} {listed(group)}.")
    at = len(lines) if random.random() < .5 else 1
    lines[at:at] = sentences
    return ARTICLE.sub(r"\1n ", " ".join(one[0].upper() + one[1:] for one in lines))


def drawn_facts(domain: Domain, fields: list[Field], random: Random) -> tuple[str, dict[str, Any]]:
    """A text that has the fields and more, and the object of the fields."""
    facts = {one.property.names[0]: one.drawn(random) for one in fields}
    values = {one.name: facts[one.property.names[0]] for one in fields}
    wanted = [one.property for one in fields if one.property is not domain.properties[0]]
    others = [one for one in domain.properties[1:] if one not in wanted]
    rest = wanted + random.sample(others, min(len(others), random.choice([0, 1, 1, 2, 2, 3])))
    rest = rest or [random.choice(others)]
    random.shuffle(rest)
    told_facts = []
    for item in [domain.properties[0], *rest]:
        key = item.names[0]
        told_facts.append((item, facts[key] if key in facts else value(item.kind, random)))
    return told(domain, told_facts, random), values


def made_facts(thing: str, fields: list[Field], random: Random) -> tuple[str, dict[str, Any]]:
    """A plain sentence: The lamp has age 3 and speed 7."""
    values = {one.name: one.drawn(random) for one in fields}
    facts = [(one.name.replace("_", " "), shown(values[one.name], random)) for one in fields]
    for _ in range(random.choice([0, 0, 1, 2])):
        extra = random.choice(LISTS["property"])
        if extra not in [name for name, _ in facts]:
            facts.append((extra, shown(value(random.choice(["word", "int 1 99"]), random), random)))
    random.shuffle(facts)
    style = random.choice(PHRASES["made_styles"])
    parts = [style.format(p=name, v=one) for name, one in facts]
    text = random.choice(PHRASES["made_texts"])
    return ARTICLE.sub(r"\1n ", text.format(o=thing, O=thing.capitalize(), l=listed(parts))), values


def thought(values: dict[str, Any]) -> str:
    """What the assistant thinks: what it needs and what it found."""
    found = " ".join(
        f"The {name.replace('_', ' ')} is "
        f"{listed(one) if isinstance(one, list) else json.dumps(one).strip(chr(34))}."
        for name, one in values.items())
    return f"I need {listed([name.replace('_', ' ') for name in values])}. {found}"


def request(fields: list[Field], text: str, random: Random) -> list[dict[str, Any]]:
    """The first messages: the schema, or the names of the keys, and the text."""
    schema: dict[str, Any] = {"type": "object",
                              "properties": {one.name: one.schema for one in fields}}
    if random.random() < .9:
        schema["required"] = [one.name for one in fields]
    slots = {"{s}": json.dumps(schema), "{t}": text,
             "{k}": listed([one.name for one in fields])}

    def fill(templates: list[str]) -> str:
        return re.sub(r"\{[stk]\}", lambda slot: slots[slot[0]], random.choice(templates))

    style = random.random()
    if style < .18:
        return [system(fill(PHRASES["system"])), user(fill(PHRASES["plain"]))]
    if style < .22:
        return [system(fill(PHRASES["system_keys"])), user(fill(PHRASES["plain"]))]
    if style < .36:
        one = fill(PHRASES["keys"])
        return [user(one.replace("keys", "key", 1) if len(fields) == 1 else one)]
    one = fill(PHRASES["ask"])
    if random.random() < .12:
        one = one.replace(slots["{s}"], f"\n{slots['{s}']}\n").strip().replace("\n ", "\n")
    return [user(one)]


def dialogue(random: Random) -> Dialogue:
    """A text and a schema; sometimes a second text, sometimes small talk before."""
    kind, think = random.random(), random.random() < .06
    name = random.choice(list(DOMAINS))
    domain = DOMAINS[name] if kind > .2 else made_domain(random)
    together, plain = kind > .6, kind < .1
    start = 1 if plain or kind <= .2 and random.random() < .5 else 0
    offered = domain.properties[start:]
    if together:
        offered = joint.told(name, random)
    chosen = random.sample(offered, min(random.choice([1, 2, 2, 3, 3, 4]), len(offered)))
    first = domain.properties[0]
    if .2 < kind < .6 and first not in chosen and random.random() < .4:
        chosen[-1] = first
    if random.random() < .4:
        chosen.sort(key=domain.properties.index)
    fields = [field(one, random) for one in chosen]
    if len({one.name for one in fields}) < len(fields):
        return dialogue(random)
    thing = words.invented(random) if random.random() < .2 else random.choice(LISTS["object"])

    def pair() -> tuple[str, dict[str, Any]]:
        if plain:
            return made_facts(thing, fields, random)
        if together and (found := joint.facts(name, fields, random)):
            return found
        return drawn_facts(domain, fields, random)

    def answer(content: str, thinking: str) -> dict[str, Any]:
        return assistant(content, **({"thinking": thinking} if think else {}))

    text, values = pair()
    messages = request(fields, text, random)
    if random.random() < .12 and messages[0]["role"] == "user":
        hello, reply = random.choice(TALK)
        messages[0:0] = [user(hello), answer(reply, "The user only talks. I answer.")]
    messages.append(answer(json.dumps(values), thought(values)))
    while random.random() < .35:
        text, values = pair()
        messages += [user(random.choice(PHRASES["again"]).replace("{t}", text)),
                     answer(json.dumps(values), thought(values))]
    return Dialogue(messages, think=think)
