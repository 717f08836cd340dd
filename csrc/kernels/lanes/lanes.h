/* lanes.h - sixteen floats at a time: what an instruction set supplies.
 *
 * The contracts of kernels.h are written over 16 lanes, whatever a register holds.  So an
 * operation's body stands once, in kernels/lanes/<op>.h, over the functions declared here;
 * kernels/<isa>/lanes.h defines the types lanes, int_lanes and lane_mask, LANES_REGISTERS, how many
 * lanes the registers hold, and LANES_ACCUMULATORS, how many of them a product gives to its
 * sums, beside its operands; then it includes this file and defines the functions.
 * kernels/<isa>/<op>.c includes that and the body.
 *
 * Arithmetic is IEEE's, lane by lane, ties to even; the payload of a NaN is free. */
#ifndef MC_LANES_H
#define MC_LANES_H

#include <stdint.h>

static inline lanes lanes_set(float x);         /* x in every lane */

static inline lanes lanes_load(const float *p);
static inline void lanes_store(float *p, lanes v);

/* Only p[0 ... n), for n from 0 to 16, is read or written; the other lanes are 0. */
static inline lanes lanes_load_first(const float *p, int n);
static inline void lanes_store_first(float *p, lanes v, int n);

/* IEEE half, as mc_half_to_f32 and mc_f32_to_half of kernels/half.h. */
static inline lanes lanes_load_half(const uint16_t *p);
static inline void lanes_store_half(uint16_t *p, lanes v);

/* Lanes are integers from -128 to 127. */
static inline void lanes_store_i8(int8_t *p, lanes v);

/* Sixteen integers: sums of products of bytes that are 128 too large with bytes that are not.
 * sum is of the latter, of all products that will be added. */
static inline int_lanes int_lanes_begin(int32_t sum);
/* Adds (quads[4 * lane + i] - 128) * x4[i], i = 0 ... 3, to each lane; x4 is four int8. */
static inline int_lanes int_lanes_add(int_lanes acc, const uint8_t *quads, int32_t x4);
/* Adds pairs[2 * lane + i] * w2[i], i = 0, 1, to each lane; pairs are int8, w2 two int16. */
static inline int_lanes int_lanes_add_pairs(int_lanes acc, const int8_t *pairs, int32_t w2);
static inline lanes lanes_of(int_lanes v);
/* Lanes are integers of 16 bits. */
static inline void lanes_store_i16(int16_t *p, lanes v);

static inline lanes lanes_add(lanes a, lanes b);
static inline lanes lanes_sub(lanes a, lanes b);
static inline lanes lanes_mul(lanes a, lanes b);
static inline lanes lanes_div(lanes a, lanes b);
static inline lanes lanes_fma(lanes a, lanes b, lanes c);       /* a * b + c, rounded once */
static inline lanes lanes_negate(lanes v);
static inline lanes lanes_abs(lanes v);
static inline lanes lanes_rint(lanes v);
static inline lanes lanes_min(lanes a, lanes b);                /* a < b ? a : b */
static inline lanes lanes_max(lanes a, lanes b);                /* a > b ? a : b */

/* v * 2^n for normal v and result, n an integer; NaN where v and n both are.  Anything
 * where n is no integer of int32_t's range. */
static inline lanes lanes_ldexp(lanes v, lanes n);

static inline lane_mask lanes_less(lanes a, lanes b);
static inline lane_mask lanes_between(int begin, int end);      /* begin <= lane < end */
static inline lanes lanes_select(lane_mask mask, lanes yes, lanes no);

static inline float lanes_sum(lanes v);         /* mc_lane_sum of kernels/lane_sum.h */
static inline float lanes_largest(lanes v);     /* no lane is NaN; which zero is free */

/* The n values from p on, or 16 where there are more. */
static inline lanes lanes_load_upto(const float *p, int n)
{
    return n < 16 ? lanes_load_first(p, n) : lanes_load(p);
}

static inline void lanes_store_upto(float *p, lanes v, int n)
{
    if (n < 16)
        lanes_store_first(p, v, n);
    else
        lanes_store(p, v);
}

#endif
