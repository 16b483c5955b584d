"""Which images come next, for any number of tabs at a time."""

from collections.abc import Callable, Collection, Iterable, Sequence

from onebox.labelling.leases import Leases
from onebox.labelling.ordering import PATTERN, Kind

_INSTEAD: dict[Kind, tuple[Kind, ...]] = {
    "doubtful": ("doubtful", "different", "random", "sample"),
    "different": ("different", "doubtful", "random", "sample"),
    "random": ("random", "sample"),
    "sample": ("sample", "doubtful", "different", "random"),
}
"""Where to look for an image of a kind, if there is none left of it."""


class Queue:
    """Hands out images in order; not safe for threads by itself.

    An image that is handed out stays with its tab for a while: see `Leases`. A tab that asks again
    gets the images that it has and did not name in ``skip``.
    """

    def __init__(self, is_open: Callable[[str], bool], leases: Leases) -> None:
        """Begin without images.

        Args:
            is_open: Whether an image is still to be labelled; it may become so again after
                `rewind` only.
            leases: The leases.
        """
        self._is_open, self._leases = is_open, leases
        self._pools: dict[Kind, _Pool] = {kind: _Pool(()) for kind in _INSTEAD}
        self._first = _Pool(())
        self._handed_out = 0

    def fill(self, kind: Kind, keys: Iterable[str]) -> None:
        """Set the images of one kind, in order."""
        self._pools[kind] = _Pool(keys)

    def put_first(self, keys: Iterable[str]) -> None:
        """Set images that come before all others, such as suspects."""
        self._first = _Pool(keys)

    def rewind(self) -> None:
        """Look at all images again: some that were done are not any more."""
        for pool in (*self._pools.values(), self._first):
            pool.start = 0

    def next(self, tab: str, count: int, skip: Collection[str]) -> list[str]:
        """At most that many images for a tab: those that it has, then new ones.

        ``skip`` names images that the tab has and does not need again; they stay with it.
        """
        for key in filter(self._is_open, skip):
            self._leases.renew(key, tab)
        chosen = [key for key in self._leases.of(tab) if key not in skip and self._is_open(key)]
        chosen = chosen[:count]
        taken = {*skip, *chosen}
        while len(chosen) < count:
            found = self._find(lambda key: key not in taken and not self._leases.is_taken(key, tab))
            if found is None:
                break
            chosen.append(found)
            taken.add(found)
        self._leases.forget_ended()
        for key in chosen:
            self._leases.take(key, tab)
        return chosen

    def drop(self, key: str) -> None:
        """End the lease of an image that is done."""
        self._leases.drop(key)

    def upcoming(self, kind: Kind, count: int) -> list[str]:
        """The next images of one kind, whoever has them."""
        return self._pools[kind].next_open(count, self._is_open)

    def _find(self, is_free: Callable[[str], bool]) -> str | None:
        before_all = self._first.first(self._is_open, is_free)
        if before_all is not None:
            return before_all
        wanted = PATTERN[self._handed_out % len(PATTERN)]
        for kind in _INSTEAD[wanted]:
            key = self._pools[kind].first(self._is_open, is_free)
            if key is not None:
                self._handed_out += 1
                return key
        return None


class _Pool:
    """Images in order, of which those in front of ``start`` are done."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys: Sequence[str] = list(keys)
        self.start = 0

    def first(self, is_open: Callable[[str], bool], is_free: Callable[[str], bool]) -> str | None:
        """The first image that is to be labelled and free."""
        self._pass_done(is_open)
        for index in range(self.start, len(self.keys)):
            key = self.keys[index]
            if is_open(key) and is_free(key):
                return key
        return None

    def next_open(self, count: int, is_open: Callable[[str], bool]) -> list[str]:
        self._pass_done(is_open)
        found: list[str] = []
        for index in range(self.start, len(self.keys)):
            if len(found) == count:
                break
            if is_open(self.keys[index]):
                found.append(self.keys[index])
        return found

    def _pass_done(self, is_open: Callable[[str], bool]) -> None:
        while self.start < len(self.keys) and not is_open(self.keys[self.start]):
            self.start += 1
