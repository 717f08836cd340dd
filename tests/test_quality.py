"""What quantization costs with real models: far from what a broken quantizer would."""
import pytest

from benchmarks import quality

# The least top-1 agreement and the most KL: measured, with half as much again to spare.
BOUNDS = {"bf16": (0.985, 1e-4), "q8": (0.95, 0.003), "q4": (0.76, 0.085)}
WEIGHTS = ["q8 weights", "q4 weights", "Q4_0 weights"]


@pytest.fixture(scope="module", params=quality.names())
def measured(request, models):
    return quality.measure(models / request.param, quality.golden(request.param),
                           [*BOUNDS, *WEIGHTS])


@pytest.mark.parametrize("format", BOUNDS)
def test_answers_stay_close_to_those_in_float32(measured, format):
    top1, kl = BOUNDS[format]
    assert measured[format].top1 >= top1
    assert 0 < measured[format].kl <= kl


def test_q4_loses_less_than_rounding_to_the_nearest_of_16(measured):
    assert measured["q4 weights"].kl < 0.8 * measured["Q4_0 weights"].kl


def test_activations_in_8_bits_cost_q4_little(measured):
    assert measured["q4"].kl < 1.2 * measured["q4 weights"].kl


def test_perplexity_follows(measured):
    assert measured["q8"].ppl_ratio == pytest.approx(1, abs=0.01)
    assert measured["q4"].ppl_ratio == pytest.approx(1, abs=0.2)
