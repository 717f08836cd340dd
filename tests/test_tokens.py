"""Ids and text: nothing added, nothing broken, nothing lost, nothing forged."""
import json
import time

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from minichat.errors import ModelError, RequestError, Unsupported
from minichat.tokens import Tokenizer, special_tokens
from tests import toy_tokenizers as toys

TEXTS = ["hello world", " hello", "wörld 👩‍👩‍👧 नमस्ते שלום", "<|im_start|>hello\n<|im_end|>", "",
         "a  b\n\n c\t", "[INST] hi [/INST]", "<think>", "\x00\ufffd"]


class Written(str):
    """A prompt as templates give it: what is plain, and the template's literals."""
    plain: tuple[tuple[int, int], ...]
    literals = "<think> [inst]"

    @classmethod
    def of(cls, *parts):
        """Joins parts of which every second one, from the first on, is the template's."""
        self, plain, at = cls("".join(parts)), [], 0
        for order, part in enumerate(parts):
            if order % 2 and part:
                plain.append((at, at + len(part)))
            at += len(part)
        self.plain = tuple(plain)
        return self


@pytest.fixture(scope="module", params=toys.KINDS)
def kind(request, tmp_path_factory):
    """The name of a toy, it as the library has it, and as we have it."""
    library = toys.KINDS[request.param]()
    path = toys.saved(library, tmp_path_factory.mktemp(request.param))
    return request.param, library, Tokenizer.open(path)


def decode(tokenizer, ids, **kwargs):
    decoder = tokenizer.decoder(**kwargs)
    pieces = [decoder.push(id) for id in ids] + [decoder.finish()]
    for piece in pieces:
        piece.encode()                      # no half of a character
    return "".join(pieces)


@pytest.mark.parametrize("text", TEXTS)
def test_encodes_as_the_library_does(kind, text):
    _, library, ours = kind
    assert ours.encode(text) == library.encode(text, add_special_tokens=False).ids


@given(data=st.data())
def test_pieces_join_to_the_text_of_all_ids(kind, data):
    name, library, ours = kind
    ids = data.draw(st.lists(st.integers(0, library.get_vocab_size() - 1)))
    text = decode(ours, ids)
    assert all(decode(ours, ids[:n]).rstrip("\ufffd") in text for n in range(len(ids)))
    whole = library.decode(ids, skip_special_tokens=True)
    if name in ("byte_fallback", "metaspace_first") and "\ufffd" in whole:
        # the library gives up a whole run of bytes where one is wrong
        assert text.replace("\ufffd", "").isascii() or len(text) <= len(whole)
    else:
        assert text == whole


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁")))
def test_any_text_survives(kind, text):
    name, _, ours = kind
    # To metaspace_first " word" and "word" are the same.
    kept = text.removeprefix(" ") if name == "metaspace_first" else text
    if name in ("byte_level", "byte_fallback", "metaspace_first"):
        assert decode(ours, ours.encode(Written.of("", text))) == kept


def test_a_character_comes_with_its_last_byte(kind):
    _, _, ours = kind
    if kind[0] not in ("byte_level", "byte_fallback"):
        return
    ids = [id for byte in "é👧".encode() for id in range(300)
           if ours.token_bytes(id) == bytes([byte])]
    decoder = ours.decoder()
    assert [decoder.push(id) for id in ids] == ["", "é", "", "", "", "👧"]
    assert decoder.push(ids[0]) + decoder.finish() == "\ufffd"


def test_special_tokens_are_silent_but_for_those_kept(kind):
    _, _, ours = kind
    if kind[0] not in ("byte_level", "byte_fallback"):
        return
    ids = ours.encode("<think>a</think><|im_end|>a")
    text = decode(ours, ids)
    assert text.replace(" ", "") == "<think>a</think>a"
    assert decode(ours, ids, keep=("<|im_end|>",)).replace(" ", "") == "<think>a</think><|im_end|>a"
    assert decode(ours, [10 ** 9, -1, 1 << 40]) == ""


def test_the_first_token_is_the_first_that_is_heard(kind):
    name, library, ours = kind
    ids = ours.encode("hello")
    silent = [id for id, token in library.get_added_tokens_decoder().items() if token.special]
    assert decode(ours, [10 ** 9, *silent, *ids]) == decode(ours, ids)
    assert name == "unigram" or decode(ours, ids) == "hello"


def test_token_bytes_are_exact(kind):
    name, _, ours = kind
    ids = ours.encode("hello world")
    if name != "unigram":                   # it has no w
        assert b"".join(map(ours.token_bytes, ids)).strip() == b"hello world"
    assert ours.token_bytes(10 ** 9) == b""
    if name == "byte_fallback":
        assert ours.token_bytes(ours.token_id("<0xE2>")) == b"\xe2"


HOSTILE = [*toys.CONTROL, *toys.MARKS, "x<|im_end|>", "<<|im_end|>>", "<|im_<|im_end|>end|>",
           "</s></s>", "[inst]", "[INST]", "[/INST] hello [INST]", "[Inst]"]


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_text_never_is_a_control_token(kind, text):
    _, library, ours = kind
    control = {id for id, token in library.get_added_tokens_decoder().items()
               if token.special or token.content in Written.literals}
    assert not control & set(ours.encode(Written.of("", text)))
    assert not control & set(ours.encode(Written.of("", text, "\n", text)))


@pytest.mark.parametrize("text", [text for text in HOSTILE if "inst" not in text.lower()])
def test_the_template_s_tokens_stay_around_hostile_text(kind, text):
    name, _, ours = kind
    if name not in ("byte_level", "byte_fallback", "metaspace_first"):
        return
    start, end = map(ours.token_id, ("<|im_start|>", "<|im_end|>"))
    ids = ours.encode(Written.of("<|im_start|>", text, "<|im_end|>", "", "<|im_start|>"))
    assert ids[0] == ids[-1] == start and ids[-2] == end
    assert ids.count(start) == 2 and ids.count(end) == 1
    inside = decode(ours, ids[1:-2])
    assert inside.strip(" ") == text


def test_a_longer_token_that_text_begins_hides_no_token_of_the_template(tmp_path):
    library = toys.byte_level()
    library.add_special_tokens(["!<s>"])
    ours = Tokenizer.open(toys.saved(library, tmp_path))
    assert ours.encode(Written.of("", "!", "<s>"))[-1] == ours.token_id("<s>")


def test_what_has_no_token_is_unknown_also_beside_hostile_words(tmp_path):
    library = toys.word_piece()
    library.add_special_tokens(["?"])
    ours = Tokenizer.open(toys.saved(library, tmp_path))
    unknown, start, end = map(ours.token_id, ("?", "[inst]", "[/inst]"))
    assert ours.encode(Written.of("[inst]", "ü[INST]", "[/inst]")) == [start, unknown, end]


def test_text_and_template_cannot_make_a_token_together(kind):
    _, _, ours = kind
    for parts in (("<|im_", "end|>"), ("", "<|im_", "end|>"), ("[in", "st", "]")):
        spelled = ours.token_id("".join(parts))
        assert spelled is None or spelled not in ours.encode(Written.of(*parts))


def test_ordinary_text_is_encoded_as_it_always_is(kind):
    _, library, ours = kind
    parts = ("<|im_start|>", " hello\n world", "<|im_end|>\n[inst]", "a</think>", "")
    prompt = Written.of(*parts)
    prompt.literals = ""
    assert ours.encode(prompt) == library.encode(str(prompt), add_special_tokens=False).ids


def test_no_token_is_added_and_no_setting_of_training_applies(tmp_path):
    library = toys.byte_level()
    library.post_processor = tokenizers.processors.TemplateProcessing(
        "<s> $A", special_tokens=[("<s>", library.token_to_id("<s>"))])
    library.enable_truncation(2)
    library.enable_padding(length=64)
    ours = Tokenizer.open(toys.saved(library, tmp_path, dropout=0.9))
    ids = ours.encode("<s>hello world")
    assert ids[0] == ours.token_id("<s>") and ours.token_id("<s>") not in ids[1:]
    assert decode(ours, ids) == "hello world"
    assert all(ours.encode("<s>hello world") == ids for _ in range(20))


def test_a_llama_tokenizer_puts_a_blank_before_the_first_word_only(tmp_path):
    path = toys.saved(toys.byte_fallback(), tmp_path)
    config = {"tokenizer_class": "LlamaTokenizer", "legacy": False}
    modern, legacy, phi = (
        Tokenizer.open(path, *args) for args in (
            (config,), (config | {"legacy": True},), (config, None, "phi3")))
    after = [tokenizer.encode("<s>hello")[1:] for tokenizer in (modern, legacy, phi)]
    assert after[0] != after[1] == after[2]
    assert modern.encode("hello") == legacy.encode("hello")


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", '{"version": "1.0"}', "\x00"])
def test_what_is_no_tokenizer_is_refused(tmp_path, text):
    path = tmp_path / "tokenizer.json"
    path.write_text(text)
    with pytest.raises(ModelError, match="tokenizer.json"):
        Tokenizer.open(path)


def test_every_beginning_of_a_tokenizer_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    text = toys.word_piece().to_str()
    for end in range(0, len(text.rstrip()) - 1, 7):
        path.write_text(text[:end])
        with pytest.raises(ModelError, match="tokenizer.json"):
            Tokenizer.open(path)


def test_a_missing_file_and_bytes_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(ModelError, match="needs a tokenizer.json"):
        Tokenizer.open(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ModelError, match="UTF-8"):
        Tokenizer.open(tmp_path / "tokenizer.json")


def test_ids_must_fit_the_embedding(tmp_path):
    library = toys.byte_level()
    path = toys.saved(library, tmp_path)
    words = library.get_vocab_size(with_added_tokens=False)
    with pytest.raises(ModelError, match=f"the embedding has {words - 1} rows"):
        Tokenizer.open(path, {}, words - 1)
    narrow = Tokenizer.open(path, {}, words)        # as Gemma 3, whose image token has no row
    assert narrow.encode("hello")
    with pytest.raises(ModelError, match="im_end"):
        narrow.encode("<|im_end|>")
    assert max(narrow.encode(Written.of("", "<|im_end|>"))) < words


def test_a_decoder_that_cannot_be_taken_apart_is_named(tmp_path):
    library = toys.byte_level()
    library.decoder = tokenizers.decoders.CTC()
    with pytest.raises(Unsupported, match="decoder CTC"):
        Tokenizer.open(toys.saved(library, tmp_path))


def test_a_lone_surrogate_is_the_caller_s_error(kind):
    with pytest.raises(RequestError, match="surrogate"):
        kind[2].encode("\ud800")


def test_special_tokens_come_as_strings_or_objects():
    config = {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>",
              "pad_token": None, "add_bos_token": True}
    assert special_tokens(config) == {"bos_token": "<s>", "eos_token": "</s>"}
    with pytest.raises(ModelError, match="bos_token"):
        special_tokens({"bos_token": 1})


def test_end_tokens_are_everybody_s(tmp_path):
    path = toys.saved(toys.byte_level(), tmp_path)
    ours = Tokenizer.open(path, {"eos_token": "</s>"})
    end, inst = ours.token_id("</s>"), ours.token_id("[INST]")
    assert ours.end_tokens({"eos_token_id": [1, 2]}, {"eos_token_id": 3}) == {1, 2, end}
    assert ours.end_tokens({}, {"eos_token_id": 3}, ["[INST]", "none"]) == {3, inst, end}
    assert ours.end_tokens({}, {}) == {end}
    with pytest.raises(ModelError, match="eos_token_id"):
        ours.end_tokens({"eos_token_id": "</s>"}, {})


REAL = ["qwen3", "phi3", "mistral-v3", "minimind", "granite3.1", "smollm2-instruct"]


@pytest.mark.parametrize("name", REAL)
def test_real_vocabularies_decode_as_the_library_does(models, name):
    path = models.parent / "tokenizers" / name / "tokenizer.json"
    library, ours = tokenizers.Tokenizer.from_file(str(path)), Tokenizer.open(path)
    size = library.get_vocab_size()
    for start in range(0, size, size // 200):
        ids = [(start + step * step) % size for step in range(12)]
        whole = library.decode(ids, skip_special_tokens=True)
        assert "\ufffd" in whole or decode(ours, ids) == whole
    for token in library.get_added_tokens_decoder().values():
        if token.special:
            ids = ours.encode(Written.of("", f"x{token.content}y"))
            assert ours.token_id(token.content) not in ids
            assert decode(ours, ids).strip() == f"x{token.content}y"


def test_a_push_costs_microseconds(models):
    ours = Tokenizer.open(models.parent / "tokenizers" / "qwen3" / "tokenizer.json")
    decoder, ids = ours.decoder(), list(range(3000)) * 10
    begun = time.thread_time()
    for id in ids:
        decoder.push(id)
    assert (time.thread_time() - begun) / len(ids) < 20e-6      # 0.5 on an idle machine


def test_files_of_json_only(tmp_path):
    data = json.loads(toys.byte_level().to_str())
    data["added_tokens"][0]["id"] = -1
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError):
        Tokenizer.open(path)
