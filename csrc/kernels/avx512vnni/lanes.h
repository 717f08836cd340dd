/* avx512vnni/lanes.h - sixteen lanes in one register. */
#ifndef MC_LANES_AVX512VNNI_H
#define MC_LANES_AVX512VNNI_H

#include <immintrin.h>

typedef __m512 lanes;
typedef __m512i int_lanes;
typedef __mmask16 lane_mask;

enum { LANES_REGISTERS = 32, LANES_ACCUMULATORS = 24 };

#include "kernels/lanes/lanes.h"

static inline lanes lanes_set(float x) { return _mm512_set1_ps(x); }
static inline lanes lanes_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void lanes_store(float *p, lanes v) { _mm512_storeu_ps(p, v); }

/* begin and end may lie outside the sixteen. */
static inline lane_mask lanes_between(int begin, int end)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const lane_mask from = _mm512_cmpge_epi32_mask(lane, _mm512_set1_epi32(begin));
    return _mm512_mask_cmplt_epi32_mask(from, lane, _mm512_set1_epi32(end));
}

static inline lanes lanes_load_first(const float *p, int n)
{
    return _mm512_maskz_loadu_ps((lane_mask)((1u << n) - 1), p);
}

static inline void lanes_store_first(float *p, lanes v, int n)
{
    _mm512_mask_storeu_ps(p, (lane_mask)((1u << n) - 1), v);
}

static inline int_lanes int_lanes_begin(int32_t sum) { return _mm512_set1_epi32(-128 * sum); }

static inline int_lanes int_lanes_add(int_lanes acc, const uint8_t *quads, int32_t x4)
{
    return _mm512_dpbusd_epi32(acc, _mm512_load_si512(quads), _mm512_set1_epi32(x4));
}

static inline int_lanes int_lanes_add_pairs(int_lanes acc, const int8_t *pairs, int32_t w2)
{
    const __m512i v = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)pairs));
    return _mm512_dpwssd_epi32(acc, v, _mm512_set1_epi32(w2));
}

static inline void lanes_store_i16(int16_t *p, lanes v)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(v)));
}

static inline lanes lanes_of(int_lanes v) { return _mm512_cvtepi32_ps(v); }

static inline lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
static inline lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
static inline lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
static inline lanes lanes_div(lanes a, lanes b) { return _mm512_div_ps(a, b); }
static inline lanes lanes_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
static inline lanes lanes_negate(lanes v) { return _mm512_xor_ps(v, _mm512_set1_ps(-0.0f)); }
static inline lanes lanes_abs(lanes v) { return _mm512_abs_ps(v); }

static inline lanes lanes_rint(lanes v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* The instructions give the second operand where the comparison is false, NaN included. */
static inline lanes lanes_min(lanes a, lanes b) { return _mm512_min_ps(a, b); }
static inline lanes lanes_max(lanes a, lanes b) { return _mm512_max_ps(a, b); }

static inline lanes lanes_ldexp(lanes v, lanes n) { return _mm512_scalef_ps(v, n); }

static inline lane_mask lanes_less(lanes a, lanes b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static inline lanes lanes_select(lane_mask mask, lanes yes, lanes no)
{
    return _mm512_mask_blend_ps(mask, no, yes);
}

static inline lanes lanes_load_half(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline lanes lanes_load_bf16(const uint16_t *p)
{
    const __m256i bf16 = _mm256_loadu_si256((const __m256i *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

static inline void lanes_store_half(uint16_t *p, lanes v)
{
    const lanes clamped = lanes_max(lanes_set(-65504.0f), lanes_min(lanes_set(65504.0f), v));
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(clamped, _MM_FROUND_TO_NEAREST_INT));
}

static inline void lanes_store_i8(int8_t *p, lanes v)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

static inline float lanes_sum(lanes v)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float lanes_largest(lanes v)
{
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif
