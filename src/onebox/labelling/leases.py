"""Which tab has which image: a lease that ends by itself."""

from collections.abc import Callable, Iterator

LEASE_S = 120.0
"""Seconds for which an image that was handed out is kept from other tabs; not tuned."""


class Leases:
    """The images that tabs have; not safe for threads by itself."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without leases.

        Args:
            clock: The time in seconds, which never goes back.
        """
        self._clock = clock
        self._leases: dict[str, tuple[str, float]] = {}

    def take(self, key: str, tab: str) -> None:
        """Give an image to a tab, or for longer if it has it."""
        self._leases[key] = (tab, self._clock() + LEASE_S)

    def renew(self, key: str, tab: str) -> None:
        """Let a tab keep an image that it has, unless it went to another tab meanwhile."""
        if self._leases.get(key, (tab, 0.0))[0] == tab:
            self.take(key, tab)

    def drop(self, key: str) -> None:
        """End the lease of an image that is done."""
        self._leases.pop(key, None)

    def is_taken(self, key: str, tab: str) -> bool:
        """Whether another tab has an image."""
        owner, end = self._leases.get(key, (tab, 0.0))
        return owner != tab and self._clock() < end

    def of(self, tab: str) -> Iterator[str]:
        """The images that a tab has, those it got first in front."""
        return (key for key, (owner, _) in list(self._leases.items()) if owner == tab)

    def forget_ended(self) -> None:
        """Forget leases that ended, such as those of closed tabs."""
        now = self._clock()
        for key, (_, end) in list(self._leases.items()):
            if end <= now:
                del self._leases[key]
