# The commands of a developer.  tests/native/build.mk compiles csrc without Python.
PYTHON ?= python
NATIVE = $(MAKE) --no-print-directory -f tests/native/build.mk

.PHONY: build test driver asan amx-emulated neon portable fuzz clean

build:
	$(PYTHON) setup.py -q build_clib build_ext --inplace

test: build
	$(PYTHON) -m pytest -q

driver:             # every kernel of this machine against ref, bit for bit
	@$(NATIVE) run CONFIG=plain
asan:               # the same under sanitizers, AMX emulated where the processor lacks it
	@$(NATIVE) run CONFIG=asan
amx-emulated:       # the AMX kernels as they ship
	@$(NATIVE) run CONFIG=amx ISAS=amx
neon:               # cross-compiled, static, under qemu
	@$(NATIVE) run CONFIG=neon
portable:           # a processor that csrc knows nothing of: ref alone, no warning
	@$(NATIVE) objects CONFIG=portable
fuzz: SEED = $$(date +%s%N)
fuzz:               # until it fails or is stopped
	@while $(NATIVE) run CONFIG=asan SEED=$(SEED); do :; done

clean:
	rm -rf build minichat/*.so minichat/_native.c
