"""minichat/options.py: one table, three layers."""
import dataclasses
import enum
import fractions
import math
import warnings

import numpy as np
import pytest

from minichat.errors import MinichatWarning, ModelError, RequestError
from minichat.options import Options

DEFAULTS = {
    "num_ctx": None, "num_predict": -1, "num_keep": 4, "num_batch": None, "num_thread": 0,
    "seed": -1, "temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "typical_p": 1.0,
    "repeat_last_n": 64, "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
    "stop": (), "num_gpu": -1, "main_gpu": 0, "use_mmap": None, "draft_num_predict": 0,
}
# (name, the least allowed, the most allowed)
RANGES = [
    ("num_ctx", 1, 2**31 - 1), ("num_predict", -2, 2**31 - 1), ("num_keep", -1, 2**31 - 1),
    ("num_batch", 1, 2**31 - 1), ("num_thread", 0, 4096), ("seed", -1, 2**63 - 1),
    ("top_k", 0, 2**31 - 1), ("repeat_last_n", -1, 2**31 - 1), ("main_gpu", 0, 2**31 - 1),
    ("draft_num_predict", 0, 2**31 - 1), ("temperature", 0, None), ("top_p", 0, 1), ("min_p", 0, 1),
    ("typical_p", 0, 1), ("repeat_penalty", None, 1000), ("presence_penalty", -1000, 1000),
    ("frequency_penalty", -1000, 1000),
]
INTEGERS = [name for name, _, _ in RANGES[:10]]
NUMBERS = [name for name, _, _ in RANGES[10:]]


def one(name, value):
    return Options.parse({name: value})[name]


def test_the_table_has_the_endpoint_s_options_and_defaults():
    assert dataclasses.asdict(Options.layered({}, {})) == DEFAULTS


@pytest.mark.parametrize("name, low, high", RANGES)
def test_a_range_ends_where_it_says(name, low, high):
    for bound, beyond in ((low, -1), (high, 1)):
        if bound is not None:
            assert one(name, bound) == bound
            with pytest.raises(RequestError, match=rf"^options\.{name}: found .*; .* is allowed$"):
                Options.parse({name: bound + beyond})


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_truncate_toward_zero(name):
    assert one(name, 7.9) == 7 and type(one(name, 7.9)) is int
    assert type(one(name, np.int32(3))) is int
    assert one("num_predict", -1.9) == -1


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_become_floats(name):
    for value in (1, np.float32(0.5), fractions.Fraction(1, 2)):
        assert one(name, value) == float(value) and type(one(name, value)) is float


@pytest.mark.parametrize("name", INTEGERS + NUMBERS)
def test_no_number_is_too_strange_to_be_refused(name):
    for value in (math.nan, math.inf, -math.inf, 10**5000, -10**5000):
        with pytest.raises(RequestError, match=rf"^options\.{name}: found "):
            Options.parse({name: value})


def test_repeat_penalty_is_above_0():
    assert one("repeat_penalty", 1e-3) == 1e-3
    with pytest.raises(RequestError, match="found 0; above 0 and <= 1000 is allowed"):
        Options.parse({"repeat_penalty": 0})


KINDS = ([(name, "integer") for name in [*INTEGERS, "num_gpu"]]
         + [(name, "float32") for name in NUMBERS] + [("use_mmap", "boolean")])


@pytest.mark.parametrize("name, kind", KINDS)
def test_types_are_strict(name, kind):
    for value in ("1", "", [1], {}, b"1", 1j, object(), 1 if kind == "boolean" else True):
        with pytest.raises(RequestError) as raised:
            Options.parse({name: value})
        assert raised.value.error == f'option "{name}" must be of type {kind}'
        assert raised.value.status_code == 400


def test_the_message_names_place_find_and_choice():
    with pytest.raises(RequestError) as raised:
        Options.parse({"num_ctx": "x" * 1000})
    assert str(raised.value) == f"options.num_ctx: found '{'x' * 37}...'; a whole number is allowed"


def test_stop_is_a_text_or_a_list_of_texts():
    assert one("stop", ["a", "\n"]) == ("a", "\n") == one("stop", ("a", "\n"))
    assert one("stop", "END") == ("END",) and one("stop", []) == ()
    for wrong in (1, True, {"a": 1}, {"a"}, [1], ["a", None], [["a"]]):
        with pytest.raises(RequestError) as raised:
            Options.parse({"stop": wrong})
        assert raised.value.error == 'option "stop" must be an array of strings'


@pytest.mark.parametrize("texts, place", [
    ([""], "stop[0]: found an empty"), ("", "stop[0]: found an empty"),
    (["a", "\ud800"], "stop[1]: found a lone surrogate at 0")])
def test_a_stop_string_must_be_text(texts, place):
    with pytest.raises(RequestError) as raised:
        Options.parse({"stop": texts})
    assert str(raised.value).startswith("options." + place)


def test_none_is_as_good_as_absent():
    assert Options.parse(dict.fromkeys([*DEFAULTS, "mirostat"])) == {}


def test_unknown_names_warn_where_the_caller_stands():
    with pytest.warns(MinichatWarning) as caught:
        assert Options.parse({"temprature": 1, "zzz": 2, "top_k": 3}) == {"top_k": 3}
    assert [str(w.message).split(";")[0] for w in caught] == ["options.temprature: unknown",
                                                             "options.zzz: unknown"]
    assert "did you mean temperature" in str(caught[0].message)
    assert "known are num_ctx, num_predict" in str(caught[1].message)
    assert {w.filename for w in caught} == {__file__}


def test_unknown_names_are_errors_when_strict():
    with pytest.raises(RequestError, match="Temperature: unknown; did you mean temperature"):
        Options.parse({"Temperature": 1}, strict=True)


def test_what_means_nothing_here_is_accepted_in_silence():
    given = {"num_gpu": 0, "main_gpu": 1, "use_mmap": True, "draft_num_predict": 4}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Options.parse(given, strict=True) == given
        assert Options.parse({"num_gpu": -1}) == {"num_gpu": -1}


def test_layers_on_a_gpu_are_not_silently_dropped():
    with pytest.warns(MinichatWarning, match=r"options\.num_gpu: found 33; .* CPU"):
        Options.parse({"num_gpu": 33})


@pytest.mark.parametrize("given", [[], "temperature=1", 5, [("top_k", 1)]])
def test_options_are_a_mapping(given):
    with pytest.raises(RequestError, match="^options: found .*; a mapping is allowed"):
        Options.parse(given)


@pytest.mark.parametrize("name", [1, None, b"top_k", ("top_k",)])
def test_names_are_strings(name):
    with pytest.raises(RequestError, match="^options: found a name of type"):
        Options.parse({name: 1})


def test_hostile_names_are_told_in_short():
    with pytest.warns(MinichatWarning) as caught:
        Options.parse({"\ud800\n": 1, "x" * 10**6: 1})
    for warned in caught:
        assert len(str(warned.message)) < 500 and str(warned.message).isprintable()


def test_the_model_s_values_stand_between_defaults_and_the_request():
    config = {"temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.01, "typical_p": 0.9,
              "repetition_penalty": 1.1, "stop_strings": ["###"], "do_sample": True,
              "max_new_tokens": 7, "eos_token_id": [1, 2]}
    options = Options.layered(config, {"top_k": 5, "stop": ("a",)})
    assert dataclasses.asdict(options) == DEFAULTS | {
        "temperature": 0.6, "top_k": 5, "top_p": 0.95, "min_p": 0.01, "typical_p": 0.9,
        "repeat_penalty": 1.1, "stop": ("###", "a")}


def test_a_model_that_does_not_sample_is_greedy_until_the_request_says_more():
    config = {"do_sample": False, "temperature": 0.6}
    assert Options.layered(config, {}).temperature == 0
    assert Options.layered(config, {"temperature": 0.3}).temperature == 0.3
    assert Options.layered({"do_sample": None, "temperature": None}, {}).temperature == 0.8


@pytest.mark.parametrize("name, value", [("temperature", "hot"), ("top_p", 1.5), ("top_k", -1),
                                         ("repetition_penalty", 0), ("min_p", math.nan)])
def test_a_wrong_value_of_the_model_is_the_model_s_error(name, value):
    with pytest.raises(ModelError, match=rf"^generation_config\.json: {name}: found "):
        Options.layered({name: value}, {})


def test_nothing_of_the_caller_s_is_changed_or_kept():
    stop = ["a"]
    given = {"stop": stop, "top_k": 3}
    parsed = Options.parse(given)
    stop.append("b")
    assert given == {"stop": ["a", "b"], "top_k": 3} and parsed["stop"] == ("a",)


def test_enumerations_stand_for_their_values():
    class Stop(str, enum.Enum):
        END = "</s>"

    assert one("stop", [Stop.END]) == ("</s>",) and type(one("stop", [Stop.END])[0]) is str
