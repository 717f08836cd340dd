"""Pages of the cache, shared by prefix: a tree whose edges are the token ids of a page.

A full page never changes, so every sequence that begins with the same ids may read it.
A page's last owner leaves it in the tree until its memory is wanted.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ._native import PAGE, Page


class Node:
    """One page in the tree: PAGE ids after its parent's, or fewer in a leaf."""
    __slots__ = ("parent", "ids", "page", "children", "users")

    def __init__(self, parent: Node | None, ids: tuple[int, ...], page: Page | None):
        self.parent, self.ids, self.page = parent, ids, page
        self.children: dict[tuple[int, ...], Node] = {}
        self.users = 0              # sequences that read it now


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Returns how many leading ids a and b share."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y),
                min(len(a), len(b)))


class PageStore:
    """The pages of one model: made up to a limit, found by prefix, given back when idle.

    new_page(copy_of) makes one; limit is how many there may be, idle_limit how many of them
    may be kept for nobody.  Not thread-safe: the engine's thread alone comes here.
    """

    def __init__(self, new_page: Callable[[Page | None], Page], limit: int,
                 idle_limit: int | None = None):
        self.new_page, self.limit = new_page, limit
        self.idle_limit = limit if idle_limit is None else max(idle_limit, 1)
        self.made = 0
        self._idle: dict[Node, None] = {}       # the one used longest ago first
        self.roots: dict[object, Node] = {}

    @property
    def idle(self) -> int:
        """How many pages are kept for nobody."""
        return len(self._idle)

    def root(self, key: object) -> Node:
        """Returns the tree of sequences whose pages may be shared: key is what they agree on."""
        return self.roots.setdefault(key, Node(None, (), None))

    def match(self, root: Node, ids: Sequence[int]) -> tuple[list[Node], Node | None, int]:
        """Finds the longest known beginning of ids.

        Returns the nodes of full pages, in order, and a node whose first n ids go on from
        there (None and 0: there is none): its page serves as a copy.
        """
        nodes: list[Node] = []
        node = root
        while len(ids) - PAGE * len(nodes) >= PAGE:
            at = PAGE * len(nodes)
            child = node.children.get(tuple(ids[at:at + PAGE]))
            if child is None:
                break
            nodes.append(child)
            node = child
        rest = tuple(ids[PAGE * len(nodes):PAGE * (len(nodes) + 1)])
        donor, n = None, 0
        for child in node.children.values():
            shared = common(child.ids, rest)
            if shared > n:
                donor, n = child, shared
        return nodes, donor, n

    def use(self, node: Node) -> None:
        """Keeps node's page from being given back until release."""
        self._idle.pop(node, None)
        node.users += 1

    def release(self, node: Node) -> None:
        """The opposite of use; what has been idle longest may go."""
        node.users -= 1
        if not node.users:
            self._idle[node] = None
            self._trim()

    def take(self, copy_of: Page | None = None) -> Page | None:
        """Returns a page of the caller's own, or None when all there may be are in use."""
        while self.made >= self.limit:
            if not self._evict():
                return None
        page = self.new_page(copy_of)
        self.made += 1
        return page

    def give(self, page: Page) -> None:
        """The caller's own page is wanted no more."""
        self.made -= 1

    def publish(self, parent: Node, ids: Sequence[int], page: Page) -> Node:
        """Puts the caller's own page into the tree and returns its node.

        Where the tree has these ids already, that node is returned and page given up.
        """
        key = tuple(ids)
        node = parent.children.get(key)
        if node is None:
            node = parent.children[key] = Node(parent, key, page)
            for known in [c for c in parent.children.values() if c is not node and not c.users
                          and not c.children and key[:len(c.ids)] == c.ids]:
                self._drop(known)
        else:
            self.give(page)
        if not node.users:
            self._idle.pop(node, None)
            self._idle[node] = None
            self._trim()
        return node

    def clear(self) -> None:
        """Frees every page in the tree at once; its nodes, a ring, wait for the collector."""
        for node in list(self):
            self.give(node.page)
            node.page = None
        self.roots.clear()
        self._idle.clear()

    def __iter__(self) -> Iterator[Node]:
        stack = list(self.roots.values())
        while stack:
            node = stack.pop()
            stack.extend(node.children.values())
            if node.page is not None:
                yield node

    def _drop(self, node: Node) -> None:
        assert node.parent is not None      # the root has no page
        del node.parent.children[node.ids]
        del self._idle[node]
        self.give(node.page)

    def _trim(self) -> None:
        while self.idle > self.idle_limit and self._evict():
            pass

    def _evict(self) -> bool:
        """Gives back the idle page that was used longest ago; False where there is none.

        An idle node with children is passed over: they are idle, too, and go first.
        """
        node = next((node for node in self._idle if not node.children), None)
        if node is not None:
            self._drop(node)
        return node is not None
