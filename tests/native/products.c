/* products.c - cases of the matrix products and of the rows they take. */
#include "cases.h"
#include "kernels/panels.h"
#include "random.h"

/* Few tokens mostly, and many only for a small matrix: ref is slow. */
static int random_tokens(const mc_matrix *w)
{
    const int dice = random_int(0, 15);
    if (dice > 11 && (size_t)w->n * w->k < 8000)
        return random_int(500, 1100);
    return dice == 15 ? random_int(40, 140) : dice > 9 ? random_int(8, 40) : random_int(1, 9);
}

static int block_size(int k_padded, int b)
{
    const int left = k_padded - b * MC_BLOCK_K;
    return left < MC_BLOCK_K ? left : MC_BLOCK_K;
}

/* Random bits are any code and any selector, but scales must be numbers near one, or zero. */
static void tame_scales(uint8_t *panel, mc_format format, int k_padded)
{
    for (int b = 0; b * MC_BLOCK_K < k_padded; b++) {
        const int values = block_size(k_padded, b) * MC_TILE_ROWS;
        for (int r = 0; r < MC_TILE_ROWS; r++)
            ((uint16_t *)panel)[r] = random_int(0, 15)
                ? (uint16_t)(random_int(0, 1) << 15 | random_int(0x3c00, 0x3cff)) : 0;
        panel += format == MC_Q4 ? MC_Q4_HEADER_BYTES + values / 2 : MC_Q8_HEADER_BYTES + values;
    }
}

static mc_matrix random_matrix(mc_format format)
{
    mc_matrix w = { .format = format, .n = random_int(1, 100), .k = random_int(1, 900) };
    const size_t panel_bytes = mc_panel_bytes(format, w.k);
    const size_t bytes = panel_bytes * mc_panels(w.n);
    uint8_t *data = random_bytes(bytes);

    if (format == MC_F32)
        for (size_t i = 0; i < bytes / 4; i++)
            ((float *)data)[i] = random_float(PLAIN);
    else if (format == MC_BF16)     /* random signs and fractions, exponents near one */
        for (size_t i = 0; i < bytes / 2; i++)
            ((uint16_t *)data)[i] = (((uint16_t *)data)[i] & 0x83ff) | 0x3c00;
    else
        for (int p = 0; p < mc_panels(w.n); p++)
            tame_scales(data + p * panel_bytes, format, mc_k_padded(w.k));
    w.data = data;
    return w;
}

static mc_q8_rows new_rows(int m, int k)
{
    mc_q8_rows x = { .stride = (size_t)mc_k_padded(k) + 64 * random_int(0, 2),
                     .blocks = (k + MC_BLOCK_K - 1) / MC_BLOCK_K };
    const size_t q_bytes = (m - 1) * x.stride + mc_k_padded(k), blocks = (size_t)m * x.blocks;
    x.q = memset(exact(q_bytes), 1, q_bytes);
    x.scale = exact(blocks * sizeof *x.scale);
    x.sum = exact(blocks * sizeof *x.sum);
    return x;
}

static void free_rows(mc_q8_rows *x)
{
    free(x->q), free(x->scale), free(x->sum);
}

/* Rows as quantize_row leaves them, or all at one end of the range. */
static mc_q8_rows random_rows(int m, int k)
{
    const sample from = random_sample();
    const int extreme = random_int(0, 7) == 0;
    mc_q8_rows x = new_rows(m, k);

    for (int i = 0; i < m; i++) {
        float *row = random_floats(k, from);
        for (int e = 0; extreme && e < k; e++)
            row[e] = i % 2 ? 3.0f : -3.0f;
        ref.quantize_row(&x, i, row, k);
        free(row);
    }
    return x;
}

/* The range of panels that a product is asked for, and where it writes. */
typedef struct product {
    int m, panel0, panel1;
    size_t out_stride, floats;
    float *got, *want;
} product;

static product random_product(const mc_matrix *w, const char *isa, const char *op)
{
    const int panels = mc_panels(w->n), panel0 = random_int(0, panels - 1);
    product p = { .m = random_tokens(w), .panel0 = panel0, .panel1 = random_int(panel0, panels) };
    p.out_stride = (size_t)panels * MC_TILE_ROWS + random_int(0, 9);
    p.floats = (p.m - 1) * p.out_stride + (size_t)p.panel1 * MC_TILE_ROWS;
    p.got = random_floats(p.floats, PLAIN);
    p.want = copy_of(p.got, p.floats * sizeof *p.got);
    describe("%s %s m=%d n=%d k=%d panels %d:%d", isa, op, p.m, w->n, w->k,
             p.panel0, p.panel1);
    return p;
}

static int end_product(product *p, mc_matrix *w)
{
    const int ok = same("out", p->got, p->want, p->floats);
    free(p->got), free(p->want), free((void *)w->data);
    return ok;
}

static int matmul_q(const char *isa, mc_matmul_q *run, mc_matmul_q *want, mc_format format)
{
    mc_matrix w = random_matrix(format);
    product p = random_product(&w, isa, format == MC_Q4 ? "matmul_q4" : "matmul_q8");
    mc_q8_rows x = random_rows(p.m, w.k);

    run(p.got, p.out_stride, &x, p.m, &w, p.panel0, p.panel1);
    want(p.want, p.out_stride, &x, p.m, &w, p.panel0, p.panel1);
    free_rows(&x);
    return end_product(&p, &w);
}

static int matmul_f(const char *isa, mc_matmul_f *run, mc_matmul_f *want, mc_format format)
{
    mc_matrix w = random_matrix(format);
    product p = random_product(&w, isa, format == MC_BF16 ? "matmul_bf16" : "matmul_f32");
    const size_t x_stride = (size_t)mc_k_padded(w.k) + random_int(0, 5);
    float *x = random_floats((p.m - 1) * x_stride + mc_k_padded(w.k), random_sample());

    run(p.got, p.out_stride, x, x_stride, p.m, &w, p.panel0, p.panel1);
    want(p.want, p.out_stride, x, x_stride, p.m, &w, p.panel0, p.panel1);
    free(x);
    return end_product(&p, &w);
}

int matmul_q4(const mc_kernels *k)
{
    return matmul_q(k->isa, k->matmul_q4, ref.matmul_q4, MC_Q4);
}

int matmul_q8(const mc_kernels *k)
{
    return matmul_q(k->isa, k->matmul_q8, ref.matmul_q8, MC_Q8);
}

int matmul_bf16(const mc_kernels *k)
{
    return matmul_f(k->isa, k->matmul_bf16, ref.matmul_bf16, MC_BF16);
}

int matmul_f32(const mc_kernels *k)
{
    return matmul_f(k->isa, k->matmul_f32, ref.matmul_f32, MC_F32);
}


int quantize_row(const mc_kernels *k)
{
    const int n = random_int(1, 1100), m = random_int(1, 3), row = random_int(0, m - 1);
    const size_t blocks = (n + MC_BLOCK_K - 1) / MC_BLOCK_K * (size_t)m;
    mc_q8_rows got = new_rows(m, n), want = got;
    const size_t q_bytes = (m - 1) * got.stride + mc_k_padded(n);
    float *x = random_floats(n, random_sample());
    memset(got.scale, 0, blocks * 4), memset(got.sum, 0, blocks * 4);
    want.q = copy_of(got.q, q_bytes);
    want.scale = copy_of(got.scale, blocks * 4), want.sum = copy_of(got.sum, blocks * 4);
    describe("%s quantize_row k=%d row %d of %d", k->isa, n, row, m);

    k->quantize_row(&got, row, x, n);
    ref.quantize_row(&want, row, x, n);
    const int ok = same_bytes("q", got.q, want.q, q_bytes)
        && same("scale", got.scale, want.scale, blocks)
        && same_bytes("sum", got.sum, want.sum, blocks * 4);
    free_rows(&got), free_rows(&want), free(x);
    return ok;
}
