"""The only door between Python and C: check once here, then release the GIL."""
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

import math

import numpy as np

from . import errors

cdef extern from "status.h" nogil:
    ctypedef enum mc_status:
        MC_OK, MC_NOMEM, MC_IO, MC_BAD_MODEL, MC_BAD_REQUEST
    mc_status mc_fail(mc_status status, const char *format, ...) noexcept
    const char *mc_message() noexcept

cdef extern from "memory.h" nogil:
    void *mc_memory_new(size_t bytes) noexcept
    void mc_memory_free(void *memory) noexcept
    void mc_memory_trim() noexcept
    void mc_memory_fail(int n) noexcept


def trim_memory():
    """Gives what is free in the heap back to the system."""
    with nogil:
        mc_memory_trim()


def fail_allocation(int n):
    """For tests: the n-th allocation in C from now on fails, once; 0: none does."""
    mc_memory_fail(n)


cdef int check(mc_status status) except -1:
    """Raises what C's status stands for, with the message C left."""
    if status == MC_OK:
        return 0
    error = {MC_NOMEM: errors.OutOfMemory, MC_IO: errors.NativeError,
             MC_BAD_MODEL: errors.ModelError, MC_BAD_REQUEST: errors.RequestError}[status]
    raise error(mc_message().decode())


def aligned(size_t n_bytes, size_t to=64):
    """Returns n_bytes of uint8 that start on a multiple of to."""
    raw = np.empty(n_bytes + to, np.uint8)
    start = -<uintptr_t>raw.ctypes.data % to
    return raw[start:start + n_bytes]


include "native/kernels.pxi"
include "native/pack.pxi"
include "native/sample.pxi"
include "native/engine.pxi"
