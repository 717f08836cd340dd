/* avx2/lanes.h - sixteen lanes in two registers. */
#ifndef MC_LANES_AVX2_H
#define MC_LANES_AVX2_H

#include <immintrin.h>

typedef struct lanes { __m256 lo, hi; } lanes;
typedef struct int_lanes { __m256i lo, hi; } int_lanes;
typedef struct lane_mask { __m256 lo, hi; } lane_mask;

enum { LANES_REGISTERS = 8, LANES_ACCUMULATORS = 6 };

#include "kernels/lanes/lanes.h"

static inline lanes lanes_set(float x)
{
    const __m256 v = _mm256_set1_ps(x);
    return (lanes){ v, v };
}

static inline lanes lanes_load(const float *p)
{
    return (lanes){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) };
}

static inline void lanes_store(float *p, lanes v)
{
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
}

static inline lane_mask lanes_between(int begin, int end)
{
    const __m256i lo = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i hi = _mm256_add_epi32(lo, _mm256_set1_epi32(8));
    const __m256i before = _mm256_set1_epi32(begin - 1), past = _mm256_set1_epi32(end);
    return (lane_mask){
        _mm256_castsi256_ps(_mm256_and_si256(_mm256_cmpgt_epi32(lo, before),
                                             _mm256_cmpgt_epi32(past, lo))),
        _mm256_castsi256_ps(_mm256_and_si256(_mm256_cmpgt_epi32(hi, before),
                                             _mm256_cmpgt_epi32(past, hi))),
    };
}

static inline lanes lanes_load_first(const float *p, int n)
{
    const lane_mask first = lanes_between(0, n);
    return (lanes){ _mm256_maskload_ps(p, _mm256_castps_si256(first.lo)),
                    _mm256_maskload_ps(p + 8, _mm256_castps_si256(first.hi)) };
}

static inline void lanes_store_first(float *p, lanes v, int n)
{
    const lane_mask first = lanes_between(0, n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(first.lo), v.lo);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(first.hi), v.hi);
}

static inline int_lanes int_lanes_begin(int32_t sum)
{
    (void)sum;
    return (int_lanes){ _mm256_setzero_si256(), _mm256_setzero_si256() };
}

/* Two products of at most 128 * 127 fit 16 bits. */
static inline __m256i int_half_add(__m256i acc, __m256i biased, __m256i x4)
{
    const __m256i k = _mm256_xor_si256(biased, _mm256_set1_epi8((char)0x80));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(k), _mm256_sign_epi8(x4, k));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline int_lanes int_lanes_add(int_lanes acc, const uint8_t *quads, int32_t x4)
{
    const __m256i *k = (const __m256i *)quads, x = _mm256_set1_epi32(x4);
    return (int_lanes){ int_half_add(acc.lo, _mm256_load_si256(k), x),
                        int_half_add(acc.hi, _mm256_load_si256(k + 1), x) };
}

static inline __m256i int_half_add_pairs(__m256i acc, const int8_t *pairs, __m256i w2)
{
    const __m256i v = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)pairs));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(v, w2));
}

static inline int_lanes int_lanes_add_pairs(int_lanes acc, const int8_t *pairs, int32_t w2)
{
    const __m256i w = _mm256_set1_epi32(w2);
    return (int_lanes){ int_half_add_pairs(acc.lo, pairs, w),
                        int_half_add_pairs(acc.hi, pairs + 16, w) };
}

static inline void lanes_store_i16(int16_t *p, lanes v)
{
    const __m256i packed = _mm256_packs_epi32(_mm256_cvtps_epi32(v.lo), _mm256_cvtps_epi32(v.hi));
    _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(packed, 0xd8));
}

static inline lanes lanes_of(int_lanes v)
{
    return (lanes){ _mm256_cvtepi32_ps(v.lo), _mm256_cvtepi32_ps(v.hi) };
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return (lanes){ _mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi) };
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return (lanes){ _mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi) };
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    return (lanes){ _mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi) };
}

static inline lanes lanes_div(lanes a, lanes b)
{
    return (lanes){ _mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi) };
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return (lanes){ _mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi) };
}

static inline lanes lanes_negate(lanes v)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (lanes){ _mm256_xor_ps(v.lo, sign), _mm256_xor_ps(v.hi, sign) };
}

static inline lanes lanes_abs(lanes v)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (lanes){ _mm256_andnot_ps(sign, v.lo), _mm256_andnot_ps(sign, v.hi) };
}

static inline lanes lanes_rint(lanes v)
{
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    return (lanes){ _mm256_round_ps(v.lo, NEAREST), _mm256_round_ps(v.hi, NEAREST) };
}

/* The instructions give the second operand where the comparison is false, NaN included. */
static inline lanes lanes_min(lanes a, lanes b)
{
    return (lanes){ _mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi) };
}

static inline lanes lanes_max(lanes a, lanes b)
{
    return (lanes){ _mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi) };
}

static inline __m256 ldexp_half(__m256 v, __m256 n)
{
    /* NaN converts to 0x80000000, which the shift makes 0. */
    const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), exponent));
}

static inline lanes lanes_ldexp(lanes v, lanes n)
{
    return (lanes){ ldexp_half(v.lo, n.lo), ldexp_half(v.hi, n.hi) };
}

static inline lane_mask lanes_less(lanes a, lanes b)
{
    return (lane_mask){ _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ),
                        _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ) };
}

static inline lanes lanes_select(lane_mask mask, lanes yes, lanes no)
{
    return (lanes){ _mm256_blendv_ps(no.lo, yes.lo, mask.lo),
                    _mm256_blendv_ps(no.hi, yes.hi, mask.hi) };
}

static inline lanes lanes_load_half(const uint16_t *p)
{
    return (lanes){ _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                    _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8))) };
}

static inline __m256 widen_bf16(__m128i bf16)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bf16), 16));
}

static inline lanes lanes_load_bf16(const uint16_t *p)
{
    return (lanes){ widen_bf16(_mm_loadu_si128((const __m128i *)p)),
                    widen_bf16(_mm_loadu_si128((const __m128i *)(p + 8))) };
}

static inline void lanes_store_half(uint16_t *p, lanes v)
{
    const lanes clamped = lanes_max(lanes_set(-65504.0f), lanes_min(lanes_set(65504.0f), v));
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(clamped.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(clamped.hi, _MM_FROUND_TO_NEAREST_INT));
}

static inline void lanes_store_i8(int8_t *p, lanes v)
{
    /* Packing works on 128-bit halves: words 0-3, 8-11, 4-7, 12-15. */
    const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(v.lo), _mm256_cvtps_epi32(v.hi));
    const __m256i ordered = _mm256_permute4x64_epi64(words, _MM_SHUFFLE(3, 1, 2, 0));
    _mm_storeu_si128((__m128i *)p, _mm_packs_epi16(_mm256_castsi256_si128(ordered),
                                                   _mm256_extracti128_si256(ordered, 1)));
}

static inline float lanes_sum(lanes v)
{
    const __m256 eight = _mm256_add_ps(v.lo, v.hi);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float lanes_largest(lanes v)
{
    const __m256 eight = _mm256_max_ps(v.lo, v.hi);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif
