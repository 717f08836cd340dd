"""Dialogues in which the assistant turns a sentence into JSON of a schema.

The domains, their properties and clauses are in world/domains.toml; beside them there are
objects made on the fly of a noun and of names of properties.
"""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any

from .. import words
from .dialogue import Dialogue, assistant, system, user
from .facts import load

WORLD = load("objects")
LISTS = {kind: [one.strip().replace("-", " ")
                for one in (text.split(",") if "," in text else text.split())]
         for kind, text in WORLD["lists"].items()}
ARTICLES = ("The", "A", "Our", "This", "My", "Today's")
SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!uni|use|usu|eu|one|Uni|Eu|One)")
NEVER = set(WORLD["never"].split())
PHRASES = {name: text.splitlines() for name, text in WORLD["phrases"].items()}
TALK = [line.split(" | ") for line in PHRASES["talk"]]


@dataclass(frozen=True)
class Property:
    """Names that mean the same, the kind of value, and clauses (those for false apart)."""
    names: list[str]
    kind: str
    clauses: list[str]
    negative: list[str]


@dataclass(frozen=True)
class Domain:
    """Pronouns, and properties of which the first is the subject."""
    pronouns: list[str]
    properties: list[Property]


@dataclass
class Field:
    """A property as one dialogue uses it: its name, schema and perhaps its choices."""
    property: Property
    name: str
    schema: dict[str, Any]
    choices: list[str]


def parsed(text: str) -> Domain:
    """A domain of domains.toml."""
    first, *lines = text.strip().splitlines()
    properties = []
    for line in lines:
        names, kind, *clauses = line.split(" = ")
        both = [[one.strip() if one.strip() != "," else one for one in part.split(" | ")]
                for part in clauses]
        properties.append(Property(names.split(", "), kind.strip(), both[0],
                                   both[1] if len(both) > 1 else []))
    return Domain(first.split("/"), properties)


DOMAINS = [parsed(text) for text in load("domains")["domains"].values()]


def person(random: Random) -> str:
    while (one := words.name(random)) in NEVER:
        pass
    return one


def town(random: Random) -> str:
    while (one := words.city(random)) in NEVER:
        pass
    return one


def surname(random: Random) -> str:
    while (one := words.invented(random, 2).capitalize()) in NEVER:
        pass
    return one


def price(random: Random) -> float | int:
    amount = round(words.price(random, random.choice([20, 90, 400])), 2)
    return int(amount) if amount == int(amount) or random.random() < .3 else amount


def decimal(random: Random, low: int, high: int) -> float | int:
    whole = words.number(random, low, high)
    return whole if random.random() < .4 else whole + random.randint(1, 9) / 10


def title(random: Random) -> str:
    style = random.random()
    if style < .6:
        return f"The {random.choice(LISTS['adjective'])} {random.choice(LISTS['noun'])}"
    if style < .8:
        return f"{random.choice(LISTS['noun'])} of {surname(random)}"
    return f"{random.choice(LISTS['adjective'])} {surname(random)}"


def team(random: Random) -> str:
    """Names of teams, shops, hotels and boats."""
    style = random.random()
    if style < .5:
        return f"{random.choice(LISTS['adjective'])} {random.choice(LISTS['noun'])}"
    return surname(random) if style < .8 else f"{surname(random)} {random.choice(LISTS['noun'])}"


def value(kind: str, random: Random) -> Any:
    """A value of a kind: a list of objects.toml, or one that is made here."""
    kind, *more = kind.split()
    match kind:
        case "bool":
            return random.random() < .5
        case "int":
            low, high = (int(one) for one in more)
            if high > 2000 and low < 1000 and random.random() < .7:
                high = random.choice([100, 1000, high])
            return words.number(random, low, max(low + 9, high))
        case "decimal":
            return decimal(random, int(more[0]), int(more[1]))
        case "enum":
            return random.choice(more)
        case "many":
            return random.sample(LISTS[more[0]], random.choice([2, 2, 3, 3, 4]))
        case "names":
            return [*dict.fromkeys(person(random) for _ in range(random.choice([2, 3, 4])))]
        case "date":
            month, day = random.choice(LISTS["month"]), words.number(random, 1, 31)
            return random.choice([f"{month} {day}", f"{day} {month}"])
        case "time":
            if random.random() < .25:
                return f"{words.number(random, 1, 12)} {random.choice(['am', 'pm'])}"
            return f"{words.number(random, 6, 23)}:{words.number(random, 0, 59):02}"
        case "code":
            letter = random.choice("ABCDEFGHKLMNPRST")
            return f"{letter}{words.number(random, 1, random.choice([9, 99, 999]))}"
        case "email":
            return f"{surname(random).lower()}@{words.invented(random)}.com"
        case "street":
            return f"{surname(random)} {random.choice(['Street', 'Road', 'Lane', 'Square'])}"
        case "word":
            return words.invented(random)
    made = {"name": person, "city": town, "surname": surname, "price": price, "title": title,
            "team": team}
    if kind in made:
        return made[kind](random)
    if kind == "fullname":
        return f"{person(random)} {surname(random)}"
    if kind in ("job", "hobby", "food", "dish", "thing", "brand", "plant", "topic") \
            and random.random() < .12:
        return words.invented(random).capitalize() if kind == "brand" else words.invented(random)
    return random.choice(LISTS[kind])


def listed(items: list[str]) -> str:
    """Such as "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def shown(one: Any, random: Random) -> str:
    """A value as it stands in a sentence."""
    if isinstance(one, bool):
        return "yes" if one else "no"
    if isinstance(one, list):
        return listed(one)
    if isinstance(one, int) and one <= 12 and random.random() < .15:
        return SMALL[one]
    return str(one)


def made_domain(random: Random) -> Domain:
    """An object with properties that nobody would guess."""
    thing = words.invented(random) if random.random() < .3 else random.choice(LISTS["object"])
    names = random.sample(LISTS["property"], 6)
    names = [words.invented(random) if random.random() < .25 else one for one in names]
    properties = [Property(["object", "item", "thing"], "word",
                           [f"The {thing} {{}}", f"{thing.capitalize()} {{}}",
                            f"The {thing} named {{}}"], [])]
    for name in dict.fromkeys(names):
        kind = random.choice(["int 1 99", "int 1 999", "word", "word", "name", "city", "color",
                              "decimal 1 90", "code", "material", "thing", "day"])
        clauses = [text.replace("{p}", name) for text in PHRASES["made_clauses"]]
        properties.append(Property([name], kind, clauses, []))
    return Domain(["It"], properties)


def field(one: Property, random: Random) -> Field:
    """A property with one of its names and its schema."""
    name = one.names[0] if random.random() < .4 else random.choice(one.names)
    if "_" in name and random.random() < .15:
        head, *tail = name.split("_")
        name = head + "".join(part.capitalize() for part in tail)
    kind, *more = one.kind.split()
    choices: list[str] = []
    schema: dict[str, Any] = {"type": "string"}
    if kind == "bool":
        schema = {"type": "boolean"}
    elif kind in ("price", "decimal") or kind == "int" and random.random() < .06:
        schema = {"type": "number"}
    elif kind == "int":
        schema = {"type": "integer"}
    elif kind in ("many", "names"):
        schema = {"type": "array", "items": {"type": "string"}}
    elif kind == "enum" or kind in LISTS and random.random() < .2:
        choices = random.sample(more or LISTS[kind], random.choice([2, 3, 3, 4]))
        schema = {"type": "string", "enum": choices}
    return Field(one, name, schema, choices)


def clause(one: Property, drawn: Any, forms: str, random: Random) -> tuple[str, str]:
    """A clause with the value, and its form: predicate, bit, lead, whole or opening."""
    clauses = one.negative if drawn is False else one.clauses
    texts: dict[str, list[str]] = {"p": [], "b": [], "l": [], "w": [], "o": []}
    for text in clauses:
        form = "o" if "{n}" in text else "b" if text.startswith(", ") else \
            "l" if text.endswith(",") else "w" if text.endswith(".") else "p"
        texts[form].append(text)
    fits = [(text, form) for form in forms for text in texts[form]]
    text, form = random.choice(fits)
    return text.replace("{}", shown(drawn, random)), form


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
    values: dict[str, Any] = {}
    facts = {}
    for one in fields:
        drawn = random.choice(one.choices) if one.choices else value(one.property.kind, random)
        values[one.name] = facts[one.property.names[0]] = drawn
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
    values = {one.name: random.choice(one.choices) if one.choices
              else value(one.property.kind, random) for one in fields}
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
    synthetic, think = random.random() < .22, random.random() < .06
    domain = made_domain(random) if synthetic else random.choice(DOMAINS)
    plain = synthetic and random.random() < .5
    start = 1 if plain or synthetic and random.random() < .5 else 0
    offered = domain.properties[start:]
    chosen = random.sample(offered, min(random.choice([1, 2, 2, 3, 3, 4]), len(offered)))
    first = domain.properties[0]
    if not synthetic and first not in chosen and random.random() < .4:
        chosen[-1] = first
    if random.random() < .4:
        chosen.sort(key=domain.properties.index)
    fields = [field(one, random) for one in chosen]
    if len({one.name for one in fields}) < len(fields):
        return dialogue(random)
    thing = words.invented(random) if random.random() < .2 else random.choice(LISTS["object"])

    def pair() -> tuple[str, dict[str, Any]]:
        return made_facts(thing, fields, random) if plain else drawn_facts(domain, fields, random)

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
