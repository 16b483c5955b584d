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
    matching, labels = ledger.images.search(query), ledger.state.labels
    choices: dict[str, Callable[[], list[str]]] = {
        "all": lambda: matching,
        "unlabelled": lambda: [key for key in matching if key not in labels],
        "labelled": lambda: [key for key in matching if key in labels],
        "absent": lambda: [key for key in matching if key in labels and not labels[key].label],
        "conflicts": lambda: [key for key in matching if key in ledger.state.conflicts],
    }
    if chosen in choices:
        return choices[chosen]()
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
