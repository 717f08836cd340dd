"""Every family in every format: ISA, threads, company and the cuts of a prompt change no bit."""
import numpy as np
import pytest

from minichat import _native, weights

from . import golden

CUTS = [[90], [1, 63, 26], [64, 1, 25], [7, 30, 53]]


@pytest.fixture(scope="module", params=golden.FOLDERS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


@pytest.fixture(scope="module", params=weights.QUANTIZATIONS)
def case(request, folder):
    """An architecture, its packed weights, the cache's format, and 90 ids."""
    family, architecture = golden.read(folder)
    packed = weights.load(golden.checkpoint(folder), family, architecture, request.param,
                          cache_dir="")
    ids, _ = golden.expected(folder)
    return architecture, packed, weights.KV[request.param], ids[:90]


def logits(case, cuts, *, threads=1, isa=None, company=False):
    """Returns the logits (90, vocab_size) of ids that come in slices of these lengths."""
    architecture, packed, kv, ids = case
    model = _native.Model(architecture, packed, kv=kv, isa=isa)
    room = _native.Workspace(model, 2 * len(ids), 2 * len(ids))
    share, other = (sequence(model) for _ in range(2))
    found, done = [], 0
    for cut in cuts:
        share.feed(ids[done:done + cut], done, n_logits=cut, long_rope=True)
        other.feed(ids[:cut][::-1], done // 2)
        room.step([other, share] if company else [share], threads)
        found.append(share.logits)
        done += cut
    return np.concatenate(found)


def sequence(model):
    share = _native.Share()
    share.place([_native.Page(model) for _ in range(2)])
    return share


def test_the_isa_changes_no_bit(case):
    want = logits(case, CUTS[0], isa="ref")
    assert np.isfinite(want).all() and len(want) == 90
    for isa in _native.isas():
        assert np.array_equal(logits(case, CUTS[1], isa=isa), want), isa


def test_neither_threads_nor_cuts_change_a_bit(case):
    want = logits(case, CUTS[0])
    for cuts in CUTS:
        assert np.array_equal(logits(case, cuts, threads=3), want), cuts


def test_company_changes_no_bit(case):
    assert np.array_equal(logits(case, CUTS[1], company=True, threads=2), logits(case, CUTS[0]))
