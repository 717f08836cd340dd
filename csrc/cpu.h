/* cpu.h - what this CPU and this OS let us run. */
#ifndef MC_CPU_H
#define MC_CPU_H

/* Clusters of features that ship together, not single cpuid bits. */
enum {
    MC_CPU_AVX2       = 1 << 0,     /* AVX2 FMA F16C: Haswell, Zen */
    MC_CPU_AVXVNNI    = 1 << 1,     /* and 256-bit VNNI: Alder Lake, Zen 5 */
    MC_CPU_AVX512VNNI = 1 << 2,     /* AVX2 and F BW DQ VL VNNI: Cascade Lake, Zen 4 */
    MC_CPU_AVX512VBMI = 1 << 3,     /* and VBMI: Ice Lake, Zen 4 */
    MC_CPU_AMX_INT8   = 1 << 4,     /* and AMX tiles: Sapphire Rapids */
    MC_CPU_NEON_DOT   = 1 << 5,     /* ASIMD dotprod and half: Apple M1, Neoverse N1 */
};

/* Detected once; the result never changes while the process lives. */
unsigned mc_cpu_features(void);

#endif
