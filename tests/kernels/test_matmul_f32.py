"""csrc/kernels/*/matmul_f32.c"""
import pytest

from . import products


@pytest.mark.parametrize("n, k", products.SHAPES)
def test_equals_ref(kernels, ref, n, k):
    products.check_equals_ref(kernels, ref, "f32", n, k)


def test_writes_only_its_columns(kernels, ref):
    products.check_writes_only_its_columns(kernels, ref, "f32")


@pytest.mark.parametrize("n, k", products.SHAPES)
def test_ref_agrees_with_float64(ref, n, k):
    products.check_agrees_with_float64(ref, "f32", n, k)
