"""config.json of released models, cut to what is read, and what their model cards count.

family: (the model, its config, its parameters)
"""
LLAMA3 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}

RELEASED = [
    ("Llama-2-7b-hf", {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
        "vocab_size": 32000, "rms_norm_eps": 1e-5, "max_position_embeddings": 4096,
        "rope_scaling": None}, 6_738_415_616),
    ("Llama-3.1-8B", {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "vocab_size": 128256, "rms_norm_eps": 1e-5, "max_position_embeddings": 131072,
        "rope_theta": 500000.0, "rope_scaling": LLAMA3 | {"factor": 8.0}}, 8_030_261_248),
    ("Llama-3.2-1B", {
        "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "head_dim": 64,
        "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
        "vocab_size": 128256, "rms_norm_eps": 1e-5, "max_position_embeddings": 131072,
        "rope_theta": 500000.0, "rope_scaling": LLAMA3, "tie_word_embeddings": True},
     1_235_814_400),
    ("Mistral-7B-v0.1", {
        "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "vocab_size": 32000, "rms_norm_eps": 1e-5, "max_position_embeddings": 32768,
        "rope_theta": 10000.0, "sliding_window": 4096}, 7_241_732_096),
    ("Qwen2.5-0.5B", {
        "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
        "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2,
        "vocab_size": 151936, "rms_norm_eps": 1e-6, "max_position_embeddings": 32768,
        "rope_theta": 1000000.0, "max_window_layers": 24, "sliding_window": 32768,
        "use_sliding_window": False, "tie_word_embeddings": True}, 494_032_768),
    ("Qwen3-0.6B", {
        "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072, "head_dim": 128,
        "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
        "vocab_size": 151936, "rms_norm_eps": 1e-6, "max_position_embeddings": 40960,
        "rope_theta": 1000000, "rope_scaling": None, "attention_bias": False,
        "max_window_layers": 28, "sliding_window": None, "use_sliding_window": False,
        "tie_word_embeddings": True}, 596_049_920),
    ("SmolLM3-3B", {
        "model_type": "smollm3", "hidden_size": 2048, "intermediate_size": 11008,
        "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 4,
        "vocab_size": 128256, "rms_norm_eps": 1e-6, "max_position_embeddings": 65536,
        "rope_theta": 5000000.0, "rope_scaling": None, "no_rope_layer_interval": 4,
        "no_rope_layers": [1, 1, 1, 0] * 9, "layer_types": ["full_attention"] * 36,
        "sliding_window": None, "use_sliding_window": False}, 3_075_098_624),
    ("gemma-2-2b", {
        "model_type": "gemma2", "hidden_size": 2304, "intermediate_size": 9216, "head_dim": 256,
        "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
        "vocab_size": 256000, "rms_norm_eps": 1e-6, "max_position_embeddings": 8192,
        "rope_theta": 10000.0, "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": 256, "sliding_window": 4096, "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0}, 2_614_341_888),
    ("gemma-3-270m", {
        "model_type": "gemma3_text", "hidden_size": 640, "intermediate_size": 2048,
        "num_hidden_layers": 18, "num_attention_heads": 4, "num_key_value_heads": 1,
        "head_dim": 256, "vocab_size": 262144, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 32768, "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0, "query_pre_attn_scalar": 256, "sliding_window": 512,
        "_sliding_window_pattern": 6,
        "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 3}, 268_098_176),
    ("gemma-3-1b-it", {
        "model_type": "gemma3_text", "hidden_size": 1152, "intermediate_size": 6912,
        "num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1,
        "head_dim": 256, "vocab_size": 262144, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 32768, "rope_theta": 1000000,
        "rope_local_base_freq": 10000, "rope_scaling": None, "query_pre_attn_scalar": 256,
        "sliding_window": 512, "sliding_window_pattern": 6}, 999_885_952),
    ("gemma-3-4b-it", {
        "model_type": "gemma3", "text_config": {
            "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
            "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 1024}}, 3_880_263_168),
    ("Phi-3-mini-4k-instruct", {
        "model_type": "phi3", "hidden_size": 3072, "intermediate_size": 8192,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
        "vocab_size": 32064, "rms_norm_eps": 1e-5, "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096, "rope_theta": 10000.0, "rope_scaling": None,
        "sliding_window": 2047}, 3_821_079_552),
    ("Phi-4-mini-instruct", {
        "model_type": "phi3", "hidden_size": 3072, "intermediate_size": 8192,
        "num_hidden_layers": 32, "num_attention_heads": 24, "num_key_value_heads": 8,
        "vocab_size": 200064, "rms_norm_eps": 1e-5, "max_position_embeddings": 131072,
        "original_max_position_embeddings": 4096, "rope_theta": 10000.0,
        "partial_rotary_factor": 0.75, "rope_scaling": {
            "type": "longrope", "short_factor": [1.0] * 48, "long_factor": [1.5] * 48},
        "sliding_window": 262144, "tie_word_embeddings": True}, 3_836_021_760),
    ("granite-3.1-2b-instruct", {
        "model_type": "granite", "hidden_size": 2048, "intermediate_size": 8192,
        "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8,
        "vocab_size": 49155, "rms_norm_eps": 1e-5, "max_position_embeddings": 131072,
        "rope_theta": 5000000.0, "rope_scaling": None, "attention_multiplier": 0.015625,
        "embedding_multiplier": 12.0, "logits_scaling": 8.0, "residual_multiplier": 0.22,
        "tie_word_embeddings": True}, 2_533_531_648),
    ("OLMo-2-0425-1B", {
        "model_type": "olmo2", "hidden_size": 2048, "intermediate_size": 8192,
        "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 16,
        "vocab_size": 100352, "rms_norm_eps": 1e-6, "max_position_embeddings": 4096,
        "rope_theta": 500000, "rope_scaling": None}, 1_484_916_736),
    ("gpt2", {
        "model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
        "n_ctx": 1024, "vocab_size": 50257, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5}, 124_439_808),
]
