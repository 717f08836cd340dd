"""Dialogues with tools: calls, results put into words, and requests that no tool fits.

The tools are those of world/tools.toml and, in nearly half of the dialogues, tools that are
made on the fly of a verb, a noun and parameters.
"""
from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from .. import words
from .dialogue import Dialogue, assistant, call, user
from .questions import pair
from .slots import PHRASES, SLOT, TYPES, WORLD, code, fill, shown, spoken, value

TALK: dict[str, Any] = WORLD["talk"]
MADE: dict[str, Any] = WORLD["made"]
NOUNS = " ".join(MADE["nouns"].split()).split(", ")
VERBS = [[verb.split() for verb in line.split(", ")] for line in MADE["verbs"]]


@dataclass
class Parameter:
    """slot is its name in the phrasings, name the one in the tool."""
    slot: str
    name: str
    kind: str
    about: str
    required: bool

    def schema(self, described: bool) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": TYPES.get(self.kind, "string")}
        if "|" in self.kind:
            schema["enum"] = self.kind.split("|")
        if described:
            schema["description"] = self.about
        return schema


@dataclass
class Task:
    """A tool and one use of it; wish is said after "The user wants to", near is not for it."""
    tool: dict[str, Any]
    wish: str
    request: str
    arguments: dict[str, Any]
    result: str
    answer: str
    near: str

    @property
    def name(self) -> str:
        return str(self.tool["function"]["name"])


def offer(name: str, about: str, parameters: list[Parameter], random: Random,
          plain: float = .1) -> dict[str, Any]:
    """The tool as a request has it; plain is how often it has no description."""
    described = random.random() < .65
    head = {} if random.random() < plain else {"description": about + random.choice(["", "."])}
    return {"type": "function", "function": {"name": name, **head, "parameters": {
        "type": "object",
        "properties": {one.name: one.schema(described) for one in parameters},
        "required": [one.name for one in parameters if one.required]}}}


def quoted(values: dict[str, Any], kinds: dict[str, str], random: Random) -> dict[str, Any]:
    """The values for the request: now and then a longer one stands in quotes."""
    quotes = random.choice(['"{}"', "'{}'"]) if random.random() < .2 else "{}"
    return {slot: quotes.format(one) if kinds[slot] in PHRASES and kinds[slot] != "day" else one
            for slot, one in values.items()}


def lowered(values: dict[str, Any], random: Random) -> dict[str, Any]:
    """The values as the user writes them, now and then in small letters."""
    small = random.random() < .1
    return {slot: one.lower() if small and isinstance(one, str) else one
            for slot, one in values.items()}


def styled(text: str, values: dict[str, Any], random: Random) -> str:
    """A request as different people write it; a value that stands first is not changed."""
    fixed = text.startswith(tuple(shown(one) for one in values.values()))
    head, tail, style = text[0], text[1:], random.random()
    small = text if fixed else head.lower() + tail
    text = text if fixed or random.random() < .25 else head.upper() + tail
    if style < .08:
        text = random.choice(TALK["before"]) + small
    elif style < .14 and text[-1] in ".?!":
        text += random.choice(TALK["after"])
    elif style < .3:
        text = small.rstrip(".?!")
    elif style < .4:
        text = text.rstrip(".?!")
    return text


class Renamed:
    """New words in place of some that a tool's name and a request for it share, wherever they
    stand: or the tools would soon be known by heart, and their list not be read."""

    def __init__(self, name: str, request: str, random: Random) -> None:
        parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+", name) if len(part) > 3}
        shared = sorted(parts & set(re.findall(r"[a-z]+", SLOT.sub(" ", request).lower())))
        taken = random.sample(shared, min(len(shared), random.choice([1, 1, 2])))
        self.words = {old: one_word(random) for old in taken}

    def of(self, text: str) -> str:
        """A name or a template with its new words; its slots stay."""
        def word(found: re.Match[str]) -> str:
            old = found[0]
            if old[0] == "{":
                return old
            base = next((one for one in (old.lower(), old.lower().removesuffix("s"))
                         if one in self.words), None)
            if not base:
                return old
            new = self.words[base] + old[len(base):]
            return new.capitalize() if old[0].isupper() else new
        return re.sub(r"\{[^}]*\}|[A-Z]?[a-z]+", word, text)


def one_word(random: Random) -> str:
    """A noun, a verb, or a word that nobody knows."""
    kind = random.random()
    if kind < .4:
        return random.choice([noun for noun in NOUNS if " " not in noun])
    if kind < .6:
        return random.choice(random.choice(VERBS))[0]
    return words.invented(random, 2)


class Known:
    """A tool of tools.toml, with what is drawn from."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.names, self.about, self.ask = table["names"], table["about"], table["ask"]
        self.result, self.say, self.near = table["result"], table["say"], table["near"]
        self.parameters = [line.split(" ", 2) for line in table.get("params", ())]

    def task(self, random: Random) -> Task:
        parameters = [Parameter((names := text.rstrip("?").split("/"))[0], random.choice(names),
                                kind, about, text[-1] != "?")
                      for text, kind, about in self.parameters]
        name, template = random.choice(self.names), random.choice(self.ask)
        renamed = Renamed(name, template, random) if random.random() < .6 else None
        new = renamed.of if renamed else str
        name, template = new(name), new(template)
        slots = {slot for slot, _ in SLOT.findall(template)}
        values = {one.slot: value(one.kind, random) for one in parameters if one.slot in slots}
        given = lowered(values, random)
        arguments = {one.name: given[one.slot] for one in parameters if one.slot in slots}
        asked = quoted(given, {one.slot: one.kind for one in parameters}, random)
        request = styled(spoken(template, asked, random), asked, random)
        result = fill(self.result, values, random)
        fitting = [say for say in self.say
                   if all(slot in values for slot, _ in SLOT.findall(say))]
        answer = spoken(new(random.choice(fitting)), values, random)
        if random.random() < .05:
            problem = random.choice(MADE["problems"])
            result = json.dumps({"error": problem})
            answer = fill(random.choice(TALK["failed"]), {"problem": problem}, random)
        tool = offer(name, new(random.choice(self.about)), parameters, random)
        wish = new(self.about[0][0].lower() + self.about[0][1:])
        near = styled(spoken(new(random.choice(self.near)), {}, random), {}, random)
        return Task(tool, wish, request, arguments, result, answer[0].upper() + answer[1:], near)


KNOWN = [Known(table) for table in WORLD["tool"]]


def named(verb: str, noun: str, random: Random) -> str:
    """A name of a tool in one of the usual styles."""
    parts = [verb, *noun.split()]
    capitals = "".join(part.capitalize() for part in parts)
    return random.choices(
        ["_".join(parts), verb + capitals[len(verb):], "_".join([*parts[1:], verb]),
         "-".join(parts), capitals,
         "_".join([verb, random.choice(["a", "the", "my", "new"]), *parts[1:]])],
        [55, 15, 12, 6, 5, 7])[0]


def made_parameters(random: Random) -> list[tuple[Parameter, list[str], list[str]]]:
    """One to three parameters, each with its phrasings and with clauses about it."""
    drawn: list[tuple[Parameter, list[str], list[str]]] = []
    for table in random.sample(MADE["parameters"], random.choice([1, 1, 1, 2, 2, 2, 3])):
        name, kind = random.choice(table["name"]), random.choice(table["kind"])
        about, say, fact = table["about"], table["say"], table["fact"]
        new = random.random() < .08
        if new:
            about = f"The {(name := words.invented(random, 2))}"
            if random.random() < .3:
                kind = "|".join(words.invented(random) for _ in range(3))
        if any(name == one.name for one, _, _ in drawn):
            continue
        if new or name not in ("from", "to") and random.random() < .35:
            say, fact = ([text.replace("{label}", name.replace("_", " ")) for text in MADE[key]]
                         for key in ("say", "fact"))
        one = Parameter(name, name, kind, about, not drawn or random.random() < .75)
        drawn.append((one, say, fact))
    return drawn


def made(group: list[list[str]], noun: str, random: Random) -> Task:
    """A tool made of a verb and a noun, with a request for it."""
    drawn, (verb, done) = made_parameters(random), random.choice(group)
    told = [one for one in drawn if one[0].required or random.random() < .5]
    kinds = {one.slot: one.kind for one, _, _ in told}
    given = lowered({slot: value(kind, random) for slot, kind in kinds.items()}, random)
    other, other_done = random.choice(random.choice([one for one in VERBS if one is not group]))
    texts = {"verb": verb, "noun": noun, "done": done, "thing": random.choice(NOUNS),
             "do": f"{verb} {random.choice('a a the the my our this'.split())} {noun}",
             "other": other, "other_done": other_done}
    asked = quoted(given, kinds, random)
    texts["list"] = random.choice([", ", "; ", ". "]).join(
        f"{one.name.replace('_', ' ').capitalize()}: {shown(asked[one.slot])}"
        for one, _, _ in told)
    frames = random.choices(["frames", "led", "stated"], [60, 20, 20])[0]
    if frames != "frames":
        one, say, fact = told.pop(random.randrange(len(told)))
        texts["lead"] = random.choice(
            [text for text in say if text[:4] != "and "] if frames == "led" else fact
        ).replace("{v}", shown(asked[one.slot]))
    phrases = [random.choice(say).replace("{v}", shown(asked[one.slot])) for one, say, _ in told]
    if random.random() < .3:
        random.shuffle(phrases)
    joined = random.choice([" ", " ", ", ", " and "]).join(phrases)
    texts["with"] = f" {joined}".rstrip().replace("and and", "and")
    request = styled(spoken(random.choice(MADE[frames]), texts, random), asked, random)
    about, near = (spoken(random.choice(MADE[key]), texts, random) for key in ("about", "near"))
    name, plain = named(verb, noun, random), .08
    if random.random() < .04:
        name, plain = random.choice(["tool_", words.invented(random)]) + code(random).lower(), 0
    tool = offer(name, about[0].upper() + about[1:], [one for one, _, _ in drawn], random, plain)
    result, answer = made_result(texts, random)
    return Task(tool, spoken("{verb} a {noun}", texts, random), request, given, result, answer,
                styled(near, {}, random))


def made_result(texts: dict[str, str], random: Random) -> tuple[str, str]:
    """A result of a made tool, and the answer that says it in words."""
    if random.random() < .12:
        problem = random.choice(MADE["problems"])
        result = json.dumps({"status": "error", "message": problem})
        return result, fill(random.choice(MADE["failed"]), {**texts, "problem": problem}, random)
    fields: dict[str, Any] = {}
    sentences = [fill(random.choice(MADE["opening"]), dict(texts), random)]
    for table in random.sample(MADE["results"], random.choice([1, 1, 2, 2, 3])):
        key, one = random.choice(table["name"]), value(table["kind"], random)
        fields[key] = one
        sentences.append(random.choice(table["say"]).replace("{v}", shown(one)))
    style = random.random()
    if style < .75:
        head = {"status": random.choice(["ok", "done", "success"])} if style < .4 else {}
        return json.dumps({**head, **fields}), " ".join(sentences)
    facts = ", ".join(f"{key.replace('_', ' ')} {one}" for key, one in fields.items())
    return f"{random.choice(['ok', 'done', 'success'])}: {facts}", " ".join(sentences)


def made_tasks(count: int, random: Random) -> list[Task]:
    """Made tools; beside the first, others that share its verb or its noun, never both."""
    def noun() -> str:
        return words.invented(random, 2) if random.random() < .15 else random.choice(NOUNS)
    pairs = [(random.choice(VERBS), noun())]
    while len(pairs) < count:
        style, (verbs, first) = random.random(), pairs[0]
        one = (verbs if style < .35 else random.choice(VERBS),
               first if .35 <= style < .7 else noun())
        pairs += [one] if one not in pairs else []
    return [made(*one, random) for one in pairs]


def tasks(count: int, random: Random) -> list[Task]:
    """So many tasks with different tools: known ones, made ones or both."""
    known = [one.task(random) for one in random.sample(KNOWN, count)]
    invented = made_tasks(count, random)
    main, side = (invented, known) if random.random() < .45 else (known, invented)
    cut = count if random.random() < .7 else random.randint(1, count)
    chosen: list[Task] = []
    for task in main[:cut] + side[cut:]:
        if task.name not in {one.name for one in chosen}:
            chosen.append(task)
    return chosen


def thought(think: bool, text: str) -> dict[str, Any]:
    return {"thinking": text} if think else {}


def turn(task: Task, offered: bool, last: bool, think: bool,
         random: Random) -> list[dict[str, Any]]:
    """The request and what follows; the last may end with the call."""
    wants = f"The user wants to {task.wish}."
    if not offered:
        return [user(task.request),
                assistant(random.choice(TALK["no_tool"]),
                          **thought(think, f"{wants} No tool fits this. I say so."))]
    messages = [user(task.request),
                assistant("", tool_calls=[call(task.name, task.arguments)],
                          **thought(think, f"{wants} The tool {task.name} fits."))]
    if last and random.random() < .5:
        return messages
    return messages + [{"role": "tool", "tool_name": task.name, "content": task.result},
                       assistant(task.answer, **thought(
                           think, f"The tool {task.name} gave a result. I say it in words."))]


def dialogue(random: Random) -> Dialogue:
    """One to five tools and one to four requests: the tools are the longest text, to be read for
    more than one."""
    think = random.random() < .08
    count = random.choice([1, 2, 2, 3, 3, 4, 4, 5])
    turns = random.choice([1, 1, 1, 2, 2, 3, 4])
    drawn = tasks(count + turns, random)
    offered = drawn[:max(turns, count)]
    hidden = drawn[len(offered):]
    messages: list[dict[str, Any]] = []
    if random.random() < .1:
        greeting, reply = random.choice(TALK["greetings"])
        messages += [user(greeting), assistant(reply, **thought(
            think, "The user only talks. No tool fits this. I answer."))]
    for i, task in enumerate(offered[:turns]):
        if random.random() >= .2:
            messages += turn(task, True, i == turns - 1, think, random)
        elif random.random() < .6:
            near = replace(task, request=task.near, wish="do another thing")
            other = hidden.pop() if hidden and random.random() < .6 else near
            messages += turn(other, False, True, think, random)
        else:
            asked, answer = pair(random)
            messages += [user(asked), assistant(answer, **thought(
                think, "No tool fits this. I answer without a tool."))]
    tools = [one.tool for one in offered]
    random.shuffle(tools)
    return Dialogue(messages, tools, think)
