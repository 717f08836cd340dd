"""Writes golden/<family>/: a small random checkpoint, and what transformers says to a prompt.

    pip install torch==2.13.0 transformers==5.23.0 && python -m tests.families.make_golden

config.json and model.safetensors are a checkpoint; expected.safetensors holds ids and, for
some of their positions, the logits that follow ids[:position + 1], in float32.  longrope.json
holds answers of golden/phi3 that begin before, at and past the end of its short frequencies.
"""
import copy
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

GOLDEN = Path(__file__).parent / "golden"
PROMPT, DECODED = 84, 6         # beyond a page of 64 positions
POSITIONS = [0, 1, 30, 31, 32, 33, 62, 63, 64, 65, 80]
PROMPTS_OF_LONGROPE, ANSWER_OF_LONGROPE = [9, 24, 31, 32, 33], 32     # of 32 that are short

SIZES = {"hidden_size": 64, "intermediate_size": 72, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 96,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-3, "pad_token_id": None}

# Both generations of config.json are here; between them, everything that spec.py can say.
CONFIGS = {
    "llama": SIZES | {
        "hidden_act": "silu", "rope_theta": 10000.0, "tie_word_embeddings": False,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 32}},
    "mistral": SIZES | {
        "head_dim": 24, "intermediate_size": 48, "sliding_window": 24, "dtype": "bfloat16",
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}},
    "qwen2": SIZES | {
        "rope_theta": 1000.0, "tie_word_embeddings": True, "use_sliding_window": True,
        "max_window_layers": 1, "sliding_window": 20,
        "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}},
    "qwen3": SIZES | {
        "head_dim": 16, "num_key_value_heads": 1, "attention_bias": True,
        "layer_types": ["full_attention", "sliding_attention"], "use_sliding_window": True,
        "sliding_window": 70, "tie_word_embeddings": False, "dtype": "float16",
        "rope_parameters": {"rope_theta": 1000.0, "rope_type": "yarn", "factor": 2.0,
                            "original_max_position_embeddings": 64, "truncate": False,
                            "beta_fast": 8.0, "attention_factor": 0.9}},
    "smollm3": SIZES | {
        "rope_theta": 2000000.0, "no_rope_layers": [1, 0], "use_sliding_window": True,
        "sliding_window": 33, "attention_bias": True, "mlp_bias": True},
    "gemma2": SIZES | {
        "head_dim": 16, "hidden_activation": "gelu_pytorch_tanh", "sliding_window": 16,
        "query_pre_attn_scalar": 24, "attn_logit_softcapping": 5.0,
        "final_logit_softcapping": 10.0, "rope_theta": 10000.0},
    "gemma3_text": SIZES | {
        "head_dim": 16, "num_key_value_heads": 1, "sliding_window": 16,
        "sliding_window_pattern": 2, "query_pre_attn_scalar": 20, "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    "gemma3": {"tie_word_embeddings": True, "text_config": SIZES | {
        "head_dim": 16, "sliding_window": 40, "query_pre_attn_scalar": 16,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
            "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 20000.0}}}},
    "phi3": SIZES | {
        "original_max_position_embeddings": 32, "partial_rotary_factor": 0.75,
        "tie_word_embeddings": False, "rope_scaling": {
            "type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.4, 1.7, 2.0],
            "long_factor": [1.5, 2.5, 4.0, 6.0, 9.0, 12.0]}},
    "granite": SIZES | {
        "embedding_multiplier": 0.5, "attention_multiplier": 0.2, "residual_multiplier": 0.4,
        "logits_scaling": 3.0, "tie_word_embeddings": True,
        "rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "olmo2": SIZES | {
        "attention_bias": False, "rope_theta": 500.0,
        "rope_scaling": {"type": "linear", "factor": 2.0}},
    "gpt2": {
        "n_embd": 48, "n_head": 4, "n_layer": 2, "n_inner": None, "n_positions": 96,
        "vocab_size": 96, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-3,
        "scale_attn_by_inverse_layer_idx": True},
}


# For a head of 64 elements, as Llama's configuration takes them.
ROPES = {
    "default": {"rope_theta": 1e6},
    "linear": {"rope_theta": 1e4, "rope_scaling": {"type": "linear", "factor": 3.0}},
    "dynamic": {"rope_theta": 1e4, "rope_scaling": {"type": "dynamic", "factor": 2.5}},
    "llama3": {"rope_theta": 5e5, "rope_scaling": {
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}},
    "yarn": {"rope_theta": 1e6, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
    "yarn_in_full": {"rope_parameters": {
        "rope_type": "yarn", "rope_theta": 15e4, "factor": 32.0, "truncate": False,
        "beta_fast": 16.0, "beta_slow": 2.0, "mscale": 1.0, "mscale_all_dim": 0.7,
        "original_max_position_embeddings": 4096}},
    "longrope": {"rope_theta": 1e4, "rope_scaling": {
        "type": "longrope", "original_max_position_embeddings": 4096,
        "short_factor": [1 + i / 9 for i in range(32)],
        "long_factor": [1.5 + i for i in range(32)]}},
}


def main(names):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for seed, name in enumerate(CONFIGS):
        if names and name not in names:
            continue
        torch.manual_seed(seed)
        folder = GOLDEN / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        config = {"model_type": name} | CONFIGS[name]
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        model = make(folder)
        save_file(checkpoint(name, model), folder / "model.safetensors", {"format": "pt"})
        save_file(expected(model), folder / "expected.safetensors")
        kilobytes = sum(path.stat().st_size for path in folder.iterdir()) / 1000
        print(f"{name}: {kilobytes:.0f} KB")
    if not names:
        (GOLDEN / "rope.json").write_text(json.dumps({
            name: frequencies(config) for name, config in ROPES.items()}) + "\n")
    if not names or "phi3" in names:
        lines = ",\n".join(json.dumps(answer) for answer in crossing(GOLDEN / "phi3"))
        (GOLDEN / "longrope.json").write_text(f"[\n{lines}\n]\n")


def frequencies(changes):
    """Returns the frequencies, and those beyond the original length where they differ."""
    config = LlamaConfig(hidden_size=512, num_attention_heads=8, max_position_embeddings=131072,
                         **copy.deepcopy(changes))
    rope = LlamaRotaryEmbedding(config)
    short = rope.inv_freq.tolist()
    rope(torch.zeros(1), torch.tensor([[100000]]))
    long = rope.inv_freq.tolist()
    return {"config": changes, "inv_freq": [short] + [long] * (long != short),
            "attention_factor": rope.attention_scaling}


def make(folder):
    """Returns a model with random weights, rounded to the types they are stored in."""
    config = AutoConfig.from_pretrained(folder)
    config = getattr(config, "text_config", config)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32,
                                             attn_implementation="eager").eval()
    model.tie_weights()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(drawn(model, name, parameter).to(stored_as(name)))
    return model


def drawn(model, name, parameter):
    noise = torch.randn(parameter.shape)
    if parameter.dim() == 1:
        ones = name.endswith("weight") and "gemma" not in model.config.model_type
        return 0.3 * noise + ones
    if "embed" in name or "wte" in name or "wpe" in name:
        return noise
    n_in = parameter.shape["c_" not in name]        # GPT-2 stores (in, out)
    sharp = any(part in name for part in ("q_proj", "k_proj", "qkv_proj", "c_attn"))
    return noise * (2 if sharp else 1) / n_in ** 0.5


def stored_as(name):
    if "o_proj" in name or "lm_head" in name or "wte" in name:
        return torch.float16
    return torch.float32 if "norm" in name or "ln_" in name else torch.bfloat16


def checkpoint(name, model):
    """Returns the tensors of a checkpoint, named as released ones name them."""
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    found = {key: value.to(stored_as(key)).contiguous()
             for key, value in model.state_dict().items() if key not in tied}
    if name == "gpt2":
        found = {key.removeprefix("transformer."): value for key, value in found.items()}
        found["h.0.attn.bias"] = torch.ones(1, 1, 4, 4)
    if name == "gemma3":
        found = {f"language_model.{key}": value for key, value in found.items()}
        found["vision_tower.vision_model.post_layernorm.bias"] = torch.zeros(4)
    return found


@torch.no_grad()
def expected(model):
    ids = torch.randint(model.config.vocab_size, (PROMPT,))
    rows = {}
    for position in POSITIONS:
        rows[position] = model(ids[None, :position + 1], use_cache=False).logits[0, -1]
    out = model(ids[None], use_cache=True)
    for position in range(PROMPT - 1, PROMPT + DECODED):
        rows[position] = out.logits[0, -1]
        ids = torch.cat([ids, rows[position].argmax()[None]])
        out = model(ids[None, -1:], use_cache=True, past_key_values=out.past_key_values)
    for position in range(PROMPT - 1, PROMPT + DECODED):
        whole = model(ids[None, :position + 1], use_cache=False).logits[0, -1]
        assert torch.allclose(whole, rows[position], atol=1e-4), "the cache changes the answer"
    return {"ids": ids.int(), "positions": torch.tensor(list(rows), dtype=torch.int32),
            "logits": torch.stack(list(rows.values()))}


def crossing(folder):
    """Returns greedy answers of generate(), which drops its cache where the frequencies change."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    model.generation_config.eos_token_id = None
    answers = []
    for n in PROMPTS_OF_LONGROPE:
        torch.manual_seed(n)
        prompt = torch.randint(model.config.vocab_size, (1, n))
        ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                             max_new_tokens=ANSWER_OF_LONGROPE)[0].tolist()
        with torch.no_grad():
            whole = [model(torch.tensor([ids[:end]]), use_cache=False).logits[0, -1]
                     for end in range(n, len(ids))]
        best, second = torch.stack(whole).topk(2).values.unbind(-1)
        assert [logits.argmax().item() for logits in whole] == ids[n:], "the cache was not dropped"
        assert (best - second).min() > 1e-3, "a lead that another order of sums may undo"
        answers.append({"prompt_ids": ids[:n], "ids": ids[n:]})
    return answers


if __name__ == "__main__":
    main(sys.argv[1:])
