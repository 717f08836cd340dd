/* limits.c - the most that this machine can do, one loop a limit.
 *
 * limits.py compiles it for the machine it runs on, so that every limit below that the
 * compiler knows here is measured, and no other. */
#define _GNU_SOURCE     /* syscall */
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef struct limit {
    const char *name;
    double operations;              /* of one iteration; a multiply-add is two */
    void (*run)(long iterations);
} limit;

typedef uint64_t line __attribute__((vector_size(64)));

uint64_t limits_sink;               /* what a loop ends in, so that it is not removed */

/* Reads data, a multiple of 1 KiB, in four streams: one alone does not keep the memory busy. */
void limits_read(const void *data, size_t bytes)
{
    enum { STREAMS = 4, AHEAD = 32 };
    const line *stream = data;
    const size_t lines = bytes / sizeof(line) / STREAMS;
    line sum[STREAMS] = { 0 };
    for (size_t i = 0; i < lines; i++)
        for (int s = 0; s < STREAMS; s++) {
            __builtin_prefetch(stream + s * lines + i + AHEAD);
            sum[s] ^= stream[s * lines + i];
        }
    line all = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
    limits_sink = all[0] ^ all[1] ^ all[2] ^ all[3] ^ all[4] ^ all[5] ^ all[6] ^ all[7];
}

/* Twelve chains hide the latency of any multiply-add: 4 or 5 cycles, two a cycle. */
enum { CHAINS = 12 };

#define CHAIN_LOOP(name, type, step)                        \
    static void name(long iterations)                       \
    {                                                       \
        type acc[CHAINS] = { 0 };                           \
        for (long i = 0; i < iterations; i++)               \
            _Pragma("GCC unroll 12")                        \
            for (int c = 0; c < CHAINS; c++) {              \
                acc[c] = step(acc[c]);                      \
                __asm__ volatile("" : KEPT(acc[c]));        \
            }                                               \
    }

#if defined(__x86_64__)
#define KEPT(x) "+v"(x)

#if defined(__AVX512F__)
static __m512 step_fma_512(__m512 a) { return _mm512_fmadd_ps(a, _mm512_set1_ps(0.5f), a); }
CHAIN_LOOP(fma_512, __m512, step_fma_512)
#endif
#if defined(__FMA__)
static __m256 step_fma_256(__m256 a) { return _mm256_fmadd_ps(a, _mm256_set1_ps(0.5f), a); }
CHAIN_LOOP(fma_256, __m256, step_fma_256)
#endif
#if defined(__AVX2__)
static __m256i step_maddubs(__m256i a)
{
    const __m256i ones = _mm256_set1_epi8(1);
    __m256i pairs = _mm256_maddubs_epi16(ones, ones);
    __asm__ volatile("" : "+v"(pairs));     /* or it leaves the loop */
    return _mm256_add_epi32(a, _mm256_madd_epi16(pairs, ones));
}
CHAIN_LOOP(maddubs_256, __m256i, step_maddubs)
#endif
#if defined(__AVXVNNI__)
static __m256i step_vnni_256(__m256i a)
{
    return _mm256_dpbusd_avx_epi32(a, _mm256_set1_epi8(1), _mm256_set1_epi8(1));
}
CHAIN_LOOP(vnni_256, __m256i, step_vnni_256)
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
static __m256i step_vnni_256(__m256i a)
{
    return _mm256_dpbusd_epi32(a, _mm256_set1_epi8(1), _mm256_set1_epi8(1));
}
CHAIN_LOOP(vnni_256, __m256i, step_vnni_256)
#endif
#if defined(__AVX512VNNI__)
static __m512i step_vnni_512(__m512i a)
{
    return _mm512_dpbusd_epi32(a, _mm512_set1_epi8(1), _mm512_set1_epi8(1));
}
CHAIN_LOOP(vnni_512, __m512i, step_vnni_512)
#endif

#if defined(__AMX_INT8__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} amx_tiles = {
    .palette = 1,
    .row_bytes = { 64, 64, 64, 64, 64, 64, 64, 64 },
    .rows = { 16, 16, 16, 16, 16, 16, 16, 16 },
};

/* Operands in registers; the barrier because _tile_loadconfig declares 8 of the 64 bytes. */
static void amx(long iterations)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA))
        return;
    __asm__ volatile("" : : "m"(amx_tiles) : "memory");
    _tile_loadconfig(&amx_tiles);
    for (long i = 0; i < iterations; i++) {
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    _tile_release();
}
#endif
#elif defined(__aarch64__)
#define KEPT(x) "+w"(x)

static float32x4_t step_fma_128(float32x4_t a) { return vfmaq_n_f32(a, a, 0.5f); }
CHAIN_LOOP(fma_128, float32x4_t, step_fma_128)
#if defined(__ARM_FEATURE_DOTPROD)
static int32x4_t step_sdot(int32x4_t a) { return vdotq_s32(a, vdupq_n_s8(1), vdupq_n_s8(1)); }
CHAIN_LOOP(sdot_128, int32x4_t, step_sdot)
#endif
#endif

const limit limits[] = {
#if defined(__x86_64__)
#if defined(__FMA__)
    { "fp32 fma 256", CHAINS * 8 * 2, fma_256 },
#endif
#if defined(__AVX512F__)
    { "fp32 fma 512", CHAINS * 16 * 2, fma_512 },
#endif
#if defined(__AVX2__)
    { "int8 maddubs 256", CHAINS * 32 * 2, maddubs_256 },
#endif
#if defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__))
    { "int8 vpdpbusd 256", CHAINS * 32 * 2, vnni_256 },
#endif
#if defined(__AVX512VNNI__)
    { "int8 vpdpbusd 512", CHAINS * 64 * 2, vnni_512 },
#endif
#if defined(__AMX_INT8__) && defined(__linux__)
    { "int8 amx", 4 * 16 * 16 * 64 * 2, amx },
#endif
#elif defined(__aarch64__)
    { "fp32 fma 128", CHAINS * 4 * 2, fma_128 },
#if defined(__ARM_FEATURE_DOTPROD)
    { "int8 sdot 128", CHAINS * 16 * 2, sdot_128 },
#endif
#endif
    { 0 },
};
