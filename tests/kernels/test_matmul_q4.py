"""csrc/kernels/*/matmul_q4.c"""
import numpy as np
import pytest

from minichat import _native

from . import products


@pytest.mark.parametrize("n, k", products.SHAPES)
def test_equals_ref(kernels, ref, n, k):
    products.check_equals_ref(kernels, ref, "q4", n, k)


def test_writes_only_its_columns(kernels, ref):
    products.check_writes_only_its_columns(kernels, ref, "q4")


@pytest.mark.parametrize("n, k", products.SHAPES)
def test_ref_agrees_with_float64(ref, n, k):
    products.check_agrees_with_float64(ref, "q4", n, k)


def test_weights_must_be_aligned(kernels):
    """As they are in a model: some kernels' loads fault on others, and end the process."""
    packed = _native.aligned(_native.packed_bytes("q4", 16, 64) + 32)[32:]
    x = kernels.quantize(np.zeros((1, 64), np.float32))
    with pytest.raises(ValueError, match="multiple of 64"):
        kernels.matmul(np.zeros((1, 16), np.float32), x, packed, "q4", 16, 64)
