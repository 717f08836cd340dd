# The kernels of one instruction set, for tests and benchmarks: the engine holds an
# mc_kernels of its own and never comes through here.

cdef extern from "kernels.h" nogil:
    enum: MC_TILE_ROWS, MC_TILE_K, MC_BLOCK_K, MC_PAGE
    ctypedef enum mc_format:
        MC_F32, MC_BF16, MC_Q8, MC_Q4
    ctypedef struct mc_matrix:
        const void *data
        mc_format format
        int n, k
    ctypedef struct mc_q8_rows:
        int8_t *q
        float *scale
        int32_t *sum
        size_t stride
        int blocks
    ctypedef enum mc_act:
        MC_SILU, MC_GELU_TANH, MC_RELU
    ctypedef enum mc_kv:
        MC_KV_F32, MC_KV_F16, MC_KV_Q8
    size_t mc_key_bytes(mc_kv kv, int head_dim) noexcept
    size_t mc_value_bytes(mc_kv kv, int head_dim) noexcept
    ctypedef struct mc_attention_args:
        float *out
        const float *q
        size_t out_stride, q_stride
        int tokens, group, head_dim, position, window
        float scale, softcap
        mc_kv kv
        const char *const *pages
        size_t keys_offset, values_offset
        float *parts
        int segments, segment
    enum: MC_SEGMENT, MC_MAX_HEAD_DIM
    size_t mc_part_floats(int head_dim) noexcept
    ctypedef void mc_matmul_q(float *out, size_t out_stride, const mc_q8_rows *x, int m,
                              const mc_matrix *w, int panel0, int panel1) noexcept nogil
    ctypedef void mc_matmul_f(float *out, size_t out_stride, const float *x, size_t x_stride, int m,
                              const mc_matrix *w, int panel0, int panel1) noexcept nogil
    ctypedef void mc_quantize_row(const mc_q8_rows *out, int i, const float *x,
                                  int k) noexcept nogil
    ctypedef void mc_rmsnorm(float *out, const float *x, const float *weight, int n,
                             float eps) noexcept nogil
    ctypedef void mc_layernorm(float *out, const float *x, const float *weight, const float *bias,
                               int n, float eps) noexcept nogil
    ctypedef void mc_rope(float *x, const float *cos, const float *sin, int heads, int head_dim,
                          int half) noexcept nogil
    ctypedef void mc_activate(float *out, const float *gate, const float *up, int n,
                              mc_act act) noexcept nogil
    ctypedef void mc_add_scaled(float *x, const float *y, float scale, int n) noexcept nogil
    ctypedef void mc_kv_write(void *keys, void *values, int slot, const float *k, const float *v,
                              int head_dim, mc_kv kv) noexcept nogil
    ctypedef void mc_attention(const mc_attention_args *args) noexcept nogil
    ctypedef struct mc_kernels:
        const char *isa
        mc_matmul_q *matmul_q4
        mc_matmul_q *matmul_q8
        mc_matmul_f *matmul_bf16
        mc_matmul_f *matmul_f32
        mc_quantize_row *quantize_row
        mc_rmsnorm *rmsnorm
        mc_layernorm *layernorm
        mc_rope *rope
        mc_activate *activate
        mc_add_scaled *add_scaled
        mc_kv_write *kv_write
        mc_attention *attention
    int mc_kernels_init(mc_kernels *k, const char *isa) noexcept
    const char *mc_kernels_isa(int i) noexcept

cdef extern from "kernels/panels.h" nogil:
    int mc_k_padded(int k) noexcept
    int mc_panels(int n) noexcept
    size_t mc_panel_bytes(mc_format format, int k) noexcept

FORMATS = {"f32": MC_F32, "bf16": MC_BF16, "q8": MC_Q8, "q4": MC_Q4}
KVS = {"float32": MC_KV_F32, "float16": MC_KV_F16, "uint8": MC_KV_Q8}     # dtype of the keys
ACTS = {"silu": MC_SILU, "gelu_tanh": MC_GELU_TANH, "relu": MC_RELU}
PAGE, TILE_ROWS = MC_PAGE, MC_TILE_ROWS


def packed_bytes(str format, int n, int k):
    """Bytes of a matrix (n, k) packed as format."""
    return mc_panels(n) * mc_panel_bytes(FORMATS[format], k)


def isas():
    """Names of the instruction sets this machine runs, slowest first."""
    names, i = [], 0
    while mc_kernels_isa(i) is not NULL:
        names.append(mc_kernels_isa(i).decode())
        i += 1
    return names


cdef class Kernels:
    """The kernels of one instruction set."""
    cdef mc_kernels k

    def __init__(self, str isa):
        if mc_kernels_init(&self.k, isa.encode()):
            raise ValueError(f"this machine cannot run {isa!r}; it runs {', '.join(isas())}")

    def quantize(self, const float[:, ::1] x):
        """Returns x (m, k) as (q (m, k_padded), scale (m, blocks), sum (m, blocks))."""
        cdef int m = x.shape[0], k = x.shape[1], i
        cdef int padded = mc_k_padded(k), blocks = (padded + MC_BLOCK_K - 1) // MC_BLOCK_K
        q = aligned(m * padded).view(np.int8).reshape(m, padded)
        scale, sums = np.empty((m, blocks), np.float32), np.empty((m, blocks), np.int32)
        cdef mc_q8_rows rows = q8_rows(q, scale, sums)
        with nogil:
            for i in range(m):
                self.k.quantize_row(&rows, i, &x[i, 0], k)
        return q, scale, sums

    def matmul(self,
               float[:, ::1] out,                   # OUT (m, >= 16 * panels)
               x,                                   # IN  from quantize, or float32 (m, k_padded)
               const uint8_t[::1] packed,           # IN  a matrix (n, k) in format
               str format, int n, int k,
               int panel0=0, int panel1=-1, int repeat=1):
        """out[:, 16 * panel0:16 * panel1] = x @ w.T"""
        cdef int i, m = out.shape[0]
        cdef size_t stride = out.shape[1]
        cdef mc_matrix w
        cdef mc_q8_rows rows
        cdef const float[:, ::1] xf
        cdef mc_matmul_q *run_q
        cdef mc_matmul_f *run_f
        w.data, w.format, w.n, w.k = &packed[0], FORMATS[format], n, k
        panel1 = mc_panels(n) if panel1 < 0 else panel1
        if packed.shape[0] != <Py_ssize_t>(mc_panels(n) * mc_panel_bytes(w.format, k)):
            raise ValueError(f"packed: {packed.shape[0]} bytes are no {format} matrix {(n, k)}")
        if <uintptr_t>w.data % 64:
            raise ValueError("packed: must start on a multiple of 64 bytes")
        if not 0 <= panel0 <= panel1 <= mc_panels(n) or stride < <size_t>panel1 * MC_TILE_ROWS:
            raise ValueError(f"bad panels {panel0}:{panel1} of out {(m, stride)}")
        if format in ("q4", "q8"):
            if x[0].shape != (m, mc_k_padded(k)):
                raise ValueError(f"x {x[0].shape} does not fit out {(m, stride)} and k {k}")
            rows = q8_rows(x[0], x[1], x[2])
            run_q = self.k.matmul_q4 if format == "q4" else self.k.matmul_q8
            with nogil:
                for i in range(repeat):
                    run_q(&out[0, 0], stride, &rows, m, &w, panel0, panel1)
        else:
            xf = x
            if xf.shape[0] != m or xf.shape[1] != mc_k_padded(k):
                raise ValueError(f"x {(xf.shape[0], xf.shape[1])} does not fit "
                                 f"out {(m, stride)} and k {k}")
            run_f = self.k.matmul_bf16 if format == "bf16" else self.k.matmul_f32
            with nogil:
                for i in range(repeat):
                    run_f(&out[0, 0], stride, &xf[0, 0], xf.shape[1], m, &w, panel0, panel1)

    def rmsnorm(self, float[::1] out, const float[::1] x, const float[::1] weight, float eps):
        same_length(out, x, weight)
        with nogil:
            self.k.rmsnorm(&out[0], &x[0], &weight[0], <int>x.shape[0], eps)

    def layernorm(self, float[::1] out, const float[::1] x, const float[::1] weight,
                  const float[::1] bias, float eps):
        """bias may be None."""
        same_length(out, x, weight)
        cdef const float *b = NULL
        if bias is not None:
            same_length(out, bias)
            b = &bias[0]
        with nogil:
            self.k.layernorm(&out[0], &x[0], &weight[0], b, <int>x.shape[0], eps)

    def rope(self, float[:, ::1] x, const float[::1] cos, const float[::1] sin):
        """Rotates x (heads, head_dim) in place."""
        same_length(cos, sin)
        if 2 * cos.shape[0] > x.shape[1]:
            raise ValueError(f"{cos.shape[0]} pairs in heads of {x.shape[1]}")
        with nogil:
            self.k.rope(&x[0, 0], &cos[0], &sin[0], <int>x.shape[0], <int>x.shape[1],
                        <int>cos.shape[0])

    def activate(self, float[::1] out, const float[::1] gate, const float[::1] up, str act):
        """up may be None; out may be gate."""
        same_length(out, gate)
        cdef const float *u = NULL
        cdef mc_act a = ACTS[act]
        if up is not None:
            same_length(out, up)
            u = &up[0]
        with nogil:
            self.k.activate(&out[0], &gate[0], u, <int>gate.shape[0], a)

    def add_scaled(self, float[::1] x, const float[::1] y, float scale):
        same_length(x, y)
        with nogil:
            self.k.add_scaled(&x[0], &y[0], scale, <int>x.shape[0])

    def kv_write(self, keys, values, int slot, const float[::1] k, const float[::1] v):
        """keys (head_dim, 64) and values (64, head_dim_padded), both float32 or both float16; or
        the bytes of both in 8 bits (kv_bytes)."""
        cdef int head_dim = k.shape[0]
        same_length(k, v)
        check_page(keys, values, head_dim)
        if not 0 <= slot < MC_PAGE:
            raise ValueError(f"slot {slot} of a page of {MC_PAGE}")
        cdef uintptr_t key = keys.ctypes.data, value = values.ctypes.data
        cdef mc_kv kv = KVS[keys.dtype.name]
        with nogil:
            self.k.kv_write(<void *>key, <void *>value, slot, &k[0], &v[0], head_dim, kv)

    def attention(self,
                  float[:, :, ::1] out,     # OUT (tokens, group, head_dim)
                  const float[:, :, ::1] q, # IN  (tokens, group, head_dim)
                  keys, values,             # IN  pages of what kv_write writes
                  int position, int window=0, scale=None, float softcap=0.0, int repeat=1,
                  bint apart=False):      # apart: segment by segment, then all of them together
        """One key head; token t of q stands at position + t."""
        cdef mc_attention_args a
        cdef int i, pages = len(keys)
        cdef float[::1] parts
        a.tokens, a.group, a.head_dim = q.shape[0], q.shape[1], q.shape[2]
        if out.shape[0] != a.tokens or out.shape[1] != a.group or out.shape[2] != a.head_dim:
            raise ValueError("out and q must have one shape")
        if a.head_dim > MC_MAX_HEAD_DIM:
            raise ValueError(f"head_dim {a.head_dim}: at most {MC_MAX_HEAD_DIM}")
        if position < 0 or position + a.tokens > pages * MC_PAGE or len(values) != pages:
            raise ValueError(f"positions to {position + a.tokens} in {pages} pages")
        for i in range(pages):
            check_page(keys[i], values[i], a.head_dim)
        # A page's keys and values lie apart here: values_offset is a difference of addresses.
        cdef const char **table = <const char **>mc_memory_new(pages * sizeof(char *))
        if table is NULL:
            raise MemoryError()
        try:
            base = keys[0].ctypes.data
            for i in range(pages):
                if values[i].ctypes.data - keys[i].ctypes.data != values[0].ctypes.data - base:
                    raise ValueError("keys and values must be strided alike")
                table[i] = <const char *><uintptr_t>keys[i].ctypes.data
            a.out, a.q = &out[0, 0, 0], &q[0, 0, 0]
            a.out_stride = a.q_stride = <size_t>a.group * a.head_dim
            a.position, a.window, a.softcap = position, window, softcap
            a.scale = a.head_dim ** -0.5 if scale is None else scale
            a.kv = KVS[keys[0].dtype.name]
            a.pages = table
            a.keys_offset = 0
            a.values_offset = <size_t>(<uintptr_t>values[0].ctypes.data - <uintptr_t>base)
            a.parts, a.segments, a.segment = NULL, 0, 0
            if apart:
                a.segments = (position + a.tokens - 1) // MC_SEGMENT + 1
                parts = np.full(mc_part_floats(a.head_dim) * a.segments * a.tokens * a.group,
                                np.nan, np.float32)
                a.parts = &parts[0]
            with nogil:
                for i in range(repeat):
                    for a.segment in range(a.segments + 1):
                        self.k.attention(&a)
        finally:
            mc_memory_free(<void *>table)


cdef mc_q8_rows q8_rows(int8_t[:, ::1] q, float[:, ::1] scale, int32_t[:, ::1] sums) except *:
    cdef mc_q8_rows rows
    cdef int blocks = (q.shape[1] + MC_BLOCK_K - 1) // MC_BLOCK_K
    if (scale.shape[0] != q.shape[0] or sums.shape[0] != q.shape[0]
            or scale.shape[1] != blocks or sums.shape[1] != blocks):
        raise ValueError(f"{blocks} blocks a row, got {scale.shape[1]} and {sums.shape[1]}")
    rows.q, rows.scale, rows.sum = &q[0, 0], &scale[0, 0], &sums[0, 0]
    rows.stride, rows.blocks = q.shape[1], blocks
    return rows


def kv_bytes(int head_dim):
    """Bytes of a page's keys and of its values in 8 bits."""
    return mc_key_bytes(MC_KV_Q8, head_dim), mc_value_bytes(MC_KV_Q8, head_dim)


def same_length(*arrays):
    if len({len(a) for a in arrays}) != 1 or not len(arrays[0]):
        raise ValueError(f"lengths {[len(a) for a in arrays]} differ or are 0")


def check_page(keys, values, int head_dim):
    padded = (head_dim + 15) // 16 * 16
    types = keys.dtype.name, values.dtype.name
    if types not in (("float32", "float32"), ("float16", "float16"), ("uint8", "uint8")):
        raise ValueError(f"{types[0]} keys, {types[1]} values")
    shapes = (head_dim, MC_PAGE), (MC_PAGE, padded)
    if types[0] == "uint8":
        shapes = tuple((n_bytes,) for n_bytes in kv_bytes(head_dim))
    if (keys.shape, values.shape) != shapes:
        raise ValueError(f"a page of {keys.shape} keys and {values.shape} values "
                         f"for heads of {head_dim}")
    if not (keys.flags.c_contiguous and values.flags.c_contiguous):
        raise ValueError("a page must be contiguous")
