/* maddubs.h - four signed products a lane out of vpmaddubsw, which wants one side unsigned. */
#ifndef MC_MADDUBS_H
#define MC_MADDUBS_H

#include <immintrin.h>

/* |w| times x with w's sign: two products are at most 2 * 128 * 127 = 32512, which fits. */
static inline __m256i mc_dot_maddubs(__m256i acc, __m256i w, __m256i x)
{
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#endif
