"""What an Architecture computes, in numpy and float64: a second opinion on the engine."""
import numpy as np

from minichat.families.spec import shapes


def load(checkpoint, family, architecture):
    """Returns the engine's tensors in float64; checkpoint: name -> something with array()."""
    return {name: tensor(checkpoint, family, name, shape)
            for name, shape in shapes(architecture).items()}


def tensor(checkpoint, family, name, shape):
    kind, i = name, ""
    if name.startswith("layers."):
        _, i, kind = name.split(".")
        kind = f"layers.{{i}}.{kind}"
    source = family.tensors[kind]
    found = [checkpoint[family.find(one.format(i=i), checkpoint)].array() for one in source.names]
    found = [part.T if source.transposed else part for part in found]
    whole = np.concatenate(found).astype(np.float64) + source.offset
    assert whole.shape == shape, f"{name}: {whole.shape}; {shape}"
    return whole


def logits(a, w, ids):
    """Returns the logits after the last of ids."""
    x = w["embed"][ids] * a.embed_scale
    if a.learned_positions:
        x = x + w["positions"][:len(ids)]
    for i, layer in enumerate(a.layers):
        own = {name.removeprefix(f"layers.{i}."): value for name, value in w.items()
               if name.startswith(f"layers.{i}.")}
        x = block(a, layer, own, x)
    out = norm(a, w, "final_norm", x[-1:]) @ w["embed" if a.tie_word_embeddings else "head"].T
    out = out[0] * a.logit_scale
    return capped(out, a.logit_softcap)


def block(a, layer, w, x):
    for kind, add in ("attn", attend), ("ffn", feed):
        y = norm(a, w, f"{kind}_norm", x) if layer.pre_norms else x
        y = add(a, layer, w, y)
        y = norm(a, w, f"{kind}_post_norm", y) if layer.post_norms else y
        x = x + y * layer.residual_multiplier
    return x


def norm(a, w, name, x):
    if a.norm == "layer":
        x = x - x.mean(-1, keepdims=True)
    y = x / np.sqrt((x * x).mean(-1, keepdims=True) + a.norm_eps) * w[name]
    return y + w[f"{name}_bias"] if a.norm_bias else y


def attend(a, layer, w, x):
    m, n, size = layer.mixer, len(x), layer.mixer.head_dim
    heads, groups = m.num_attention_heads, m.num_attention_heads // m.num_key_value_heads
    qkv = x @ w["qkv"].T + (w["qkv_bias"] if m.bias else 0)
    q, k, v = np.split(qkv, np.cumsum([heads * size, m.num_key_value_heads * size]), axis=1)
    if m.qk_norm == "full":
        q, k = rms(a, w["q_norm"], q), rms(a, w["k_norm"], k)
    q, k, v = (part.reshape(n, -1, size).swapaxes(0, 1) for part in (q, k, v))
    if m.qk_norm == "head":
        q, k = rms(a, w["q_norm"], q), rms(a, w["k_norm"], k)
    if m.rope:
        q, k = rotate(m.rope, q), rotate(m.rope, k)
    k, v = k.repeat(groups, axis=0), v.repeat(groups, axis=0)
    scores = capped(q @ k.swapaxes(1, 2) * (m.scale or size ** -0.5), m.softcap)
    ago = np.arange(n)[:, None] - np.arange(n)
    seen = (ago >= 0) & (ago < (m.window or n))
    scores = np.exp(np.where(seen, scores, -np.inf) - scores.max())
    out = (scores / scores.sum(-1, keepdims=True)) @ v
    out = out.swapaxes(0, 1).reshape(n, -1) @ w["attn_out"].T
    return out + w["attn_out_bias"] if m.out_bias else out


def rms(a, weight, x):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + a.norm_eps) * weight


def rotate(rope, x):
    if rope.long and x.shape[1] > rope.long_after:
        rope = rope.long
    angles = np.arange(x.shape[1], dtype=np.float32)[:, None] * np.float32(rope.inv_freq)
    cos, sin = (f(angles.astype(np.float64)) * rope.attention_factor for f in (np.cos, np.sin))
    a, b, rest = np.split(x, [len(rope.inv_freq), 2 * len(rope.inv_freq)], axis=2)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin, rest], axis=2)


def feed(a, layer, w, x):
    f = layer.ffn
    up = "gate_up" if f.gated else "up"
    y = x @ w[up].T + (w[f"{up}_bias"] if f.bias else 0)
    gate, up = np.split(y, 2, axis=1) if f.gated else (y, 1)
    out = ACTS[f.act](gate) * up @ w["down"].T
    return out + w["down_bias"] if f.bias else out


ACTS = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3))),
}


def capped(x, cap):
    return cap * np.tanh(x / cap) if cap else x
