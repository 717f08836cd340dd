# The engine's door: a model, a page of the cache, one sequence's share of a step, a step.

cdef extern from "minichat.h" nogil:
    ctypedef struct mc_norm:
        const float *weight
        const float *bias
    ctypedef struct mc_attention_block:
        int heads, kv_heads, head_dim, rope, window
        float scale, softcap
        mc_matrix qkv, out
        const float *qkv_bias
        const float *out_bias
        const float *q_norm
        const float *k_norm
        int norm_full
    ctypedef struct mc_mlp_block:
        int hidden, gated
        mc_act act
        mc_matrix up, down
        const float *up_bias
        const float *down_bias
    ctypedef struct mc_layer:
        mc_norm attn_norm, attn_post_norm, ffn_norm, ffn_post_norm
        mc_attention_block attention
        mc_mlp_block mlp
        float residual_multiplier
    ctypedef struct mc_rope_table:
        int pairs
        const float *inv_freq[2]
        float factor[2]
    ctypedef struct mc_model:
        int vocab_size, hidden_size, max_positions, n_layers, n_ropes, layer_norm
        float norm_eps, embed_scale, logit_scale, logit_softcap
        mc_kv kv
        mc_matrix embed, head
        const float *positions
        mc_norm final_norm
        mc_layer *layers
        mc_rope_table *ropes
        mc_kernels kernels
        size_t page_bytes
    ctypedef struct mc_workspace:
        pass
    ctypedef struct mc_item:
        const int32_t *tokens
        int n_tokens, position
        const char *const *pages
        int long_rope, n_logits
        float *logits
        mc_sampler *sampler
        const uint32_t *mask
        mc_draw *draw
        mc_status status
    mc_status mc_model_init(mc_model *model, const char *isa) noexcept
    void *mc_page_new(const mc_model *model) noexcept
    void mc_page_free(void *page) noexcept
    mc_workspace *mc_workspace_new(const mc_model *model, int max_tokens, int max_logits) noexcept
    void mc_workspace_free(mc_workspace *workspace) noexcept
    size_t mc_workspace_bytes(const mc_model *model, int max_tokens, int max_logits) noexcept
    const uint64_t *mc_workspace_measure(mc_workspace *workspace) noexcept
    void mc_step(const mc_model *model, mc_workspace *workspace, mc_item *items, int n_items,
                 int n_threads) noexcept

cdef extern from "<fenv.h>" nogil:
    ctypedef struct fenv_t:
        pass
    const fenv_t *FE_DFL_ENV
    int fegetenv(fenv_t *env) noexcept
    int fesetenv(const fenv_t *env) noexcept


cdef class DefaultRounding:
    """A with block, and threads begun in it, round as numbers usually do; then as the host does."""
    cdef fenv_t host

    def __enter__(self):
        fegetenv(&self.host)
        fesetenv(FE_DFL_ENV)

    def __exit__(self, *exc_info):
        fesetenv(&self.host)


cdef class Model:
    """An architecture and its packed weights, as C runs them."""
    cdef mc_model m
    cdef list kept              # whatever m points into
    cdef readonly object architecture
    cdef readonly int vocab_size

    def __cinit__(self):
        self.m.layers, self.m.ropes = NULL, NULL

    def __init__(self, architecture, weights, *, str kv="f16", str isa=None):
        """architecture: families.spec.Architecture; weights: engine name -> weights.Tensor."""
        cdef mc_model *m = &self.m
        cdef int i
        a = self.architecture = architecture
        self.kept = []
        self.vocab_size = m.vocab_size = a.vocab_size
        m.hidden_size, m.max_positions = a.hidden_size, a.max_position_embeddings
        m.layer_norm = a.norm == "layer"
        m.norm_eps, m.embed_scale = a.norm_eps, a.embed_scale
        m.logit_scale, m.logit_softcap = a.logit_scale, a.logit_softcap or 0.0
        m.kv = {"f32": MC_KV_F32, "f16": MC_KV_F16, "q8": MC_KV_Q8}[kv]
        m.embed = self.matrix(weights, "embed")
        m.head = m.embed if a.tie_word_embeddings else self.matrix(weights, "head")
        m.positions = self.vector(weights, "positions")
        m.final_norm = self.norm(weights, "final_norm")
        ropes = list(dict.fromkeys(layer.mixer.rope for layer in a.layers if layer.mixer.rope))
        m.n_layers, m.n_ropes = len(a.layers), len(ropes)
        m.layers = <mc_layer *>mc_memory_new(sizeof(mc_layer) * (m.n_layers + 1))
        m.ropes = <mc_rope_table *>mc_memory_new(sizeof(mc_rope_table) * (m.n_ropes + 1))
        if m.layers is NULL or m.ropes is NULL:
            raise errors.OutOfMemory(f"{m.n_layers} layers: no memory for their table")
        for i in range(m.n_ropes):
            m.ropes[i] = self.rope_table(ropes[i])
        for i in range(m.n_layers):
            m.layers[i] = self.layer(weights, f"layers.{i}.", a.layers[i], ropes)
        name = b"" if isa is None else isa.encode()
        if mc_model_init(m, <const char *>name if name else <const char *>NULL) != MC_OK:
            raise errors.RequestError(f"MINICHAT_ISA: {isa!r}; this machine runs "
                                      f"{', '.join(isas())}")

    def __dealloc__(self):
        mc_memory_free(self.m.layers)
        mc_memory_free(self.m.ropes)

    @property
    def isa(self):
        """The name of the instruction set that runs."""
        return self.m.kernels.isa.decode()

    @property
    def page_bytes(self):
        """Bytes of a page of the cache: PAGE positions of every layer."""
        return self.m.page_bytes

    def workspace_bytes(self, int max_tokens, int max_logits=1):
        """Bytes of the memory of a step."""
        return mc_workspace_bytes(&self.m, max_tokens, max_logits)

    cdef mc_matrix matrix(self, weights, str name) except *:
        cdef mc_matrix w
        tensor = weights[name]
        self.kept.append(tensor.data)
        w.data = <const void *><uintptr_t>tensor.data.ctypes.data
        w.format = FORMATS[tensor.format]
        w.n, w.k = tensor.shape
        if tensor.data.nbytes != packed_bytes(tensor.format, w.n, w.k):
            raise errors.ModelError(f"{name}: {tensor.data.nbytes} bytes packed; "
                                    f"{packed_bytes(tensor.format, w.n, w.k)} belong to "
                                    f"{tensor.shape}")
        return w

    cdef const float *vector(self, weights, str name) except? NULL:
        """Of a float32 array in weights, or NULL where there is none of that name."""
        tensor = weights.get(name)
        if tensor is None:
            return NULL
        data = np.ascontiguousarray(tensor.data, np.float32)
        self.kept.append(data)
        return <const float *><uintptr_t>data.ctypes.data

    cdef mc_norm norm(self, weights, str name) except *:
        cdef mc_norm n
        n.weight, n.bias = self.vector(weights, name), self.vector(weights, name + "_bias")
        return n

    cdef mc_rope_table rope_table(self, rope) except *:
        cdef mc_rope_table t
        t.pairs = len(rope.inv_freq)
        for i, half in enumerate((rope, rope.long or rope)):
            inv_freq = np.array(half.inv_freq, np.float32)
            self.kept.append(inv_freq)
            t.inv_freq[i] = <const float *><uintptr_t>inv_freq.ctypes.data
            t.factor[i] = half.attention_factor
        return t

    cdef mc_layer layer(self, weights, str at, layer, list ropes) except *:
        cdef mc_layer l
        a, f = layer.mixer, layer.ffn
        l.attn_norm = self.norm(weights, at + "attn_norm")
        l.attn_post_norm = self.norm(weights, at + "attn_post_norm")
        l.ffn_norm = self.norm(weights, at + "ffn_norm")
        l.ffn_post_norm = self.norm(weights, at + "ffn_post_norm")
        l.residual_multiplier = layer.residual_multiplier
        l.attention.heads, l.attention.kv_heads = a.num_attention_heads, a.num_key_value_heads
        l.attention.head_dim = a.head_dim
        l.attention.rope = ropes.index(a.rope) if a.rope else -1
        l.attention.window = a.window or 0
        l.attention.scale = 1 / math.sqrt(a.head_dim) if a.scale is None else a.scale
        l.attention.softcap = a.softcap or 0.0
        l.attention.qkv = self.matrix(weights, at + "qkv")
        l.attention.out = self.matrix(weights, at + "attn_out")
        l.attention.qkv_bias = self.vector(weights, at + "qkv_bias")
        l.attention.out_bias = self.vector(weights, at + "attn_out_bias")
        l.attention.q_norm = self.vector(weights, at + "q_norm")
        l.attention.k_norm = self.vector(weights, at + "k_norm")
        l.attention.norm_full = a.qk_norm == "full"
        up = at + ("gate_up" if f.gated else "up")
        l.mlp.hidden, l.mlp.gated, l.mlp.act = f.intermediate_size, f.gated, ACTS[f.act]
        l.mlp.up, l.mlp.down = self.matrix(weights, up), self.matrix(weights, at + "down")
        l.mlp.up_bias = self.vector(weights, up + "_bias")
        l.mlp.down_bias = self.vector(weights, at + "down_bias")
        return l


cdef class Page:
    """Keys and values of PAGE positions of every layer; freed with its last reference."""
    cdef Model model
    cdef void *data

    def __init__(self, Model model, Page copy_of=None):
        self.model = model
        self.data = mc_page_new(&model.m)
        if self.data is NULL:
            raise errors.OutOfMemory(f"a page of the cache: {model.page_bytes} bytes refused; "
                                     "a smaller num_ctx or fewer chats at once need fewer pages")
        if copy_of is not None:
            memcpy(self.data, copy_of.data, model.m.page_bytes)

    def __dealloc__(self):
        mc_page_free(self.data)


cdef class Share:
    """One sequence's share of a step: feed() says what to run, step() runs it."""
    cdef mc_item item
    cdef mc_draw drawn
    cdef Sampler sampler
    cdef list pages             # Page, of positions 0 ... on
    cdef const char **table     # their data
    cdef int32_t *tokens
    cdef int room_pages, room_tokens
    cdef readonly object logits # float32 (n_logits, vocab_size) of the last step, where kept

    def __cinit__(self):
        self.table, self.tokens, self.room_pages, self.room_tokens = NULL, NULL, 0, 0
        self.pages = []

    def __dealloc__(self):
        mc_memory_free(self.table)
        mc_memory_free(self.tokens)

    def place(self, list pages):
        """Sets the pages of positions 0, PAGE, 2 PAGE ..."""
        cdef int i, n = len(pages)
        cdef void *table
        if n > self.room_pages:
            table = mc_memory_new(2 * n * sizeof(char *))
            if table is NULL:
                raise errors.OutOfMemory(f"a table of {n} pages: refused")
            mc_memory_free(self.table)
            self.table, self.room_pages = <const char **>table, 2 * n
        for i in range(n):
            self.table[i] = <const char *>(<Page?>pages[i]).data
        self.pages = list(pages)

    def feed(self, ids, int position, Sampler sampler=None, *, int n_logits=0,
             bint long_rope=False):
        """Next step: ids from position on; draws with sampler, or keeps n_logits logits."""
        cdef int i, n = len(ids)
        cdef void *tokens
        if n < 1 or position < 0 or position + n > len(self.pages) * MC_PAGE or n_logits > n:
            raise ValueError(f"{n} ids from {position} in {len(self.pages)} pages")
        if n > self.room_tokens:
            tokens = mc_memory_new(2 * n * sizeof(int32_t))
            if tokens is NULL:
                raise errors.OutOfMemory(f"{n} ids: refused")
            mc_memory_free(self.tokens)
            self.tokens, self.room_tokens = <int32_t *>tokens, 2 * n
        for i in range(n):
            self.tokens[i] = ids[i]
        self.item.tokens, self.item.n_tokens, self.item.position = self.tokens, n, position
        self.item.pages, self.item.long_rope = self.table, long_rope
        self.item.n_logits = 1 if sampler is not None else n_logits
        self.item.logits, self.logits = NULL, None
        self.sampler = sampler
        self.item.sampler = NULL if sampler is None else sampler.s
        self.item.mask = NULL
        self.item.draw = &self.drawn
        self.item.status = MC_OK

    @property
    def n_tokens(self):
        return self.item.n_tokens

    @property
    def draw(self):
        """(token, logprob, top) as Sampler.draw; ModelError where the logits were not finite."""
        if self.item.status != MC_OK:
            raise errors.ModelError("logits: inf or NaN; the weights or their quantization are "
                                    "broken")
        return self.sampler.scored(&self.drawn)


# mc_stage, in order.
STAGES = ("embed", "norm", "qkv", "prepare", "attend", "quantize", "out", "up", "activate", "down",
          "head", "draw")


cdef class Workspace:
    """The memory of a step, and the step."""
    cdef Model model
    cdef mc_workspace *ws
    cdef mc_item *items
    cdef const uint64_t *stage_ns
    cdef readonly int max_tokens, max_logits

    def __cinit__(self):
        self.ws, self.items = NULL, NULL

    def __init__(self, Model model, int max_tokens, int max_logits):
        self.model, self.max_tokens, self.max_logits = model, max_tokens, max_logits
        self.ws = mc_workspace_new(&model.m, max_tokens, max_logits)
        self.items = <mc_item *>mc_memory_new(sizeof(mc_item) * max_tokens)
        if self.ws is NULL or self.items is NULL:
            raise errors.OutOfMemory(
                f"a step of {max_tokens} tokens: {model.workspace_bytes(max_tokens, max_logits)} "
                "bytes refused; a smaller num_batch needs fewer")

    def __dealloc__(self):
        mc_workspace_free(self.ws)
        mc_memory_free(self.items)

    def measure(self):
        """From now on stages() tells how long each took, in all, in nanoseconds."""
        self.stage_ns = mc_workspace_measure(self.ws)

    def stages(self):
        if self.stage_ns is NULL:
            raise ValueError("nothing was measured")
        return {name: self.stage_ns[i] for i, name in enumerate(STAGES)}

    def step(self, list shares, int n_threads):
        """Runs every share, at once."""
        cdef Share share
        cdef int i, j, n = len(shares), tokens = 0, logits = 0
        cdef float[:, ::1] kept
        for i in range(n):
            share = shares[i]
            tokens += share.item.n_tokens
            logits += share.item.n_logits
            for j in range(share.item.n_tokens):
                if not 0 <= share.tokens[j] < self.model.vocab_size:
                    raise ValueError(f"id {share.tokens[j]} of {self.model.vocab_size}")
            if (self.model.m.positions is not NULL
                    and share.item.position + share.item.n_tokens > self.model.m.max_positions):
                raise ValueError(f"more than {self.model.m.max_positions} positions")
        if n < 1 or tokens > self.max_tokens or logits > self.max_logits:
            raise ValueError(f"{tokens} tokens and {logits} logits; room for "
                             f"{self.max_tokens} and {self.max_logits}")
        for i in range(n):
            share = shares[i]
            if share.sampler is None and share.item.n_logits:
                share.logits = np.empty((share.item.n_logits, self.model.vocab_size), np.float32)
                kept = share.logits
                share.item.logits = &kept[0, 0]
            self.items[i] = share.item
        with nogil:
            mc_step(&self.model.m, self.ws, self.items, n, n_threads)
        for i in range(n):
            (<Share>shares[i]).item.status = self.items[i].status
