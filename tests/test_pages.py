"""pages.py: the tree of pages, against a plain model of it."""
from hypothesis import given
from hypothesis import strategies as st

from minichat.pages import PAGE, PageStore


def store(limit=100):
    """A store whose pages are lists: [] when new, [page] when copied."""
    return PageStore(lambda copy_of: [] if copy_of is None else [copy_of], limit)


def fill(pages, ids, key=None):
    """What a sequence does that computes ids and leaves; returns its nodes."""
    node = pages.root(key)
    nodes = []
    for at in range(0, len(ids), PAGE):
        page = pages.take()
        assert page is not None
        node = pages.publish(node, ids[at:at + PAGE], page)
        nodes.append(node)
    return nodes


def test_finds_full_pages_and_a_part():
    pages, ids = store(), list(range(200))
    known = fill(pages, ids)
    nodes, donor, n = pages.match(pages.root(None), [*ids[:150], 7, 7, 7])
    assert nodes == known[:2] and donor is known[2] and n == 150 - 2 * PAGE
    assert pages.match(pages.root(None), [5]) == ([], None, 0)
    assert pages.match(pages.root("other"), ids) == ([], None, 0)


def test_an_idle_page_goes_and_one_in_use_stays():
    pages = store(limit=2)
    (used,), _ = fill(pages, [1] * PAGE), fill(pages, [2] * PAGE)
    pages.use(used)
    assert pages.take() is not None
    assert pages.match(pages.root(None), [2] * PAGE)[0] == []
    assert pages.match(pages.root(None), [1] * PAGE)[0] == [used]
    assert pages.take() is None
    pages.release(used)
    assert pages.take() is not None and pages.made == 2


def test_the_page_used_longest_ago_goes_first():
    pages = store(limit=3)
    nodes = [fill(pages, [i] * PAGE)[0] for i in range(3)]
    pages.use(nodes[0])
    pages.release(nodes[0])
    pages.take()
    left = [pages.match(pages.root(None), [i] * PAGE)[0] for i in range(3)]
    assert left == [[nodes[0]], [], [nodes[2]]]


def test_idle_pages_are_few():
    pages = PageStore(lambda copy_of: [], 10, idle_limit=2)
    nodes = []
    for i in range(4):
        nodes += fill(pages, [i] * PAGE)
        pages.use(nodes[-1])
    assert pages.idle == 0 and pages.made == 4
    for node in nodes:
        pages.release(node)
    assert [node for node in pages] == nodes[:1:-1] and pages.idle == pages.made == 2
    fill(pages, [7, 8, 9])
    assert pages.idle == pages.made == 2 and pages.match(pages.root(None), [7, 8, 9])[2] == 3


def test_a_page_that_is_there_is_not_kept_twice():
    pages = store()
    first, second = fill(pages, [1] * PAGE), fill(pages, [1] * PAGE)
    assert first == second and pages.made == 1


def test_a_longer_page_replaces_its_own_beginning():
    pages = store()
    fill(pages, [1, 2, 3])
    longer = fill(pages, [1, 2, 3, 4])
    assert [node for node in pages] == longer and pages.made == 1


@given(st.lists(st.tuples(st.integers(1, 3 * PAGE), st.integers(0, 200), st.integers(0, 2)),
                max_size=12), st.integers(3, 9))
def test_what_is_found_is_a_prefix_and_the_limit_holds(chats, limit):
    pages = store(limit)
    for length, differs_at, flavour in chats:
        ids = [flavour if i >= differs_at else 0 for i in range(length)]
        nodes, donor, n = pages.match(pages.root(None), ids)
        found = [id for node in nodes for id in node.ids] + list(donor.ids[:n] if donor else ())
        assert found == ids[:len(found)]
        fill(pages, ids)
        assert pages.made == pages.idle == len(list(pages)) <= limit
