"""Tars as others write them, and as nobody should."""

import io
import tarfile

import pytest

from onebox.errors import DataError
from onebox.packed.tar_shards import grouped, members, members_with_text, split_key


@pytest.fixture
def tar_of(tmp_path):
    """Write files to a tar: ``tar_of({"a.jpg": b"..."})``; other members as `TarInfo`."""

    def write(files=(), *others, mode="w"):
        path = tmp_path / "a.tar"
        with tarfile.open(path, mode) as tar:
            for name, content in dict(files).items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            for other in others:
                # The header alone: newer versions of Python refuse one that claims a content.
                tar.offset += tar.fileobj.write(other.tobuf())
        return str(path)

    return write


@pytest.mark.parametrize(
    ("path", "key", "suffix"),
    [
        ("a/0001.jpg", "a/0001", ".jpg"),
        ("a.b/0001.seg.PNG", "a.b/0001", ".seg.png"),
        ("readme", "readme", ""),
    ],
)
def test_a_key_ends_at_the_first_dot_of_the_last_part(path, key, suffix):
    assert split_key(path) == (key, suffix)


def test_members_tell_where_their_bytes_are(tar_of):
    path = tar_of({"a/1.jpg": b"image", "a/1.json": b"{}", "2.png": b""})
    found = list(members(path))
    assert [(one.name, one.size) for one in found] == [
        ("a/1.jpg", 5),
        ("a/1.json", 2),
        ("2.png", 0),
    ]
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(found[0].offset)
        assert file.read(5) == b"image"
    assert [key for key, _ in grouped(path)] == ["a/1", "2"]
    texts = [text for _, text in members_with_text(path, [".json"])]
    assert texts == [None, b"{}", None]


def test_links_devices_and_folders_are_left_out(tar_of):
    special = []
    for kind, name in [
        (tarfile.SYMTYPE, "link.jpg"), (tarfile.LNKTYPE, "hard.jpg"), (tarfile.CHRTYPE, "dev.jpg"),
        (tarfile.FIFOTYPE, "pipe.jpg"), (tarfile.DIRTYPE, "folder.jpg"),
    ]:  # fmt: skip
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        special.append(info)
    assert [one.name for one in members(tar_of({"a.jpg": b"a"}, *special))] == ["a.jpg"]


@pytest.mark.parametrize("kept", [100, 512 + 10, 512 + 1000])
def test_a_tar_that_is_cut_short_is_a_data_error(tar_of, tmp_path, kept):
    path = tar_of({"a.jpg": bytes(2000)})
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:kept])
    with pytest.raises(DataError, match=r"a.tar: .*cut short.*(Write it|Write the shard) again"):
        list(members(path))


def test_a_member_that_claims_more_than_the_file_has_is_a_data_error(tar_of):
    huge = tarfile.TarInfo("a.json")
    huge.size = 1 << 40
    message = r"a.json has 1099511627776 bytes by its header, and 8704 bytes remain"
    with pytest.raises(DataError, match=message):
        list(members_with_text(tar_of({}, huge), [".json"]))


def test_labels_of_many_megabytes_are_refused_before_they_are_read(tar_of, monkeypatch):
    monkeypatch.setattr("onebox.packed.tar_shards.MOST_TEXT", 10)
    with pytest.raises(DataError, match=r"a.json has 11 bytes, and labels have at most 10"):
        list(members_with_text(tar_of({"a.json": bytes(11)}), [".json"]))


def test_a_compressed_tar_and_a_text_are_no_tar(tar_of, tmp_path):
    for path in (tar_of({"a.jpg": b"a"}, mode="w:gz"), str(tmp_path / "b.tar")):
        (tmp_path / "b.tar").write_text("no tar " * 200)
        with pytest.raises(DataError, match="is no uncompressed tar file"):
            list(members(path))
