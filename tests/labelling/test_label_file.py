"""The label file of a session: saved in place, edits from outside noticed, nothing overwritten."""

import os
from pathlib import Path

import pytest
from PIL import Image

from onebox import files
from onebox.errors import DataError, OneboxError, SettingError
from onebox.formats import read
from onebox.labelling import watched_files
from onebox.labelling.label_file import LabelFile, Saved
from onebox.labelling.records import Label

BOX = (1.0, 2.0, 30.0, 20.0)
OTHER = (5.0, 6.0, 7.0, 8.0)
CLASSES = ("cat", "dog")
HEADER = "image,label,x_min,y_min,x_max,y_max\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Do not wait for other programs to finish writing."""
    monkeypatch.setattr(watched_files, "QUIET_S", 0.0)


@pytest.fixture
def folder(tmp_path):
    for name in "abcd":
        Image.new("RGB", (40, 30), (ord(name), 0, 0)).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def opened(folder):
    """A CSV file with ``a`` and ``b``, and the session's view of it."""
    path = folder / "labels.csv"
    path.write_text(f"{HEADER}a.png,cat,1,2,30,20\nb.png,dog,1,2,30,20\n")
    return LabelFile.open(path, None, folder)


def save(file, known=None, **labels):
    """Save labels by the stem of their image; the session knows the labels last read, or others."""
    changes = {file.path.parent / f"{name}.png": label for name, label in labels.items()}
    return file.save(changes, known=known or last_read(file, changes), classes=CLASSES)


def last_read(file, images):
    return {image: [file.content.labels.get(image)] for image in images}


def rewrite(file, old, new):
    """Edit the file from outside."""
    text = file.path.read_text()
    assert old in text
    file.path.write_text(text.replace(old, new))


def names(labels):
    return {image.stem: label for image, label in labels.items()}


def test_a_file_that_does_not_exist_is_made_with_the_first_label(folder):
    file = LabelFile.open(folder / "labels.csv", None, folder)
    assert (file.format, file.content.labels) == ("csv", {})
    assert not file.path.exists()
    a, b = folder / "a.png", folder / "b.png"
    changes = {a: Label("cat", BOX), b: Label()}
    known = last_read(file, changes)
    saved = file.save(changes, known=known, classes=CLASSES, splits={a: "cal"})
    assert saved == Saved()
    assert file.path.read_text() == (
        "image,label,x_min,y_min,x_max,y_max,split\na.png,cat,1,2,30,20,cal\nb.png,,,,,,train\n"
    )
    assert file.content.labels == {a: Label("cat", BOX), b: Label()}
    assert file.content.splits == {a: "cal", b: "train"}
    assert LabelFile.open(file.path, None, folder).content == file.content


def test_saving_changes_the_rows_of_the_changes_alone(opened):
    assert save(opened, b=None, c=Label("dog", OTHER)) == Saved()
    assert opened.path.read_text() == f"{HEADER}a.png,cat,1,2,30,20\nc.png,dog,5,6,7,8\n"
    assert names(opened.content.labels) == {"a": Label("cat", BOX), "c": Label("dog", OTHER)}


def test_a_label_that_the_file_has_already_writes_nothing(opened):
    before = opened.path.stat().st_mtime_ns
    save(opened, a=Label("cat", BOX), c=None)
    assert opened.path.stat().st_mtime_ns == before


def test_an_edit_from_outside_is_kept_and_reported(opened):
    rewrite(opened, "b.png,dog,1,2", "b.png,cat,3,4")
    saved = save(opened, a=Label("cat", OTHER))
    assert names(saved.theirs) == {"b": Label("cat", (3.0, 4.0, 30.0, 20.0))}
    assert saved.conflicts == {}
    assert opened.path.read_text() == f"{HEADER}a.png,cat,5,6,7,8\nb.png,cat,3,4,30,20\n"
    assert save(opened, a=Label("cat", BOX)).theirs == {}


def test_a_row_that_is_removed_outside_is_a_label_that_was_taken_away(opened):
    rewrite(opened, "b.png,dog,1,2,30,20\n", "")
    assert names(opened.refresh()) == {"b": None}
    assert names(opened.content.labels) == {"a": Label("cat", BOX)}
    assert opened.refresh() == {}


def test_a_label_that_both_changed_is_a_conflict_until_the_session_knows_that_of_the_file(opened):
    a = opened.path.parent / "a.png"
    rewrite(opened, "a.png,cat", "a.png,dog")
    text = opened.path.read_text()
    for _ in range(2):
        saved = save(opened, {a: [None, Label("cat", BOX)]}, a=Label("cat", OTHER))
        assert names(saved.conflicts) == {"a": Label("dog", BOX)}
        assert saved.theirs == {}
        assert opened.path.read_text() == text
    assert save(opened, {a: [None, Label("dog", BOX)]}, a=Label("cat", OTHER)) == Saved()
    assert "a.png,cat,5,6,7,8\n" in opened.path.read_text()
    assert save(opened, a=Label("cat", BOX)) == Saved()


def test_a_conflict_costs_no_other_label(opened):
    rewrite(opened, "a.png,cat", "a.png,dog")
    saved = save(opened, a=Label("cat", OTHER), b=Label("dog", OTHER))
    assert names(saved.conflicts) == {"a": Label("dog", BOX)}
    assert opened.path.read_text() == f"{HEADER}a.png,dog,1,2,30,20\nb.png,dog,5,6,7,8\n"


def test_the_same_change_on_both_sides_is_no_conflict(opened):
    rewrite(opened, "a.png,cat,1,2,30,20", "a.png,dog,5,6,7,8")
    assert save(opened, a=Label("dog", OTHER)) == Saved()


def test_an_edit_of_equal_length_and_date_is_noticed(opened):
    stat = opened.path.stat()
    rewrite(opened, "b.png,dog,1,2", "b.png,dog,3,4")
    os.utime(opened.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert names(opened.refresh()) == {"b": Label("dog", (3.0, 4.0, 30.0, 20.0))}


def test_a_touched_file_has_no_edit(opened):
    os.utime(opened.path)
    assert opened.refresh() == {}


def test_an_edit_just_before_the_file_is_replaced_is_merged(opened, monkeypatch):
    flushed = []

    def edit_meanwhile(_):
        if not flushed:
            rewrite(opened, "b.png,dog,1,2", "b.png,dog,3,4")
        flushed.append(1)

    monkeypatch.setattr(os, "fsync", edit_meanwhile)
    saved = save(opened, a=Label("cat", OTHER))
    assert names(saved.theirs) == {"b": Label("dog", (3.0, 4.0, 30.0, 20.0))}
    assert opened.path.read_text() == f"{HEADER}a.png,cat,5,6,7,8\nb.png,dog,3,4,30,20\n"
    assert len(flushed) == 2


def test_a_file_that_changes_all_the_time_is_left_alone(opened, monkeypatch):
    def edit_meanwhile(_):
        opened.path.write_text(opened.path.read_text() + "c.png,cat,1,2,3,4\n")

    monkeypatch.setattr(os, "fsync", edit_meanwhile)
    with pytest.raises(OneboxError, match="another program writes it all the time"):
        save(opened, a=Label("cat", OTHER))
    assert opened.path.read_text().startswith(f"{HEADER}a.png,cat,1,2,30,20\n")
    assert sorted(one.name for one in opened.path.parent.glob(".*")) == []


def test_a_file_that_is_still_being_written_is_read_when_it_is_complete(opened, monkeypatch):
    monkeypatch.setattr(watched_files, "QUIET_S", 0.3)
    whole = f"{opened.path.read_text()}c.png,cat,1,2,30,20\n"
    opened.path.write_text(whole[:-15])
    monkeypatch.setattr("time.sleep", lambda _: opened.path.write_text(whole))
    assert names(opened.refresh()) == {"c": Label("cat", BOX)}


def test_a_half_edited_file_is_neither_read_nor_written(opened):
    rewrite(opened, "b.png,dog,1,2,30,20", "b.png,dog,1,2,30,\nc.png,dog,9,2,3,4")
    text, content = opened.path.read_text(), opened.content
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            save(opened, a=Label("cat", OTHER))
        assert [problem.split(" is ")[0] for problem in caught.value.problems] == [
            "labels.csv:3: y_max",
            "labels.csv:4: box 9, 2, 3, 4",
        ]
        assert opened.path.read_text() == text
        assert opened.content == content
    opened.path.write_text(f"{HEADER}a.png,cat,1,2,30,20\n")
    saved = save(opened, a=Label("cat", OTHER))
    assert names(saved.theirs) == {"b": None}


def test_a_deleted_file_is_refused_and_not_made_again(opened):
    opened.path.unlink()
    with pytest.raises(DataError, match=r"labels\.csv: is gone; it was deleted or moved"):
        save(opened, a=Label("cat", OTHER))
    assert not opened.path.exists()


def test_an_emptied_file_does_not_take_all_labels_away(opened):
    opened.path.write_text("")
    with pytest.raises(DataError, match=r"labels\.csv: holds no labels; it held 2 before"):
        opened.refresh()
    assert len(opened.content.labels) == 2


def test_a_file_that_appears_after_the_start_is_merged(folder):
    file = LabelFile.open(folder / "labels.csv", None, folder)
    file.path.write_text(f"{HEADER}a.png,cat,1,2,30,20\nb.png,dog,1,2,30,20\n")
    saved = save(file, a=Label("cat", OTHER), c=Label("cat", BOX))
    assert names(saved.conflicts) == {"a": Label("cat", BOX)}
    assert names(saved.theirs) == {"b": Label("dog", BOX)}
    assert file.path.read_text() == (
        f"{HEADER}a.png,cat,1,2,30,20\nb.png,dog,1,2,30,20\nc.png,cat,1,2,30,20\n"
    )


def test_a_link_stays_a_link(opened, folder):
    link = folder / "link.csv"
    link.symlink_to(opened.path)
    file = LabelFile.open(link, None, folder)
    save(file, a=Label("cat", OTHER))
    assert link.is_symlink()
    assert "a.png,cat,5,6,7,8\n" in opened.path.read_text()


def test_the_permissions_of_the_file_stay(opened):
    opened.path.chmod(0o664)
    save(opened, a=Label("cat", OTHER))
    assert opened.path.stat().st_mode & 0o777 == 0o664


def test_a_read_only_file_is_not_replaced(opened, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or path != opened.path)
    text = opened.path.read_text()
    with pytest.raises(OneboxError, match=r"labels\.csv: is read-only\. Change its permissions"):
        save(opened, a=Label("cat", OTHER))
    assert opened.path.read_text() == text


def test_edits_from_outside_are_not_lost_if_the_disk_refuses(opened, monkeypatch):
    rewrite(opened, "a.png,cat", "a.png,dog")
    rewrite(opened, "b.png,dog,1,2", "b.png,dog,3,4")

    def refuse(*_):
        raise OSError(30, "Read-only file system")

    changes = {"a": Label("cat", OTHER), "c": Label("cat", BOX)}
    known = last_read(opened, [opened.path.parent / f"{name}.png" for name in changes])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OneboxError, match=r"cannot be written \(Read-only file system\)"):
            save(opened, known, **changes)
    saved = save(opened, known, **changes)
    assert names(saved.conflicts) == {"a": Label("dog", BOX)}
    assert names(saved.theirs) == {"b": Label("dog", (3.0, 4.0, 30.0, 20.0))}


def test_edits_from_outside_before_each_of_several_refused_saves_are_all_reported(
    opened, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        for old, new in [("b.png,dog", "b.png,cat"), ("30,20\n", "30,20\nc.png,cat,1,2,30,20\n")]:
            opened.path.write_text(opened.path.read_text().replace(old, new, 1))
            with pytest.raises(OneboxError, match="is read-only"):
                save(opened, d=Label("cat", BOX))
    saved = save(opened, d=Label("cat", BOX))
    assert names(saved.theirs) == {"b": Label("cat", BOX), "c": Label("cat", BOX)}


def test_a_full_disk_keeps_the_old_file_and_the_label_is_written_later(folder, small_disk):
    path = small_disk / "labels.csv"
    path.write_text(f"{HEADER}../a.png,cat,1,2,30,20\n")
    file = LabelFile.open(path, None, folder)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(2 * 2**20))
    changes = {folder / "a.png": Label("dog", OTHER)}
    with pytest.raises(OneboxError, match=r"labels\.csv: cannot be written \(No space left"):
        file.save(changes, known=last_read(file, changes), classes=CLASSES)
    assert path.read_text() == f"{HEADER}../a.png,cat,1,2,30,20\n"
    assert file.content.labels == {folder / "a.png": Label("cat", BOX)}
    ballast.unlink()
    assert file.save(changes, known=last_read(file, changes), classes=CLASSES) == Saved()
    assert path.read_text() == f"{HEADER}../a.png,dog,5,6,7,8\n"


def test_an_image_with_several_boxes_shows_the_largest_and_gets_one_when_it_is_saved(folder):
    path = folder / "labels.csv"
    path.write_text(f"{HEADER}a.png,cat,5,6,7,8\na.png,dog,1,2,30,20\n")
    file = LabelFile.open(path, None, folder)
    image = folder / "a.png"
    assert file.content.labels == {image: Label("dog", BOX)}
    assert file.content.crowded == {image}
    save(file, b=Label("cat", BOX))
    assert path.read_text().count("a.png") == 2
    save(file, a=Label("dog", BOX))
    assert path.read_text() == f"{HEADER}a.png,dog,1,2,30,20\nb.png,cat,1,2,30,20\n"
    assert file.content.crowded == frozenset()


def test_rows_of_other_images_are_noted_and_stay(folder):
    (folder / "session").mkdir()
    Image.new("RGB", (40, 30)).save(folder / "session/e.png")
    path = folder / "labels.csv"
    text = f"{HEADER}a.png,cat,1,2,30,20\nsession/gone.png,cat,1,2,3,4\nsession/e.png,cat,1,2,3,4\n"
    path.write_text(text)
    file = LabelFile.open(path, None, folder / "session")
    assert file.content.labels == {folder / "session/e.png": Label("cat", (1.0, 2.0, 3.0, 4.0))}
    assert file.content.notes[0] == "1 row of an image outside of the folder: left as they are."
    assert "gone.png does not exist" in file.content.notes[1]
    e = folder / "session/e.png"
    file.save({e: Label("cat", OTHER)}, known=last_read(file, [e]), classes=CLASSES)
    assert path.read_text() == text.replace("/e.png,cat,1,2,3,4", "/e.png,cat,5,6,7,8")


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (Label("cow", BOX), "label 'cow' is not one of cat, dog. Correct it, or add the class."),
        (Label("cat ", BOX), "label 'cat ' has spaces at its ends or control characters"),
        (Label("cat", (9.0, 2.0, 3.0, 4.0)), "box 9, 2, 3, 4 is -6 x 2 pixels"),
        (Label("cat", (1.0, 2.0, 90.0, 4.0)), "passes the frame of 40 x 30 pixels by 50"),
        (Label(None, BOX), "has a box but no label"),
        (Label("cat", BOX, ((1.0, 2.0, 2),)), "has 1 keypoints, but the label file has a place"),
    ],
)
def test_a_wrong_label_is_refused_and_the_others_are_written(opened, label, problem):
    saved = save(opened, a=label, c=Label("cat", BOX))
    [(image, sentence)] = saved.refused.items()
    assert (image.stem, problem in sentence) == ("a", True)
    assert opened.path.read_text() == (
        f"{HEADER}a.png,cat,1,2,30,20\nb.png,dog,1,2,30,20\nc.png,cat,1,2,30,20\n"
    )


def test_paths_through_links_are_the_same_images(folder, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(folder)
    file = LabelFile.open(link / "labels.csv", None, link)
    file.save({link / "a.png": Label("cat", BOX)}, known={link / "a.png": [None]}, classes=CLASSES)
    assert file.content.labels == {folder / "a.png": Label("cat", BOX)}
    assert read(folder / "labels.csv").samples[0].image == folder / "a.png"


@pytest.mark.parametrize("name", ["labels", "labels.xml", "data.yaml"])
def test_only_csv_and_coco_files_are_made(folder, name):
    with pytest.raises(SettingError, match=r"Name a \.csv file, or a \.json file for COCO"):
        LabelFile.open(folder / name, None, folder)


def test_labels_in_several_files_are_refused(folder):
    for name in ("train", "val"):
        (folder / f"{name}.csv").write_text(f"{HEADER}a.png,cat,1,2,30,20\n")
    with pytest.raises(SettingError, match=r"holds several label files .*Name one of them"):
        LabelFile.open(folder, None, folder)


def test_a_wrong_file_is_not_opened_and_every_problem_is_named(folder):
    path = folder / "labels.csv"
    path.write_text(f"{HEADER}a.png,cat,9,2,3,4\nb.png,cat,1,2\n")
    with pytest.raises(DataError) as caught:
        LabelFile.open(path, None, folder)
    assert len(caught.value.problems) == 2


def test_nothing_is_left_beside_the_file(opened, folder):
    before = set(files.names_in(folder))
    save(opened, a=Label("cat", OTHER))
    assert set(files.names_in(folder)) == before
