"""Answers held to a grammar with the vocabulary of the model in the box, without the model."""
import json
from functools import lru_cache

import numpy as np

from minichat import hub
from minichat.constrain import Constraint, Vocabulary
from minichat.errors import RequestError
from minichat.grammars import grammar
from minichat.tokens import Tokenizer


@lru_cache
def vocabulary(end=True):
    folder = hub.resolve("nano")
    tokenizer = Tokenizer.open(folder / "tokenizer.json")
    spelled = [tokenizer.token_bytes(id) for id in range(4096 + 5)]     # a padded embedding
    return Vocabulary(spelled, [0, 1, 2], [2] if end else [], tokenizer.encode)


def allowed(constraint):
    mask = constraint.mask()
    assert mask.dtype == np.uint32 and len(mask) == -(-constraint.vocabulary.size // 32)
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[:constraint.vocabulary.size]
    return np.flatnonzero(bits).tolist()


def walk(constraint, random, most=400):
    """Says anything that is allowed; returns the text, the ids, and whether it ended itself."""
    known, ids, ended = constraint.vocabulary, [], False
    while len(ids) < most and not (ended := constraint.done):
        choices = allowed(constraint)
        if known.eos_token_id in choices and (random.random() < .3 or len(choices) == 1):
            ended = True
            break
        short = [id for id in choices if id != known.eos_token_id]
        if random.random() < .8:        # or strings would never end
            short = [id for id in short if set(known.spelled[id]) & set(b'"]}')] or short
        id = random.choice(short)
        ids += [id, *constraint.accept(id)]
    return b"".join(known.spelled[id] for id in ids), ids, ended


def fits(schema, value):
    return continued(grammar(schema), json.dumps(value, ensure_ascii=False))


def continued(source, text):
    """Whether text is a whole answer."""
    try:
        constraint = Constraint(vocabulary(), source, said=text)
    except RequestError:
        return False
    return constraint.done or vocabulary().eos_token_id in allowed(constraint)
