"""csrc/kernels/*/matmul_bf16.c"""
import pytest

from . import products


@pytest.mark.parametrize("n, k", products.SHAPES)
def test_equals_ref(kernels, ref, n, k):
    products.check_equals_ref(kernels, ref, "bf16", n, k)


def test_writes_only_its_columns(kernels, ref):
    products.check_writes_only_its_columns(kernels, ref, "bf16")


@pytest.mark.parametrize("n, k", products.SHAPES)
def test_ref_agrees_with_float64(ref, n, k):
    products.check_agrees_with_float64(ref, "bf16", n, k)
