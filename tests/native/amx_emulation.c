/* amx_emulation.c - AMX int8 for machines without it: in place of csrc/cpu.c, for tests.
 *
 * The kernels are compiled as they ship.  A tile instruction that the processor does not know
 * raises SIGILL; the handler carries it out in plain C, where AddressSanitizer watches every
 * byte, and goes on behind it.  Wrong shapes, tiles used before they are configured and
 * instructions it does not know end the process. */
#define _GNU_SOURCE     /* ucontext's registers */
#define mc_cpu_features mc_cpu_features_of_this_machine
#include "cpu.c"
#undef mc_cpu_features

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64 };

typedef struct config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} config;

static _Thread_local config configured;
static _Thread_local uint8_t tile[TILES][ROWS][ROW_BYTES];

/* An instruction of the form VEX.128.0F38.W0: its fields, and the bytes it takes. */
typedef struct instruction {
    int prefix, opcode, mod, reg, rm, vvvv, length;
    uint64_t address, stride;   /* of the memory operand: base and displacement; index */
} instruction;

enum { NONE, P66, PF3, PF2 };   /* what prefix stands for */

static void reject(const char *why)
{
    static const char place[] = "amx_emulation: ";
    (void)!write(2, place, sizeof place - 1);
    (void)!write(2, why, strlen(why));
    (void)!write(2, "\n", 1);
    abort();
}

static uint64_t of_register(const ucontext_t *context, int number)
{
    static const int name[] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
    };
    return (uint64_t)context->uc_mcontext.gregs[name[number]];
}

static int64_t displacement(const uint8_t *code, int bytes)
{
    int32_t wide;
    memcpy(&wide, code, sizeof wide);
    return bytes == 0 ? 0 : bytes == 1 ? (int8_t)*code : wide;
}

static instruction decode(const uint8_t *code, const ucontext_t *context)
{
    if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84))
        reject("no instruction of AMX");
    instruction in = { .prefix = code[2] & 3, .opcode = code[3], .mod = code[4] >> 6,
                       .reg = code[4] >> 3 & 7, .rm = code[4] & 7, .vvvv = ~code[2] >> 3 & 15,
                       .length = 5 };
    if (in.mod == 3)
        return in;
    const int index_high = code[1] & 0x40 ? 0 : 8, base_high = code[1] & 0x20 ? 0 : 8;
    int displacement_bytes = in.mod == 1 ? 1 : in.mod == 2 ? 4 : 0, base = in.rm;
    if (in.rm == 4) {
        const uint8_t sib = code[in.length++];
        const int index = (sib >> 3 & 7) + index_high;
        base = sib & 7;
        in.stride = index == 4 ? 0 : of_register(context, index) << (sib >> 6);
    }
    if (base == 5 && in.mod == 0)
        displacement_bytes = 4;
    in.address = (uint64_t)displacement(code + in.length, displacement_bytes);
    in.length += displacement_bytes;
    if (base == 5 && in.mod == 0)   /* from the next instruction on, or from nowhere */
        in.address += in.rm == 5 ? (uint64_t)(uintptr_t)code + in.length : 0;
    else
        in.address += of_register(context, base + base_high);
    return in;
}

static void load_config(const void *from)
{
    config c;
    memcpy(&c, from, sizeof c);
    for (int t = 0; t < TILES; t++)
        if (c.row_bytes[t] > ROW_BYTES || c.rows[t] > ROWS || !c.row_bytes[t] != !c.rows[t])
            reject("a tile's shape is beyond palette 1");
    if (c.palette != 1 || c.start_row)
        reject("palette is not 1");
    configured = c;
    memset(tile, 0, sizeof tile);
}

/* c += a @ b in 32 bits: a is (m, k) bytes, b (k / 4, n, 4). */
static void multiply(int c, int a, int b, int a_signed, int b_signed)
{
    const config *s = &configured;
    if (s->rows[c] != s->rows[a] || s->row_bytes[c] != s->row_bytes[b] ||
            s->row_bytes[a] != 4 * s->rows[b] || c == a || c == b || a == b)
        reject("shapes of a product differ");
    for (int i = 0; i < s->rows[c]; i++)
        for (int j = 0; j < s->row_bytes[c]; j += 4) {
            int32_t sum;
            memcpy(&sum, &tile[c][i][j], sizeof sum);
            for (int k = 0; k < s->row_bytes[a]; k++) {
                const uint8_t x = tile[a][i][k], y = tile[b][k / 4][j + k % 4];
                sum += (a_signed ? (int8_t)x : x) * (b_signed ? (int8_t)y : y);
            }
            memcpy(&tile[c][i][j], &sum, sizeof sum);
        }
}

static void carry_out(const instruction *in)
{
    const int key = in->prefix << 8 | in->opcode, row_bytes = configured.row_bytes[in->reg];
    if (key == (NONE << 8 | 0x49) && in->mod != 3) {            /* ldtilecfg */
        load_config((const void *)(uintptr_t)in->address);
        return;
    }
    if (configured.palette != 1)
        reject("tiles are not configured");
    for (int r = 0; r < configured.rows[in->reg] && in->opcode == 0x4b; r++) {
        uint8_t *memory = (uint8_t *)(uintptr_t)(in->address + r * in->stride);
        if (in->prefix == PF2)                                  /* tileloadd */
            memcpy(tile[in->reg][r], memory, row_bytes);
        else if (in->prefix == PF3)                             /* tilestored */
            memcpy(memory, tile[in->reg][r], row_bytes);
        else
            reject("a load that is not tileloadd");
    }
    if (key == (NONE << 8 | 0x49))                              /* tilerelease */
        memset(&configured, 0, sizeof configured);
    else if (key == (PF2 << 8 | 0x49))                          /* tilezero */
        memset(tile[in->reg], 0, sizeof tile[in->reg]);
    else if (in->opcode == 0x5e)                                /* tdpb**d */
        multiply(in->reg, in->rm, in->vvvv,
                 in->prefix >= PF3, in->prefix == P66 || in->prefix == PF2);
    else if (in->opcode != 0x4b)
        reject("an instruction of AMX that nobody expected");
}

static void on_illegal_instruction(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    const instruction in = decode((const uint8_t *)c->uc_mcontext.gregs[REG_RIP], c);
    (void)signal, (void)info;
    carry_out(&in);
    c->uc_mcontext.gregs[REG_RIP] += in.length;
}

unsigned mc_cpu_features(void)
{
    const unsigned here = mc_cpu_features_of_this_machine();
    if (here & MC_CPU_AMX_INT8 || !(here & MC_CPU_AVX512VBMI))
        return here;
    const struct sigaction action = { .sa_sigaction = on_illegal_instruction,
                                      .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGILL, &action, NULL);
    return here | MC_CPU_AMX_INT8;
}
