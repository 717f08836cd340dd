/* models.c - see models.h. */
#include "models.h"

#include <math.h>

#include "kernels/panels.h"
#include "quantize.h"
#include "random.h"

static float *random_weights(int n, float mean, float spread)
{
    float *p = exact((size_t)n * sizeof *p);
    for (int i = 0; i < n; i++)
        p[i] = mean + spread * (2.0f * random_unit() - 1.0f);
    return p;
}

static float *sometimes(float *p)
{
    if (random_int(0, 1))
        return p;
    free(p);
    return NULL;
}

static mc_matrix random_matrix(int n, int k)
{
    mc_matrix w = { .format = (mc_format)random_int(MC_F32, MC_Q4), .n = n, .k = k };
    void *packed = exact(mc_panels(n) * mc_panel_bytes(w.format, k));
    float *values = random_weights(n * k, 0.0f, 2.0f / sqrtf((float)k));
    const mc_source source = { .name = "random", .data = values, .dtype = MC_DTYPE_F32, .rows = n,
                               .row_stride = (size_t)k, .k_stride = 1 };
    if (mc_pack(packed, w.format, &source, 1, n, k, 0, mc_panels(n)))
        abort();
    free(values);
    w.data = packed;
    return w;
}

static mc_norm random_norm(const mc_model *model, int optional)
{
    const int n = model->hidden_size;
    mc_norm norm = { .weight = random_weights(n, 1.0f, 0.5f) };
    if (optional)
        norm.weight = sometimes((float *)norm.weight);
    if (norm.weight && model->layer_norm)
        norm.bias = sometimes(random_weights(n, 0.0f, 0.5f));
    return norm;
}

static mc_attention_block random_attention(const mc_model *model)
{
    const int kv_heads = random_int(1, 3), heads = kv_heads * random_int(1, 4);
    const int head_dim = 2 * model->ropes[0].pairs + 2 * random_int(0, 4), d = model->hidden_size;
    const int width = (heads + 2 * kv_heads) * head_dim, full = random_int(0, 1);
    mc_attention_block block = {
        .heads = heads, .kv_heads = kv_heads, .head_dim = head_dim,
        .rope = random_int(-1, 0), .window = random_int(0, 1) * random_int(1, 100),
        .scale = 1.0f / sqrtf((float)head_dim), .softcap = random_int(0, 1) ? 30.0f : 0.0f,
        .qkv = random_matrix(width, d), .out = random_matrix(d, heads * head_dim),
        .qkv_bias = sometimes(random_weights(width, 0.0f, 0.5f)),
        .out_bias = sometimes(random_weights(d, 0.0f, 0.5f)), .norm_full = full,
    };
    if (random_int(0, 1)) {
        block.q_norm = random_weights(full ? heads * head_dim : head_dim, 1.0f, 0.5f);
        block.k_norm = random_weights(full ? kv_heads * head_dim : head_dim, 1.0f, 0.5f);
    }
    return block;
}

static mc_mlp_block random_mlp(const mc_model *model)
{
    const int hidden = random_int(1, 400), gated = random_int(0, 1), d = model->hidden_size;
    return (mc_mlp_block){
        .hidden = hidden, .gated = gated, .act = (mc_act)random_int(MC_SILU, MC_RELU),
        .up = random_matrix(gated ? 2 * hidden : hidden, d), .down = random_matrix(d, hidden),
        .up_bias = sometimes(random_weights(gated ? 2 * hidden : hidden, 0.0f, 0.5f)),
        .down_bias = sometimes(random_weights(d, 0.0f, 0.5f)),
    };
}

mc_model *random_model(void)
{
    mc_model *model = exact(sizeof *model);
    *model = (mc_model){
        .vocab_size = random_int(2, 150), .hidden_size = random_int(1, 300), .max_positions = 200,
        .n_layers = random_int(1, 3), .n_ropes = 1, .layer_norm = random_int(0, 1),
        .norm_eps = 1e-5f, .embed_scale = random_int(0, 1) ? 1.0f : 3.0f,
        .logit_scale = random_int(0, 1) ? 1.0f : 0.25f,
        .logit_softcap = random_int(0, 1) ? 0.0f : 15.0f,
        .kv = (mc_kv)random_int(MC_KV_F32, MC_KV_Q8),
    };
    const int d = model->hidden_size, pairs = random_int(1, 16);
    model->embed = random_matrix(model->vocab_size, d);
    model->head = random_int(0, 1) ? model->embed : random_matrix(model->vocab_size, d);
    model->positions = sometimes(random_weights(model->max_positions * d, 0.0f, 0.5f));
    model->final_norm = random_norm(model, 0);
    model->ropes = exact(sizeof *model->ropes);
    *model->ropes = (mc_rope_table){
        .pairs = pairs, .factor = { 1.0f, 1.25f },
        .inv_freq = { random_weights(pairs, 0.5f, 0.5f), random_weights(pairs, 0.25f, 0.25f) },
    };
    model->layers = exact((size_t)model->n_layers * sizeof *model->layers);
    for (int i = 0; i < model->n_layers; i++)
        model->layers[i] = (mc_layer){
            .attn_norm = random_norm(model, 0), .attn_post_norm = random_norm(model, 1),
            .ffn_norm = random_norm(model, 0), .ffn_post_norm = random_norm(model, 1),
            .attention = random_attention(model), .mlp = random_mlp(model),
            .residual_multiplier = random_int(0, 1) ? 1.0f : 0.5f,
        };
    return model;
}

static void norm_free(mc_norm norm)
{
    free((void *)norm.weight), free((void *)norm.bias);
}

void random_model_free(mc_model *model)
{
    for (int i = 0; i < model->n_layers; i++) {
        const mc_layer *l = &model->layers[i];
        const void *owned[] = {
            l->attention.qkv.data, l->attention.out.data, l->attention.qkv_bias,
            l->attention.out_bias, l->attention.q_norm, l->attention.k_norm,
            l->mlp.up.data, l->mlp.down.data, l->mlp.up_bias, l->mlp.down_bias,
        };
        for (size_t j = 0; j < sizeof owned / sizeof owned[0]; j++)
            free((void *)owned[j]);
        norm_free(l->attn_norm), norm_free(l->attn_post_norm);
        norm_free(l->ffn_norm), norm_free(l->ffn_post_norm);
    }
    if (model->head.data != model->embed.data)
        free((void *)model->head.data);
    free((void *)model->embed.data), free((void *)model->positions);
    free((void *)model->ropes->inv_freq[0]), free((void *)model->ropes->inv_freq[1]);
    norm_free(model->final_norm);
    free(model->ropes), free(model->layers), free(model);
}
