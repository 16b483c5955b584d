import dataclasses
import itertools
import json
import os
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onebox.errors import DataError, OneboxError, SettingError
from onebox.labelling.label_file import LabelFile, Saved
from onebox.labelling.options import SessionOptions
from onebox.labelling.ordering import is_of_sample
from onebox.labelling.records import Action, ConflictError, Label, image_id
from onebox.labelling.saving import Saver
from onebox.labelling.session import Session


def facts(session):
    """What a restart must find again."""
    _, entries = session.find("", "all", 0, 1000)
    return [
        (one.name, one.revision, one.label, one.in_sample, one.theirs, one.is_in_conflict)
        for one in entries
    ], session.classes


def rows(folder):
    """The rows of the label file, by image."""
    lines = (folder / "labels.csv").read_text().splitlines()[1:]
    return {line.split(",")[0]: line.split(",")[1:] for line in lines}


def save(session):
    """Do at once what the saver's thread does soon."""
    session._saver.save()


def by_name(session, name):
    return session.entry(image_id(name))


def test_a_new_session_lists_every_image_without_a_label(make_folder, open_session):
    session = open_session(make_folder(3))
    total, entries = session.find("", "unlabelled", 0, 10)
    assert total == 3
    assert [one.name for one in entries] == ["000.png", "001.png", "002.png"]
    assert {one.size_wh for one in entries} == {(40, 30)}
    assert {one.revision for one in entries} == {0}


def test_the_images_of_the_sessions_own_folder_are_not_listed(make_folder, open_session):
    folder = make_folder(1)
    inside = folder / "labels.onebox" / "rounds" / "1"
    inside.mkdir(parents=True)
    (inside / "samples.png").write_bytes((folder / "000.png").read_bytes())
    assert open_session(folder).summary().images == 1


def test_a_label_is_in_the_entry_the_summary_and_the_file(make_folder, open_session, act):
    folder = make_folder(4)
    session = open_session(folder)
    entry = act(session, by_name(session, "001.png"), (1, 2, 30.5, 20))
    assert (entry.revision, entry.label) == (1, Label("cat", (1.0, 2.0, 30.5, 20.0)))
    assert session.summary().labelled == 1
    assert session.summary().file.state == "pending"
    save(session)
    assert session.summary().file.state == "saved"
    assert rows(folder)["001.png"][:5] == ["cat", "1", "2", "30.5", "20"]


def test_an_image_without_a_subject_is_a_row_with_an_empty_box(make_folder, open_session, act):
    folder = make_folder(2)
    session = open_session(folder)
    act(session, by_name(session, "000.png"), how="absent")
    assert session.summary().absent == 1
    save(session)
    assert rows(folder)["000.png"][:5] == ["", "", "", "", ""]


def test_a_label_that_is_taken_away_has_no_row(make_folder, open_session, act):
    folder = make_folder(2)
    session = open_session(folder)
    entry = act(session, by_name(session, "000.png"))
    save(session)
    act(session, entry, how="cleared")
    save(session)
    assert rows(folder) == {}
    assert session.summary().labelled == 0


def test_an_action_for_an_older_revision_is_refused_with_the_image_as_it_is(
    make_folder, open_session, act
):
    session = open_session(make_folder(1))
    before = by_name(session, "000.png")
    now = act(session, before, (1, 1, 9, 9))
    with pytest.raises(ConflictError, match=r"^000\.png: its label was changed") as caught:
        act(session, before, (2, 2, 9, 9))
    assert caught.value.entry == now
    assert by_name(session, "000.png") == now


def test_an_action_that_is_sent_twice_counts_once(make_folder, open_session, act):
    folder = make_folder(1)
    session = open_session(folder)
    before = by_name(session, "000.png")
    first = act(session, before, id="same")
    assert act(session, before, id="same") == first
    assert len((folder / "labels.onebox/journal.jsonl").read_text().splitlines()) == 2


def test_an_action_that_is_sent_again_after_a_restart_counts_once(make_folder, open_session, act):
    folder = make_folder(1)
    with open_session(folder) as session:
        before = by_name(session, "000.png")
        first = act(session, before, id="same")
    assert act(open_session(folder), before, id="same") == first


WRONG = [
    (Label("dog", (1.0, 1.0, 9.0, 9.0)), "label 'dog' is not one of cat"),
    (Label("cat"), "needs both a class and a box"),
    (Label(None, (1.0, 1.0, 9.0, 9.0)), "needs both a class and a box"),
    (Label("cat", (9.0, 1.0, 1.0, 9.0)), "width and height must be positive"),
    (Label("cat", (1.0, 1.0, 41.0, 9.0)), "passes the frame of 40 x 30 pixels"),
    (Label("cat", (50.0, 1.0, 60.0, 9.0)), "passes the frame"),
    (Label("cat", (1.0, 1.0, float("nan"), 9.0)), "not made of finite numbers"),
    (Label("cat", (1.0, 1.0, 9.0, 9.0), ((1.0, 1.0, 2),)), "has 1 keypoints"),
]


@pytest.mark.parametrize(("label", "message"), WRONG)
def test_a_label_that_does_not_fit_is_refused_and_nothing_is_kept(
    make_folder, open_session, label, message
):
    folder = make_folder(1)
    session = open_session(folder)
    with pytest.raises(DataError, match=message):
        session.apply(Action("x", image_id("000.png"), 0, label, "drawn"))
    assert by_name(session, "000.png").revision == 0
    assert len((folder / "labels.onebox/journal.jsonl").read_text().splitlines()) == 1


def test_a_box_that_passes_the_frame_by_rounding_is_cut(make_folder, open_session, act):
    session = open_session(make_folder(1))
    entry = act(session, by_name(session, "000.png"), (-0.2, 1, 40.3, 30))
    assert entry.label.box == (0.0, 1.0, 40.0, 30.0)


def test_an_unknown_image_is_a_key_error(make_folder, open_session):
    session = open_session(make_folder(1))
    with pytest.raises(KeyError):
        session.entry("0" * 16)


def test_classes_are_added_once_whatever_their_case(make_folder, open_session, act):
    folder = make_folder(1)
    session = open_session(folder)
    assert session.add_class(" dog ") == ("cat", "dog")
    for name in ("Dog", "CAT", "  ", "a\nb"):
        with pytest.raises(DataError):
            session.add_class(name)
    session.close()
    assert open_session(folder).classes == ("cat", "dog")


def test_a_session_for_which_nobody_names_a_class_has_one(make_folder, open_session):
    assert open_session(make_folder(1), classes=()).classes == ("object",)


def test_images_of_the_sample_alternate_between_cal_and_test_and_others_are_train(
    make_folder, open_session, act
):
    folder = make_folder(40)
    session = open_session(folder)
    for entry in session.next_entries("a", 40):
        act(session, entry)
    save(session)
    split_of = {name: row[-1] for name, row in rows(folder).items()}
    sample = {name for name in split_of if is_of_sample(image_id(name), 0)}
    assert {name for name, split in split_of.items() if split != "train"} == sample
    counts = [list(split_of.values()).count(split) for split in ("cal", "test")]
    assert sum(counts) == len(sample) > 3
    assert counts[0] - counts[1] in {0, 1}


def test_an_image_that_had_a_label_is_never_of_the_sample(make_folder, open_session, act):
    folder = make_folder(40)
    names = [name for name in (f"{n:03}.png" for n in range(40)) if is_of_sample(image_id(name), 0)]
    (folder / "labels.csv").write_text(
        f"image,label,x_min,y_min,x_max,y_max\n{names[0]},cat,1,1,9,9\n"
    )
    session = open_session(folder)
    assert not by_name(session, names[0]).in_sample
    assert by_name(session, names[1]).in_sample
    assert not act(session, by_name(session, names[0]), how="cleared").in_sample


def test_the_order_is_the_same_for_the_same_seed(make_folder, open_session):
    folder = make_folder(30)
    with open_session(folder, labels=folder / "one.csv") as session:
        first = [one.name for one in session.next_entries("a", 30)]
    with open_session(folder, labels=folder / "two.csv") as session:
        assert [one.name for one in session.next_entries("a", 30)] == first
    with open_session(folder, labels=folder / "three.csv", seed=1) as session:
        assert [one.name for one in session.next_entries("a", 30)] != first


def test_a_labelled_image_does_not_come_next_until_its_label_is_taken_away(
    make_folder, open_session, act
):
    session = open_session(make_folder(3))
    [entry] = session.next_entries("a", 1)
    entry = act(session, entry)
    assert entry.id not in {one.id for one in session.next_entries("a", 3)}
    act(session, entry, how="cleared")
    assert entry.id in {one.id for one in session.next_entries("a", 3)}


def test_an_image_that_cannot_be_read_is_counted_out_and_named(make_folder, open_session):
    folder = make_folder(3)
    (folder / "001.png").write_bytes(b"no image")
    session = open_session(folder)
    assert [one.name for one in session.next_entries("a", 3)] != []
    assert session.find("", "all", 0, 9)[0] == 2
    assert session.summary().images == 2
    [note] = session.notes
    assert note.startswith("1 image cannot be read and left out. The first: ")
    assert "001.png: is not an image" in note


def test_a_link_that_leads_nowhere_and_a_name_in_no_script_are_counted_out_and_named(
    make_folder, open_session
):
    folder = make_folder(3)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    strange = os.fsdecode(b"caf\xe9.png")  # Latin-1
    (folder / "000.png").rename(folder / strange)
    session = open_session(folder)
    assert {one.name for one in session.next_entries("a", 3)} == {"001.png", "002.png"}
    assert [one.name for one in session.find("", "all", 0, 9)[1]] == ["001.png", "002.png"]
    [note] = session.notes
    assert note.startswith("2 images cannot be read and left out. The first: ")
    assert f"{strange}: has a name that is not UTF-8, which label files are. Rename it." in note


def test_names_that_the_page_cannot_show_are_refused_at_the_start(make_folder, open_session):
    folder = make_folder(1)
    strange = os.fsdecode(b"caf\xe9")  # Latin-1
    with pytest.raises(SettingError, match=f"^{strange}: is not UTF-8"):
        open_session(folder, classes=(strange,))
    with pytest.raises(SettingError, match=rf"{strange}\.csv: is not UTF-8"):
        open_session(folder, labels=folder / f"{strange}.csv")
    folder = folder.rename(folder.with_name(strange))
    with pytest.raises(SettingError, match=f"{strange}: is not UTF-8, which the page and label"):
        open_session(folder)
    assert [one.name for one in folder.iterdir()] == ["000.png"]


def test_search_finds_words_of_names_whatever_their_case(make_folder, open_session):
    folder = make_folder(12)
    (folder / "Cats").mkdir()
    (folder / "000.png").rename(folder / "Cats" / "Tom 1.png")
    session = open_session(folder)
    assert [one.name for one in session.find("tom cats", "all", 0, 9)[1]] == ["Cats/Tom 1.png"]
    total, page = session.find("", "all", 10, 5)
    assert (total, len(page)) == (12, 2)
    with pytest.raises(SettingError, match="filter must be one of all"):
        session.find("", "new", 0, 9)


def test_filters_tell_labels_and_absent_subjects_apart(make_folder, open_session, act):
    session = open_session(make_folder(4))
    act(session, by_name(session, "000.png"))
    act(session, by_name(session, "001.png"), how="absent")
    counts = [session.find("", name, 0, 0)[0] for name in ("labelled", "absent", "unlabelled")]
    assert counts == [2, 1, 2]


def test_the_time_left_is_the_median_time_times_the_images_left(make_folder, open_session, act):
    session = open_session(make_folder(10))
    assert session.summary().seconds_left is None
    for entry, seconds in zip(session.next_entries("a", 3), (1.0, 60.0, 4.0), strict=True):
        act(session, entry, seconds=seconds)
    assert session.summary().seconds_left == 4.0 * 7


@pytest.mark.parametrize("seconds", [-1.0, 1.1e9, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused(make_folder, open_session, act, seconds):
    session = open_session(make_folder(2))
    with pytest.raises(DataError, match=r"the time of an action must be 0 to 1e\+09 seconds, got"):
        act(session, by_name(session, "000.png"), seconds=seconds)
    assert session.summary().seconds_left is None


def test_a_time_in_the_journal_that_is_too_long_does_not_count(make_folder, open_session, act):
    folder = make_folder(12)
    with open_session(folder) as session:
        act(session, by_name(session, "000.png"), seconds=3.25)
        act(session, by_name(session, "001.png"), seconds=4.0)
    journal = folder / "labels.onebox" / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"seconds": 3.25', '"seconds": 1e308'))
    assert open_session(folder).summary().seconds_left == 4.0 * 10


def test_a_save_that_fails_is_told_and_tried_again(make_folder, open_session, act, monkeypatch):
    folder = make_folder(2)
    session = open_session(folder)

    def refuse(*args, **kwargs):
        raise OneboxError("labels.csv: cannot be written.")

    with monkeypatch.context() as patch:
        patch.setattr(LabelFile, "save", refuse)
        act(session, by_name(session, "000.png"))
        save(session)
        status = session.summary().file
        assert (status.state, status.message) == ("refused", "labels.csv: cannot be written.")
    save(session)
    assert session.summary().file.state == "saved"
    assert "000.png" in rows(folder)


def test_labels_that_a_crash_kept_from_the_file_are_written_at_the_next_start(
    make_folder, open_session, act, monkeypatch
):
    folder = make_folder(3)
    with monkeypatch.context() as patch:
        patch.setattr(LabelFile, "save", lambda *args, **kwargs: 1 / 0)
        with open_session(folder) as session:
            entry = act(session, by_name(session, "001.png"))
    assert not (folder / "labels.csv").exists()
    session = open_session(folder)
    assert session.entry(entry.id) == entry
    save(session)
    assert "001.png" in rows(folder)


def test_a_label_file_that_was_removed_is_written_anew(make_folder, open_session, act):
    folder = make_folder(2)
    with open_session(folder) as session:
        act(session, by_name(session, "001.png"))
    (folder / "labels.csv").unlink()
    with open_session(folder) as session:
        assert session.summary().labelled == 1
    assert "001.png" in rows(folder)


def test_a_row_that_was_removed_between_two_sessions_takes_the_label_away(
    make_folder, open_session, act
):
    folder = make_folder(3)
    with open_session(folder) as session:
        act(session, by_name(session, "001.png"))
        act(session, by_name(session, "002.png"))
    lines = (folder / "labels.csv").read_text().splitlines(keepends=True)
    (folder / "labels.csv").write_text("".join(one for one in lines if "002" not in one))
    session = open_session(folder)
    entry = by_name(session, "002.png")
    assert (entry.label, entry.revision) == (None, 2)


def test_an_unsaved_label_of_an_image_that_is_away_is_saved_when_it_is_back(
    make_folder, open_session, act, monkeypatch
):
    folder = make_folder(3)
    with monkeypatch.context() as patch:
        patch.setattr(LabelFile, "save", lambda *args, **kwargs: 1 / 0)
        with open_session(folder) as session:
            act(session, by_name(session, "000.png"))
            act(session, by_name(session, "001.png"))
    (folder / "001.png").rename(folder / "elsewhere")
    with open_session(folder) as session:
        assert session.summary().labelled == 1
        assert session.notes[0].startswith("1 image with labels in the journal")
    assert list(rows(folder)) == ["000.png"]
    (folder / "elsewhere").rename(folder / "001.png")
    with open_session(folder) as session:
        assert session.summary().labelled == 2
    assert sorted(rows(folder)) == ["000.png", "001.png"]


def test_two_sessions_cannot_have_one_label_file(make_folder, open_session):
    folder = make_folder(1)
    open_session(folder)
    with pytest.raises(OneboxError, match="another onebox label has this session open"):
        open_session(folder)


def test_a_folder_without_images_is_refused(tmp_path, open_session):
    with pytest.raises(SettingError, match="holds no image"):
        open_session(tmp_path)
    with pytest.raises(SettingError, match="is not a folder"):
        open_session(tmp_path / "nowhere")


steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["box", "absent", "clear", "save", "edit", "mine", "theirs"]),
        st.floats(1, 8, width=16),
    ),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_replay_equals_memory(tmp_path_factory, steps):
    from PIL import Image

    folder = tmp_path_factory.mktemp("replay")
    for number in range(4):
        Image.new("RGB", (40, 30)).save(folder / f"{number}.png")
    options = SessionOptions(folder, classes=("cat",))
    numbers = itertools.count()
    with Session.open(options) as session:
        for image, what, edge in steps:
            _step(session, folder, f"{image}.png", what, edge, next(numbers))
        save(session)
        before = facts(session)
    with Session.open(options) as session:
        assert facts(session) == before


def _step(session, folder, name, what, edge, number):
    entry = by_name(session, name)
    labels = {"box": Label("cat", (edge, 1.0, 20.0, 20.0)), "absent": Label(), "clear": None}
    if what in labels:
        session.apply(Action(f"{number}", entry.id, entry.revision, labels[what], "drawn"))
    elif what == "save":
        save(session)
    elif what == "edit" and (folder / "labels.csv").exists() and name in rows(folder):
        lines = (folder / "labels.csv").read_text().splitlines()
        edited = [
            f"{name},cat,{edge},3,20,20,train" if line.startswith(f"{name},") else line
            for line in lines
        ]
        (folder / "labels.csv").write_text("\n".join(edited) + "\n")
    elif what in {"mine", "theirs"}:
        session.settle(entry.id, what)


def test_any_prefix_of_the_journal_is_an_earlier_state(make_folder, open_session, act):
    folder = make_folder(3)
    journal = folder / "labels.onebox" / "journal.jsonl"
    states, lengths = [], []
    with open_session(folder, labels=folder / "labels.csv") as session:
        for name, how in (("000.png", "drawn"), ("001.png", "absent"), ("000.png", "cleared")):
            lengths.append(journal.stat().st_size)
            states.append(facts(session))
            act(session, by_name(session, name), how=how)
    content = journal.read_bytes()
    for cut, state in zip(lengths, states, strict=True):
        for torn in (0, 20):
            journal.write_bytes(content[: cut + torn])
            (folder / "labels.csv").unlink(missing_ok=True)
            with open_session(folder) as session:
                assert facts(session) == state


def test_proposals_are_shown_for_all_images_but_those_of_the_sample(make_folder, open_session):
    session = open_session(make_folder(40))
    propose(session, [one.id for one in session.find("", "all", 0, 40)[1]])
    for entry in session.find("", "all", 0, 40)[1]:
        assert (entry.proposal is None) == entry.in_sample


def test_a_label_of_the_sample_does_not_reveal_the_proposal(make_folder, open_session, act):
    session = open_session(make_folder(40))
    entries = session.find("", "all", 0, 40)[1]
    propose(session, [one.id for one in entries])
    entry = next(one for one in entries if one.in_sample)
    assert act(session, entry).proposal is None


def propose(session, keys):
    from onebox.labelling.job import Proposals
    from onebox.labelling.records import Proposal

    one = Proposal("cat", (1.0, 1.0, 9.0, 9.0), 0.5)
    session._take_over(Proposals(dict.fromkeys(keys, one), tuple(keys), tuple(reversed(keys))))


def test_the_most_doubtful_images_come_in_four_of_ten_places(make_folder, open_session):
    session = open_session(make_folder(100))
    keys = [one.id for one in session.find("", "all", 0, 100)[1] if not one.in_sample]
    propose(session, keys)
    entries = [one.id for one in session.next_entries("a", 20)]
    doubtful = set(keys[:8])
    assert doubtful <= set(entries)
    different = set(keys[-4:])
    assert different <= set(entries)


def test_random_order_is_not_changed_by_proposals(make_folder, open_session):
    folder = make_folder(60)
    with open_session(folder, labels=folder / "one.csv", order="random") as session:
        expected = [one.id for one in session.next_entries("a", 30)]
    session = open_session(folder, labels=folder / "two.csv", order="random")
    propose(session, [one.id for one in session.find("", "all", 0, 60)[1]])
    assert [one.id for one in session.next_entries("a", 30)] == expected


def test_the_label_file_is_written_by_itself_soon_after_an_action(make_folder, act, monkeypatch):
    folder = make_folder(2)
    is_saved, save_now = threading.Event(), Saver.save

    def save_and_tell(self):
        save_now(self)
        if (folder / "labels.csv").exists():
            is_saved.set()

    monkeypatch.setattr(Saver, "save", save_and_tell)
    with Session.open(SessionOptions(folder, classes=("cat",))) as session:
        act(session, by_name(session, "001.png"))
        assert is_saved.wait(60)
        assert list(rows(folder)) == ["001.png"]
        assert session.summary().file.state == "saved"


def test_the_journal_names_the_image_of_an_action(make_folder, open_session, act):
    folder = make_folder(2)
    session = open_session(folder)
    act(session, by_name(session, "001.png"))
    last = (folder / "labels.onebox" / "journal.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["name"] == "001.png"


def test_labels_that_the_file_cannot_hold_stay_in_the_journal_and_are_told(
    make_folder, open_session, act, monkeypatch
):
    folder = make_folder(3)
    session = open_session(folder)
    save_file = LabelFile.save

    def refuse_one(self, changes, **options):
        wanted = {path: label for path, label in changes.items() if path.name != "001.png"}
        saved = save_file(self, wanted, **options)
        refused = {path: "001.png: cannot be held." for path in changes if path not in wanted}
        return dataclasses.replace(saved, refused=refused)

    act(session, by_name(session, "000.png"))
    entry = act(session, by_name(session, "001.png"))
    with monkeypatch.context() as patch:
        patch.setattr(LabelFile, "save", refuse_one)
        save(session)
    status = session.summary().file
    assert (status.state, status.message) == ("refused", "001.png: cannot be held.")
    assert list(rows(folder)) == ["000.png"]
    session.close()
    session = open_session(folder)
    assert session.entry(entry.id) == entry
    save(session)
    assert sorted(rows(folder)) == ["000.png", "001.png"]


def test_a_label_that_stays_refused_adds_nothing_to_the_journal(
    make_folder, open_session, act, monkeypatch
):
    session = open_session(make_folder(1))
    entry = act(session, by_name(session, "000.png"))
    answer = Saved(refused={entry.path: "000.png: cannot be held."})
    journal = session.session_folder / "journal.jsonl"
    length = journal.stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(LabelFile, "save", lambda *args, **kwargs: answer)
        save(session)
        assert session.summary().file.state == "refused"
        assert journal.stat().st_size == length


def test_an_action_that_is_in_the_journal_twice_counts_once(make_folder, open_session, act):
    folder = make_folder(2)
    with open_session(folder) as session:
        entry = act(session, by_name(session, "001.png"))
    journal = folder / "labels.onebox" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([lines[0], lines[1], lines[1], *lines[2:]]))
    assert open_session(folder).entry(entry.id) == entry


def test_the_labels_that_the_folder_holds_are_gone_on_with(make_folder, open_session):
    folder = make_folder(2)
    content = {
        "images": [{"id": 7, "file_name": "000.png", "width": 40, "height": 30}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20]}],
        "categories": [{"id": 3, "name": "lynx"}],
    }
    (folder / "instances.json").write_text(json.dumps(content))
    session = open_session(folder, classes=())
    assert session.label_file_path == folder / "instances.json"
    assert by_name(session, "000.png").label == Label("lynx", (1.0, 2.0, 11.0, 22.0))
    assert session.session_folder == folder / "instances.onebox"


def test_several_label_files_in_the_folder_are_not_guessed_at(make_folder, open_session):
    folder = make_folder(2)
    for split in ("train", "val"):
        text = "image,label,x_min,y_min,x_max,y_max\n000.png,cat,1,2,10,20\n"
        (folder / f"{split}.csv").write_text(text)
    with pytest.raises(SettingError, match=r"several label files \(.*train.csv, .*val.csv\)"):
        open_session(folder)


def test_a_list_of_an_audit_is_not_taken_for_labels(make_folder, open_session):
    folder = make_folder(2)
    (folder / "audit.csv").write_text("image,list,listed,suggested_x_min\n000.png,boxes,yes,3\n")
    assert open_session(folder).label_file_path == folder / "labels.csv"


def test_a_class_in_the_journal_that_is_no_text_is_an_error_that_names_the_line(
    make_folder, open_session
):
    folder = make_folder(1)
    session = open_session(folder)
    session.close()
    with (session.session_folder / "journal.jsonl").open("a") as journal:
        journal.write('{"do": "class", "name": {}}\n')
    with pytest.raises(DataError, match=r"journal\.jsonl:2: the line is no record.*is no text"):
        open_session(folder)
