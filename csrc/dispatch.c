/* dispatch.c - which ISA has which kernel.  The only list of either.
 *
 * Compiled for the baseline: nothing here may run an instruction that the
 * CPU has not been asked about. */
#include <string.h>

#include "cpu.h"
#include "kernels.h"

extern mc_matmul_q mc_matmul_q4_ref, mc_matmul_q8_ref;
extern mc_matmul_f mc_matmul_bf16_ref, mc_matmul_f32_ref;
extern mc_quantize_row mc_quantize_row_ref;
extern mc_rmsnorm mc_rmsnorm_ref;
extern mc_layernorm mc_layernorm_ref;
extern mc_rope mc_rope_ref;
extern mc_activate mc_activate_ref;
extern mc_add_scaled mc_add_scaled_ref;
extern mc_kv_write mc_kv_write_ref;
extern mc_attention mc_attention_ref;

/* ref fills every field; the others overwrite what they improve. */
static void ref(mc_kernels *k)
{
    k->matmul_q4    = mc_matmul_q4_ref;
    k->matmul_q8    = mc_matmul_q8_ref;
    k->matmul_bf16  = mc_matmul_bf16_ref;
    k->matmul_f32   = mc_matmul_f32_ref;
    k->quantize_row = mc_quantize_row_ref;
    k->rmsnorm      = mc_rmsnorm_ref;
    k->layernorm    = mc_layernorm_ref;
    k->rope         = mc_rope_ref;
    k->activate     = mc_activate_ref;
    k->add_scaled   = mc_add_scaled_ref;
    k->kv_write     = mc_kv_write_ref;
    k->attention    = mc_attention_ref;
}

#if defined(__x86_64__)
extern mc_matmul_q mc_matmul_q4_avx2, mc_matmul_q8_avx2;
extern mc_matmul_f mc_matmul_bf16_avx2, mc_matmul_f32_avx2;
extern mc_quantize_row mc_quantize_row_avx2;
extern mc_rmsnorm mc_rmsnorm_avx2;
extern mc_layernorm mc_layernorm_avx2;
extern mc_rope mc_rope_avx2;
extern mc_activate mc_activate_avx2;
extern mc_add_scaled mc_add_scaled_avx2;
extern mc_kv_write mc_kv_write_avx2;
extern mc_attention mc_attention_avx2;
extern mc_matmul_q mc_matmul_q4_avxvnni, mc_matmul_q8_avxvnni;
extern mc_matmul_q mc_matmul_q4_avx512vnni, mc_matmul_q8_avx512vnni;
extern mc_matmul_f mc_matmul_bf16_avx512vnni, mc_matmul_f32_avx512vnni;
extern mc_quantize_row mc_quantize_row_avx512vnni;
extern mc_rmsnorm mc_rmsnorm_avx512vnni;
extern mc_layernorm mc_layernorm_avx512vnni;
extern mc_rope mc_rope_avx512vnni;
extern mc_activate mc_activate_avx512vnni;
extern mc_add_scaled mc_add_scaled_avx512vnni;
extern mc_kv_write mc_kv_write_avx512vnni;
extern mc_attention mc_attention_avx512vnni;
extern mc_matmul_q mc_matmul_q4_avx512vbmi;
extern mc_matmul_q mc_matmul_q4_amx, mc_matmul_q8_amx;

static void avx2(mc_kernels *k)
{
    k->matmul_q4    = mc_matmul_q4_avx2;
    k->matmul_q8    = mc_matmul_q8_avx2;
    k->matmul_bf16  = mc_matmul_bf16_avx2;
    k->matmul_f32   = mc_matmul_f32_avx2;
    k->quantize_row = mc_quantize_row_avx2;
    k->rmsnorm      = mc_rmsnorm_avx2;
    k->layernorm    = mc_layernorm_avx2;
    k->rope         = mc_rope_avx2;
    k->activate     = mc_activate_avx2;
    k->add_scaled   = mc_add_scaled_avx2;
    k->kv_write     = mc_kv_write_avx2;
    k->attention    = mc_attention_avx2;
}

static void avxvnni(mc_kernels *k)
{
    k->matmul_q4    = mc_matmul_q4_avxvnni;
    k->matmul_q8    = mc_matmul_q8_avxvnni;
}

static void avx512vnni(mc_kernels *k)
{
    k->matmul_q4    = mc_matmul_q4_avx512vnni;
    k->matmul_q8    = mc_matmul_q8_avx512vnni;
    k->matmul_bf16  = mc_matmul_bf16_avx512vnni;
    k->matmul_f32   = mc_matmul_f32_avx512vnni;
    k->quantize_row = mc_quantize_row_avx512vnni;
    k->rmsnorm      = mc_rmsnorm_avx512vnni;
    k->layernorm    = mc_layernorm_avx512vnni;
    k->rope         = mc_rope_avx512vnni;
    k->activate     = mc_activate_avx512vnni;
    k->add_scaled   = mc_add_scaled_avx512vnni;
    k->kv_write     = mc_kv_write_avx512vnni;
    k->attention    = mc_attention_avx512vnni;
}

static void avx512vbmi(mc_kernels *k)
{
    k->matmul_q4    = mc_matmul_q4_avx512vbmi;
}

static void amx(mc_kernels *k)
{
    k->matmul_q4    = mc_matmul_q4_amx;
    k->matmul_q8    = mc_matmul_q8_amx;
}
#elif defined(__aarch64__)
extern mc_matmul_q mc_matmul_q4_neon, mc_matmul_q8_neon;
extern mc_matmul_f mc_matmul_bf16_neon, mc_matmul_f32_neon;
extern mc_quantize_row mc_quantize_row_neon;
extern mc_rmsnorm mc_rmsnorm_neon;
extern mc_layernorm mc_layernorm_neon;
extern mc_rope mc_rope_neon;
extern mc_activate mc_activate_neon;
extern mc_add_scaled mc_add_scaled_neon;
extern mc_kv_write mc_kv_write_neon;
extern mc_attention mc_attention_neon;

static void neon(mc_kernels *k)
{
    k->matmul_q4    = mc_matmul_q4_neon;
    k->matmul_q8    = mc_matmul_q8_neon;
    k->matmul_bf16  = mc_matmul_bf16_neon;
    k->matmul_f32   = mc_matmul_f32_neon;
    k->quantize_row = mc_quantize_row_neon;
    k->rmsnorm      = mc_rmsnorm_neon;
    k->layernorm    = mc_layernorm_neon;
    k->rope         = mc_rope_neon;
    k->activate     = mc_activate_neon;
    k->add_scaled   = mc_add_scaled_neon;
    k->kv_write     = mc_kv_write_neon;
    k->attention    = mc_attention_neon;
}
#endif

/* Slowest first.  An ISA is every row up to its own that this CPU runs. */
static const struct {
    const char *name;
    unsigned needs;
    void (*overlay)(mc_kernels *k);
} isas[] = {
    { "ref",        0,                 ref        },
#if defined(__x86_64__)
    { "avx2",       MC_CPU_AVX2,       avx2       },
    { "avxvnni",    MC_CPU_AVXVNNI,    avxvnni    },
    { "avx512vnni", MC_CPU_AVX512VNNI, avx512vnni },
    { "avx512vbmi", MC_CPU_AVX512VBMI, avx512vbmi },
    { "amx",        MC_CPU_AMX_INT8,   amx        },
#elif defined(__aarch64__)
    { "neon",       MC_CPU_NEON_DOT,   neon       },
#endif
};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

static int runs_here(int i) { return !(isas[i].needs & ~mc_cpu_features()); }

int mc_kernels_init(mc_kernels *k, const char *isa)
{
    memset(k, 0, sizeof *k);
    for (int i = 0; i < N_ISAS; i++) {
        if (!runs_here(i))
            continue;
        isas[i].overlay(k);
        k->isa = isas[i].name;
        if (isa && !strcmp(isa, k->isa))
            return 0;
    }
    return isa ? -1 : 0;
}

const char *mc_kernels_isa(int i)
{
    for (int j = 0; j < N_ISAS; j++)
        if (runs_here(j) && i-- == 0)
            return isas[j].name;
    return NULL;
}
