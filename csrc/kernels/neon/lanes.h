/* neon/lanes.h - sixteen lanes in four registers. */
#ifndef MC_LANES_NEON_H
#define MC_LANES_NEON_H

#include <arm_neon.h>
#include <string.h>

typedef struct lanes { float32x4_t v[4]; } lanes;
typedef struct int_lanes { int32x4_t v[4]; } int_lanes;
typedef struct lane_mask { uint32x4_t v[4]; } lane_mask;

enum { LANES_REGISTERS = 8, LANES_ACCUMULATORS = 6 };

#include "kernels/lanes/lanes.h"

static inline lanes lanes_set(float x)
{
    const float32x4_t v = vdupq_n_f32(x);
    return (lanes){ { v, v, v, v } };
}

static inline lanes lanes_load(const float *p)
{
    return (lanes){ { vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12) } };
}

static inline void lanes_store(float *p, lanes v)
{
    for (int i = 0; i < 4; i++)
        vst1q_f32(p + 4 * i, v.v[i]);
}

static inline lanes lanes_load_first(const float *p, int n)
{
    float all[16] = { 0 };
    memcpy(all, p, n * sizeof *p);
    return lanes_load(all);
}

static inline void lanes_store_first(float *p, lanes v, int n)
{
    float all[16];
    lanes_store(all, v);
    memcpy(p, all, n * sizeof *p);
}

static inline lane_mask lanes_between(int begin, int end)
{
    static const int32_t index[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    lane_mask mask;
    for (int i = 0; i < 4; i++) {
        const int32x4_t lane = vld1q_s32(index + 4 * i);
        mask.v[i] = vandq_u32(vcgeq_s32(lane, vdupq_n_s32(begin)),
                              vcltq_s32(lane, vdupq_n_s32(end)));
    }
    return mask;
}

static inline int_lanes int_lanes_begin(int32_t sum)
{
    (void)sum;
    return (int_lanes){ { vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0) } };
}

static inline int_lanes int_lanes_add(int_lanes acc, const uint8_t *quads, int32_t x4)
{
    const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(x4));
    for (int i = 0; i < 4; i++) {
        const uint8x16_t k = veorq_u8(vld1q_u8(quads + 16 * i), vdupq_n_u8(0x80));
        acc.v[i] = vdotq_s32(acc.v[i], vreinterpretq_s8_u8(k), x);
    }
    return acc;
}

static inline int_lanes int_lanes_add_pairs(int_lanes acc, const int8_t *pairs, int32_t w2)
{
    const int16x8_t w = vreinterpretq_s16_s32(vdupq_n_s32(w2));
    for (int i = 0; i < 4; i++) {
        const int16x8_t v = vmovl_s8(vld1_s8(pairs + 8 * i));
        const int32x4_t low = vmull_s16(vget_low_s16(v), vget_low_s16(w));
        acc.v[i] = vaddq_s32(acc.v[i], vpaddq_s32(low, vmull_high_s16(v, w)));
    }
    return acc;
}

static inline void lanes_store_i16(int16_t *p, lanes v)
{
    for (int i = 0; i < 4; i++)
        vst1_s16(p + 4 * i, vmovn_s32(vcvtq_s32_f32(v.v[i])));
}

static inline lanes lanes_of(int_lanes v)
{
    lanes f;
    for (int i = 0; i < 4; i++)
        f.v[i] = vcvtq_f32_s32(v.v[i]);
    return f;
}

static inline lanes lanes_add(lanes a, lanes b)
{
    for (int i = 0; i < 4; i++)
        a.v[i] = vaddq_f32(a.v[i], b.v[i]);
    return a;
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    for (int i = 0; i < 4; i++)
        a.v[i] = vsubq_f32(a.v[i], b.v[i]);
    return a;
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    for (int i = 0; i < 4; i++)
        a.v[i] = vmulq_f32(a.v[i], b.v[i]);
    return a;
}

static inline lanes lanes_div(lanes a, lanes b)
{
    for (int i = 0; i < 4; i++)
        a.v[i] = vdivq_f32(a.v[i], b.v[i]);
    return a;
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    for (int i = 0; i < 4; i++)
        c.v[i] = vfmaq_f32(c.v[i], a.v[i], b.v[i]);
    return c;
}

static inline lanes lanes_negate(lanes v)
{
    for (int i = 0; i < 4; i++)
        v.v[i] = vnegq_f32(v.v[i]);
    return v;
}

static inline lanes lanes_abs(lanes v)
{
    for (int i = 0; i < 4; i++)
        v.v[i] = vabsq_f32(v.v[i]);
    return v;
}

static inline lanes lanes_rint(lanes v)
{
    for (int i = 0; i < 4; i++)
        v.v[i] = vrndnq_f32(v.v[i]);
    return v;
}

/* vminq and vmaxq would give NaN for it. */
static inline lanes lanes_min(lanes a, lanes b)
{
    for (int i = 0; i < 4; i++)
        a.v[i] = vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]);
    return a;
}

static inline lanes lanes_max(lanes a, lanes b)
{
    for (int i = 0; i < 4; i++)
        a.v[i] = vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]);
    return a;
}

static inline lanes lanes_ldexp(lanes v, lanes n)
{
    for (int i = 0; i < 4; i++) {
        const int32x4_t exponent = vshlq_n_s32(vcvtq_s32_f32(n.v[i]), 23);  /* NaN converts to 0 */
        v.v[i] = vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(v.v[i]), exponent));
    }
    return v;
}

static inline lane_mask lanes_less(lanes a, lanes b)
{
    lane_mask mask;
    for (int i = 0; i < 4; i++)
        mask.v[i] = vcltq_f32(a.v[i], b.v[i]);
    return mask;
}

static inline lanes lanes_select(lane_mask mask, lanes yes, lanes no)
{
    for (int i = 0; i < 4; i++)
        no.v[i] = vbslq_f32(mask.v[i], yes.v[i], no.v[i]);
    return no;
}

static inline lanes lanes_load_half(const uint16_t *p)
{
    lanes v;
    for (int i = 0; i < 4; i++)
        v.v[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
    return v;
}

static inline void lanes_store_half(uint16_t *p, lanes v)
{
    const lanes clamped = lanes_max(lanes_set(-65504.0f), lanes_min(lanes_set(65504.0f), v));
    for (int i = 0; i < 4; i++)
        vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(clamped.v[i])));
}

static inline void lanes_store_i8(int8_t *p, lanes v)
{
    int16x4_t words[4];
    for (int i = 0; i < 4; i++)
        words[i] = vmovn_s32(vcvtq_s32_f32(v.v[i]));
    vst1_s8(p, vmovn_s16(vcombine_s16(words[0], words[1])));
    vst1_s8(p + 8, vmovn_s16(vcombine_s16(words[2], words[3])));
}

static inline float lanes_sum(lanes v)
{
    const float32x4_t four = vaddq_f32(vaddq_f32(v.v[0], v.v[2]), vaddq_f32(v.v[1], v.v[3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

static inline float lanes_largest(lanes v)
{
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.v[0], v.v[1]), vmaxq_f32(v.v[2], v.v[3])));
}

#endif
