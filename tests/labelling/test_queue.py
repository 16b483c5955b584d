from hypothesis import given
from hypothesis import strategies as st

from onebox.labelling.leases import LEASE_S, Leases
from onebox.labelling.queue import Queue

KINDS = {"s": "sample", "d": "doubtful", "n": "different", "r": "random"}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def make_queue(count=40, clock=None):
    """A queue of images s0, s1, ..., d0, ... by kind, and the set of those that are done."""
    done = set()
    queue = Queue(lambda key: key not in done, Leases(clock or Clock()))
    for letter, kind in KINDS.items():
        queue.fill(kind, [f"{letter}{number}" for number in range(count)])
    return queue, done


def take(queue, done, count, tab="a"):
    taken = []
    for _ in range(count):
        [key] = queue.next(tab, 1, ())
        done.add(key)
        queue.drop(key)
        taken.append(key)
    return taken


def test_each_ten_images_have_the_shares_of_the_pattern():
    queue, done = make_queue()
    for _ in range(4):
        kinds = [key[0] for key in take(queue, done, 10)]
        assert {kind: kinds.count(kind) for kind in "sdnr"} == {"s": 2, "d": 4, "n": 2, "r": 2}


def test_each_kind_comes_in_its_own_order():
    queue, done = make_queue()
    taken = take(queue, done, 20)
    assert [key for key in taken if key[0] == "s"] == ["s0", "s1", "s2", "s3"]
    assert [key for key in taken if key[0] == "d"] == [f"d{number}" for number in range(8)]


def test_images_that_come_before_all_others_come_first():
    queue, _ = make_queue()
    queue.put_first(["x", "y"])
    assert queue.next("a", 3, ())[:2] == ["x", "y"]


def test_every_image_comes_once_and_then_nothing():
    queue, done = make_queue(count=7)
    assert len(set(take(queue, done, 28))) == 28
    assert queue.next("a", 5, ()) == []


def test_a_tab_that_asks_again_gets_what_it_has():
    queue, _ = make_queue()
    first = queue.next("a", 3, ())
    assert queue.next("a", 3, ()) == first
    assert queue.next("a", 2, first)[0] not in first


def test_an_image_goes_to_another_tab_when_its_lease_has_ended():
    clock = Clock()
    queue, _ = make_queue(clock=clock)
    first = queue.next("a", 2, ())
    clock.now = LEASE_S - 1
    assert not set(queue.next("b", 30, ())) & set(first)
    clock.now = LEASE_S + 1
    assert set(first) <= set(queue.next("c", 160, ()))


def test_a_tab_keeps_what_it_names_in_skip():
    clock = Clock()
    queue, _ = make_queue(clock=clock)
    first = queue.next("a", 2, ())
    clock.now = LEASE_S - 1
    queue.next("a", 1, first)
    clock.now = LEASE_S + 1
    assert not set(queue.next("b", 160, ())) & set(first)


def test_an_image_whose_label_was_taken_away_comes_again():
    queue, done = make_queue(count=3)
    take(queue, done, 12)
    done.discard("r1")
    queue.rewind()
    assert queue.next("a", 5, ()) == ["r1"]


requests = st.tuples(
    st.sampled_from("abc"), st.integers(1, 6), st.floats(0, LEASE_S / 3), st.booleans()
)


@given(st.lists(requests, max_size=30))
def test_two_tabs_never_have_one_image_at_a_time(steps):
    clock = Clock()
    queue, done = make_queue(count=8, clock=clock)
    held = {}  # image → tab and end of its lease
    for tab, count, pause, is_labelled in steps:
        clock.now += pause
        for key in queue.next(tab, count, ()):
            owner, end = held.get(key, (tab, 0.0))
            assert key not in done
            assert owner == tab or end <= clock.now
            held[key] = (tab, clock.now + LEASE_S)
            if is_labelled:
                done.add(key)
                queue.drop(key)
