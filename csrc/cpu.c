/* cpu.c - detection.  Compiled for the baseline ISA only. */
#define _GNU_SOURCE     /* syscall */
#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

/* Linux hands out the 8 KiB of tile state only to processes that ask. */
static int amx_permitted(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#else
static int amx_permitted(void) { return 0; }
#endif

static int has_amx(void)        /* amx-tile and amx-int8 */
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1) && (d >> 25 & 1);
}

static int has_f16c(void)       /* f16c: clang 16 does not know its name */
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}

static int has_avxvnni(void)    /* avxvnni: no compiler before gcc 13 knows its name */
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

/* __builtin_cpu_supports also asks XGETBV whether the OS saves the registers. */
static unsigned detect(void)
{
    unsigned f = 0;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
            && has_f16c())
        f |= MC_CPU_AVX2;
    if ((f & MC_CPU_AVX2) && has_avxvnni())
        f |= MC_CPU_AVXVNNI;
    if ((f & MC_CPU_AVX2) && __builtin_cpu_supports("avx512f")
            && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
        f |= MC_CPU_AVX512VNNI;
    if ((f & MC_CPU_AVX512VNNI) && __builtin_cpu_supports("avx512vbmi"))
        f |= MC_CPU_AVX512VBMI;
    if ((f & MC_CPU_AVX512VBMI) && has_amx() && amx_permitted())
        f |= MC_CPU_AMX_INT8;
    return f;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

static unsigned detect(void)
{
    enum { ASIMDHP = 1 << 10, ASIMDDP = 1 << 20 };
    const unsigned long caps = getauxval(AT_HWCAP);
    return (caps & ASIMDHP) && (caps & ASIMDDP) ? MC_CPU_NEON_DOT : 0;
}
#elif defined(__aarch64__) && defined(__APPLE__)
static unsigned detect(void) { return MC_CPU_NEON_DOT; }    /* every Apple M has both */
#else
static unsigned detect(void) { return 0; }
#endif

unsigned mc_cpu_features(void)
{
    static _Atomic unsigned cached = ~0u;   /* a race stores the same value twice */
    if (cached == ~0u)
        cached = detect();
    return cached;
}
