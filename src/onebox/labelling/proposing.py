"""What comes next, and what a person sees of it: proposals, suspects, and the order of images."""

import time
from collections.abc import Collection, Iterator, Mapping

from onebox.labelling.job import Images, Proposals
from onebox.labelling.leases import Leases
from onebox.labelling.ledger import Ledger
from onebox.labelling.options import Order
from onebox.labelling.ordering import shuffled
from onebox.labelling.queue import Queue
from onebox.labelling.records import Proposal, Suspect

MOST_PROPOSALS = 2000
"""Images without a label that a round predicts; not tuned."""

_FEW_PROPOSALS = 200  # below so many, a model that does not train predicts anew; not tuned
_LEAST_AHEAD = 100  # unlabelled images of the sample that a round predicts, so that labels of later
_AHEAD = 2  # hours measure it, too: so many, or so many times the labelled ones. Not tuned.


class Proposing:
    """Proposals, suspects and the queue; guarded by the ledger's lock.

    Attributes:
        proposals: Id → newest proposal, whether a person may see it or not.
        doubtful: Ids of the images that the newest model predicted, most doubtful first.
    """

    def __init__(
        self, ledger: Ledger, order: Order, suspects: Mapping[str, Suspect], audited_at: float
    ) -> None:
        """Order the images.

        Args:
            ledger: The labels.
            order: The order of the images.
            suspects: Id → what an audit says, in the audit's order.
            audited_at: When the audit was written, in seconds since 1970; a suspect on which a
                person acted later is settled.
        """
        self.proposals: dict[str, Proposal] = {}
        self.doubtful: tuple[str, ...] = ()
        self._ledger, self._order = ledger, order
        self._suspects, self._audited_at = suspects, audited_at
        self._queue = Queue(self._is_open, Leases(time.monotonic))
        in_order = shuffled(ledger.images.ids, ledger.seed)
        self._queue.fill("sample", filter(ledger.is_in_sample, in_order))
        self._queue.fill("random", (key for key in in_order if not ledger.is_in_sample(key)))
        self._queue.put_first(suspects)

    def next(self, tab: str, count: int, skip: Collection[str]) -> list[str]:
        """Ids of the next images for a tab; see `Queue.next`."""
        return self._queue.next(tab, count, skip)

    def done(self, key: str) -> None:
        """A person acted on an image."""
        self._queue.drop(key)
        if self._is_open(key):
            self._queue.rewind()

    def reorder(self) -> None:
        """Look at all images again: labels were taken away."""
        self._queue.rewind()

    def take(self, proposals: Proposals) -> None:
        """Take over what a model proposes; images that it did not predict keep what they have."""
        self.proposals.update(proposals.by_image)
        self.doubtful = proposals.doubtful
        if self._order == "mixed":
            self._queue.fill("doubtful", self._not_in_sample(proposals.doubtful))
            self._queue.fill("different", self._not_in_sample(proposals.different))

    def shown(self, key: str) -> Proposal | None:
        """The proposal that a person may see: none for the accuracy sample."""
        return None if self._ledger.is_in_sample(key) else self.proposals.get(key)

    def suspect(self, key: str) -> Suspect | None:
        """What an audit says against a label, until a person acts on it."""
        is_settled = self._ledger.state.acted_at.get(key, 0.0) >= self._audited_at
        return None if is_settled else self._suspects.get(key)

    def suspects(self) -> Iterator[str]:
        """Ids of the suspects that are not settled, in the audit's order."""
        unreadable = self._ledger.images.unreadable
        return (key for key in self._suspects if key not in unreadable and self.suspect(key))

    def are_few(self) -> bool:
        """Whether few images without a label have a proposal, and others could get one."""
        labels = self._ledger.state.labels
        if sum(key not in labels for key in self.proposals) >= _FEW_PROPOSALS:
            return False
        return any(key not in self.proposals for key in self._next_to_propose())

    def to_propose(self) -> Images:
        """The images that the next model predicts for its proposals."""
        return self._paths(self._next_to_propose())

    def to_measure(self) -> Images:
        """The images of the accuracy sample that the next model predicts."""
        state = self._ledger.state
        labelled = [key for key in state.splits if key in state.labels]
        count = max(_LEAST_AHEAD, _AHEAD * len(labelled))
        return self._paths([*labelled, *self._queue.upcoming("sample", count)])

    def _next_to_propose(self) -> list[str]:
        return self._queue.upcoming("random", MOST_PROPOSALS)

    def _is_open(self, key: str) -> bool:
        if key in self._ledger.images.unreadable:
            return False
        return key not in self._ledger.state.labels or self.suspect(key) is not None

    def _not_in_sample(self, keys: Collection[str]) -> Iterator[str]:
        return (key for key in keys if not self._ledger.is_in_sample(key))

    def _paths(self, keys: Collection[str]) -> Images:
        images = self._ledger.images
        return {key: images.path(key) for key in keys if key not in images.unreadable}
