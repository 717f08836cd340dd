# The sampler of one sequence: the engine draws through its pointer, tests through draw().

cdef extern from "sample.h" nogil:
    enum: MC_TOP_LOGPROBS
    ctypedef struct mc_sampler_params:
        double temperature
        int top_k
        double top_p, min_p, typical_p
        double repeat_penalty, presence_penalty, frequency_penalty
        int repeat_last_n
        uint64_t seed
        int logprobs, top_logprobs
    ctypedef struct mc_logprob:
        int token
        double logprob
    ctypedef struct mc_draw:
        int token
        double logprob
        int n_top
        mc_logprob top[20]
    ctypedef struct mc_sampler
    mc_sampler *mc_sampler_new(const mc_sampler_params *params, int vocab_size) noexcept
    void mc_sampler_free(mc_sampler *s) noexcept
    void mc_sampler_prompt(mc_sampler *s, const int32_t *tokens, int n) noexcept
    void mc_sampler_accept(mc_sampler *s, int token) noexcept
    mc_status mc_sampler_draw(mc_sampler *s, float *logits, const uint32_t *mask,
                              mc_draw *out) noexcept
    mc_status mc_sampler_score(mc_sampler *s, const float *logits, int token,
                               mc_draw *out) noexcept


cdef class Sampler:
    """Draws the tokens of one answer; csrc/sample.h says how."""
    cdef mc_sampler *s
    cdef readonly int vocab_size
    cdef readonly bint logprobs

    def __cinit__(self, int vocab_size, *, double temperature, int top_k, double top_p,
                  double min_p, double typical_p, double repeat_penalty, double presence_penalty,
                  double frequency_penalty, int repeat_last_n, uint64_t seed,
                  bint logprobs=False, int top_logprobs=0):
        cdef mc_sampler_params p
        if vocab_size < 1 or not (temperature >= 0 and top_k >= 0 and repeat_penalty > 0
                                  and repeat_last_n >= 0 and 0 <= top_logprobs <= MC_TOP_LOGPROBS):
            raise ValueError("a sampler's vocabulary or parameter is out of range")
        p.temperature, p.top_k = temperature, top_k
        p.top_p, p.min_p, p.typical_p = top_p, min_p, typical_p
        p.repeat_penalty, p.presence_penalty = repeat_penalty, presence_penalty
        p.frequency_penalty, p.repeat_last_n, p.seed = frequency_penalty, repeat_last_n, seed
        p.logprobs, p.top_logprobs = logprobs, top_logprobs
        self.vocab_size, self.logprobs = vocab_size, logprobs
        self.s = mc_sampler_new(&p, vocab_size)
        if self.s is NULL:
            check(MC_NOMEM)

    def __dealloc__(self):
        mc_sampler_free(self.s)

    def prompt(self, tokens):
        """The prompt's tokens enter the window of the penalties."""
        cdef const int32_t[::1] ids = np.ascontiguousarray(tokens, np.int32)
        if ids.shape[0]:
            self.check_tokens(np.asarray(ids))
            mc_sampler_prompt(self.s, &ids[0], <int>ids.shape[0])

    def accept(self, int token):
        """A token of the answer that was not drawn enters the window and takes its place."""
        self.check_tokens(np.asarray([token]))
        mc_sampler_accept(self.s, token)

    def draw(self, float[::1] logits, const uint32_t[::1] mask=None):
        """Returns (token, logprob, [(token, logprob), ...]); the last two as logprobs say."""
        cdef mc_draw out
        cdef const uint32_t *allowed = NULL
        self.check_logits(logits.shape[0])
        if mask is not None:
            if mask.shape[0] < (self.vocab_size + 31) // 32:
                raise ValueError(f"mask: {mask.shape[0]} words for {self.vocab_size} tokens")
            allowed = &mask[0]
        check(mc_sampler_draw(self.s, &logits[0], allowed, &out))
        return self.scored(&out)

    def score(self, const float[::1] logits, int token):
        """Returns what draw() would, had it drawn token."""
        cdef mc_draw out
        self.check_logits(logits.shape[0])
        self.check_tokens(np.asarray([token]))
        check(mc_sampler_score(self.s, &logits[0], token, &out))
        return self.scored(&out)

    cdef scored(self, mc_draw *out):
        if not self.logprobs:
            return out.token, None, []
        return out.token, out.logprob, [(out.top[i].token, out.top[i].logprob)
                                        for i in range(out.n_top)]

    cdef int check_logits(self, Py_ssize_t n) except -1:
        if n != self.vocab_size:
            raise ValueError(f"logits: {n} for {self.vocab_size} tokens")
        return 0

    cdef int check_tokens(self, ids) except -1:
        if ids.min() < 0 or ids.max() >= self.vocab_size:
            raise ValueError(f"token {ids.min()} or {ids.max()} outside 0:{self.vocab_size}")
        return 0
