# Checkpoint tensors become packed matrices; weights.py brings both sides' memory.

cdef extern from "quantize.h" nogil:
    ctypedef enum mc_dtype:
        MC_DTYPE_F32, MC_DTYPE_F16, MC_DTYPE_BF16
    ctypedef struct mc_source:
        const char *name
        const void *data
        mc_dtype dtype
        int rows
        size_t row_stride, k_stride
    mc_status mc_pack(void *packed, mc_format format, const mc_source *sources, int n_sources,
                      int n, int k, int panel0, int panel1) noexcept
    void mc_matrix_row(float *out, const mc_matrix *w, int row) noexcept

DTYPES = {"float32": MC_DTYPE_F32, "float16": MC_DTYPE_F16, "bfloat16": MC_DTYPE_BF16}
cdef enum: MAX_SOURCES = 8


def pack(uint8_t[::1] out,                  # OUT packed_bytes(format, n, k)
         str format, int n, int k,
         sources,                           # IN  [(name, array (rows, k))], rows add up to n
         int panel0=0, int panel1=-1):
    """Packs panels of the matrix (n, k) whose rows are those of the sources, stacked.

    Arrays are float32, float16 or ml_dtypes.bfloat16 with positive strides of any order.
    Raises ModelError, naming the source, where a weight is inf or NaN.
    """
    cdef mc_source s[MAX_SOURCES]
    cdef mc_format f = FORMATS[format]
    cdef int n_sources = len(sources), rows = 0, i
    cdef mc_status status
    panel1 = mc_panels(n) if panel1 < 0 else panel1
    if not 0 < n_sources <= MAX_SOURCES:
        raise ValueError(f"{n_sources} sources; 1 to {MAX_SOURCES} can be stacked")
    if out.shape[0] != <Py_ssize_t>(mc_panels(n) * mc_panel_bytes(f, k)):
        raise ValueError(f"out: {out.shape[0]} bytes are no {format} matrix {(n, k)}")
    if not 0 <= panel0 <= panel1 <= mc_panels(n):
        raise ValueError(f"bad panels {panel0}:{panel1} of {mc_panels(n)}")
    names = [name.encode() for name, _ in sources]
    for i in range(n_sources):
        array = sources[i][1]
        strides = array.strides
        if array.ndim != 2 or array.shape[1] != k or not array.flags.aligned or min(strides) < 0:
            raise ValueError(f"{names[i]}: shape {array.shape} with strides {strides}, k is {k}")
        s[i].name = names[i]
        s[i].data = <const void *><uintptr_t>array.ctypes.data
        s[i].dtype = DTYPES[array.dtype.name]
        s[i].rows = array.shape[0]
        s[i].row_stride = strides[0] // array.itemsize
        s[i].k_stride = strides[1] // array.itemsize
        rows += s[i].rows
    if rows != n:
        raise ValueError(f"{rows} rows in the sources of a matrix {(n, k)}")
    with nogil:
        status = mc_pack(&out[0], f, s, n_sources, n, k, panel0, panel1)
    check(status)


def matrix_row(const uint8_t[::1] packed, str format, int n, int k, int row):
    """Returns a row of a packed matrix as float32 (k)."""
    cdef mc_matrix w
    w.data, w.format, w.n, w.k = &packed[0], FORMATS[format], n, k
    cdef size_t n_bytes = mc_panels(n) * mc_panel_bytes(w.format, k)
    if packed.shape[0] != <Py_ssize_t>n_bytes or not 0 <= row < n:
        raise ValueError(f"row {row} of a {format} matrix {(n, k)} in {packed.shape[0]} bytes")
    cdef float[::1] out = np.empty(k, np.float32)
    with nogil:
        mc_matrix_row(&out[0], &w, row)
    return np.asarray(out)
