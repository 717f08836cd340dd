# The commands of a developer.  tests/native/build.mk compiles csrc without Python.
PYTHON ?= python
NATIVE = $(MAKE) --no-print-directory -f tests/native/build.mk

.PHONY: build test check driver asan tsan amx-emulated neon portable fuzz clean

build:
	$(PYTHON) setup.py -q build_clib build_ext --inplace

test: build
	$(PYTHON) -m pytest -q

check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

driver:             # every kernel of this machine against ref, bit for bit
	@$(NATIVE) run CONFIG=plain
asan:               # kernels and engine, AMX emulated where the processor lacks it
	@$(NATIVE) run CONFIG=asan
	@$(NATIVE) run CONFIG=asan PROGRAM=engine
	@$(NATIVE) run CONFIG=asan PROGRAM=pool
tsan:               # whole steps and the pool
	@$(NATIVE) run CONFIG=tsan PROGRAM=engine ROUNDS=20
	@$(NATIVE) run CONFIG=tsan PROGRAM=pool ROUNDS=20
amx-emulated:       # the AMX kernels as they ship
	@$(NATIVE) run CONFIG=amx ISAS=amx
neon:               # cross-compiled, static, under qemu
	@$(NATIVE) run CONFIG=neon
portable:           # a processor that csrc knows nothing of: ref alone, no warning
	@$(NATIVE) objects CONFIG=portable
fuzz:               # until it fails or is stopped
	@while $(NATIVE) run CONFIG=asan SEED=$$(date +%s%N) && \
	    $(NATIVE) run CONFIG=asan PROGRAM=engine SEED=$$(date +%s%N); do :; done

clean:
	rm -rf build minichat/*.so minichat/_native.c
