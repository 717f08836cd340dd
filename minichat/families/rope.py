"""config.json's rotary positions -> the frequencies, the same bits on every machine.

Each step is rounded to float32 where the reference implementation rounds it.  Products and
quotients do so everywhere alike; powers and logarithms, which no two C libraries agree on,
are taken in decimal.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, Unsupported
from .config import Keys
from .spec import Rope

Floats = npt.NDArray[np.float32]
Types = Mapping[str, Callable[[Keys, Keys, Floats], Rope]]      # what a rope_type stands for

DECIMAL = Context(prec=40)
PI = Decimal("3.14159265358979323846264338327950288419717")
KNOWN = {"rope_type", "type", "rope_theta", "partial_rotary_factor", "factor",
         "original_max_position_embeddings", "low_freq_factor", "high_freq_factor",
         "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate", "attention_factor",
         "short_factor", "long_factor"}


def read(c: Keys, head_dim: int, layer_type: str | None = None) -> Rope:
    """Returns the rotary positions of a model, or of its layers of one type."""
    p = parameters(c, layer_type)
    if "partial_rotary_factor" in p and p.number("partial_rotary_factor") != 1:
        raise Unsupported(p.message("partial_rotary_factor", "minichat runs 1 in this family"))
    return rope(c, p, head_dim, TYPES)


def parameters(c: Keys, layer_type: str | None = None) -> Keys:
    """Returns what c says about rope: in rope_parameters, or in rope_scaling and beside it."""
    key = "rope_scaling" if c.values.get("rope_scaling") else "rope_parameters"
    p = c.section(key, {}) if key in c else Keys({}, {}, c.place)
    if layer_type and key == "rope_parameters" and key in c:
        p = p.section(layer_type, {})
    p.values = {key: value for key, value in p.values.items() if value is not None}
    if unknown := sorted(p.values.keys() - KNOWN):
        raise Unsupported(p.message(unknown[0], f"minichat knows {', '.join(sorted(KNOWN))}"))
    for key in ("rope_theta", "partial_rotary_factor"):
        if key not in p and key in c:
            p.values[key] = c.values[key]
    return p


def rope(c: Keys, p: Keys, head_dim: int, types: Types) -> Rope:
    """Returns the rotary positions that p asks for, where c has what p leaves out."""
    fraction = p.number("partial_rotary_factor") if "partial_rotary_factor" in p else 1.0
    dim = int(min(fraction, 2.0) * head_dim)
    if dim == head_dim and head_dim % 2:
        raise ModelError(f"config.json: {c.place}head_dim: {head_dim}; an even number")
    if not 1 <= dim <= head_dim:
        p.fail("partial_rotary_factor", f"a part of head_dim, which is {head_dim}")
    kind = "rope_type" if "rope_type" in p else "type"
    p.values.setdefault(kind, "default")
    with localcontext(DECIMAL), np.errstate(all="ignore"):
        found = p.choice(kind, types)(c, p, powers(p.number("rope_theta", 1.0), dim))
    if not all(map(math.isfinite, found.inv_freq + (found.long or found).inv_freq)):
        p.fail("rope_theta", "with its scaling, one whose frequencies are finite")
    return found


def default(c: Keys, p: Keys, wavelengths: Floats) -> Rope:
    return Rope(numbers(1 / wavelengths))


def linear(c: Keys, p: Keys, wavelengths: Floats) -> Rope:
    return Rope(numbers(1 / wavelengths / np.float32(p.number("factor"))))


def dynamic(c: Keys, p: Keys, wavelengths: Floats) -> Rope:
    """Differs from default beyond max_position_embeddings only, where no sequence gets."""
    p.number("factor")
    return default(c, p, wavelengths)


def llama3(c: Keys, p: Keys, wavelengths: Floats) -> Rope:
    original = np.float32(original_length(c, p))
    low, high = p.number("low_freq_factor"), p.number("high_freq_factor")
    if high <= low:
        p.fail("high_freq_factor", f"a number above low_freq_factor, which is {low:g}")
    factor, inv_freq = np.float32(p.number("factor")), 1 / wavelengths
    wavelen = (1 / inv_freq) * np.float32(2 * math.pi)
    slow = np.where(wavelen > np.float32(float(original) / low), inv_freq / factor, inv_freq)
    smooth = ((1 / wavelen) * original - np.float32(low)) / np.float32(high - low)
    between = (wavelen >= np.float32(float(original) / high)) \
        & (wavelen <= np.float32(float(original) / low))
    return Rope(numbers(np.where(between, (1 - smooth) * slow / factor + smooth * slow, slow)))


def yarn(c: Keys, p: Keys, wavelengths: Floats) -> Rope:
    original = original_length(c, p)
    factor = p.number("factor") if "factor" in p else c.size("max_position_embeddings") / original
    pairs = len(wavelengths)

    def grown(mscale: float) -> Decimal:
        return Decimal("0.1") * Decimal(mscale) * ln(max(factor, 1)) + 1

    if "attention_factor" in p:
        attention_factor = p.number("attention_factor")
    elif "mscale" in p and "mscale_all_dim" in p:
        attention_factor = float(grown(p.number("mscale")) / grown(p.number("mscale_all_dim")))
    else:
        attention_factor = float(grown(1))

    def pair(beta: float) -> Decimal:
        """Returns the pair that turns so often within the original length."""
        turns = Decimal(original) / (Decimal(beta) * 2 * PI)
        return pairs * turns.ln() / ln(p.number("rope_theta", 1.0))

    low = pair(p.number("beta_fast") if "beta_fast" in p else 32.0)
    high = pair(p.number("beta_slow") if "beta_slow" in p else 1.0)
    if "truncate" not in p or p.flag("truncate"):
        low = low.to_integral_value(ROUND_FLOOR)
        high = high.to_integral_value(ROUND_CEILING)
    first, last = float(max(low, Decimal(0))), float(min(high, Decimal(2 * pairs - 1)))
    last += 0.001 * (first == last)     # as the reference does, against division by zero
    ramp = (np.arange(pairs, dtype=np.float32) - np.float32(first)) / np.float32(last - first)
    keep = 1 - np.clip(ramp, np.float32(0), np.float32(1))
    stretched = 1 / (np.float32(factor) * wavelengths)
    return Rope(numbers(stretched * (1 - keep) + 1 / wavelengths * keep), single(attention_factor))


def longrope(c: Keys, p: Keys, wavelengths: Floats) -> Rope:
    original = original_length(c, p)
    factor = p.number("factor") if "factor" in p else c.size("max_position_embeddings") / original
    if "attention_factor" in p:
        attention_factor = p.number("attention_factor")
    elif factor <= 1 or original == 1:
        attention_factor = 1.0
    else:
        attention_factor = float((1 + ln(factor) / ln(original)).sqrt())
    short, long = (
        Rope(numbers(1 / (np.array(p.numbers(key, len(wavelengths)), np.float32) * wavelengths)),
             single(attention_factor)) for key in ("short_factor", "long_factor"))
    return Rope(short.inv_freq, short.attention_factor, long, original)


TYPES: Types = {
    "default": default, "linear": linear, "dynamic": dynamic, "llama3": llama3, "yarn": yarn,
    "longrope": longrope,
}


def original_length(c: Keys, p: Keys) -> int:
    """Returns the length before scaling; a model's own word goes before its rope's."""
    key = "original_max_position_embeddings"
    if key in c:
        return c.size(key)
    return p.size(key) if key in p else c.size("max_position_embeddings")


def powers(theta: float, dim: int) -> Floats:
    """Returns theta ** (i / dim) for i = 0, 2, 4 ..."""
    base = Decimal(float(np.float32(theta)))
    exponents = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    return np.array([float(base ** Decimal(float(e))) for e in exponents], np.float32)


def ln(value: float) -> Decimal:
    return Decimal(value).ln()


def single(value: float) -> float:
    return float(np.float32(value))


def numbers(values: npt.NDArray[Any]) -> tuple[float, ...]:
    assert values.dtype == np.float32
    return tuple(map(float, values))
