"""Sessions for the tests of the labelling page, and what has arrived there."""

from .fake_label_server import FakeSession, entry

PHONE = {"width": 390, "height": 844}
KEYPOINTS = {"names": ["nose", "tail"], "skeleton": [[0, 1]]}
LABEL = {"label": "cat", "box": [10, 20, 110, 220], "keypoints": None}


def session_of(*entries, classes=("cat",), **changes):
    """A session with those images, and six without a label, numbered from 50."""
    images = [*entries, *(entry(number) for number in range(50, 56))]
    return FakeSession({image["id"]: image for image in images}, list(classes), **changes)


def saved(page, session, count=1):
    """The labels that have arrived, once there are so many."""
    page.wait_for_selector("#save-state[data-waiting='0']")
    assert len(session.actions) == count
    return [action["label"] for action in session.actions]
