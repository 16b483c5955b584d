"""Searches and filters the images of a session."""

from collections.abc import Callable, Iterable, Iterator

from onebox.labelling.ledger import Ledger
from onebox.labelling.proposing import Proposing

FILTERS = ("all", "unlabelled", "labelled", "absent", "suspects", "conflicts", "doubtful")
"""What `Session.find` can choose from."""


def found(chosen: str, query: str, ledger: Ledger, proposing: Proposing) -> list[str]:
    """Ids of the images that a filter and a query leave, without those that cannot be read.

    Args:
        chosen: One of `FILTERS`.
        query: Words that the name contains.
        ledger: The labels; its lock is held.
        proposing: What orders the suspects and the doubtful images; others come by name.
    """
    images, labels = ledger.images, ledger.state.labels
    matching = (key for key in images.search(query) if key not in images.unreadable)
    tests: dict[str, Callable[[str], bool]] = {
        "all": lambda _: True,
        "unlabelled": lambda key: key not in labels,
        "labelled": lambda key: key in labels,
        "absent": lambda key: key in labels and labels[key].label is None,
        "conflicts": lambda key: key in ledger.state.conflicts,
    }
    if chosen in tests:
        return list(filter(tests[chosen], matching))
    orders: dict[str, Callable[[], Iterable[str]]] = {
        "suspects": proposing.suspects,
        "doubtful": lambda: _doubtful(ledger, proposing),
    }
    known = set(matching)
    return [key for key in orders[chosen]() if key in known]


def _doubtful(ledger: Ledger, proposing: Proposing) -> Iterator[str]:
    """Images without a label whose proposal a person may see, the most doubtful first."""
    labels = ledger.state.labels
    return (key for key in proposing.doubtful if key not in labels and proposing.shown(key))
