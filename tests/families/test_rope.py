"""families/rope.py: frequencies, the same bits on every machine, and those of transformers."""
import decimal
import hashlib
from decimal import Decimal

import numpy as np
import pytest

from minichat import families
from minichat.families.rope import powers

from .golden import ROPES

DIGEST = "b3b8ee09cdc21bd6b7f2773af1e27bac3376e6afeaddc3845462d0bdb7572929"
SIZES = {"hidden_size": 512, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 32,
         "num_attention_heads": 8, "max_position_embeddings": 131072}


def rope(config):
    return families.family("llama").architecture(SIZES | config).layers[0].mixer.rope


def frequencies(rope):
    return [list(half.inv_freq) for half in (rope, rope.long) if half]


@pytest.mark.parametrize("name", ROPES)
def test_agrees_with_transformers(name):
    """But for the last bit: its powers are not always rounded correctly."""
    expected = ROPES[name]
    found = rope(expected["config"])
    np.testing.assert_allclose(frequencies(found), expected["inv_freq"], rtol=2**-23)
    assert found.attention_factor == np.float32(expected["attention_factor"])


def test_the_bits_are_the_same_everywhere():
    """The digest was made once; a machine where it differs would change answers."""
    found = [frequencies(rope(expected["config"])) for expected in ROPES.values()]
    assert hashlib.sha256(np.float32(sum(sum(found, []), [])).tobytes()).hexdigest() == DIGEST


def test_powers_are_rounded_once():
    for theta, dim in ((15e4, 64), (1e6, 128), (1e4, 6)):
        for i, power in enumerate(powers(theta, dim)):
            exponent = Decimal(float(np.float32(2 * i) / np.float32(dim)))
            with decimal.localcontext(prec=80):
                error = abs(Decimal(float(power)) - Decimal(theta) ** exponent)
            assert error <= Decimal(float(np.spacing(power))) / 2


def test_longrope_says_where_it_changes():
    found = rope(ROPES["longrope"]["config"])
    assert found.long_after == 4096 and found.long.attention_factor == found.attention_factor


def test_a_model_knows_its_original_length_better_than_its_rope_does():
    config = ROPES["longrope"]["config"] | {"original_max_position_embeddings": 2048}
    assert rope(config).long_after == 2048


def test_no_setting_of_the_caller_changes_a_bit():
    config = ROPES["yarn_in_full"]["config"]
    want = rope(config)
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_UP), np.errstate(all="raise"):
        assert rope(config) == want
