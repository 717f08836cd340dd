"""PEER_PYTHON -m benchmarks.peers.gguf_models FOLDER: GGUF files, real shapes, random weights.

As llama-quantize would make them: the token embedding, which is the output head too, is Q6_K
in a Q4_0 file (Q8_0 where its rows are no multiple of 256), norms are float32."""
import argparse
from math import prod
from pathlib import Path

import gguf
import numpy as np

from benchmarks.shapes import CONFIGS, tensors

TYPES = gguf.GGMLQuantizationType
SPREAD = 0.02                       # standard deviation of a weight
# Values and bytes of a block, where its half scale stands, the deviation of a value at scale 1.
BLOCKS = {TYPES.Q4_0: (32, 18, 0, 4.6), TYPES.Q8_0: (32, 34, 0, 73.9),
          TYPES.Q6_K: (256, 210, 208, 18.5 * 8.8)}
NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, i, rest = name.split(".", 3)
    return f"blk.{i}.{NAMES[rest.removesuffix('.weight')]}.weight"


def block_type(name, shape, quantization):
    """Type of a matrix; None for a vector, which stays float32."""
    if len(shape) == 1:
        return None
    if quantization == "q4_0" and name == "token_embd.weight":
        return TYPES.Q6_K if shape[1] % 256 == 0 else TYPES.Q8_0
    return TYPES[quantization.upper()]


def blocks(rng, shape, kind):
    """Random blocks of a matrix (rows, k): bytes (rows, k / values * bytes)."""
    values, size, scale_at, deviation = BLOCKS[kind]
    count = prod(shape) // values
    data = np.frombuffer(bytearray(rng.bytes(count * size)), np.uint8).reshape(count, size)
    if kind == TYPES.Q6_K:
        data[:, 192:208] &= 15      # a group's scale is an int8: small and positive
    scale = np.array([SPREAD / deviation], np.float16)
    data[:, scale_at:scale_at + 2] = scale.view(np.uint8)
    return data.reshape(shape[0], -1)


def write_head(writer, config):
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


def write(path, config, quantization, seed=0):
    """Writes one file, a tensor at a time."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, config["model_type"])
    write_head(writer, config)
    shapes = {gguf_name(name): shape for name, shape in tensors(config).items()}
    kinds = {name: block_type(name, shape, quantization) for name, shape in shapes.items()}
    for name, shape in shapes.items():
        if kinds[name] is None:
            writer.add_tensor_info(name, shape, np.dtype(np.float32), 4 * prod(shape))
        else:
            values, size, *_ = BLOCKS[kinds[name]]
            row = shape[1] // values * size
            writer.add_tensor_info(name, (shape[0], row), np.dtype(np.uint8), shape[0] * row,
                                   raw_dtype=kinds[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, shape in shapes.items():
        writer.write_tensor_data(np.ones(shape, np.float32) if kinds[name] is None
                                 else blocks(rng, shape, kinds[name]))
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--quantizations", nargs="+", choices=["q4_0", "q8_0"],
                        default=["q4_0", "q8_0"])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for shape in args.shapes:
        for quantization in args.quantizations:
            path = args.folder / f"{shape}-{quantization}.gguf"
            write(path, CONFIGS[shape], quantization)
            print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
