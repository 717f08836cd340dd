# csrc and the native tests, without Python:
#     make -f tests/native/build.mk run CONFIG=asan [PROGRAM=engine] [ROUNDS=100] [SEED=1]
# Each configuration has its folder in build/native.  The flags are those of setup.py, which
# tests/native/test_driver.py compares.
PROGRAM ?= driver
ROUNDS ?= 100
SEED ?= 1
CFLAGS = -std=c11 -O3 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno -fno-lto \
    -fvisibility=hidden

AVX2 = -mavx2 -mfma -mf16c
AVX512VNNI = $(AVX2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
FLAGS.avx2 = $(AVX2)
FLAGS.avxvnni = $(AVX2) -mavxvnni
FLAGS.avx512vnni = $(AVX512VNNI)
FLAGS.avx512vbmi = $(AVX512VNNI) -mavx512vbmi
FLAGS.amx = $(AVX512VNNI) -mavx512vbmi -mamx-tile -mamx-int8
FLAGS.neon = -march=armv8.2-a+dotprod+fp16
ISAS.x86_64 = avx2 avxvnni avx512vnni avx512vbmi amx
ISAS.aarch64 = neon

MACHINE = $(subst arm64,aarch64,$(shell uname -m))
EMULATED =
ifeq ($(CONFIG),asan)
    # The address sanitizer sees what the checks left out would, and those take half the build.
    CFLAGS += -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
        -fno-sanitize=null,object-size,pointer-overflow -fno-sanitize-recover=all
    EMULATED = $(filter amx,$(ISAS.$(MACHINE)))
else ifeq ($(CONFIG),tsan)
    CFLAGS += -O1 -g -fno-omit-frame-pointer -fsanitize=thread
else ifeq ($(CONFIG),amx)
    EMULATED = amx
else ifeq ($(CONFIG),neon)
    MACHINE = aarch64
    CC = aarch64-linux-gnu-gcc
    LDFLAGS = -static
    RUN = qemu-aarch64-static
else ifeq ($(CONFIG),portable)
    MACHINE = riscv64
    CC = clang-16 --target=riscv64-linux-gnu -isystem /usr/aarch64-linux-gnu/include
endif

OUT = build/native/$(CONFIG)
KERNELS = $(foreach isa,ref $(ISAS.$(MACHINE)),$(wildcard csrc/kernels/$(isa)/*.c))
CSRC = $(KERNELS) $(wildcard csrc/*.c csrc/blocks/*.c)
# The emulation stands in for csrc/cpu.c, which it contains.
LIBRARY = $(if $(EMULATED),$(filter-out csrc/cpu.c,$(CSRC)) tests/native/amx_emulation.c,$(CSRC)) \
    tests/native/compare.c
SOURCES.driver = $(LIBRARY) $(addprefix tests/native/,driver.c products.c vectors.c cache.c)
SOURCES.engine = $(LIBRARY) \
    $(addprefix tests/native/,engine.c packing.c sampling.c steps.c shortage.c models.c)
SOURCES.pool = csrc/threads.c tests/native/pool.c
HEADERS = $(shell find csrc tests/native -name '*.h')

.PHONY: run objects flags
run: $(OUT)/$(PROGRAM)
	$(RUN) $< -n $(ROUNDS) -s $(SEED) $(ISAS)

flags:
	@echo $(FLAGS.$(ISA))

objects: $(CSRC:%.c=$(OUT)/%.o)

$(OUT)/engine: LDFLAGS += -Wl,--wrap=pthread_create

.SECONDEXPANSION:
$(OUT)/driver $(OUT)/engine $(OUT)/pool: $$(patsubst %.c,$(OUT)/%.o,$$(SOURCES.$$(@F)))
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ -lm -pthread

# csrc/kernels/<isa>/<op>.c is compiled with the flags of its ISA.
$(OUT)/%.o: %.c $(HEADERS) tests/native/build.mk
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(FLAGS.$(word 3,$(subst /, ,$*))) -Icsrc -c $< -o $@
