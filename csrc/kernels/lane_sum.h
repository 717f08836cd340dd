/* lane_sum.h - the sum over 16 lanes, once its lanes are full. */
#ifndef MC_LANE_SUM_H
#define MC_LANE_SUM_H

static inline float mc_lane_sum(float lanes[16])
{
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

#endif
