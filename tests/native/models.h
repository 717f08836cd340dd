/* models.h - small models of random shape and random weights. */
#ifndef MC_TEST_MODELS_H
#define MC_TEST_MODELS_H

#include "minichat.h"

/* A model and all that it points to; random_model_free ends both. */
mc_model *random_model(void);
void random_model_free(mc_model *model);

#endif
