"""Released models as what decides their speed: a config.json and the shapes of the tensors.

Imports nothing, so that a peer's interpreter can read it."""

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
    "attention_bias": False, "mlp_bias": False, "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16",
}
CONFIGS = {
    "smollm2-135m": LLAMA | {
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
        "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64,
        "vocab_size": 49152, "max_position_embeddings": 8192, "rope_theta": 100000.0,
        "bos_token_id": 1, "eos_token_id": 2,
    },
    "qwen3-0.6b": LLAMA | {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "rms_norm_eps": 1e-6,
        "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
        "vocab_size": 151936, "max_position_embeddings": 40960, "rope_theta": 1000000.0,
        "bos_token_id": 151643, "eos_token_id": 151645,
    },
    "llama-3.2-1b": LLAMA | {
        "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
        "vocab_size": 128256, "max_position_embeddings": 131072, "rope_theta": 500000.0,
        "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
        "bos_token_id": 128000, "eos_token_id": 128009,
    },
}
PARAMETERS = {"smollm2-135m": 134_515_008, "qwen3-0.6b": 596_049_920,
              "llama-3.2-1b": 1_235_814_400}


def tensors(config):
    """Shapes of a tied checkpoint by name, {i} written out: the embedding, the layers, a norm."""
    d, width = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    layer = {
        "input_layernorm": (d,),
        "self_attn.q_proj": (queries, d), "self_attn.k_proj": (keys, d),
        "self_attn.v_proj": (keys, d), "self_attn.o_proj": (d, queries),
        "post_attention_layernorm": (d,),
        "mlp.gate_proj": (width, d), "mlp.up_proj": (width, d), "mlp.down_proj": (d, width),
    }
    if config["model_type"] == "qwen3":
        layer |= {f"self_attn.{x}_norm": (config["head_dim"],) for x in "qk"}
    return {
        "model.embed_tokens.weight": (config["vocab_size"], d),
        **{f"model.layers.{i}.{name}.weight": shape
           for i in range(config["num_hidden_layers"]) for name, shape in layer.items()},
        "model.norm.weight": (d,),
    }
