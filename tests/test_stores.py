"""Files in stores by URI, as files on the disk by path; an object store in memory stands in."""

import os

import pytest

from onebox import stores
from onebox.errors import DataError

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    """A folder of two shards and a text, on the disk and in a store."""
    files = {"b.tar": b"01234", "train/a b.TAR": b"x" * 10, "notes.txt": b""}
    if request.param == "disk":
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
        yield str(tmp_path)
        return
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/bucket/shards/{name}": content for name, content in files.items()})
    yield "memory://bucket/shards"
    memory.rm("/bucket", recursive=True)


def test_files_are_found_by_suffix_and_read_in_parts(folder):
    found = list(stores.find(folder, {".tar"}))
    assert [(stores.relative(one.name, folder), one.size) for one in found] == [
        ("b.tar", 5),
        ("train/a b.TAR", 10),
    ]
    assert stores.read(found[0].name, 1, 3) == b"123"
    assert stores.read(found[0].name) == b"01234"
    with stores.open_input(found[0].name) as file:
        assert file.seek(0, os.SEEK_END) == 5


def test_a_file_is_put_whole_in_place_of_another_and_removed(folder, tmp_path):
    new, target = tmp_path / "new", stores.join(folder, "b.tar")
    before = stores.stamp(target)
    new.write_bytes(b"another")
    stores.put(new, target)
    assert stores.read(target) == b"another"
    assert stores.stamp(target) != before
    assert not new.exists()
    stores.remove(target)
    stores.remove(target)
    assert not stores.exists(target)


def test_folders_and_files_are_told_apart(folder):
    assert stores.is_folder(folder)
    assert stores.exists(folder)
    assert not stores.is_folder(stores.join(folder, "b.tar"))
    assert not stores.exists(stores.join(folder, "c.tar"))


def test_what_is_missing_is_a_data_error_with_its_name(folder):
    gone = stores.join(folder, "c.tar")
    for ask in (stores.read, stores.stamp):
        if ask is stores.read or not stores.is_uri(gone):
            with pytest.raises(DataError, match=r"c\.tar: does not exist\. Correct the name\."):
                ask(gone)


def test_an_unknown_scheme_is_a_data_error():
    with pytest.raises(DataError, match=r"cannot be opened .*Correct its scheme"):
        stores.read("nonsense://bucket/a")


@pytest.mark.parametrize(
    ("name", "is_uri"),
    [("s3://b/a", True), ("gs://b", True), ("https://x/a", False), ("C:/a", False), ("a/b", False)],
)
def test_a_web_address_and_a_path_are_no_uris_of_stores(name, is_uri):
    assert stores.is_uri(name) == is_uri
